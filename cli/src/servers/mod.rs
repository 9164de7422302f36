//! The ready servers: each is a struct of its arguments, a row in `commands.rs`, and a file here.

mod chargen;
mod chat;
mod connect;
mod datagrams;
mod daytime;
mod discard;
mod dns;
mod echo;
mod failed_logins;
mod held_folder;
mod http;
mod inetd;
mod irc;
mod listens_nowhere;
mod log;
pub(crate) mod mail;
mod news;
mod portforward;
mod ports;
mod procmon;
mod public_ports;
mod qotd;
mod read_again;
mod secret_file;
mod time;
mod user_changes;
mod users_file;
mod xmpp;

pub(crate) use {
    chargen::Chargen, chat::Chat, connect::Connect, daytime::Daytime, discard::Discard, dns::Dns,
    echo::Echo, http::Http, inetd::Inetd, irc::Irc, log::LogServer, mail::Mail, news::News,
    portforward::PortForward, procmon::ProcMon, qotd::Qotd, time::Time, xmpp::Xmpp,
};
