//! What a component knows of its connection: [`Link`], in a [`Phase`]. Data only.
//!
//! | received | `Opening` | `Handshaking` | `Online` |
//! |---|---|---|---|
//! | header with an id | proves the secret | — | — |
//! | header without one | fails | — | — |
//! | `<handshake/>` | — | online | fails |
//! | message, presence, iq | — | fails | a stanza |
//! | error of the stream | fails | fails | fails |
//! | end of the stream | fails | closes | closes |
//!
//! `Offline` has no connection, and in `Closing` nothing is received any more.

use std::time::Instant;

use sinew_transports::{TimerId, Transport};

use super::ComponentError;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Phase {
    Offline,
    /// A header was sent.
    Opening,
    /// The proof was sent.
    Handshaking,
    Online,
    Closing,
}

pub(super) struct Link {
    pub(super) phase: Phase,
    /// Counts connections, so that what comes late is not taken for this one's.
    pub(super) generation: u64,
    pub(super) was_online: bool,
    pub(super) transport: Option<Transport>,
    pub(super) alive_timer: Option<TimerId>,
    /// When something was received last.
    pub(super) heard: Option<Instant>,
    pub(super) pinged: bool,
    pub(super) failure: Option<ComponentError>,
}

impl Link {
    pub(super) const fn new(generation: u64) -> Self {
        Self {
            phase: Phase::Offline,
            generation,
            was_online: false,
            transport: None,
            alive_timer: None,
            heard: None,
            pinged: false,
            failure: None,
        }
    }
}
