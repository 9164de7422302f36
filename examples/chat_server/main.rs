//! A chat room: names, joining, leaving, private messages. A slow reader does not affect the others. With `--reactors 4`
//! it runs on four processors.
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

mod guest;
mod room;

use std::{
    env,
    error::Error,
    io::{self, Write},
    process,
    time::Duration,
};

use sinew::prelude::*;
use sinew::transports::endpoint::ServerEndpoint;
use sinew::transports::reactors::{Mailboxes, Reactors, Shard};

pub(crate) use guest::Guest;
pub(crate) use room::{Names, Room, Said};

/// Write limit per guest. `write` never blocks, so messages pile up for a guest who does not read. Past this limit
/// the guest is disconnected with `ConnectionLost::WriteLimit`; the others are not affected.
const UNREAD_MAX: usize = 256 * 1024;

/// Lines on their way to a reactor. A talker whose line does not fit waits.
const MAIL_MAX: usize = 4_096;

/// Where to listen, a string such as `127.0.0.1:8000`, `tcp6:8000` or `unix:/run/chat.sock`; and the number of reactors.
fn arguments() -> Result<(ServerEndpoint, usize), Box<dyn Error>> {
    const USAGE: &str = "usage: chat_server [--listen ENDPOINT] [--reactors N]";
    let args: Vec<_> = env::args().skip(1).collect();
    let (mut endpoint, mut reactors) = ("127.0.0.1:8000".parse()?, 1);
    let mut left = args.iter().map(String::as_str);
    while let Some(name) = left.next() {
        match (name, left.next()) {
            ("--listen", Some(text)) => endpoint = text.parse()?,
            ("--reactors", Some(number)) => reactors = number.parse()?,
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
    Ok((endpoint, reactors))
}

/// The standard library prints the error that `main` returns.
fn main() -> Result<(), Box<dyn Error>> {
    let (endpoint, reactors) = arguments()?;
    let stream = StreamConfig::default().write_limit(UNREAD_MAX);
    let config = ListenConfig::default().max_connections(500).stream(stream);
    let (names, mail) = (Names::default(), Mailboxes::<Said>::new(MAIL_MAX));
    let room = {
        let mail = mail.clone();
        move |shard: &Shard| Room::of(shard, &names, &mail)
    };
    let room_of_mail = room.clone();
    let reactors = Reactors::new(reactors)
        .listen_with(endpoint, config, move |shard: &Shard| {
            let room = room(shard);
            move |_: &Peer| Guest::arrive(room.clone())
        })
        .receive(&mail, move |shard: &Shard| {
            let room = room_of_mail(shard);
            move |_: &Reactor, said| room.receive(said)
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
