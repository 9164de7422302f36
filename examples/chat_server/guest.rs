//! A guest: the protocol of one connection.

use std::rc::Rc;

use sinew::prelude::*;
use sinew::protocols::basic::{Line, LineHandler, LineReceiver, LineTransport, send_line};

use super::room::Room;

pub(crate) struct Guest {
    room: Rc<Room>,
    name: String,
}

impl Guest {
    pub(crate) fn arrive(room: Rc<Room>) -> LineReceiver<Self> {
        let decoder = Line::lf_or_crlf().len_max(1024);
        LineReceiver::with_decoder(decoder, Self { room, name: String::new() })
    }

    fn join(&mut self, transport: &Transport, name: &str) -> &'static str {
        let is_name = !name.is_empty() && name.chars().all(char::is_alphanumeric);
        if !is_name || name.len() > 20 || !self.room.enter(name, transport) {
            return "A short name of letters and digits that nobody has yet, please.";
        }
        name.clone_into(&mut self.name);
        self.room.tell_all(transport, &format!("* {name} joined"));
        "Welcome. /who, /to NAME TEXT; all else is said to all."
    }
}

impl LineHandler for Guest {
    fn connection_made(&mut self, transport: &mut LineTransport<'_>) {
        transport.write(b"Your name?\r\n");
    }

    fn line_received(&mut self, transport: &mut LineTransport<'_>, line: &[u8]) {
        let text = String::from_utf8_lossy(line).replace(char::is_control, "");
        let mut words = text.splitn(3, ' ');
        let answer = match (words.next(), words.next(), words.next()) {
            _ if self.name.is_empty() => self.join(transport, text.trim()),
            (Some("/to"), Some(name), Some(text)) => {
                match self.room.tell(transport, name, &format!("({}) {text}", self.name)) {
                    true => return,
                    false => "Nobody here is called that.",
                }
            }
            (Some("/who"), ..) => &*self.room.all_names(),
            _ if text.starts_with('/') => "/who, /to NAME TEXT",
            _ => return self.room.tell_all(transport, &format!("{}: {text}", self.name)),
        };
        let _ = send_line(transport, answer);
    }

    fn connection_lost(&mut self, transport: &mut LineTransport<'_>, reason: &ConnectionLost) {
        if self.room.leave(&self.name) {
            self.room.tell_all(transport, &format!("* {} left: {reason}", self.name));
        }
    }
}
