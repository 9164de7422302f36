//! Errors of opening a look inside: [`InspectError`].

use std::io;

use sinew_http::FieldError;
use sinew_reactor::Excerpt;
use sinew_transports::ListenError;

/// A look inside could not be opened.
#[derive(thiserror::Error)]
#[non_exhaustive]
pub enum InspectError {
    /// The endpoint could not be listened on.
    #[error(transparent)]
    Listen(#[from] ListenError),
    /// The status was to be served where others than this user could reach it.
    #[error(
        "could not serve the status on {}: anybody who reaches it may close connections, so it needs a Unix socket; serve the dashboard there",
        Excerpt::new(.at)
    )]
    NotUnix {
        /// The endpoint.
        at: String,
    },
    /// Metrics or a page were to be served beyond this machine without saying so.
    #[error(
        "could not serve a look inside on {}: it is not a loopback address; allow it in the configuration, with users if it is a page",
        Excerpt::new(.at)
    )]
    NotLoopback {
        /// The endpoint.
        at: String,
    },
    /// A page was to be served beyond this machine without asking who is there.
    #[error(
        "could not serve the dashboard on {}: beyond this machine it needs users with passwords",
        Excerpt::new(.at)
    )]
    NoUsers {
        /// The endpoint.
        at: String,
    },
    /// The system has no random numbers, of which the page's token is made.
    #[error("could not make the token of the dashboard: {source}")]
    Random {
        /// The cause.
        source: io::Error,
    },
    /// The realm of the login is not valid.
    #[error("could not ask for a login: {source}")]
    Realm {
        /// The cause.
        source: FieldError,
    },
}

sinew_reactor::error_debug!(InspectError);
