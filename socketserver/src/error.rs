//! The errors of the public operations. One type per operation.

use std::{error::Error, io, time::Duration};

use sinew_reactor::{Excerpt, RegisterError, RunError};

use crate::Address;

/// The result of a handler: any error can be returned with `?`, and goes to
/// [`handle_error`](crate::Hooks::handle_error), as exceptions do in Python.
pub type HandlerResult = Result<(), Box<dyn Error + Send + Sync>>;

/// A server could not be bound to its address.
#[derive(thiserror::Error)]
#[non_exhaustive]
pub enum BindError {
    /// The address is malformed or cannot be resolved.
    #[error("could not resolve the address to listen on: {0}")]
    Resolve(#[source] io::Error),
    /// The system, or a hook, refused: the address is in use, is not local, or needs privileges.
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

/// A request failed, before or while it was handled. Passed to [`handle_error`](crate::Hooks::handle_error).
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
    #[error("cannot start a thread: {0}")]
    NoThread(#[source] io::Error),
    /// No child could be forked for it.
    #[error(transparent)]
    Fork(#[from] ForkError),
    /// An overridden `get_request` returned a datagram for a stream server, or the other way round.
    #[error("the request is of another kind than the handler takes")]
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
    /// The process has other threads. A child would be a copy of this thread alone, and would wait forever for any lock that
    /// another thread held at that moment, such as the allocator's.
    #[error(
        "cannot fork: the process has {threads} threads, and the child could deadlock; serve from its only thread"
    )]
    OtherThreads {
        /// How many there are, including this one.
        threads: usize,
    },
    /// The number of threads of the process could not be determined.
    #[error("cannot fork: the threads of the process cannot be counted: {0}")]
    Uncounted(#[source] io::Error),
    /// The system refused.
    #[error("cannot fork: {0}")]
    System(#[source] io::Error),
}

sinew_reactor::error_debug!(ForkError);

/// [`serve_forever`](crate::BaseServer::serve_forever) or [`handle_request`](crate::BaseServer::handle_request) could not
/// start or continue.
#[derive(thiserror::Error)]
#[non_exhaustive]
pub enum ServeError {
    /// It is being served already, by another thread or further up the stack of this one.
    #[error("the server is being served already")]
    AlreadyServing,
    /// [`server_close`](crate::Server::server_close) was called.
    #[error("the server is closed")]
    Closed,
    /// The mode is forking, and the process cannot be forked.
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

/// [`shutdown`](crate::BaseServer::shutdown) or [`stop`](crate::BaseServer::stop) is not possible.
#[derive(Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ShutdownError {
    /// The serving thread would wait for itself: in Python, forever. [`stop`](crate::BaseServer::stop) does not wait.
    #[error("the serving thread cannot wait for itself to stop serving")]
    WouldDeadlock,
    /// The server has been served, and is not any more.
    #[error("the server is not being served")]
    NotServing,
    /// The process is a child that handles a request, with a copy of the server; the parent's server is out of reach.
    #[error("a child process cannot stop the server of its parent")]
    InChild,
}

sinew_reactor::error_debug!(ShutdownError);

/// [`server_close`](crate::Server::server_close) could not end everything. The socket is closed nevertheless.
#[derive(thiserror::Error)]
#[non_exhaustive]
pub enum CloseError {
    /// It was called by the serving thread, or by a thread that handles a request of this server, and did not wait.
    #[error("cannot wait for the handlers: called from a thread of the server itself")]
    OwnThread,
    /// Some handlers neither finished in time nor ended when their connections were shut down.
    #[error("{handlers} handlers are still running after {waited:?}")]
    StillRunning {
        /// How many.
        handlers: usize,
        /// How long they were waited for.
        waited: Duration,
    },
    /// A system call failed.
    #[error(transparent)]
    Io(#[from] io::Error),
}

sinew_reactor::error_debug!(CloseError);
