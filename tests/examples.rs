//! Tests of the examples: each is started as a process and used over real sockets. This shows that the example pages
//! work on every engine and behave as programs should.
//!
//! Nothing here sleeps. Tests wait for a line, a byte, EOF or an exit, each bounded by `PATIENCE`.
//!
//! The examples must have been built, which `cargo test` does unless it is limited to one test binary (`--test`).

use std::time::Duration;

mod examples {
    mod arguments;
    mod async_client;
    mod background_work;
    #[cfg(all(feature = "chat", feature = "http"))]
    mod chat_doors;
    mod chat_server;
    mod connect;
    mod custom_handler;
    #[cfg(feature = "dns")]
    mod dns;
    #[cfg(all(feature = "dns", feature = "http"))]
    mod dns_sinkhole;
    mod echo_client;
    mod echo_reactors;
    mod echo_server;
    mod embedded_loop;
    mod endpoints;
    #[cfg(feature = "http")]
    mod fetch;
    mod framed_echo;
    #[cfg(feature = "mail")]
    mod imap_watch;
    mod inetd_echo;
    #[cfg(feature = "chat")]
    mod irc;
    mod key_value;
    mod loggers;
    #[cfg(target_os = "linux")]
    mod multicast_chat;
    #[cfg(feature = "news")]
    mod news_reader;
    #[cfg(target_os = "linux")]
    mod output;
    mod pages;
    mod peer;
    #[cfg(all(feature = "mail", feature = "tls", unix))]
    mod pop3_fetch;
    mod portforward;
    mod process;
    mod proxy_echo;
    mod reconnect;
    mod signals;
    mod simulated_chat;
    #[cfg(feature = "mail")]
    mod smtp_sink;
    #[cfg(feature = "socketserver")]
    mod socketserver;
    #[cfg(feature = "tls")]
    mod starttls;
    mod stdio_shell;
    mod subprocess;
    mod timers;
    #[cfg(feature = "tls")]
    mod tls_echo;
    #[cfg(feature = "tls")]
    mod tls_endpoints;
    mod udp;
    mod unix_echo;
    mod upper_server;
    #[cfg(feature = "http")]
    mod web;
    #[cfg(feature = "http")]
    mod web_sockets;
    mod wire_server;
}

/// Time limit of each wait.
const PATIENCE: Duration = Duration::from_secs(30);

/// Values of `--engine` on this system.
const ENGINES: &[&str] = if cfg!(unix) { &["mio", "poll", "select"] } else { &["mio"] };
