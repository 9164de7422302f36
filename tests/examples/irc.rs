//! Tests of the examples `irc_server` and `irc_bot`, with each other.

use super::{peer::Peer, process::Example};
use crate::ENGINES;

/// Reads lines up to one with this text.
fn until(client: &mut Peer, text: &str) {
    while !client.line().contains(text) {}
}

#[test]
fn a_bot_logs_what_is_said_on_a_server() {
    for engine in ENGINES {
        let server = Example::serve("irc_server", engine, &["--name", "irc.test"]);
        let to = server.connect().socket().peer_addr().unwrap().to_string();
        let bot = Example::start("irc_bot", &["--engine", engine, "--to", &to, "--join", "#log"]);
        assert_eq!(bot.line(), "#log: logbot has joined");
        let mut ann = server.connect();
        ann.send("NICK ann\r\nUSER ann 0 * :Ann\r\nJOIN #log\r\nPRIVMSG #log :\x02hello\x02\r\n");
        until(&mut ann, " 366 ann #log ");
        assert_eq!(bot.line(), "#log: ann has joined");
        assert_eq!(bot.line(), "#log <ann> hello");
        ann.send("QUIT :bye\r\n");
        until(&mut ann, "ERROR :Closing Link");
    }
}
