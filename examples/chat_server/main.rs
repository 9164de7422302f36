//! A chat room: names, joining, leaving, private messages. A slow reader does not affect the others.
//!
//! ```text
//! $ cargo run -p chat_server
//! listening on 127.0.0.1:8000
//! ```
//!
//! ```text
//! $ nc 127.0.0.1 8000
//! Your name?
//! ann
//! Welcome. /who, /to NAME TEXT; all else is said to all.
//! ```

use std::{
    cell::RefCell,
    collections::BTreeMap,
    env,
    error::Error,
    io::{self, Write},
    process,
    rc::Rc,
    time::Duration,
};

use sinew::prelude::*;
use sinew::protocols::basic::{Line, LineHandler, LineReceiver, LineTransport, send_line};
use sinew::transports::endpoint::ServerEndpoint;

/// Write limit per guest. `write` never blocks, so messages pile up for a guest who does not read. Past this limit
/// the guest is disconnected with `ConnectionLost::WriteLimit`; the others are not affected.
const UNREAD_MAX: usize = 256 * 1024;
/// Reading from a guest pauses for this long after a message while another guest is far behind. Otherwise a fast
/// sender would make all slow readers exceed their limit.
const REST: Duration = Duration::from_millis(10);

/// The guests. Writing to a guest makes no callbacks, so the room can stay borrowed meanwhile.
pub(crate) type Room = Rc<RefCell<BTreeMap<String, Transport>>>;

pub(crate) struct Guest {
    room: Room,
    name: String,
}

impl Guest {
    pub(crate) fn arrive(room: Room) -> LineReceiver<Self> {
        let decoder = Line::lf_or_crlf().len_max(1024);
        LineReceiver::with_decoder(decoder, Self { room, name: String::new() })
    }

    fn join(&mut self, transport: &Transport, name: &str) -> &'static str {
        let is_name = !name.is_empty() && name.chars().all(char::is_alphanumeric);
        if !is_name || name.len() > 20 || self.room.borrow().contains_key(name) {
            return "A short name of letters and digits that nobody has yet, please.";
        }
        name.clone_into(&mut self.name);
        self.room.borrow_mut().insert(name.to_owned(), transport.clone());
        self.tell_others(transport, &format!("* {name} joined"));
        "Welcome. /who, /to NAME TEXT; all else is said to all."
    }

    fn tell_others(&self, transport: &Transport, line: &str) {
        for (_, guest) in self.room.borrow().iter().filter(|(name, _)| **name != self.name) {
            tell(transport, guest, line);
        }
    }
}

fn tell(talker: &Transport, guest: &Transport, line: &str) {
    if send_line(guest, line) == Ok(WriteStatus::AboveHighWatermark) {
        let Some(reactor) = guest.reactor() else { return };
        let talker = talker.clone();
        talker.pause_reading();
        reactor.call_later(REST, move |_| talker.resume_reading());
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
            (Some("/to"), Some(name), Some(text)) => match self.room.borrow().get(name) {
                Some(guest) => return tell(transport, guest, &format!("({}) {text}", self.name)),
                None => "Nobody here is called that.",
            },
            (Some("/who"), ..) => &*Vec::from_iter(self.room.borrow().keys().cloned()).join(" "),
            _ if text.starts_with('/') => "/who, /to NAME TEXT",
            _ => return self.tell_others(transport, &format!("{}: {text}", self.name)),
        };
        let _ = send_line(transport, answer);
    }

    fn connection_lost(&mut self, transport: &mut LineTransport<'_>, reason: &ConnectionLost) {
        if self.room.borrow_mut().remove(&self.name).is_some() {
            self.tell_others(transport, &format!("* {} left: {reason}", self.name));
        }
    }
}

/// Where to listen: a string such as `127.0.0.1:8000`, `tcp6:8000` or `unix:/run/chat.sock`.
fn endpoint() -> Result<ServerEndpoint, Box<dyn Error>> {
    let args: Vec<_> = env::args().skip(1).collect();
    match &*args.iter().map(String::as_str).collect::<Vec<_>>() {
        [] => Ok("127.0.0.1:8000".parse()?),
        ["--listen", endpoint] => Ok(endpoint.parse()?),
        args => {
            let usage = "usage: chat_server [--listen ENDPOINT]";
            if args == ["--help"] {
                println!("{usage}");
                process::exit(0);
            }
            eprintln!("{usage}");
            process::exit(2)
        }
    }
}

/// The standard library prints the error that `main` returns.
fn main() -> Result<(), Box<dyn Error>> {
    let (reactor, room) = (Reactor::new()?, Room::default());
    let stream = StreamConfig::default().write_limit(UNREAD_MAX);
    let config = ListenConfig::default().max_connections(500).stream(stream);
    let arrive = move |_: &Peer| Guest::arrive(room.clone());
    let port = endpoint()?.listen_with(&reactor, config, arrive)?;
    // The server keeps running when its standard output is closed, where `println!` would panic.
    let _ = writeln!(io::stdout(), "listening on {port}");
    // After SIGINT or SIGTERM: stop accepting, and send what is queued for the guests.
    reactor.on(Phase::BeforeShutdown, move |_| port.drain(Duration::from_secs(5)));
    Ok(reactor.run()?)
}
