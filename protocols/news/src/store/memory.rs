//! A store in memory, for tests and small servers: [`MemoryStore`].

use std::{
    cell::RefCell,
    collections::HashMap,
    fmt,
    rc::Rc,
    time::{Duration, SystemTime},
};

use bytes::Bytes;
use sinew_transports::reactor::{Deferred, Reactor};

use super::{
    Arrival, Direction, Expired, ExpiryRule, Found, GroupInfo, Locator, NewArticle, NewGroup,
    NewsStore, OpenArticle, StoreError, Stored,
    index::{Entry, Index, neighbour},
    slices::Keep,
};
use crate::nntp::codec::{Article, GroupName, MessageId, OverviewLine, Range, seconds};

/// Groups and articles in memory. A handle: clones are the same store. It grows with the articles; [`expire`](Self::expire) removes
/// them.
#[derive(Clone, Default)]
pub struct MemoryStore(Rc<RefCell<Inner>>);

#[derive(Default)]
struct Inner {
    index: Index<()>,
    texts: HashMap<u64, (Bytes, OverviewLine)>,
    positions: HashMap<String, u64>,
}

impl MemoryStore {
    /// An empty store.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Creates a group.
    ///
    /// # Errors
    ///
    /// [`StoreError::GroupExists`].
    pub fn create_group(&self, group: NewGroup, now: SystemTime) -> Result<(), StoreError> {
        let index = &mut self.0.borrow_mut().index;
        let id = index.new_group(&group)?;
        index.put_group(id, group, seconds(now), 0);
        Ok(())
    }

    /// Removes a group, with the articles that are in no other.
    ///
    /// # Errors
    ///
    /// [`StoreError::NoGroup`].
    pub fn remove_group(&self, name: &GroupName) -> Result<(), StoreError> {
        let inner = &mut *self.0.borrow_mut();
        let group = inner.index.groups.get(name);
        let id = group.ok_or_else(|| StoreError::NoGroup(name.clone()))?.id;
        for sequence in inner.index.remove_group(id) {
            inner.texts.remove(&sequence);
        }
        Ok(())
    }

    /// Removes articles whose time is over, and forgets the identifiers of those that have arrived more than `remember` ago.
    pub fn expire(&self, rules: &[ExpiryRule], remember: Duration, now: SystemTime) -> Expired {
        let inner = &mut *self.0.borrow_mut();
        let mut keep = Keep::default();
        inner.index.groups.iter().for_each(|(name, group)| keep.add(name, group.id, rules));
        let (mut expired, mut next) = (Expired::default(), Some(0));
        while let Some(first) = next {
            let gone;
            (gone, next) = inner.index.expired(first, &keep, now);
            expired.articles += gone.len();
            for sequence in gone {
                inner.index.remove_article(sequence);
                inner.texts.remove(&sequence);
            }
        }
        let before = seconds(now).saturating_sub(remember.as_secs());
        loop {
            match inner.index.forget(before) {
                0 => return expired,
                some => expired.forgotten += some,
            }
        }
    }

    fn put(&self, new: &NewArticle, now: SystemTime) -> Option<Stored> {
        let inner = &mut *self.0.borrow_mut();
        let index = &mut inner.index;
        if index.history.contains_key(&new.id) {
            return None;
        }
        let (sequence, places) = (index.next_sequence, index.places(&new.groups));
        let stored = index.stored(sequence, &places);
        let at = seconds(now).max(index.last_at);
        index.put_article(sequence, Entry { id: new.id.clone(), at, places });
        let (article, line) = placed(&new.article, &new.host, &stored.places);
        inner.texts.insert(sequence, (article.text().clone(), line));
        Some(stored)
    }
}

/// An article with the Xref of its places, and its line of the overview.
pub(super) fn placed(
    article: &Article,
    host: &str,
    places: &[(GroupName, u64)],
) -> (Article, OverviewLine) {
    let xref = xref(host, places);
    // Neither the host nor a name can hold a line end.
    let text = xref.as_str().try_into().unwrap_or(sinew_protocols::basic::Text::from_static(""));
    let article = article.edited(&["Xref"], &[("Xref", text)]);
    let line = line_of(&article, 0);
    (article, line)
}

fn xref(host: &str, places: &[(GroupName, u64)]) -> String {
    let places = places.iter().map(|(group, number)| format!(" {group}:{number}"));
    places.fold(host.to_owned(), |xref, place| xref + &place)
}

