//! Why a component is not connected: [`ComponentError`]. What can fail when it sends and asks is that of the
//! [client](crate::xmpp::client::SendError).

use std::time::Duration;

use sinew_transports::{ConnectError, reactor::Failure};

use crate::xmpp::codec::{StreamError, XmlError};

/// Why a component is not online, or has ended.
#[derive(thiserror::Error)]
#[non_exhaustive]
pub enum ComponentError {
    /// There is no connection.
    #[error("could not connect to the component port of the XMPP server")]
    Connect(#[from] ConnectError),
    /// The component is connected already. It has one connection.
    #[error("the component of XMPP is connected already")]
    Connected,
    /// The connection was lost before the server has accepted the component.
    #[error("the connection was lost before the XMPP server has accepted the component: {reason}")]
    Lost {
        /// Why.
        reason: String,
    },
    /// The server has not accepted the component in time.
    #[error("the XMPP server did not accept the component within {after:?}")]
    TimedOut {
        /// The time that was allowed.
        after: Duration,
    },
    /// The server sends nothing any more.
    #[error("the XMPP server was silent for {after:?}, and has not answered")]
    Silent {
        /// For how long.
        after: Duration,
    },
    /// The server has sent what is no stream.
    #[error("the XMPP server sends no stream: {0}")]
    Xml(#[from] XmlError),
    /// The server has ended the stream with an error: `not-authorized` for a wrong secret, `host-unknown` for a domain that it does not
    /// know, `conflict` if another connection has the domain.
    #[error("the XMPP server ended the stream of the component: {0}")]
    Stream(StreamError),
    /// The server has sent something that has no meaning at that point.
    #[error("the XMPP server sent {what}, which is not expected here")]
    Unexpected {
        /// What.
        what: &'static str,
    },
    /// The wait was given up.
    #[error(transparent)]
    GivenUp(#[from] Failure),
}

sinew_transports::reactor::error_debug!(ComponentError);
