//! What a client knows of its session, which may outlive a connection: [`Session`]. Data only.

use std::{collections::VecDeque, time::Instant};

use super::{archive::Pages, requests::Requests, rooms::Rooms, roster::Roster};
use crate::xmpp::{
    codec::{Element, Jid},
    stream_management::StreamManagement,
};

pub(super) struct Session {
    /// Counts sessions.
    pub(super) number: u64,
    /// The address that the server has bound; before that, that of the configuration.
    pub(super) jid: Jid,
    pub(super) management: Option<StreamManagement>,
    /// Until when it can be resumed, if the connection is lost.
    pub(super) resumable_until: Option<Instant>,
    pub(super) requests: Requests,
    pub(super) pages: Pages,
    pub(super) roster: Roster,
    pub(super) rooms: Rooms,
    /// Messages for when the client is online.
    pub(super) waiting: VecDeque<Element>,
}

impl Session {
    pub(super) fn new(jid: Jid) -> Self {
        Self {
            number: 0,
            jid,
            management: None,
            resumable_until: None,
            requests: Requests::default(),
            pages: Pages::default(),
            roster: Roster::default(),
            rooms: Rooms::default(),
            waiting: VecDeque::new(),
        }
    }

    /// It is over. Returns the stanzas of which nothing is known. Messages that wait still do. No user code runs.
    pub(super) fn end(&mut self) -> Vec<Element> {
        self.resumable_until = None;
        self.number += 1;
        self.requests.fail_all();
        self.roster = Roster::default();
        self.rooms.session_ended();
        let forgotten = self.management.take().map(|mut management| management.forget());
        forgotten.into_iter().flatten().map(|(stanza, _)| stanza).collect()
    }
}
