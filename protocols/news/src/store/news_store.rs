//! What a server and a feeder need of a store: [`NewsStore`], with the types of its methods.

use std::time::{Duration, SystemTime};

use bytes::Bytes;
use sinew_transports::reactor::{Deferred, Reactor};

use super::{GroupInfo, StoreError};
use crate::nntp::codec::{Article, GroupName, MessageId, OverviewLine, Range, Wildmat};

/// Keeps groups and articles, and remembers the identifiers of articles that it has had. Only the loop calls it.
///
/// Lists are asked for in pieces of at most `max` entries, so that no answer has to be held whole: a caller goes on behind the last entry
/// that it has, and knows the end by an empty piece.
pub trait NewsStore: 'static {
    /// Groups by name, those behind `after`.
    fn groups(
        &self,
        reactor: &Reactor,
        after: Option<&GroupName>,
        max: usize,
    ) -> Deferred<Vec<GroupInfo>, StoreError>;

    /// A group.
    fn group(&self, reactor: &Reactor, name: &GroupName)
    -> Deferred<Option<GroupInfo>, StoreError>;

    /// The numbers of the articles of a group in this range, in order. None of a group that does not exist.
    fn numbers(
        &self,
        reactor: &Reactor,
        group: &GroupName,
        range: Range,
        max: usize,
    ) -> Deferred<Vec<u64>, StoreError>;

    /// The article next to a number, which need not exist itself.
    fn neighbour(
        &self,
        reactor: &Reactor,
        group: &GroupName,
        number: u64,
        direction: Direction,
    ) -> Deferred<Option<Found>, StoreError>;

    /// The overview of the articles of a group in this range, in order.
    fn overview(
        &self,
        reactor: &Reactor,
        group: &GroupName,
        range: Range,
        max: usize,
    ) -> Deferred<Vec<OverviewLine>, StoreError>;

    /// The overview of an article, with the number 0.
    fn overview_of(
        &self,
        reactor: &Reactor,
        id: &MessageId,
    ) -> Deferred<Option<OverviewLine>, StoreError>;

    /// Finds an article.
    fn find(&self, reactor: &Reactor, what: &Locator) -> Deferred<Option<Found>, StoreError>;

    /// Opens the text of an article.
    fn open(&self, reactor: &Reactor, what: &Locator) -> Deferred<Option<OpenArticle>, StoreError>;

    /// Whether this article is, or was, here: then it is not wanted.
    fn has_seen(&self, reactor: &Reactor, id: &MessageId) -> Deferred<bool, StoreError>;

    /// Stores an article with a number in each of its groups that exists, and an `Xref`. It is stored safely once the deferred
    /// succeeds. `None` if the article was seen before.
    fn store(&self, reactor: &Reactor, article: NewArticle)
    -> Deferred<Option<Stored>, StoreError>;

    /// Remembers an article that is not wanted, so that it need not be sent again.
    fn remember(&self, reactor: &Reactor, id: &MessageId) -> Deferred<(), StoreError>;

    /// Articles in the order in which they have arrived: those behind this sequence number that have arrived at `since` or later.
    fn arrivals(
        &self,
        reactor: &Reactor,
        after: u64,
        since: SystemTime,
        max: usize,
    ) -> Deferred<Vec<Arrival>, StoreError>;

    /// Up to where a peer has everything, as [`set_position`](Self::set_position) has noted it; 0 at first.
    fn position(&self, reactor: &Reactor, peer: &str) -> Deferred<u64, StoreError>;

    /// Notes up to which sequence number a peer has everything. If the note is lost in a crash, articles are offered again, which
    /// costs a question each.
    fn set_position(
        &self,
        reactor: &Reactor,
        peer: &str,
        sequence: u64,
    ) -> Deferred<(), StoreError>;
}

/// Where an article is.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Locator {
    /// In a group, by its number.
    Number(GroupName, u64),
    /// By its identifier.
    Id(MessageId),
}

/// Which neighbour of an article.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Direction {
    /// The one with the next higher number.
    Next,
    /// The one with the next lower number.
    Last,
}

