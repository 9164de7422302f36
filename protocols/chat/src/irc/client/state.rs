//! What a client knows of its connection: [`State`], in a [`Phase`]. Data only.
//!
//! | message | `Negotiating` | `Requesting` | `LoggingIn` | `Ending` | `Online` | `Closing` |
//! |---|---|---|---|---|---|---|
//! | CAP LS | the capabilities | ignored | ignored | ignored | ignored | — |
//! | CAP ACK, NAK | ignored | counted | ignored | ignored | ACK is taken | — |
//! | CAP NEW, DEL | ignored | ignored | ignored | ignored | taken | — |
//! | AUTHENTICATE | ignored | ignored | a challenge | ignored | ignored | — |
//! | 908 | ignored | ignored | noted, if none were known: 904 begins the login anew, once | ignored | ignored | — |
//! | 903 | ignored | ignored | the login is done | ignored | ignored | — |
//! | 902, 904 to 907 | ignored | ignored | the connection fails | ignored | ignored | — |
//! | 432, 433, 436, 437 | another nick | the same | the same | the same | the nick was refused | — |
//! | 421 CAP | no capabilities | ignored | ignored | ignored | a numeric | — |
//! | 463, 464, 465, 466 | the connection fails | the same | the same | the same | a numeric | — |
//! | 001 | online, or fails without the login | the same | the same | online | a numeric | — |
//! | ERROR | the connection fails | the same | the same | the same | the same | — |
//! | PING | PONG | PONG | PONG | PONG | PONG | — |
//! | all others | ignored | ignored | ignored | ignored | events | — |
//!
//! `Offline` has no connection, and in `Closing` nothing is received any more.

use std::{collections::BTreeMap, rc::Rc, time::Instant};

use sinew_auth::SaslClient;
use sinew_transports::{TimerId, Transport};

use super::{IrcConfig, IrcError, channels::Channels, outgoing::Outgoing, requests::Requests};
use crate::irc::codec::{Isupport, SaslText};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Phase {
    Offline,
    /// CAP LS was sent.
    Negotiating,
    /// CAP REQ was sent; so many answers are missing.
    Requesting(usize),
    LoggingIn,
    /// CAP END was sent.
    Ending,
    Online,
    Closing,
}

/// A login that goes on.
pub(super) struct Login {
    pub(super) sasl: SaslClient,
    pub(super) challenge: SaslText,
    /// The server was sent nothing of it yet.
    pub(super) is_new: bool,
    /// The server has not said which mechanisms it has, before it refused this one.
    pub(super) is_guess: bool,
    /// Those that it has then said (908).
    pub(super) mechanisms: Option<String>,
}

pub(super) struct State {
    pub(super) phase: Phase,
    pub(super) was_welcomed: bool,
    pub(super) transport: Option<Transport>,
    /// Counts connections, so that what comes late is not taken for this one's.
    pub(super) generation: u64,
    pub(super) nick: Vec<u8>,
    pub(super) nicks_tried: usize,
    /// As the server shows them to others, if it has said so.
    pub(super) user: Option<Vec<u8>>,
    pub(super) host: Option<Vec<u8>>,
    /// What the server has, with values; and what is on.
    pub(super) offered: BTreeMap<String, String>,
    pub(super) enabled: Vec<String>,
    pub(super) login: Option<Login>,
    pub(super) is_logged_in: bool,
    pub(super) isupport: Rc<Isupport>,
    pub(super) channels: Channels,
    /// The keys of channels that are being joined.
    pub(super) keys: Vec<(Vec<u8>, String)>,
    pub(super) requests: Requests,
    pub(super) outgoing: Outgoing,
    pub(super) send_timer: Option<TimerId>,
    pub(super) alive_timer: Option<TimerId>,
    /// When something was received last.
    pub(super) heard: Option<Instant>,
    pub(super) pinged: bool,
    pub(super) ctcp_answered: Option<Instant>,
    pub(super) motd: Vec<Vec<u8>>,
    pub(super) labels: u64,
    pub(super) failure: Option<IrcError>,
}

impl State {
    pub(super) fn new(config: &IrcConfig, generation: u64) -> Self {
        Self {
            phase: Phase::Offline,
            was_welcomed: false,
            transport: None,
            generation,
            nick: config.nick.clone().into_bytes(),
            nicks_tried: 1,
            user: None,
            host: None,
            offered: BTreeMap::new(),
            enabled: Vec::new(),
            login: None,
            is_logged_in: false,
            isupport: Rc::default(),
            channels: Channels::new(config.members_max),
            keys: Vec::new(),
            requests: Requests::default(),
            outgoing: Outgoing::new(config.burst, config.interval),
            send_timer: None,
            alive_timer: None,
            heard: None,
            pinged: false,
            ctcp_answered: None,
            motd: Vec::new(),
            labels: 0,
            failure: None,
        }
    }

    pub(super) fn is_me(&self, nick: &[u8]) -> bool {
        self.isupport.case_mapping().is_equal(&self.nick, nick)
    }

    pub(super) fn has(&self, capability: &str) -> bool {
        self.enabled.iter().any(|name| name == capability)
    }
}
