//! The door for `nc` and telnet: plain text, by lines.

use std::rc::Rc;

use sinew::prelude::*;
use sinew::protocols::basic::{Line, LineHandler, LineReceiver, LineTransport, send_line};
use sinew::transports::{
    endpoint::ServerEndpoint,
    reactors::{Reactors, Shard},
};

use super::{
    door::{Door, Language},
    event::Event,
    ports,
    room::{Building, Room, Talker},
    talk::{self, Talk},
};

pub(crate) fn open(reactors: Reactors, endpoint: ServerEndpoint, building: &Building) -> Reactors {
    let building = building.clone();
    reactors.listen_with(endpoint, ports::config(), move |shard: &Shard| {
        let door = Door::open(Room::of(shard, &building));
        move |_: &Peer| Guest::arrive(door.clone())
    })
}

/// Lines of text, over any stream.
pub(crate) struct Lines;

impl Language for Lines {
    type Guest = Transport;
    type Encoded = String;

    fn encode(event: &Event) -> String {
        talk::line(event) + "\r\n"
    }

    fn send(guest: &Transport, line: &String) -> bool {
        guest.write(line) == WriteStatus::AboveHighWatermark
    }
}

impl Talker for Transport {
    fn reactor(&self) -> Option<Reactor> {
        Self::reactor(self)
    }

    fn pause_reading(&self) {
        Self::pause_reading(self);
    }

    fn resume_reading(&self) {
        Self::resume_reading(self);
    }
}

pub(crate) struct Guest(Talk<Lines>);

impl Guest {
    pub(crate) fn arrive(door: Rc<Door<Lines>>) -> LineReceiver<Self> {
        let decoder = Line::lf_or_crlf().len_max(1024);
        LineReceiver::with_decoder(decoder, Self(Talk::new(door)))
    }
}

impl LineHandler for Guest {
    fn connection_made(&mut self, transport: &mut LineTransport<'_>) {
        let _ = send_line(transport, talk::QUESTION);
    }

    fn line_received(&mut self, transport: &mut LineTransport<'_>, line: &[u8]) {
        if let Some(answer) = self.0.heard(transport, line) {
            let _ = send_line(transport, answer);
        }
    }

    fn connection_lost(&mut self, _: &mut LineTransport<'_>, reason: &ConnectionLost) {
        self.0.lost(&reason.to_string());
    }
}
