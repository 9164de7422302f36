//! What can go wrong. One enum an operation.

use std::{error::Error, io, time::Duration};

use sinew_reactor::{Excerpt, RegisterError, RunError};

use crate::Address;

/// What a handler returns: whatever is an error can be returned with `?`, and goes to
/// [`handle_error`](crate::Hooks::handle_error), as exceptions do in Python.
pub type HandlerResult = Result<(), Box<dyn Error + Send + Sync>>;

/// A server could not be bound to its address.
#[derive(thiserror::Error)]
#[non_exhaustive]
pub enum BindError {
    /// The address could not be understood or looked up.
    #[error("could not find the address to listen on: {0}")]
    Resolve(#[source] io::Error),
    /// The system, or a hook, refused: the address is in use, is not ours, or needs privileges.
    #[error("could not listen on {address}: {source}")]
    Listen {
        /// The address.
        address: Address,
        /// The cause.
        source: io::Error,
    },
}

sinew_reactor::error_debug!(BindError);

impl From<BindError> for io::Error {
    fn from(error: BindError) -> Self {
        match error {
            BindError::Resolve(source) => source,
            BindError::Listen { ref source, .. } => Self::new(source.kind(), error),
        }
    }
}

/// A request was not handled, or not to its end. [`handle_error`](crate::Hooks::handle_error) is told.
#[derive(thiserror::Error)]
#[non_exhaustive]
pub enum RequestError {
    /// The handler returned an error.
    #[error(transparent)]
    Failed(Box<dyn Error + Send + Sync>),
    /// The handler, or a hook, panicked.
    #[error("panicked: {}", Excerpt::new(.0))]
    Panicked(String),
    /// No thread could be started for it.
    #[error("no thread could be started: {0}")]
    NoThread(#[source] io::Error),
    /// No child could be forked for it.
    #[error(transparent)]
    Fork(#[from] ForkError),
    /// A `get_request` of yours returned a datagram for a server of streams, or the other way round.
    #[error("the handler takes another kind of request")]
    WrongKind,
}

sinew_reactor::error_debug!(RequestError);

impl From<Box<dyn Error + Send + Sync>> for RequestError {
    fn from(error: Box<dyn Error + Send + Sync>) -> Self {
        error.downcast::<Self>().map_or_else(Self::Failed, |error| *error)
    }
}

/// The process cannot be forked.
#[derive(thiserror::Error)]
#[non_exhaustive]
pub enum ForkError {
    /// The process has other threads. A child would be a copy of this thread alone, and would wait for ever for any lock that
    /// another held at that moment, as that of the allocator.
    #[error("the process has {threads} threads; a child of one of them could deadlock")]
    OtherThreads {
        /// How many there are, this one included.
        threads: usize,
    },
    /// It is not known how many threads the process has.
    #[error("the threads of the process cannot be counted: {0}")]
    Uncounted(#[source] io::Error),
    /// The system refused.
    #[error("fork: {0}")]
    System(#[source] io::Error),
}

sinew_reactor::error_debug!(ForkError);

/// [`serve_forever`](crate::BaseServer::serve_forever) or [`handle_request`](crate::BaseServer::handle_request) could not
/// begin, or could not go on.
#[derive(thiserror::Error)]
#[non_exhaustive]
pub enum ServeError {
    /// It is being served already, by another thread or by the caller of the handler that asked.
    #[error("the server is being served already")]
    AlreadyServing,
    /// [`server_close`](crate::Server::server_close) was called.
    #[error("the server is closed")]
    Closed,
    /// It would have to fork, and cannot.
    #[error(transparent)]
    Fork(#[from] ForkError),
    /// The reactor failed.
    #[error(transparent)]
    Io(#[from] io::Error),
}

sinew_reactor::error_debug!(ServeError);

impl From<RunError> for ServeError {
    fn from(error: RunError) -> Self {
        match error {
            RunError::Io(error) => Self::Io(error),
            other => Self::Io(io::Error::other(other)),
        }
    }
}

impl From<RegisterError> for ServeError {
    fn from(error: RegisterError) -> Self {
        Self::Io(error.into())
    }
}

/// [`shutdown`](crate::BaseServer::shutdown) or [`stop`](crate::BaseServer::stop) does not apply.
#[derive(Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ShutdownError {
    /// The thread that serves would wait for itself: in Python, for ever. [`stop`](crate::BaseServer::stop) does not wait.
    #[error("the serving thread cannot wait for itself to stop serving")]
    WouldDeadlock,
    /// The server was served, and is not any more.
    #[error("the server is not being served")]
    NotServing,
    /// This is a child that handles a request; its server is a copy, and the parent's does not hear.
    #[error("a child process cannot stop the server of its parent")]
    InChild,
}

sinew_reactor::error_debug!(ShutdownError);

/// [`server_close`](crate::Server::server_close) could not bring everything to its end. The socket is closed nevertheless.
#[derive(thiserror::Error)]
#[non_exhaustive]
pub enum CloseError {
    /// It was called by the thread that serves, or by one that handles a request of this server, and did not wait.
    #[error("called from a thread of the server, which cannot wait for itself")]
    OwnThread,
    /// Some handlers neither finished in time nor noticed that their connections were cut.
    #[error("handlers that still run after {waited:?}: {handlers}")]
    StillRunning {
        /// How many.
        handlers: usize,
        /// How long they were waited for.
        waited: Duration,
    },
    /// The system failed.
    #[error(transparent)]
    Io(#[from] io::Error),
}

sinew_reactor::error_debug!(CloseError);