/// The line of the overview of an article as it is stored.
pub(super) fn line_of(article: &Article, number: u64) -> OverviewLine {
    let xref = article.text_of("Xref").unwrap_or_default();
    let bytes = article.text().len() as u64;
    OverviewLine::of(article, number, bytes, article.body_lines(), xref)
}

fn now<T: 'static>(reactor: &Reactor, value: T) -> Deferred<T, StoreError> {
    Deferred::ready_on(reactor, value)
}

impl NewsStore for MemoryStore {
    fn groups(
        &self,
        reactor: &Reactor,
        after: Option<&GroupName>,
        max: usize,
    ) -> Deferred<Vec<GroupInfo>, StoreError> {
        now(reactor, self.0.borrow().index.list(after, max))
    }

    fn group(
        &self,
        reactor: &Reactor,
        name: &GroupName,
    ) -> Deferred<Option<GroupInfo>, StoreError> {
        now(reactor, self.0.borrow().index.group(name))
    }

    fn numbers(
        &self,
        reactor: &Reactor,
        group: &GroupName,
        range: Range,
        max: usize,
    ) -> Deferred<Vec<u64>, StoreError> {
        let inner = self.0.borrow();
        let numbers = inner.index.slots(group, range).map(|(number, _)| number);
        now(reactor, numbers.take(max).collect())
    }

    fn neighbour(
        &self,
        reactor: &Reactor,
        group: &GroupName,
        number: u64,
        direction: Direction,
    ) -> Deferred<Option<Found>, StoreError> {
        now(reactor, neighbour(&self.0.borrow().index, group, number, direction))
    }

    fn overview(
        &self,
        reactor: &Reactor,
        group: &GroupName,
        range: Range,
        max: usize,
    ) -> Deferred<Vec<OverviewLine>, StoreError> {
        let inner = self.0.borrow();
        let lines = inner.index.slots(group, range).filter_map(|(number, slot)| {
            inner.texts.get(&slot.sequence).map(|(_, line)| line.with_number(number))
        });
        now(reactor, lines.take(max).collect())
    }

    fn overview_of(
        &self,
        reactor: &Reactor,
        id: &MessageId,
    ) -> Deferred<Option<OverviewLine>, StoreError> {
        let inner = self.0.borrow();
        let found = inner.index.find(&Locator::Id(id.clone()));
        let line = found.and_then(|found| inner.texts.get(&found.sequence));
        now(reactor, line.map(|(_, line)| line.clone()))
    }

    fn find(&self, reactor: &Reactor, what: &Locator) -> Deferred<Option<Found>, StoreError> {
        now(reactor, self.0.borrow().index.find(what))
    }

    fn open(&self, reactor: &Reactor, what: &Locator) -> Deferred<Option<OpenArticle>, StoreError> {
        let inner = self.0.borrow();
        let open = inner.index.find(what).and_then(|found| {
            let text = inner.texts.get(&found.sequence)?.0.clone();
            Some(OpenArticle::new(found, text))
        });
        now(reactor, open)
    }

    fn has_seen(&self, reactor: &Reactor, id: &MessageId) -> Deferred<bool, StoreError> {
        now(reactor, self.0.borrow().index.history.contains_key(id))
    }

    fn store(
        &self,
        reactor: &Reactor,
        article: NewArticle,
    ) -> Deferred<Option<Stored>, StoreError> {
        now(reactor, self.put(&article, reactor.wall_clock()))
    }

    fn remember(&self, reactor: &Reactor, id: &MessageId) -> Deferred<(), StoreError> {
        let at = seconds(reactor.wall_clock());
        self.0.borrow_mut().index.remember(id.clone(), at);
        now(reactor, ())
    }

    fn arrivals(
        &self,
        reactor: &Reactor,
        after: u64,
        since: SystemTime,
        max: usize,
    ) -> Deferred<Vec<Arrival>, StoreError> {
        now(reactor, self.0.borrow().index.arrivals(after, since, max))
    }

    fn position(&self, reactor: &Reactor, peer: &str) -> Deferred<u64, StoreError> {
        now(reactor, self.0.borrow().positions.get(peer).copied().unwrap_or_default())
    }

    fn set_position(
        &self,
        reactor: &Reactor,
        peer: &str,
        sequence: u64,
    ) -> Deferred<(), StoreError> {
        self.0.borrow_mut().positions.insert(peer.to_owned(), sequence);
        now(reactor, ())
    }
}

impl fmt::Debug for MemoryStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let inner = self.0.borrow();
        f.debug_struct("MemoryStore")
            .field("groups", &inner.index.groups.len())
            .field("articles", &inner.texts.len())
            .finish()
    }
}
