//! Tests of the examples `irc_server`, `irc_bot` and `irc_files`, with each other.

use std::{
    io::{Read, Write},
    net::TcpStream,
};

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

#[test]
fn a_bot_offers_files() {
    let folder = std::env::temp_dir().join(format!("sinew-example-{}-files", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    std::fs::write(folder.join("a.txt"), "the file").unwrap();
    for engine in ENGINES {
        let server = Example::serve("irc_server", engine, &["--name", "irc.test"]);
        let to = server.connect().socket().peer_addr().unwrap().to_string();
        let options = ["--engine", engine, "--to", &to, "--folder", folder.to_str().unwrap()];
        let bot = Example::start("irc_files", &options);
        let mut ann = server.connect();
        ann.send("NICK ann\r\nUSER ann 0 * :Ann\r\nMONITOR + filebot\r\n");
        until(&mut ann, " 730 ann :filebot");
        ann.send("PRIVMSG filebot :list\r\nPRIVMSG filebot :get ../a.txt\r\n");
        until(&mut ann, "NOTICE ann :files: a.txt");
        let offer = ann.line();
        let words: Vec<_> = offer.split(' ').collect();
        let [.., "SEND", "a.txt", "2130706433", port, size] = words[..] else { panic!("{offer}") };
        assert_eq!(size.trim_end_matches('\u{1}'), "8");
        let mut file = TcpStream::connect(("127.0.0.1", port.parse().unwrap())).unwrap();
        let mut content = [0; 8];
        file.read_exact(&mut content).unwrap();
        assert_eq!(&content, b"the file");
        file.write_all(&8_u32.to_be_bytes()).unwrap();
        assert_eq!(bot.line(), "ann gets a.txt");
        assert_eq!(bot.line(), "ann has a.txt");
    }
    std::fs::remove_dir_all(folder).unwrap();
}
