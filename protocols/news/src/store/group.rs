//! Groups as a store knows them: [`NewGroup`], [`GroupInfo`], [`GroupStatus`].

use std::time::SystemTime;

use sinew_protocols::basic::{ArgumentError, Text, Word};

use crate::nntp::codec::GroupName;

/// Who may post to a group.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum GroupStatus {
    /// Everybody whom the server lets post.
    #[default]
    Open,
    /// The moderator.
    Moderated,
    /// Nobody: articles come from other servers only.
    Closed,
}

impl GroupStatus {
    /// As in LIST ACTIVE: `y`, `m` or `n`.
    #[must_use]
    pub fn letter(self) -> char {
        match self {
            Self::Open => 'y',
            Self::Moderated => 'm',
            Self::Closed => 'n',
        }
    }

    /// The status of this letter.
    #[must_use]
    pub fn of_letter(letter: char) -> Option<Self> {
        [Self::Open, Self::Moderated, Self::Closed]
            .into_iter()
            .find(|status| status.letter() == letter)
    }
}

/// A group to be created.
///
/// # Examples
///
/// ```
/// use sinew_news::store::{GroupStatus, NewGroup};
///
/// let group = NewGroup::new("misc.announce".parse()?)
///     .status(GroupStatus::Moderated)
///     .description("What is new")?;
/// # drop(group);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
#[must_use]
pub struct NewGroup {
    pub(super) name: GroupName,
    pub(super) status: GroupStatus,
    pub(super) description: Text,
    pub(super) creator: Word,
}

impl NewGroup {
    /// An open group.
    pub fn new(name: GroupName) -> Self {
        let (description, creator) = (Text::from_static(""), Word::from_static("local"));
        Self { name, status: GroupStatus::default(), description, creator }
    }

    /// Who may post.
    pub fn status(mut self, status: GroupStatus) -> Self {
        self.status = status;
        self
    }

    /// What it is about, in a line.
    ///
    /// # Errors
    ///
    /// The text has a CR, an LF or a NUL.
    pub fn description(mut self, text: &str) -> Result<Self, ArgumentError> {
        self.description = Text::try_from(text)?;
        Ok(self)
    }

    /// Who creates it, for LIST ACTIVE.TIMES. Default `local`.
    ///
    /// # Errors
    ///
    /// The name is not one word.
    pub fn creator(mut self, name: &str) -> Result<Self, ArgumentError> {
        self.creator = Word::try_from(name)?;
        Ok(self)
    }
}

/// What a store knows of a group.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct GroupInfo {
    /// Its name.
    pub name: GroupName,
    /// The lowest number of an article; one more than the highest if there is none.
    pub low: u64,
    /// The highest number that was ever given.
    pub high: u64,
    /// The number of articles.
    pub count: u64,
    /// Who may post.
    pub status: GroupStatus,
    /// When it was created.
    pub created: SystemTime,
    /// Who has created it.
    pub creator: Word,
    /// What it is about.
    pub description: Text,
}
