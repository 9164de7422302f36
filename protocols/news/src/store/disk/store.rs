//! The spool as a store: lookups at once, files on threads of the pool.

use std::{sync::Arc, time::SystemTime};

use sinew_transports::reactor::{Deferred, Reactor};

use super::{
    super::{
        Arrival, Direction, Found, GroupInfo, Locator, NewArticle, NewsStore, OpenArticle,
        StoreError, Stored, index::neighbour,
    },
    spool::{Inner, Spool},
    texts::OpenText,
};
use crate::nntp::codec::{GroupName, MessageId, OverviewLine, Range};

impl Spool {
    /// Runs a job that reads or writes files.
    fn job<T: Send + 'static>(
        &self,
        reactor: &Reactor,
        job: impl FnOnce(&Inner) -> Result<T, StoreError> + Send + 'static,
    ) -> Deferred<T, StoreError> {
        let inner = Arc::clone(&self.0);
        reactor.defer_to_thread(move || job(&inner)).map(|done| done?)
    }
}

impl NewsStore for Spool {
    fn groups(
        &self,
        reactor: &Reactor,
        after: Option<&GroupName>,
        max: usize,
    ) -> Deferred<Vec<GroupInfo>, StoreError> {
        Deferred::ready_on(reactor, self.0.index().list(after, max))
    }

    fn group(
        &self,
        reactor: &Reactor,
        name: &GroupName,
    ) -> Deferred<Option<GroupInfo>, StoreError> {
        Deferred::ready_on(reactor, self.0.index().group(name))
    }

    fn numbers(
        &self,
        reactor: &Reactor,
        group: &GroupName,
        range: Range,
        max: usize,
    ) -> Deferred<Vec<u64>, StoreError> {
        let index = self.0.index();
        let numbers = index.slots(group, range).map(|(number, _)| number);
        Deferred::ready_on(reactor, numbers.take(max).collect())
    }

    fn neighbour(
        &self,
        reactor: &Reactor,
        group: &GroupName,
        number: u64,
        direction: Direction,
    ) -> Deferred<Option<Found>, StoreError> {
        Deferred::ready_on(reactor, neighbour(&self.0.index(), group, number, direction))
    }

    fn overview(
        &self,
        reactor: &Reactor,
        group: &GroupName,
        range: Range,
        max: usize,
    ) -> Deferred<Vec<OverviewLine>, StoreError> {
        let group = group.clone();
        self.job(reactor, move |inner| inner.lines(&group, range, max))
    }

    fn overview_of(
        &self,
        reactor: &Reactor,
        id: &MessageId,
    ) -> Deferred<Option<OverviewLine>, StoreError> {
        let id = id.clone();
        self.job(reactor, move |inner| inner.line_of_id(&id))
    }

    fn find(&self, reactor: &Reactor, what: &Locator) -> Deferred<Option<Found>, StoreError> {
        Deferred::ready_on(reactor, self.0.index().find(what))
    }

    fn open(&self, reactor: &Reactor, what: &Locator) -> Deferred<Option<OpenArticle>, StoreError> {
        let Some(found) = self.0.index().find(what) else {
            return Deferred::ready_on(reactor, None);
        };
        let sequence = found.sequence;
        let opened = self.job(reactor, move |inner| OpenText::open(&inner.root, sequence));
        opened.map(|text| Ok(text?.map(|text| OpenArticle::new(found, text))))
    }

    fn has_seen(&self, reactor: &Reactor, id: &MessageId) -> Deferred<bool, StoreError> {
        Deferred::ready_on(reactor, self.0.index().history.contains_key(id))
    }

    fn store(
        &self,
        reactor: &Reactor,
        article: NewArticle,
    ) -> Deferred<Option<Stored>, StoreError> {
        let now = reactor.wall_clock();
        self.job(reactor, move |inner| inner.put(&article, now))
    }

    fn remember(&self, reactor: &Reactor, id: &MessageId) -> Deferred<(), StoreError> {
        let (id, now) = (id.clone(), reactor.wall_clock());
        self.job(reactor, move |inner| inner.remember(&id, now))
    }

    fn arrivals(
        &self,
        reactor: &Reactor,
        after: u64,
        since: SystemTime,
        max: usize,
    ) -> Deferred<Vec<Arrival>, StoreError> {
        Deferred::ready_on(reactor, self.0.index().arrivals(after, since, max))
    }

    fn position(&self, reactor: &Reactor, peer: &str) -> Deferred<u64, StoreError> {
        let peer = peer.to_owned();
        self.job(reactor, move |inner| inner.position(&peer))
    }

    fn set_position(
        &self,
        reactor: &Reactor,
        peer: &str,
        sequence: u64,
    ) -> Deferred<(), StoreError> {
        let peer = peer.to_owned();
        self.job(reactor, move |inner| inner.set_position(&peer, sequence))
    }
}
