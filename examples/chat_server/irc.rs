//! The door for clients of IRC (RFC 1459), such as irssi: the room is the one channel of a server, which each client joins by its welcome.

use std::rc::Rc;

use sinew::chat::irc::codec::{IrcLine, Message, cut_at_character, split_text};
use sinew::prelude::*;
use sinew::protocols::basic::{FrameError, FrameHandler, FrameTransport, Framed};

use super::{
    door::{Door, Language, Nameless},
    event::Event,
    room::is_name,
};

const CHANNEL: &str = "#room";

/// Bytes of text in a message, so that there is room for names in front of it.
const TEXT_MAX: usize = 400;

/// Messages of IRC, over any stream.
pub(crate) struct Irc;

impl Language for Irc {
    type Guest = Transport;
    type Encoded = String;

    fn encode(event: &Event) -> String {
        match event {
            Event::Joined { name } => from(name, &format!("JOIN {CHANNEL}")),
            Event::Said { name, text } => said(name, CHANNEL, text),
            Event::Whispered { name, to, text } => said(name, to, text),
            Event::Renamed { from: before, name } => from(before, &format!("NICK {name}")),
            Event::Left { name, why } => {
                let why = cut_at_character(why.as_bytes(), TEXT_MAX);
                from(name, &format!("PART {CHANNEL} :{}", String::from_utf8_lossy(why)))
            }
        }
    }

    fn send(guest: &Transport, messages: &String) -> bool {
        guest.write(messages) == WriteStatus::AboveHighWatermark
    }

    fn dismiss(guest: &Transport, why: &str) {
        guest.write(format!("ERROR :{why}\r\n"));
        guest.lose_connection();
    }
}

/// A message of a guest. Names are letters and digits, and texts have no control characters, so it is one line.
fn from(name: &str, message: &str) -> String {
    format!(":{name}!{name}@room {message}\r\n")
}

fn said(name: &str, to: &str, text: &str) -> String {
    let message =
        |piece: &[u8]| from(name, &format!("PRIVMSG {to} :{}", String::from_utf8_lossy(piece)));
    split_text(text.as_bytes(), TEXT_MAX).into_iter().map(message).collect()
}

pub(crate) struct Guest {
    door: Rc<Door<Irc>>,
    nameless: Option<Nameless>,
    /// Empty until it is said. Out of the room, somebody else may have it.
    name: String,
    has_said_user: bool,
    is_welcome: bool,
    is_in_room: bool,
}

type Client<'a> = FrameTransport<'a, IrcLine>;

impl Guest {
    pub(crate) fn arrive(door: Rc<Door<Irc>>) -> Framed<IrcLine, Self> {
        let guest = Self {
            door,
            nameless: None,
            name: String::new(),
            has_said_user: false,
            is_welcome: false,
            is_in_room: false,
        };
        Framed::with_decoder(IrcLine::from_clients(), guest)
    }

    fn reply(&self, client: &Client<'_>, number: &str, text: &str) {
        let name = if self.name.is_empty() { "*" } else { &self.name };
        client.write(format!(":room {number} {name} {text}\r\n"));
    }

    fn nick(&mut self, client: &Client<'_>, name: &str) {
        if !is_name(name) {
            return self.reply(client, "432", &format!("{} :A short name, please", shown(name)));
        }
        if self.is_in_room && !self.door.rename(client, &self.name, name) {
            return self.reply(client, "433", &format!("{name} :Not free"));
        }
        if self.is_welcome {
            client.write(from(&self.name, &format!("NICK {name}")));
        }
        name.clone_into(&mut self.name);
    }

    fn enter(&mut self, client: &Client<'_>) {
        if self.is_in_room || self.name.is_empty() || !self.has_said_user {
            return;
        }
        if !self.door.enter(client, &self.name) {
            let name = self.name.clone();
            if !self.is_welcome {
                self.name.clear();
            }
            return self.reply(client, "433", &format!("{name} :Not free"));
        }
        self.is_in_room = true;
        self.nameless = None;
        if !std::mem::replace(&mut self.is_welcome, true) {
            self.welcome(client);
        }
        client.write(from(&self.name, &format!("JOIN {CHANNEL}")));
        self.names(client);
    }

