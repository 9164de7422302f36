//! What a client knows of its connection: [`Link`], in a [`Phase`]. Data only. What outlives a connection is in `session.rs`.
//!
//! | received | `Opening` | `Features` | `AskingTls` | `LoggingIn` | `Binding` | `Resuming` | `Enabling` | `Online` |
//! |---|---|---|---|---|---|---|---|---|
//! | header | to `Features` | — | — | — | — | — | — | — |
//! | features | — | the next step | fails | fails | fails | fails | fails | fails |
//! | proceed, failure of TLS | — | fails | TLS; fails | fails | fails | fails | fails | fails |
//! | challenge, success, failure of SASL | — | fails | fails | the login | fails | fails | fails | fails |
//! | iq | — | fails | fails | fails | the answer to bind | fails | a stanza | a stanza |
//! | message, presence | — | fails | fails | fails | ignored | fails | a stanza | a stanza |
//! | resumed, failed | — | fails | fails | fails | fails | online; binds | failed: online | ignored |
//! | enabled | — | fails | fails | fails | fails | fails | online | ignored |
//! | r, a | — | fails | fails | fails | ignored | ignored | ignored | taken |
//! | error of the stream | fails | fails | fails | fails | fails | fails | fails | fails |
//! | end of the stream | fails | fails | fails | fails | fails | fails | fails | closes |
//!
//! After TLS and after the login a new stream begins, in `Opening`. In `Handshaking` nothing but TLS is received. `Offline` has no
//! connection, and in `Closing` nothing is received any more.

use std::time::Instant;

use sinew_auth::SaslClient;
use sinew_transports::{TimerId, Transport};

use super::XmppError;

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
    Binding {
        wants_session: bool,
        has_management: bool,
    },
    Resuming {
        wants_session: bool,
    },
    Enabling,
    Online,
    Closing,
}

pub(super) struct Link {
    pub(super) phase: Phase,
    pub(super) was_online: bool,
    pub(super) is_logged_in: bool,
    pub(super) transport: Option<Transport>,
    /// Counts connections, so that what comes late is not taken for this one's.
    pub(super) generation: u64,
    pub(super) login: Option<SaslClient>,
    /// The server has ended the stream, so that the session is over.
    pub(super) is_ended: bool,
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
            alive_timer: None,
            heard: None,
            pinged: false,
            failure: None,
        }
    }
}
