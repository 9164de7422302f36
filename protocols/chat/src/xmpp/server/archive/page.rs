//! How a page of an archive is found: [`StoredQuery`], [`StoredPage`], and [`select`] for archives whose messages have numbers. Pure.

use super::{ArchiveId, StoredMessage, stored_message::Parts};
use crate::xmpp::{codec::Jid, server::StoreError};

/// Which messages of an archive are wanted. The order is that in which they were appended.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct StoredQuery {
    /// Only those with this address; without a resource, with all of its resources.
    pub with: Option<Jid>,
    /// Only those of this id or a greater one.
    pub start: Option<ArchiveId>,
    /// Only those of this id or a smaller one.
    pub end: Option<ArchiveId>,
    /// Only those behind this one.
    pub after: Option<ArchiveId>,
    /// Only those before this one.
    pub before: Option<ArchiveId>,
    /// The newest of these, not the oldest. The order is the same.
    pub is_last: bool,
    /// Most messages.
    pub max: usize,
    /// Most bytes of messages, as they are stored; one is returned in any case.
    pub bytes_max: usize,
}

/// Messages of an archive.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct StoredPage {
    /// The messages, the oldest first.
    pub messages: Vec<StoredMessage>,
    /// There are no more in the direction of the question: behind these, or before them if the newest were wanted.
    pub is_complete: bool,
    /// How many messages there are on all pages, if that was found without reading them.
    pub count: Option<usize>,
}

impl StoredPage {
    /// A page.
    #[must_use]
    pub const fn new(
        messages: Vec<StoredMessage>,
        is_complete: bool,
        count: Option<usize>,
    ) -> Self {
        Self { messages, is_complete, count }
    }
}

impl StoredQuery {
    fn has(&self, id: ArchiveId) -> bool {
        self.start.is_none_or(|start| id >= start) && self.end.is_none_or(|end| id <= end)
    }

    fn is_with(&self, parts: &Parts<'_>, with: Option<&str>) -> bool {
        let Some(with) = with else { return true };
        let is_bare = self.with.as_ref().is_some_and(Jid::is_bare);
        match parts.with.strip_prefix(with) {
            Some("") => true,
            Some(rest) => is_bare && rest.starts_with('/'),
            None => false,
        }
    }
}

/// The page of an archive with messages of these ids. `read` returns the bytes of a message by its number.
pub(super) fn select(
    ids: &impl Ids,
    query: &StoredQuery,
    mut read: impl FnMut(usize) -> Result<Vec<u8>, StoreError>,
) -> Result<Option<StoredPage>, StoreError> {
    let mut range = 0..ids.len();
    for (id, is_begin) in [(query.after, true), (query.before, false)] {
        let Some(id) = id else { continue };
        match (ids.find(id), is_begin) {
            (None, _) => return Ok(None),
            (Some(at), true) => range.start = range.start.max(at + 1),
            (Some(at), false) => range.end = range.end.min(at),
        }
    }
    let count =
        query.with.is_none().then(|| (0..ids.len()).filter(|at| query.has(ids.id(*at))).count());
    let with = query.with.as_ref().map(Jid::to_string);
    let (mut page, mut bytes) = (StoredPage::new(Vec::new(), true, count), 0usize);
    while let Some(at) = if query.is_last { range.next_back() } else { range.next() } {
        if !query.has(ids.id(at)) {
            continue;
        }
        let stored = read(at)?;
        let parts = Parts::of(&stored).ok_or(StoreError::Malformed("a message has no address"))?;
        if !query.is_with(&parts, with.as_deref()) {
            continue;
        }
        bytes = bytes.saturating_add(stored.len());
        let is_full = page.messages.len() >= query.max
            || (bytes > query.bytes_max && !page.messages.is_empty());
        if is_full {
            page.is_complete = false;
            break;
        }
        page.messages.push(StoredMessage::decode(&stored)?);
    }
    if query.is_last {
        page.messages.reverse();
    }
    Ok(Some(page))
}

/// The ids of the messages of an archive, by their numbers.
pub(super) trait Ids {
    fn len(&self) -> usize;

    fn id(&self, at: usize) -> ArchiveId;

