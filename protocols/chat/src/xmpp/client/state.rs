//! What a client knows of its connection: [`Link`], in a [`Phase`]. Data only. What outlives a connection is in `session.rs`.
//!
//! | received | `Opening` | `Features` | `AskingTls` | `LoggingIn` | `Binding` | `Resuming` | `Enabling` | `Online` |
//! |---|---|---|---|---|---|---|---|---|
//! | header | to `Features` | — | — | — | — | — | — | — |
//! | features | — | the next step | fails | fails | fails | fails | fails | fails |
//! | proceed, failure of TLS | — | fails | TLS; fails | fails | fails | fails | fails | fails |
//! | challenge, success, failure of SASL | — | fails | fails | the login | fails | fails | fails | fails |
//! | iq | — | fails | fails | fails | the answer to bind | fails | kept | a stanza |
//! | message, presence | — | fails | fails | fails | ignored | fails | kept | a stanza |
//! | resumed, failed | — | fails | fails | fails | fails | online; binds | failed: online | ignored |
//! | enabled | — | fails | fails | fails | fails | fails | online | ignored |
//! | r, a | — | fails | fails | fails | fails | ignored | ignored | taken |
//! | error of the stream | fails | fails | fails | fails | fails | fails | fails | fails |
//! | end of the stream | fails | fails | fails | fails | fails | fails | fails | closes |
//!
//! After TLS and after the login a new stream begins, in `Opening`. In `Handshaking` nothing but TLS is received. `Offline` has no
//! connection, and in `Closing` nothing is received any more. What is kept in `Enabling` is received once the client is online.

use std::time::Instant;

use sinew_auth::SaslClient;
use sinew_transports::{TimerId, Transport};

use super::XmppError;
use crate::xmpp::codec::{Element, StreamLimits};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Phase {
    Offline,
    /// A header was sent.
    Opening,
    /// The header of the server has come.
    Features,
    AskingTls,
    Handshaking,
    LoggingIn,
    /// The resource, and then a session of RFC 3921 if the server wants one.
    Binding(Binding),
    Resuming {
        wants_session: bool,
    },
    Enabling,
    Online,
    Closing,
}

/// What follows when the resource is bound.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Binding {
    pub(super) wants_session: bool,
    pub(super) has_management: bool,
    /// The resource is bound, and the session was asked for.
    pub(super) is_bound: bool,
}

pub(super) struct Link {
    pub(super) phase: Phase,
    pub(super) was_online: bool,
    pub(super) is_logged_in: bool,
    pub(super) transport: Option<Transport>,
    /// Counts connections, so that what comes late is not taken for this one's.
    pub(super) generation: u64,
    pub(super) login: Option<SaslClient>,
    /// The session is over: the server, as it has been after its login, or the client has ended the stream.
    pub(super) is_ended: bool,
    /// Stanzas that have come before the server's agreement to stream management, which are for later.
    pub(super) early: Vec<Element>,
    /// The server wants to know whether somebody looks at the client.
    pub(super) has_client_state: bool,
    /// What the server has said that it accepts (XEP-0478).
    pub(super) server_limits: StreamLimits,
    pub(super) alive_timer: Option<TimerId>,
    /// When something was received last.
    pub(super) heard: Option<Instant>,
    pub(super) pinged: bool,
    pub(super) failure: Option<XmppError>,
}

impl Link {
    pub(super) const fn new(generation: u64) -> Self {
        Self {
            phase: Phase::Offline,
            was_online: false,
            is_logged_in: false,
            transport: None,
            generation,
            login: None,
            is_ended: false,
            early: Vec::new(),
            has_client_state: false,
            server_limits: StreamLimits::NONE,
            alive_timer: None,
            heard: None,
            pinged: false,
            failure: None,
        }
    }
}
