//! A chat room: names, joining, leaving, private messages. A slow reader does not affect the others. With `--reactors 4`
//! it runs on four processors. It has a door for `nc`, and two more for clients of IRC and for browsers, if it is built with them.
//!
//! ```text
//! $ cargo run -p chat_server --features chat,http -- --irc 127.0.0.1:6667 --websocket 127.0.0.1:8080
//! listening on 127.0.0.1:8000
//! listening on 127.0.0.1:6667
//! listening on 127.0.0.1:8080
//! ```
//!
//! ```text
//! $ nc 127.0.0.1 8000
//! Your name?
//! ann
//! Welcome. /who, /nick NAME, /to NAME TEXT, /quit; all else is said to all.
//! ```
//!
//! | file | |
//! |---|---|
//! | `room.rs`, `event.rs` | the room, and what happens in it: no transport, no protocol |
//! | `door.rs` | guests who talk in one language |
//! | `lines.rs`, `irc.rs`, `web.rs` | the languages |
//! | `talk.rs` | what is typed and read as plain text, by lines and in the browser |
//! | `ports.rs`, `shards.rs` | the ports of the doors, and the rooms of several reactors |
//!
//! The command `sinew chat` is the same room: all but the last two files are part of it as well.

pub(crate) mod door;
mod event;
#[cfg(feature = "chat")]
mod irc;
pub(crate) mod lines;
mod ports;
pub(crate) mod room;
mod shards;
mod talk;
#[cfg(feature = "http")]
mod web;

use std::{
    env,
    error::Error,
    io::{self, Write},
    process,
    time::Duration,
};

use sinew::prelude::*;
use sinew::transports::{
    endpoint::ServerEndpoint,
    reactors::{Reactors, Shard},
};

use room::{Building, Rules};
use shards::room_of;

const USAGE: &str =
    "usage: chat_server [--listen ENDPOINT] [--irc ENDPOINT] [--websocket ENDPOINT] [--reactors N]";

/// Where to listen, strings such as `127.0.0.1:8000`, `tcp6:8000` or `unix:/run/chat.sock`; and the number of reactors.
struct Arguments {
    listen: ServerEndpoint,
    irc: Option<ServerEndpoint>,
    websocket: Option<ServerEndpoint>,
    reactors: usize,
}

impl Arguments {
    fn read() -> Result<Self, Box<dyn Error>> {
        let args: Vec<_> = env::args().skip(1).collect();
        let listen = "127.0.0.1:8000".parse()?;
        let mut read = Self { listen, irc: None, websocket: None, reactors: 1 };
        let mut left = args.iter().map(String::as_str);
        while let Some(name) = left.next() {
            match (name, left.next()) {
                ("--listen", Some(text)) => read.listen = text.parse()?,
                ("--irc", Some(text)) => read.irc = Some(text.parse()?),
                ("--websocket", Some(text)) => read.websocket = Some(text.parse()?),
                ("--reactors", Some(number)) => read.reactors = number.parse()?,
                ("--help", None) => {
                    println!("{USAGE}");
                    process::exit(0);
                }
                _ => {
                    eprintln!("{USAGE}");
                    process::exit(2)
                }
            }
        }
        Ok(read)
    }
}

/// The standard library prints the error that `main` returns.
fn main() -> Result<(), Box<dyn Error>> {
    let arguments = Arguments::read()?;
    let building = Building::new(Rules::default());
    let mut reactors = ports::lines(Reactors::new(arguments.reactors), arguments.listen, &building);
    if let Some(endpoint) = arguments.irc {
        reactors = ports::irc(reactors, endpoint, &building)?;
    }
    if let Some(endpoint) = arguments.websocket {
        reactors = ports::web(reactors, endpoint, &building)?;
    }
    let mail = building.mail.clone();
    let reactors = reactors
        .receive(&mail, move |shard: &Shard| {
            let room = room_of(shard, &building);
            move |_: &Reactor, event| shards::receive(&room, &event)
        })
        // After SIGINT or SIGTERM: stop accepting, and send what is queued for the guests.
        .drain(Duration::from_secs(5))
        .start()?;
    for addr in reactors.addresses() {
        // The server keeps running when its standard output is closed, where `println!` would panic.
        let _ = writeln!(io::stdout(), "listening on {addr}");
    }
    reactors.join()?;
    Ok(())
}