    /// The number of a message. Ids are nearly always in order, so that it is mostly found at once.
    fn find(&self, id: ArchiveId) -> Option<usize> {
        let (mut low, mut high) = (0, self.len());
        while low < high {
            let middle = low + (high - low) / 2;
            match self.id(middle).cmp(&id) {
                std::cmp::Ordering::Equal => return Some(middle),
                std::cmp::Ordering::Less => low = middle + 1,
                std::cmp::Ordering::Greater => high = middle,
            }
        }
        (0..self.len()).find(|at| self.id(*at) == id)
    }
}

#[cfg(test)]
mod tests {
    use proptest::{collection::vec, option, prelude::*, sample::select as one_of};

    use super::*;
    use crate::xmpp::codec::{Element, ns};

    const WITH: [&str; 4] =
        ["bob@example.org/a", "bob@example.org/b", "bob@example.organ", "carl@example.org"];

    struct Model(Vec<StoredMessage>);

    impl Ids for Model {
        fn len(&self) -> usize {
            self.0.len()
        }

        fn id(&self, at: usize) -> ArchiveId {
            self.0[at].id
        }
    }

    fn message(id: u64, with: &str) -> StoredMessage {
        let message = Element::new("message", ns::CLIENT).with_attribute("id", id.to_string());
        StoredMessage::new(ArchiveId(id), with.parse().unwrap(), message)
    }

    proptest! {
        /// As a list would be searched by somebody who is not in a hurry. Ids are not always in order.
        #[test]
        fn the_same_as_by_hand(
            withs in vec(one_of(&WITH[..]), 0..12),
            swap in option::of((0..12usize, 0..12usize)),
            with in option::of(one_of(vec!["bob@example.org", "bob@example.org/a", "carl@example.org"])),
            start in option::of(0..14u64),
            end in option::of(0..14u64),
            after in option::of(0..14u64),
            before in option::of(0..14u64),
            is_last: bool,
            max in 0..6usize,
        ) {
            let mut all: Vec<_> =
                withs.iter().enumerate().map(|(at, with)| message(at as u64, with)).collect();
            if let Some((one, other)) = swap.filter(|(one, other)| *one.max(other) < all.len()) {
                all.swap(one, other);
            }
            let query = StoredQuery {
                with: with.map(|with| with.parse().unwrap()),
                start: start.map(ArchiveId),
                end: end.map(ArchiveId),
                after: after.map(ArchiveId),
                before: before.map(ArchiveId),
                is_last,
                max,
                bytes_max: usize::MAX,
            };
            let place = |id: u64| all.iter().position(|message| message.id.0 == id);
            let expected = (|| {
                let from = match after { Some(id) => place(id)? + 1, None => 0 };
                let to = match before { Some(id) => place(id)?, None => all.len() };
                let mut found: Vec<_> = all.iter().enumerate().filter(|(at, message)| {
                    (from..to).contains(at)
                        && start.is_none_or(|start| message.id.0 >= start)
                        && end.is_none_or(|end| message.id.0 <= end)
                        && query.with.as_ref().is_none_or(|with| {
                            *with == message.with || (with.is_bare() && message.with.is_same_bare(with))
                        })
                }).map(|(_, message)| message.clone()).collect();
                let is_complete = found.len() <= max;
                if is_last {
                    found.drain(..found.len().saturating_sub(max));
                }
                found.truncate(max);
                Some((found, is_complete))
            })();
            let model = Model(all.clone());
            let page = select(&model, &query, |at| Ok(all[at].encode().unwrap())).unwrap();
            prop_assert_eq!(page.map(|page| (page.messages, page.is_complete)), expected);
        }
    }

    /// A page ends where its bytes do, with one message at least.
    #[test]
    fn bytes_of_a_page() {
        let all: Vec<_> = (0..5).map(|id| message(id, "bob@example.org")).collect();
        let len = all[0].encode().unwrap().len();
        for (bytes_max, expected) in
            [(0, 1), (len, 1), (2 * len, 2), (3 * len - 1, 2), (9 * len, 5)]
        {
            for is_last in [false, true] {
                let query = StoredQuery { max: 50, bytes_max, is_last, ..StoredQuery::default() };
                let model = Model(all.clone());
                let page = select(&model, &query, |at| Ok(all[at].encode().unwrap())).unwrap();
                let page = page.unwrap();
                let begin = if is_last { 5 - expected } else { 0 };
                assert_eq!(page.messages, all[begin..begin + expected], "{bytes_max}");
                assert_eq!((page.is_complete, page.count), (expected == 5, Some(5)));
            }
        }
    }
}
