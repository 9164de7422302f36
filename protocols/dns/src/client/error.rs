//! Why a lookup failed: [`LookupError`]; and why a server did not answer: [`ServerError`].

use std::{fmt, io, sync::Arc, time::Duration};

use sinew_transports::{
    names::ResolveError,
    reactor::{Excerpt, Failure},
};

use super::NameServer;
use crate::codec::{EncodeError, MessageError, Name, RecordType, ResponseCode};

/// A lookup has failed.
#[derive(Clone, thiserror::Error)]
#[non_exhaustive]
pub enum LookupError {
    /// The name does not exist (NXDOMAIN).
    #[error("{} does not exist", Excerpt::new(&.name.to_ascii()))]
    NoSuchName {
        /// The name that was asked for.
        name: Box<Name>,
    },
    /// The name exists, but has no record of this type.
    #[error("{} has no {record_type} record", Excerpt::new(&.name.to_ascii()))]
    NoRecord {
        /// The name that was asked for.
        name: Box<Name>,
        /// The type.
        record_type: RecordType,
    },
    /// The text cannot be a name.
    #[error("{:?} is not a name: {why}", Excerpt::new(.name.as_bytes()))]
    BadName {
        /// The text.
        name: Box<str>,
        /// What is wrong.
        why: Box<str>,
    },
    /// Names like this are not looked up in DNS.
    #[error("{} is not asked for in DNS: {why}", Excerpt::new(&.name.to_ascii()))]
    NotInDns {
        /// The name.
        name: Box<Name>,
        /// The rule.
        why: &'static str,
    },
    /// There is no server to ask.
    #[error("no name server is configured")]
    NoServers,
    /// No server has answered.
    #[error("no name server answered the question for {record_type} of {}: {}", Excerpt::new(&.name.to_ascii()), ServerFailure::list(.servers))]
    Failed {
        /// The name that was asked for.
        name: Box<Name>,
        /// The type.
        record_type: RecordType,
        /// Each failed attempt, in order.
        servers: Arc<[ServerFailure]>,
    },
    /// It took too long with all servers together.
    #[error("the question for {record_type} of {} took longer than {after:?}{}", Excerpt::new(&.name.to_ascii()), ServerFailure::list_behind(.servers))]
    TimedOut {
        /// The name that was asked for.
        name: Box<Name>,
        /// The type.
        record_type: RecordType,
        /// The time that was allowed.
        after: Duration,
        /// The attempts that had failed by then.
        servers: Arc<[ServerFailure]>,
    },
    /// More aliases follow one another than are allowed.
    #[error("{} leads through more than {max} aliases", Excerpt::new(&.name.to_ascii()))]
    ChainTooLong {
        /// The name that was asked for.
        name: Box<Name>,
        /// The limit.
        max: usize,
    },
    /// The aliases lead back to one of them.
    #[error("the aliases of {} lead in a circle", Excerpt::new(&.name.to_ascii()))]
    ChainLoop {
        /// The name that was asked for.
        name: Box<Name>,
    },
    /// Too many questions wait for answers.
    #[error("{max} questions wait for answers already")]
    TooMany {
        /// The limit.
        max: usize,
    },
    /// The question cannot be sent.
    #[error(transparent)]
    Encode(#[from] EncodeError),
    /// The lookup was cancelled, or the reactor ended first.
    #[error("the lookup was given up: {0}")]
    GivenUp(#[from] Failure),
}

sinew_transports::reactor::error_debug!(LookupError);

impl LookupError {
    /// Whether this is an answer, and asking again brings the same: there is no such name or no such record.
    #[must_use]
    pub const fn is_negative(&self) -> bool {
        matches!(self, Self::NoSuchName { .. } | Self::NoRecord { .. })
    }
}

impl From<LookupError> for ResolveError {
    fn from(error: LookupError) -> Self {
        let kind = match error {
            LookupError::NoSuchName { .. } => return Self::NoSuchName,
            LookupError::NoRecord { .. } => return Self::NoAddress,
            LookupError::BadName { name, why } => {
                return Self::BadName(format!("{:?}: {why}", Excerpt::new(name.as_bytes())));
            }
            LookupError::GivenUp(failure) => return Self::GivenUp(failure),
            LookupError::TimedOut { .. } => io::ErrorKind::TimedOut,
            LookupError::NotInDns { .. } => io::ErrorKind::Unsupported,
            _ => io::ErrorKind::Other,
        };
        Self::System(Arc::new(io::Error::new(kind, error.to_string())))
    }
}

/// An attempt to ask a server that failed.
#[derive(Clone)]
#[non_exhaustive]
pub struct ServerFailure {
    /// The server.
    pub server: NameServer,
    /// Why.
    pub cause: ServerError,
}

impl ServerFailure {
    fn list(all: &[Self]) -> String {
        all.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")
    }

    pub(crate) fn list_behind(all: &[Self]) -> String {
        if all.is_empty() { String::new() } else { format!(": {}", Self::list(all)) }
    }
}

impl fmt::Display for ServerFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.server, self.cause)
    }
}

impl fmt::Debug for ServerFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// A server did not answer.
#[derive(Clone, thiserror::Error)]
#[non_exhaustive]
pub enum ServerError {
    /// No response came in time.
    #[error("no response within {0:?}")]
    TimedOut(Duration),
    /// It responded with an error.
    #[error("it responded {}", .0.to_str())]
    Response(ResponseCode),
    /// It does not ask others, and only names servers that know more.
    #[error("it refers to other servers, and does not ask them itself")]
    Referral,
    /// It is asked as a server of a zone, and does not say that it is responsible.
    #[error("it is not responsible for the zone")]
    NotAuthoritative,
    /// Too many queries wait for it already.
    #[error("{max} queries wait for it already")]
    Busy {
        /// The limit.
        max: usize,
    },
    /// Its response cannot be decoded.
    #[error(transparent)]
    Malformed(#[from] MessageError),
    /// Its response over TCP is to another question.
    #[error("its response is to another question")]
    Mismatch,
    /// Its response over TCP was cut.
    #[error("its response was cut over TCP as well")]
    Truncated,
    /// The socket failed; [`io::ErrorKind::ConnectionRefused`] if nothing listens there.
    #[error("{0}")]
    Io(#[source] Arc<io::Error>),
    /// The connection could not be made, or ended.
    #[error("{0}")]
    Connection(Box<str>),
}

sinew_transports::reactor::error_debug!(ServerError);

impl From<io::Error> for ServerError {
    fn from(error: io::Error) -> Self {
        Self::Io(Arc::new(error))
    }
}
