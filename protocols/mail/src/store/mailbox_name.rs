//! The name of a mailbox: [`MailboxName`]. Pure; how a store writes it is the matter of that store.

use std::{fmt, str::FromStr, sync::Arc};

/// The name of a mailbox: parts in Unicode, with `/` between them. `INBOX` may be written in either case, also as the first of several
/// parts (RFC 9051 5.1).
///
/// A part is not empty, nor `.` nor `..`, and has no control characters and none of `*` and `%`, which LIST understands as wildcards.
///
/// # Examples
///
/// ```
/// use sinew_mail::store::MailboxName;
///
/// # fn main() -> Result<(), sinew_mail::store::MailboxNameError> {
/// assert!("inbox".parse::<MailboxName>()?.is_inbox());
/// let name: MailboxName = "Lists/Rust/Entwürfe".parse()?;
/// assert_eq!(name.parent(), Some("Lists/Rust".parse()?));
/// assert!("../etc".parse::<MailboxName>().is_err());
/// # Ok(())
/// # }
/// ```
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MailboxName(Arc<str>);

/// Why text is no name of a mailbox.
#[derive(Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum MailboxNameError {
    /// A part is empty, `.` or `..`.
    #[error("the name of a mailbox has a part that is empty, `.` or `..`")]
    Part,
    /// It has a control character, `*` or `%`.
    #[error("the name of a mailbox has the character {character:?}, which none may have")]
    Character {
        /// The character.
        character: char,
    },
    /// It is too long.
    #[error("the name of a mailbox has at most {max} bytes")]
    TooLong {
        /// The limit.
        max: usize,
    },
    /// It has too many parts.
    #[error("the name of a mailbox has at most {max} parts")]
    TooDeep {
        /// The limit.
        max: usize,
    },
}

sinew_transports::reactor::error_debug!(MailboxNameError);

impl MailboxName {
    /// Most bytes of a name, in UTF-8.
    pub const LEN_MAX: usize = 512;

    /// Most parts of a name.
    pub const DEPTH_MAX: usize = 16;

    /// What is between the parts.
    pub const SEPARATOR: char = '/';

    /// The mailbox that every account has, where mail arrives.
    #[must_use]
    pub fn inbox() -> Self {
        Self("INBOX".into())
    }

    /// Whether it is [`inbox`](Self::inbox).
    #[must_use]
    pub fn is_inbox(&self) -> bool {
        *self.0 == *"INBOX"
    }

    /// All of it.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Its parts, the outermost first.
    pub fn parts(&self) -> impl DoubleEndedIterator<Item = &str> {
        self.0.split(Self::SEPARATOR)
    }

    /// The mailbox that it is in, unless it is at the top.
    #[must_use]
    pub fn parent(&self) -> Option<Self> {
        let (parent, _) = self.0.rsplit_once(Self::SEPARATOR)?;
        Some(Self(parent.into()))
    }

    /// Whether it is in `other`, at any depth.
    #[must_use]
    pub fn is_inside(&self, other: &Self) -> bool {
        let rest = self.0.strip_prefix(&*other.0);
        rest.is_some_and(|rest| rest.starts_with(Self::SEPARATOR))
    }

    /// The name that it has when `from`, which it is or is inside of, is renamed to `to`. `None` if it is neither.
    ///
    /// # Errors
    ///
    /// The new name is too long or too deep.
    pub fn renamed(&self, from: &Self, to: &Self) -> Option<Result<Self, MailboxNameError>> {
        if self == from {
            return Some(Ok(to.clone()));
        }
        let rest = self.0.strip_prefix(&*from.0)?;
        rest.starts_with(Self::SEPARATOR).then(|| format!("{to}{rest}").parse())
    }
}

impl FromStr for MailboxName {
    type Err = MailboxNameError;

    fn from_str(text: &str) -> Result<Self, MailboxNameError> {
        if text.len() > Self::LEN_MAX {
            return Err(MailboxNameError::TooLong { max: Self::LEN_MAX });
        }
        let is_wrong =
            |c: &char| c.is_control() || matches!(c, '*' | '%' | '\u{2028}' | '\u{2029}');
        if let Some(character) = text.chars().find(is_wrong) {
            return Err(MailboxNameError::Character { character });
        }
        let mut depth = 0;
        for part in text.split(Self::SEPARATOR) {
            if matches!(part, "" | "." | "..") {
                return Err(MailboxNameError::Part);
            }
            depth += 1;
        }
        if depth > Self::DEPTH_MAX {
            return Err(MailboxNameError::TooDeep { max: Self::DEPTH_MAX });
        }
        let (first, rest) = text.split_at(text.find(Self::SEPARATOR).unwrap_or(text.len()));
        if first.eq_ignore_ascii_case("INBOX") {
            return Ok(Self(format!("INBOX{rest}").into()));
        }
        Ok(Self(text.into()))
    }
}

impl fmt::Display for MailboxName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl fmt::Debug for MailboxName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(text: &str) -> MailboxName {
        text.parse().unwrap()
    }

    #[test]
    fn names_are_checked() {
        for (text, error) in [
            ("", MailboxNameError::Part),
            ("/a", MailboxNameError::Part),
            ("a/", MailboxNameError::Part),
            ("a//b", MailboxNameError::Part),
            ("..", MailboxNameError::Part),
            ("a/../b", MailboxNameError::Part),
            ("a/.", MailboxNameError::Part),
            ("a\r\nb", MailboxNameError::Character { character: '\r' }),
            ("a\0", MailboxNameError::Character { character: '\0' }),
            ("a*", MailboxNameError::Character { character: '*' }),
            ("%", MailboxNameError::Character { character: '%' }),
            ("\u{85}", MailboxNameError::Character { character: '\u{85}' }),
        ] {
            assert_eq!(text.parse::<MailboxName>(), Err(error), "{text:?}");
        }
        let long = "n".repeat(513);
        assert_eq!(long.parse::<MailboxName>(), Err(MailboxNameError::TooLong { max: 512 }));
        let deep = ["d"; 17].join("/");
        assert_eq!(deep.parse::<MailboxName>(), Err(MailboxNameError::TooDeep { max: 16 }));
        for text in ["a", "...", ".a", "a.b", "Entwürfe", "a b", "a/b", "~", "&-"] {
            assert_eq!(name(text).as_str(), text);
        }
    }

    #[test]
    fn inbox_has_no_case() {
        assert!(name("iNbOx").is_inbox());
        assert_eq!(name("inbox/a").as_str(), "INBOX/a");
        assert_eq!(name("a/inbox").as_str(), "a/inbox");
        assert!(!name("INBOXES").is_inbox());
    }

    #[test]
    fn names_are_in_one_another() {
        assert!(name("a/b/c").is_inside(&name("a")) && !name("ab").is_inside(&name("a")));
        assert!(!name("a").is_inside(&name("a")));
        assert_eq!(name("a/b").renamed(&name("a"), &name("x/y")), Some(Ok(name("x/y/b"))));
        assert_eq!(name("ab").renamed(&name("a"), &name("x")), None);
        let deep = name(&["d"; 16].join("/"));
        let renamed = deep.renamed(&name("d"), &name("d/d"));
        assert_eq!(renamed, Some(Err(MailboxNameError::TooDeep { max: 16 })));
    }
}
