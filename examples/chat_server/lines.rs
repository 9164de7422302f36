//! The door for `nc` and telnet: plain text, by lines.

use std::rc::Rc;

use sinew::prelude::*;
use sinew::protocols::basic::{Line, LineHandler, LineReceiver, LineTransport, send_line};

use super::{
    door::{Door, Language},
    event::Event,
    room::Talker,
    talk::{self, Talk},
};

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

    fn dismiss(guest: &Transport, why: &str) {
        let _ = send_line(guest, why);
        guest.lose_connection();
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

pub(crate) struct Guest(pub(crate) Talk<Lines>);

impl Guest {
    pub(crate) fn arrive(door: Rc<Door<Lines>>) -> LineReceiver<Self> {
        Self(Talk::new(door)).into_receiver()
    }

    pub(crate) fn into_receiver(self) -> LineReceiver<Self> {
        LineReceiver::with_decoder(Line::lf_or_crlf().len_max(1024), self)
    }
}

impl LineHandler for Guest {
    fn connection_made(&mut self, transport: &mut LineTransport<'_>) {
        if let Some(told) = self.0.begin(transport) {
            let _ = send_line(transport, told);
        }
    }

    fn line_received(&mut self, transport: &mut LineTransport<'_>, line: &[u8]) {
        for answer in self.0.heard(transport, line) {
            let _ = send_line(transport, answer);
        }
    }

    /// All that the next process has to know of a guest.
    fn saved_state(&self) -> Option<Vec<u8>> {
        Some(self.0.name.clone().into_bytes())
    }

    fn connection_lost(&mut self, _: &mut LineTransport<'_>, reason: &ConnectionLost) {
        match reason {
            ConnectionLost::HandedOver => self.0.handed_over(),
            reason => self.0.lost(&reason.to_string()),
        }
    }
}