    fn welcome(&self, client: &Client<'_>) {
        self.reply(client, "001", ":Welcome");
        let Some(welcome) = &self.door.rules().welcome else {
            return self.reply(client, "422", ":There is no message of the day");
        };
        self.reply(client, "375", ":- Message of the day");
        for piece in split_text(welcome.as_bytes(), TEXT_MAX) {
            self.reply(client, "372", &format!(":- {}", String::from_utf8_lossy(piece)));
        }
        self.reply(client, "376", ":That is all");
    }

    fn leave(&mut self, why: &str) {
        if std::mem::take(&mut self.is_in_room) {
            self.door.leave(&self.name, why);
        }
    }

    fn names(&self, client: &Client<'_>) {
        for names in self.door.all_names().chunks(15) {
            self.reply(client, "353", &format!("= {CHANNEL} :{}", names.join(" ")));
        }
        self.reply(client, "366", &format!("{CHANNEL} :That is all"));
    }

    fn say(&self, client: &Client<'_>, to: &str, text: &str) {
        let text = match text.strip_prefix("\x01ACTION ") {
            Some(action) => format!("*{}*", action.trim_end_matches('\x01')),
            None => text.to_owned(),
        };
        if to == CHANNEL {
            self.door.say(client, &self.name, &text);
        } else if !self.door.whisper(client, &self.name, to, &text) {
            self.reply(client, "401", &format!("{} :Nobody here is called that", shown(to)));
        }
    }

    /// The commands of a guest who has entered, or has left the room for a while.
    fn command(&mut self, client: &Client<'_>, message: &Message<'_>) {
        let param = |at| message.param(at).unwrap_or_default().to_str_lossy();
        let (first, last) = (param(0), param(1));
        match &*message.command().to_ascii_uppercase() {
            "JOIN" if first == CHANNEL => self.enter(client),
            "JOIN" => self.reply(client, "403", &format!("{} :No such room", shown(&first))),
            "PART" if self.is_in_room => {
                client.write(from(&self.name, &format!("PART {CHANNEL}")));
                self.leave("for a while");
            }
            "PRIVMSG" | "NOTICE" if self.is_in_room => self.say(client, &first, &last),
            "PRIVMSG" | "NOTICE" | "PART" => {
                self.reply(client, "442", &format!("{CHANNEL} :Join it first"));
            }
            "NAMES" => self.names(client),
            "MODE" if first == CHANNEL => self.reply(client, "324", &format!("{CHANNEL} +")),
            "WHO" => self.reply(client, "315", &format!("{} :That is all", shown(&first))),
            command => self.reply(client, "421", &format!("{} :Unknown command", shown(command))),
        }
    }
}

/// What a client has said, as a parameter of a reply.
fn shown(text: &str) -> String {
    let word = text.split(|letter: char| letter == ' ' || letter.is_control()).next();
    let word = word.filter(|word| !word.is_empty() && !word.starts_with(':')).unwrap_or("*");
    String::from_utf8_lossy(cut_at_character(word.as_bytes(), TEXT_MAX)).into_owned()
}

impl FrameHandler<IrcLine> for Guest {
    fn connection_made(&mut self, client: &mut Client<'_>) {
        self.nameless = self.door.await_name(client);
    }

    fn frame_received(&mut self, client: &mut Client<'_>, line: &[u8]) {
        let Ok(message) = Message::parse(line) else { return };
        let first = message.param(0).unwrap_or_default().to_str_lossy();
        match &*message.command().to_ascii_uppercase() {
            "CAP" if first == "LS" => _ = client.write(":room CAP * LS :\r\n"),
            "CAP" | "PONG" => {}
            "PING" => _ = client.write(format!(":room PONG room :{first}\r\n")),
            "QUIT" => {
                client.write("ERROR :Bye\r\n");
                self.leave(if first.is_empty() { "bye" } else { &first });
                client.lose_connection();
            }
            "NICK" => {
                self.nick(client, &first);
                if !self.is_welcome {
                    self.enter(client);
                }
            }
            "USER" => {
                self.has_said_user = true;
                self.enter(client);
            }
            _ if self.is_welcome => self.command(client, &message),
            _ => self.reply(client, "451", ":Say NICK and USER first"),
        }
    }

    /// Half a message is none.
    fn unfinished(&mut self, _: &mut Client<'_>, _: &[u8]) -> Result<(), FrameError> {
        Ok(())
    }

    fn connection_lost(&mut self, _: &mut Client<'_>, reason: &ConnectionLost) {
        self.nameless = None;
        self.leave(&reason.to_string());
    }
}
