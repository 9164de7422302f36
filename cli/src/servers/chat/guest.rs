//! One connection of the chat: [`Guest`], by lines.

use std::{rc::Rc, time::Duration};

use sinew::{
    prelude::*,
    protocols::basic::{Line, LineHandler, LineReceiver, LineTransport, send_line},
};

use super::room::Room;

/// Longest line that a guest may say, in bytes. A longer one ends the connection.
const LINE_MAX: usize = 1024;

const HELP: &str = "/who  /msg NAME TEXT  /nick NAME  /quit  and all else is said to everybody";

pub(super) struct Guest {
    room: Rc<Room>,
    /// Empty until there is one.
    name: String,
    name_timeout: Duration,
    /// Ends the connection of a guest without a name.
    timer: Option<TimerId>,
    /// Connected to the process that this one has replaced: was greeted, and perhaps named, there.
    is_rebuilt: bool,
}

impl Guest {
    pub(super) fn new(room: Rc<Room>, name_timeout: Duration) -> LineReceiver<Self> {
        let (name, timer, is_rebuilt) = (String::new(), None, false);
        Self { room, name, name_timeout, timer, is_rebuilt }.into_receiver()
    }

    /// Goes on with a guest of the process that this one replaces, whose state was his name. Others hear nothing of it.
    pub(super) fn rebuilt(
        room: Rc<Room>,
        name_timeout: Duration,
        state: &[u8],
    ) -> Option<LineReceiver<Self>> {
        let name = String::from_utf8(state.to_vec()).ok()?;
        Some(Self { room, name, name_timeout, timer: None, is_rebuilt: true }.into_receiver())
    }

    fn into_receiver(self) -> LineReceiver<Self> {
        LineReceiver::with_decoder(Line::lf_or_crlf().len_max(LINE_MAX), self)
    }

    fn join(&mut self, transport: &Transport, name: &str) {
        if let Err(why) = self.room.enter(name, transport) {
            return say(transport, why);
        }
        name.clone_into(&mut self.name);
        if let Some(timer) = self.timer.take() {
            transport.cancel_timer(timer);
        }
        if let Some(welcome) = self.room.welcome() {
            say(transport, welcome);
        }
        say(transport, &format!("Welcome, {name}; {} here. /help says more.", self.room.count()));
        self.room.tell_others(transport, &format!("* {name} joined"));
        tracing::info!(name, peer = %transport.peer(), "joined");
    }

    fn rename(&mut self, transport: &Transport, name: &str) {
        if let Err(why) = self.room.enter(name, transport) {
            return say(transport, why);
        }
        self.room.leave(&self.name);
        let before = std::mem::replace(&mut self.name, name.to_owned());
        say(transport, &format!("You are {name} now."));
        self.room.tell_others(transport, &format!("* {before} is {name} now"));
    }

    fn leave(&mut self, transport: &Transport, why: &str) {
        let name = std::mem::take(&mut self.name);
        if self.room.leave(&name) {
            self.room.tell_others(transport, &format!("* {name} left{why}"));
            tracing::info!(name, "left{why}");
        }
    }

    fn command(&mut self, transport: &Transport, text: &str) {
        let (word, rest) = text.split_once(' ').unwrap_or((text, ""));
        match word {
            "/who" => self.room.names().iter().for_each(|names| say(transport, names)),
            "/nick" => self.rename(transport, rest.trim()),
            "/msg" => {
                let (to, text) = rest.split_once(' ').unwrap_or((rest, ""));
                if !self.room.tell_one(transport, to, &format!("({}) {text}", self.name)) {
                    say(transport, "Nobody here has that name.");
                }
            }
            "/quit" => {
                // The name is free at once, not only when the connection has ended.
                self.leave(transport, "");
                transport.lose_connection();
            }
            _ => say(transport, HELP),
        }
    }
}

/// Guests send no control characters to others: they could move the cursor of a terminal. So no line can break, and sending cannot fail.
fn say(transport: &Transport, line: &str) {
    let _ = send_line(transport, line);
}

impl LineHandler for Guest {
    fn connection_made(&mut self, transport: &mut LineTransport<'_>) {
        if self.is_rebuilt && !self.name.is_empty() {
            // Somebody may have taken the name in between.
            match self.room.enter(&self.name, transport) {
                Ok(()) => return,
                Err(why) => {
                    self.name.clear();
                    say(transport, why);
                }
            }
        }
        self.timer = transport.call_later(self.name_timeout);
        if !self.is_rebuilt {
            say(transport, "Which name do you want?");
        }
    }

    fn line_received(&mut self, transport: &mut LineTransport<'_>, line: &[u8]) {
        let text = String::from_utf8_lossy(line).replace(char::is_control, "");
        let text = text.trim();
        if self.name.is_empty() {
            self.join(transport, text);
        } else if text.starts_with('/') {
            self.command(transport, text);
        } else if !text.is_empty() {
            self.room.tell_others(transport, &format!("{}: {text}", self.name));
        }
    }

    fn timer_fired(&mut self, transport: &mut LineTransport<'_>, timer: TimerId) {
        if self.timer == Some(timer) {
            say(transport, "You have not said a name.");
            transport.lose_connection();
        }
    }

    /// All that the next process has to know of a guest.
    fn saved_state(&self) -> Option<Vec<u8>> {
        Some(self.name.clone().into_bytes())
    }

    fn connection_lost(&mut self, transport: &mut LineTransport<'_>, reason: &ConnectionLost) {
        if matches!(reason, ConnectionLost::HandedOver) {
            // The guest is in the room of the next process now.
            self.room.leave(&self.name);
            return;
        }
        let why = match reason {
            ConnectionLost::Done | ConnectionLost::Closed => String::new(),
            ConnectionLost::WriteLimit { .. } => ": did not read what was said".to_owned(),
            reason => format!(": {reason}"),
        };
        self.leave(transport, &why);
    }
}
