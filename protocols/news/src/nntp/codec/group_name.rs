//! Names of newsgroups: [`GroupName`] (RFC 3977 4.1, RFC 5536 3.1.4).

use std::{fmt, str::FromStr, sync::Arc};

/// Longest name, so that it fits into the line of any command (RFC 3977 3.1).
const LEN_MAX: usize = 460;

/// The name of a newsgroup, as `comp.lang.rust`. Cheap to clone.
///
/// # Examples
///
/// ```
/// use sinew_news::nntp::codec::GroupName;
///
/// let name: GroupName = "comp.lang.rust".parse()?;
/// assert!("comp.*".parse::<GroupName>().is_err(), "a pattern is no name");
/// # drop(name);
/// # Ok::<(), sinew_news::nntp::codec::GroupNameError>(())
/// ```
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct GroupName(Arc<str>);

/// A text is no [`GroupName`].
#[derive(Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "the name of a newsgroup is made of components between dots, without spaces, control characters and any of !*,?[\\]:"
)]
#[non_exhaustive]
pub struct GroupNameError;

sinew_transports::reactor::error_debug!(GroupNameError);

impl GroupName {
    /// The name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for GroupName {
    type Err = GroupNameError;

    fn from_str(text: &str) -> Result<Self, GroupNameError> {
        // The colon separates names from numbers in Xref.
        let is_plain =
            |char: char| !char.is_control() && !char.is_whitespace() && !"!*,?[\\]:".contains(char);
        let is_right = text.len() <= LEN_MAX
            && text.chars().all(is_plain)
            && text.split('.').all(|component| !component.is_empty());
        if is_right { Ok(Self(text.into())) } else { Err(GroupNameError) }
    }
}

impl fmt::Display for GroupName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl fmt::Debug for GroupName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "GroupName({})", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_names_are_names() {
        for (text, is_right) in [
            ("a", true),
            ("comp.lang.c++", true),
            ("de.\u{fc}ber", true),
            ("", false),
            (".a", false),
            ("a.", false),
            ("a..b", false),
            ("a b", false),
            ("a,b", false),
            ("a*", false),
            ("a:1", false),
            ("a\r\nb", false),
            ("a\0", false),
        ] {
            assert_eq!(text.parse::<GroupName>().is_ok(), is_right, "{text:?}");
        }
        assert!("x".repeat(461).parse::<GroupName>().is_err());
    }
}
