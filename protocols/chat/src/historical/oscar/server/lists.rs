//! The contact lists that a server keeps for its users: [`Lists`], in memory. Pure.

use std::{
    cell::RefCell,
    collections::{BTreeMap, HashMap, HashSet},
};

use crate::historical::{
    ScreenName,
    oscar::{ListItem, Reader},
    realm::BUDDIES_MAX,
};

/// The lists, by normalized names of users.
#[derive(Default)]
pub(super) struct Lists(RefCell<HashMap<String, List>>);

#[derive(Default)]
struct List {
    items: BTreeMap<(u16, u16), ListItem>,
}

/// What a change has led to, as it is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Changed {
    Done = 0,
    NotThere = 2,
    IsThere = 3,
    Full = 0x0c,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Change {
    Add,
    Replace,
    Remove,
}

impl Lists {
    /// Makes changes with all items in these bytes. `None` if they are malformed, and nothing was changed.
    pub(super) fn change(
        &self,
        of: &ScreenName,
        change: Change,
        items: &[u8],
    ) -> Option<Vec<Changed>> {
        let (mut reader, mut all) = (Reader::new(items), Vec::new());
        while !reader.is_empty() {
            all.push(ListItem::read(&mut reader)?);
        }
        let mut lists = self.0.borrow_mut();
        let list = lists.entry(of.normalized().to_owned()).or_default();
        Some(all.into_iter().map(|item| list.change(change, item)).collect())
    }

    /// All items.
    pub(super) fn items(&self, of: &ScreenName) -> Vec<ListItem> {
        let lists = self.0.borrow();
        let items = lists.get(of.normalized()).map(|list| list.items.values().cloned());
        let others = items.into_iter().flatten().filter(|item| item.place() != (0, 0));
        let root = lists.get(of.normalized()).and_then(|list| list.items.get(&(0, 0)).cloned());
        std::iter::once(root.unwrap_or_else(ListItem::root)).chain(others).collect()
    }

    /// The normalized names of the buddies.
    pub(super) fn buddies(&self, of: &ScreenName) -> HashSet<String> {
        let items = self.items(of);
        let names = items.iter().filter_map(ListItem::buddy_name);
        names.map(|name| name.normalized().to_owned()).collect()
    }
}

impl List {
    fn change(&mut self, change: Change, item: ListItem) -> Changed {
        let place = item.place();
        match (change, self.items.contains_key(&place)) {
            (Change::Add, true) => Changed::IsThere,
            (Change::Add, false) if self.items.len() >= BUDDIES_MAX => Changed::Full,
            // The group of all groups is there from the beginning.
            (Change::Replace, false) if place != (0, 0) => Changed::NotThere,
            (Change::Remove, false) => Changed::NotThere,
            (Change::Remove, true) => {
                self.items.remove(&place);
                Changed::Done
            }
            (Change::Add | Change::Replace, _) => {
                self.items.insert(place, item);
                Changed::Done
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bytes(items: &[ListItem]) -> Vec<u8> {
        let mut bytes = Vec::new();
        items.iter().for_each(|item| item.put(&mut bytes));
        bytes
    }

    #[test]
    fn lists_are_changed_item_by_item_and_bounded() {
        let lists = Lists::default();
        let (ann, bob): (ScreenName, ScreenName) = ("Ann".parse().unwrap(), "Bob".parse().unwrap());
        let item = ListItem::buddy(&bob, 1, 1);
        let one = bytes(std::slice::from_ref(&item));
        let change = |change, bytes: &[u8]| lists.change(&ann, change, bytes);
        assert_eq!(change(Change::Remove, &one), Some(vec![Changed::NotThere]));
        assert_eq!(change(Change::Replace, &one), Some(vec![Changed::NotThere]));
        assert_eq!(change(Change::Add, &one), Some(vec![Changed::Done]));
        assert_eq!(change(Change::Add, &one), Some(vec![Changed::IsThere]));
        assert_eq!(lists.items(&ann), [ListItem::root(), item]);
        assert_eq!(lists.buddies(&ann), HashSet::from(["bob".to_owned()]));
        assert_eq!(lists.buddies(&bob), HashSet::new());
        let many: Vec<_> = (1..1_000).map(|number| ListItem::buddy(&bob, 2, number)).collect();
        let full = many.chunks(100).flat_map(|items| change(Change::Add, &bytes(items)).unwrap());
        assert_eq!(
            full.filter(|changed| *changed == Changed::Full).count(),
            999 - (BUDDIES_MAX - 1)
        );
        assert_eq!(change(Change::Remove, &one[..one.len() - 1]), None);
        assert_eq!(change(Change::Remove, &one), Some(vec![Changed::Done]));
    }
}
