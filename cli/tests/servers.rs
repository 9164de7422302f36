//! The ready servers and tools of the command as real processes, with peers of the standard library and, where they are installed, nc,
//! ncat and socat. Nothing sleeps: every wait is for a line, for bytes, or for the end of a stream or of a process.

#[path = "../../tests/support/watchdog.rs"]
mod watchdog;

#[allow(dead_code, reason = "the tests of the command itself use the rest")]
#[path = "command/kit.rs"]
mod kit;

mod servers {
    mod bench;
    mod certificates;
    mod chat;
    mod connect;
    mod dig;
    mod dns;
    mod http;
    mod inetd;
    mod irc;
    mod log;
    mod mail;
    mod news;
    mod password;
    mod peers;
    mod portforward;
    mod ports;
    mod procmon;
    mod public_ports;
    mod sendmail;
    mod small_services;
    mod texts;
    mod warnings;
    mod xmpp;
}
