//! What users write: [`NewsHandler`], with its [`Verdict`]s.

use std::fmt;

use sinew_protocols::basic::{ArgumentError, Text};
use sinew_transports::reactor::{Deferred, Failure};

use super::{Access, Session};
use crate::nntp::codec::{Article, GroupName};

/// Decides who may do what, and about articles. One handler serves all connections. Only the loop calls it.
///
/// A closure that gives each client its [`Access`] is a handler.
pub trait NewsHandler: 'static {
    /// What a client may do: asked when it has connected, when TLS has started, and when it has logged in.
    fn access(&self, session: &Session) -> Access;

    /// Whether an article that a client posts is stored. It is as it will be stored, but for its `Xref`.
    fn posted(&self, session: &Session, article: &Article) -> Verdict {
        let _ = (session, article);
        Verdict::accept()
    }

    /// Whether an article that another server sends is stored.
    fn relayed(&self, session: &Session, article: &Article) -> Verdict {
        let _ = (session, article);
        Verdict::accept()
    }

    /// An article without `Approved` for a moderated group: it is to be sent to the moderator, and is not stored. Accept once it is
    /// certain that it will arrive. By default it is refused.
    fn moderated(&self, session: &Session, group: &GroupName, article: &Article) -> Verdict {
        let _ = (session, article);
        Verdict::refuse(Refusal::fixed(format!(
            "{group} is moderated, and there is no way to its moderator"
        )))
    }
}

impl<F: Fn(&Session) -> Access + 'static> NewsHandler for F {
    fn access(&self, session: &Session) -> Access {
        self(session)
    }
}

/// Why an article is not stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    pub(super) text: Text,
    pub(super) is_temporary: bool,
}

impl Refusal {
    /// It will never be stored. The client is told the text.
    ///
    /// # Errors
    ///
    /// The text has a CR, an LF or a NUL.
    pub fn new(text: impl Into<String>) -> Result<Self, ArgumentError> {
        Ok(Self { text: Text::try_from(text.into())?, is_temporary: false })
    }

    /// It may be stored later.
    #[must_use]
    pub fn try_later() -> Self {
        let text = Text::from_static("Not now, try again later");
        Self { text, is_temporary: true }
    }

    /// A text without CR, LF and NUL by the way it was made.
    pub(super) fn fixed(text: impl Into<String>) -> Self {
        let text = Text::try_from(text.into()).unwrap_or(Text::from_static("Refused"));
        Self { text, is_temporary: false }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.text.fmt(f)
    }
}

impl From<Failure> for Refusal {
    /// Work that was lost may succeed later.
    fn from(_: Failure) -> Self {
        Self::try_later()
    }
}

/// The decision about an article: at once, or that of a [`Deferred`], whose failures count as [`Refusal::try_later`]. The client waits
/// meanwhile, at most for [`ServerConfig::verdict_timeout`](super::ServerConfig::verdict_timeout).
pub struct Verdict(pub(super) Decision);

pub(super) enum Decision {
    Now(Result<(), Refusal>),
    Later(Deferred<(), Refusal>),
}

impl Verdict {
    /// Yes.
    #[must_use]
    pub fn accept() -> Self {
        Self(Decision::Now(Ok(())))
    }

    /// No.
    #[must_use]
    pub fn refuse(refusal: Refusal) -> Self {
        Self(Decision::Now(Err(refusal)))
    }

    /// It is not known yet.
    #[must_use]
    pub fn later(deferred: Deferred<(), Refusal>) -> Self {
        Self(Decision::Later(deferred))
    }
}

impl fmt::Debug for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Decision::Now(Ok(())) => f.write_str("Verdict(accept)"),
            Decision::Now(Err(refusal)) => write!(f, "Verdict({refusal})"),
            Decision::Later(_) => f.write_str("Verdict(later)"),
        }
    }
}
