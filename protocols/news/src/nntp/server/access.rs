//! What a client may do: [`Access`].

use sinew_protocols::basic::Word;

use crate::nntp::codec::{GroupName, Wildmat};

/// What a client may read, post and feed. Nothing, unless it is said.
///
/// # Examples
///
/// ```
/// use sinew_news::nntp::server::Access;
///
/// let ours = Access::none().reading("*,!internal.*".parse()?).posting("local.*".parse()?);
/// # drop(ours);
/// # Ok::<(), sinew_news::nntp::codec::WildmatError>(())
/// ```
#[derive(Clone, Debug)]
#[must_use]
pub struct Access {
    read: Option<Wildmat>,
    post: Option<Wildmat>,
    approve: Option<Wildmat>,
    pub(super) may_feed: bool,
    pub(super) identity: Option<Word>,
}

impl Access {
    /// Nothing.
    pub fn none() -> Self {
        Self { read: None, post: None, approve: None, may_feed: false, identity: None }
    }

    /// Reading all groups.
    pub fn read() -> Self {
        Self::none().reading(Wildmat::all())
    }

    /// Reading all groups, and posting to them.
    pub fn read_and_post() -> Self {
        Self::read().posting(Wildmat::all())
    }

    /// Reading these groups. The others do not exist for the client, and are left out of the `Xref` of articles that are in one of these, too.
    /// `Newsgroups` is the author's, and stays.
    pub fn reading(mut self, groups: Wildmat) -> Self {
        self.read = Some(groups);
        self
    }

    /// Posting to these groups.
    pub fn posting(mut self, groups: Wildmat) -> Self {
        self.post = Some(groups);
        self
    }

    /// Posting articles with `Approved` to these groups, as their moderator.
    pub fn approving(mut self, groups: Wildmat) -> Self {
        self.approve = Some(groups);
        self
    }

    /// Sending articles of others, as servers do: IHAVE, CHECK and TAKETHIS.
    pub fn feeding(mut self) -> Self {
        self.may_feed = true;
        self
    }

    /// The name with which this peer stands in `Path` (RFC 5536 3.1.5). An article that comes from another one is marked.
    pub fn path_identity(mut self, name: Word) -> Self {
        self.identity = Some(name);
        self
    }

    pub(super) fn may_read_any(&self) -> bool {
        self.read.is_some()
    }

    pub(super) fn may_read(&self, group: &GroupName) -> bool {
        self.read.as_ref().is_some_and(|groups| groups.matches(group.as_str()))
    }

    /// Whether there may be groups that the client may not read.
    pub(super) fn hides_any(&self) -> bool {
        self.read.as_ref() != Some(&Wildmat::all())
    }

    pub(super) fn may_post_any(&self) -> bool {
        self.post.is_some()
    }

    pub(super) fn may_post(&self, group: &GroupName) -> bool {
        self.post.as_ref().is_some_and(|groups| groups.matches(group.as_str()))
    }

    pub(super) fn may_approve(&self, group: &GroupName) -> bool {
        self.approve.as_ref().is_some_and(|groups| groups.matches(group.as_str()))
    }

    pub(super) fn is_nothing(&self) -> bool {
        !self.may_read_any() && !self.may_post_any() && !self.may_feed
    }
}
