//! Names of users: [`ScreenName`]. Pure.

use std::{fmt, str::FromStr};

/// Longest name. Those of AIM had 16 letters, of which spaces did not count; 97 was what the protocol allowed.
const LEN_MAX: usize = 97;

/// The name of a user, or the number of one of ICQ: 1 to 97 of letters, digits, spaces, and `.`, `_`, `-`, `@`, of ASCII, the first a
/// letter or digit. Case and spaces do not matter to whom it names.
///
/// # Examples
///
/// ```
/// use sinew_chat::historical::ScreenName;
///
/// let name: ScreenName = "Chat Fan".parse()?;
/// assert_eq!(name, "chatfan".parse()?);
/// assert_eq!(name.as_str(), "Chat Fan");
/// assert!("two\r\nlines".parse::<ScreenName>().is_err());
/// # Ok::<(), sinew_chat::historical::NotAScreenName>(())
/// ```
#[derive(Clone, Debug)]
pub struct ScreenName {
    shown: String,
    key: String,
}

/// A text is not a [`ScreenName`].
#[derive(thiserror::Error)]
#[error(
    "not a screen name: it has 1 to 97 letters, digits, spaces, dots, underscores, hyphens and @, and begins with a letter or digit"
)]
#[non_exhaustive]
pub struct NotAScreenName;

sinew_transports::reactor::error_debug!(NotAScreenName);

impl ScreenName {
    /// As its owner writes it.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.shown
    }

    /// In lower case and without spaces: the same for all ways to write a name.
    #[must_use]
    pub fn normalized(&self) -> &str {
        &self.key
    }

    /// A name that no user has.
    pub(super) const fn nobody() -> Self {
        Self { shown: String::new(), key: String::new() }
    }

    /// The name in these bytes.
    ///
    /// # Errors
    ///
    /// [`NotAScreenName`].
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, NotAScreenName> {
        std::str::from_utf8(bytes).map_err(|_| NotAScreenName)?.parse()
    }
}

impl FromStr for ScreenName {
    type Err = NotAScreenName;

    fn from_str(text: &str) -> Result<Self, NotAScreenName> {
        let is_allowed = |byte: u8| byte.is_ascii_alphanumeric() || b" ._-@".contains(&byte);
        let begins_well = text.bytes().next().is_some_and(|byte| byte.is_ascii_alphanumeric());
        if !begins_well || text.len() > LEN_MAX || !text.bytes().all(is_allowed) {
            return Err(NotAScreenName);
        }
        let key = text.chars().filter(|char| *char != ' ').map(|char| char.to_ascii_lowercase());
        Ok(Self { shown: text.to_owned(), key: key.collect() })
    }
}

impl PartialEq for ScreenName {
    fn eq(&self, other: &Self) -> bool {
        self.key == other.key
    }
}

impl Eq for ScreenName {}

impl std::hash::Hash for ScreenName {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        self.key.hash(state);
    }
}

impl fmt::Display for ScreenName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.shown)
    }
}
