//! What can fail: [`XmppError`] of a connection, [`RequestError`] of a question, [`SendError`] of a stanza.

use std::time::Duration;

use sinew_auth::{Mechanism, SaslError};
use sinew_transports::{
    ConnectError,
    reactor::{Excerpt, Failure},
};

use crate::xmpp::codec::{EncodeError, StanzaError, StreamError, XmlError};

/// Why there is no connection, or why it has ended.
#[derive(thiserror::Error)]
#[non_exhaustive]
pub enum XmppError {
    /// There is no connection.
    #[error("could not connect to the XMPP server")]
    Connect(#[from] ConnectError),
    /// The client is connected already. A client has one connection.
    #[error("the client of XMPP is connected already")]
    Connected,
    /// The connection was lost before the client was online.
    #[error("the connection was lost before the client of XMPP was online: {reason}")]
    Lost {
        /// Why.
        reason: String,
    },
    /// The client was not online in time.
    #[error("the XMPP server did not complete the login within {after:?}")]
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
    /// The server sends, but does not acknowledge the stanzas that it was asked about.
    #[error("the XMPP server has acknowledged no stanza for {after:?}")]
    Unacknowledged {
        /// For how long.
        after: Duration,
    },
    /// The server has sent what is no stream.
    #[error("the XMPP server sends no stream: {0}")]
    Xml(#[from] XmlError),
    /// The server has ended the stream with an error.
    #[error("the XMPP server ended the stream: {0}")]
    Stream(StreamError),
    /// The server has sent something that has no meaning at that point.
    #[error("the XMPP server sent {what}, which is not expected here")]
    Unexpected {
        /// What.
        what: &'static str,
    },
    /// The server has acknowledged more stanzas than were sent to it (XEP-0198 4). The session cannot be resumed.
    #[error("the XMPP server has acknowledged {handled} stanzas, and {sent} were sent")]
    AcknowledgedTooMany {
        /// Its count.
        handled: u32,
        /// How many stanzas were sent.
        sent: u32,
    },
    /// TLS is required, and the server does not offer it.
    #[error("the XMPP server does not offer STARTTLS, which is required")]
    TlsNotOffered,
    /// The server has something in plaintext behind its agreement to TLS: somebody between may have inserted it.
    #[error("plaintext was received behind the XMPP server's agreement to TLS")]
    BehindProceed,
    /// TLS cannot begin.
    #[error("STARTTLS: {reason}")]
    Tls {
        /// Why.
        reason: String,
    },
    /// The login has failed here: no mechanism is acceptable, or the server has not proved what it must.
    #[error("could not log in to the XMPP server")]
    Login(#[from] SaslError),
    /// The server has refused the login.
    #[error("the XMPP server refused the login: {condition} {}", Excerpt::new(text))]
    LoginRefused {
        /// What it says, in the words of RFC 6120 6.5.
        condition: String,
        /// The same for people.
        text: String,
    },
    /// The server offers only worse mechanisms than at the last login, as somebody between would.
    #[error("the XMPP server offers {now} at best, and has offered {before} before")]
    Downgraded {
        /// What was used at the last login.
        before: Mechanism,
        /// What would be used now.
        now: Mechanism,
    },
    /// The server does not bind the resource.
    #[error("the XMPP server did not bind the resource: {0}")]
    BindRefused(StanzaError),
    /// The wait was given up.
    #[error(transparent)]
    GivenUp(#[from] Failure),
}

sinew_transports::reactor::error_debug!(XmppError);

/// Why a stanza was not sent.
#[derive(thiserror::Error, PartialEq, Eq)]
#[non_exhaustive]
pub enum SendError {
    /// XML cannot hold it.
    #[error("the stanza cannot be sent: {0}")]
    Encode(#[from] EncodeError),
    /// It is too long.
    #[error("the stanza has at least {len} bytes, and may have {max}")]
    TooLong {
        /// Its length, as far as it was written.
        len: usize,
        /// The limit.
        max: usize,
    },
    /// The client or the component is not online.
    #[error("there is no stream to the XMPP server now")]
    NotConnected,
    /// A component must name a sender of its domain and a recipient in each stanza (XEP-0114).
    #[error("a stanza of a component has no recipient, or a sender that is not of its domain")]
    Addresses,
    /// Too much waits to be sent, or to be acknowledged.
    #[error("{max} stanzas or bytes wait for the XMPP server already")]
    QueueFull {
        /// The limit.
        max: usize,
    },
}

sinew_transports::reactor::error_debug!(SendError);

/// Why a question has no answer.
#[derive(thiserror::Error)]
#[non_exhaustive]
pub enum RequestError {
    /// It was not sent.
    #[error(transparent)]
    Send(#[from] SendError),
    /// The answer is an error.
    #[error("refused: {0}")]
    Refused(StanzaError),
    /// There was no answer in time.
    #[error("no answer within {after:?}")]
    TimedOut {
        /// The time that was allowed.
        after: Duration,
    },
    /// Too many questions wait for their answers.
    #[error("{max} questions wait for their answers already")]
    TooMany {
        /// The limit.
        max: usize,
    },
    /// The answer is not one.
    #[error("the answer cannot be used: {what}")]
    BadAnswer {
        /// What is wrong.
        what: &'static str,
    },
    /// A page of an archive is longer than was asked, or than pages may be.
    #[error(
        "a page of the archive has more than {messages} messages, or all pages that are received more than {bytes} bytes"
    )]
    PageTooLong {
        /// Most messages of the page.
        messages: usize,
        /// Most bytes of all pages that are being received.
        bytes: usize,
    },
    /// The session has ended before the answer.
    #[error("the session has ended before the answer")]
    Lost,
    /// The address cannot be that of a room, or the nick is none.
    #[error("a room has an address without a resource, and a nick that can be one")]
    NoRoom,
    /// The wait was given up.
    #[error(transparent)]
    GivenUp(#[from] Failure),
}

sinew_transports::reactor::error_debug!(RequestError);