/// An article that was found.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Found {
    /// Its number in the group that was asked for; 0 if it was asked for by its identifier.
    pub number: u64,
    /// Its identifier.
    pub id: MessageId,
    /// Its sequence number.
    pub sequence: u64,
    /// Its groups here.
    pub groups: Vec<GroupName>,
}

impl Found {
    /// An article, for stores of your own.
    #[must_use]
    pub fn new(number: u64, id: MessageId, sequence: u64, groups: Vec<GroupName>) -> Self {
        Self { number, id, sequence, groups }
    }
}

/// An article whose text can be read.
#[non_exhaustive]
pub struct OpenArticle {
    /// Where it was found.
    pub found: Found,
    /// Its text.
    pub text: Box<dyn ArticleText>,
}

impl OpenArticle {
    /// An article, for stores of your own.
    #[must_use]
    pub fn new(found: Found, text: impl ArticleText) -> Self {
        Self { found, text: Box::new(text) }
    }
}

impl std::fmt::Debug for OpenArticle {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("OpenArticle").field("found", &self.found).finish_non_exhaustive()
    }
}

/// The text of an article, piece by piece: lines that end in CRLF, dots not stuffed.
pub trait ArticleText: 'static {
    /// The next piece, at most some 64 KiB; empty at the end.
    fn read(&mut self, reactor: &Reactor) -> Deferred<Bytes, StoreError>;
}

/// The text as one piece.
impl ArticleText for Bytes {
    fn read(&mut self, reactor: &Reactor) -> Deferred<Bytes, StoreError> {
        Deferred::ready_on(reactor, std::mem::take(self))
    }
}

/// An article to be stored.
#[derive(Clone, Debug)]
#[must_use]
pub struct NewArticle {
    pub(crate) id: MessageId,
    pub(crate) article: Article,
    pub(crate) groups: Vec<GroupName>,
    pub(crate) host: String,
}

impl NewArticle {
    /// An article for these groups. An `Xref` that it has is replaced by one of this server.
    pub fn new(
        id: MessageId,
        article: Article,
        groups: Vec<GroupName>,
        host: &sinew_protocols::basic::Word,
    ) -> Self {
        Self { id, article, groups, host: host.to_string() }
    }

    /// Its identifier.
    #[must_use]
    pub fn id(&self) -> &MessageId {
        &self.id
    }

    /// The article.
    #[must_use]
    pub fn article(&self) -> &Article {
        &self.article
    }

    /// Its groups.
    #[must_use]
    pub fn groups(&self) -> &[GroupName] {
        &self.groups
    }
}

/// Where an article was stored.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Stored {
    /// Its sequence number.
    pub sequence: u64,
    /// Its groups, and its numbers in them.
    pub places: Vec<(GroupName, u64)>,
}

impl Stored {
    /// An article, for stores of your own.
    #[must_use]
    pub fn new(sequence: u64, places: Vec<(GroupName, u64)>) -> Self {
        Self { sequence, places }
    }
}

/// An article that has arrived.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Arrival {
    /// Its sequence number: numbers grow with time.
    pub sequence: u64,
    /// When.
    pub at: SystemTime,
    /// Its identifier.
    pub id: MessageId,
    /// Its groups here.
    pub groups: Vec<GroupName>,
}

impl Arrival {
    /// An article, for stores of your own.
    #[must_use]
    pub fn new(sequence: u64, at: SystemTime, id: MessageId, groups: Vec<GroupName>) -> Self {
        Self { sequence, at, id, groups }
    }
}

/// How long articles of some groups are kept. Of several rules the last that matches a group decides.
#[derive(Clone, Debug)]
pub struct ExpiryRule {
    pub(super) groups: Wildmat,
    pub(super) keep: Duration,
}

impl ExpiryRule {
    /// Articles of these groups are kept for so long.
    #[must_use]
    pub fn new(groups: Wildmat, keep: Duration) -> Self {
        Self { groups, keep }
    }
}

/// What was removed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Expired {
    /// Articles that were removed.
    pub articles: usize,
    /// Identifiers that were forgotten.
    pub forgotten: usize,
}
