//! Every message in every state; and sessions split in every way.

use std::time::Duration;

use sinew_chat::irc::server::IrcServer;
use sinew_testkit::testing::{assert_clean, every_split};
use sinew_transports::reactor::Reactor;

use crate::server::network::{Network, config, users};

/// Commands with too few, enough, and strange parameters.
const COMMANDS: [&str; 50] = [
    "CAP",
    "AUTHENTICATE",
    "PASS",
    "NICK",
    "USER",
    "PING",
    "PONG",
    "QUIT",
    "ERROR",
    "JOIN",
    "PART",
    "KICK",
    "INVITE",
    "TOPIC",
    "NAMES",
    "LIST",
    "MODE",
    "PRIVMSG",
    "NOTICE",
    "TAGMSG",
    "AWAY",
    "SETNAME",
    "WHO",
    "WHOIS",
    "WHOWAS",
    "USERHOST",
    "ISON",
    "MONITOR",
    "LUSERS",
    "MOTD",
    "VERSION",
    "TIME",
    "ADMIN",
    "INFO",
    "LINKS",
    "HELP",
    "OPER",
    "KILL",
    "KLINE",
    "UNKLINE",
    "REHASH",
    "WALLOPS",
    "CHANSERV",
    "CS",
    "STATS",
    "USERS",
    "001",
    "XYZ",
    "KNOCK",
    "SERVER",
];

const PARAMETERS: [&str; 9] = [
    "",
    " #a x",
    " ann #a",
    " x y z :w",
    " :",
    " #a +ovbklIe bob bob x",
    " LS 302",
    " REQ :sasl batch",
    " , , ,",
];

#[test]
fn every_command_in_every_state() {
    crate::watchdog::watch_this_test();
    let early = ["CAP", "AUTHENTICATE", "PASS", "NICK", "USER", "PING", "PONG", "QUIT", "ERROR"];
    let network = Network::new(config().accounts(users()).operators(users()));
    let observer = network.client("observer");
    for state in ["new", "nick", "negotiating", "welcomed", "member", "operator"] {
        for command in COMMANDS {
            for parameters in PARAMETERS {
                let client = network.connect();
                match state {
                    "new" => {}
                    "nick" => drop(client.say("NICK ann")),
                    "negotiating" => drop(client.say("CAP LS 302\nNICK ann\nUSER ann 0 * :x")),
                    "welcomed" => drop(client.say("NICK ann\nUSER ann 0 * :x")),
                    _ => drop(client.say("NICK ann\nUSER ann 0 * :x\nJOIN #a")),
                }
                if state == "operator" {
                    client.say("OPER ann secret");
                    client.advance(20);
                    client.received();
                }
                let received = client.say(&format!("{command}{parameters}"));
                client.advance(20);
                let is_early = early.contains(&command);
                if ["new", "nick", "negotiating"].contains(&state) && !is_early {
                    assert!(
                        received.contains(" 451 "),
                        "{state}: {command}{parameters}: {received}"
                    );
                    assert!(!received.contains(" 001 "));
                }
                for line in received.lines() {
                    assert!(line.len() <= 510 && line.starts_with([':', 'E', 'P', 'A']), "{line}");
                }
                client.wire.reset_if_open();
                client.advance(0);
            }
        }
    }
    assert!(!observer.is_closed());
    assert_eq!(network.server.report().clients, 1, "nobody is left over");
    assert_eq!(network.server.report().channels, 0);
    drop(observer.say("QUIT"));
    observer.wire.close();
    observer.advance(20_000);
    assert_clean(&network.reactor);
}

#[test]
fn every_split_of_a_session() {
    crate::watchdog::watch_this_test();
    let input = "CAP LS\r\nNICK ann\r\nUSER ann 0 * :x\rCAP END\n\nJOIN #a\r\nPRIVMSG #a :\u{e9}\r\nMODE #a +b x\r\n";
    let make = || {
        let reactor = Reactor::simulated(0);
        IrcServer::new(&reactor, config().registration_timeout(Duration::from_secs(30)))
    };
    let network = Network::new(config());
    let client = network.connect();
    client.send(input.as_bytes());
    let expected = client.wire.sent();
    assert!(expected.len() > 1_000);
    every_split(move || make().connection(), input.as_bytes(), &expected);
}
