//! Every message in every state; and sessions split in every way.

use sinew_auth::ClientLogin;
use sinew_chat::irc::client::IrcClient;
use sinew_testkit::testing::every_split;
use sinew_transports::{Factory, Peer, reactor::Reactor};

use crate::support::{Notes, Noting, Script, config};

/// Each message of the table in `state.rs`.
const MESSAGES: [&str; 36] = [
    ":irc CAP * LS :batch sasl",
    ":irc CAP * LS * :batch",
    ":irc CAP * ACK :batch",
    ":irc CAP * NAK :batch",
    ":irc CAP * NEW :setname",
    ":irc CAP * DEL :batch",
    "CAP",
    ":irc CAP *",
    "AUTHENTICATE +",
    "AUTHENTICATE x",
    "AUTHENTICATE",
    ":irc 900 bot a b :x",
    ":irc 902 * :x",
    ":irc 903 * :x",
    ":irc 904 * :x",
    ":irc 907 * :x",
    ":irc 908 * PLAIN :x",
    ":irc 001 bot :Hi",
    ":irc 001",
    ":irc 005 bot A=B :x",
    ":irc 421 * CAP :x",
    ":irc 432 * bot :x",
    ":irc 433 * bot :x",
    ":irc 437 * bot :x",
    ":irc 451 * :x",
    ":irc 464 * :x",
    "PING :x",
    "PONG :x",
    "ERROR :x",
    ":bot!b@h JOIN #a",
    ":a!a@h PRIVMSG bot :\x01VERSION\x01",
    ":bot!b@h NICK x",
    ":a MODE #a +o",
    "MODE",
    "JOIN",
    "KICK #a bot",
];

/// The ways into each phase.
const PHASES: [(&str, &str); 6] = [
    ("Negotiating", ""),
    ("Requesting", ":irc CAP * LS :batch sasl=PLAIN\n"),
    ("LoggingIn", ":irc CAP * LS :sasl=PLAIN\n:irc CAP * ACK :sasl\n"),
    ("Ending", ":irc CAP * LS :sasl=PLAIN\n:irc CAP * ACK :sasl\nAUTHENTICATE +\n:irc 903 * :x\n"),
    (
        "Online",
        ":irc CAP * LS :sasl=PLAIN\n:irc CAP * ACK :sasl\nAUTHENTICATE +\n:irc 903 * :x\n:irc 001 bot :x\n",
    ),
    ("Closing", "ERROR :x\n"),
];

#[test]
fn every_message_in_every_phase() {
    for (phase, lines) in PHASES {
        for first in MESSAGES {
            for second in MESSAGES {
                let login = ClientLogin::password("ann", "secret").allow_plaintext(true);
                let script = Script::new(config().login(login));
                script.receive(lines);
                let was_online = script.irc.is_online();
                script.receive(&format!("{first}\n"));
                script.receive(&format!("{second}\n"));
                // Nobody is online without the login, whatever the server says.
                let is_online = script.irc.is_online();
                assert!(!is_online || script.irc.is_logged_in(), "{phase}: {first}, {second}");
                if was_online {
                    assert_eq!(phase, "Online");
                }
                script.wire.reset_if_open();
                script.advance(0);
                let notes = script.notes();
                let ends = notes.iter().filter(|note| {
                    note.starts_with("connection_lost") || note.starts_with("registration_failed")
                });
                assert_eq!(ends.count(), 1, "{phase}: {first}, {second}: {notes:?}");
            }
        }
    }
}

#[test]
fn every_split_of_a_session() {
    crate::watchdog::watch_this_test();
    let reactor = Reactor::simulated(0);
    let make = move || {
        let irc = IrcClient::new(&reactor, config().join("#a").unwrap(), Noting(Notes::default()));
        irc.clone().build_protocol(&Peer::Memory).unwrap()
    };
    every_split(
        make,
        b"@time=x :irc CAP * LS :batch\r\n:irc CAP * ACK :batch\r:irc 001 bot :Hi\n\n:bot!b@h JOIN #a\r\nPING :a b\r\n",
        b"CAP LS 302\r\nNICK bot\r\nUSER bot 0 * :bot\r\nCAP REQ :batch\r\nCAP END\r\nJOIN #a\r\nPONG :a b\r\n",
    );
}
