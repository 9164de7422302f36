//! The convention that every benchmarked server follows, in any language:
//!
//! 1. it takes `--listen ADDR` (port 0 works),
//! 2. its first line on standard output is `listening on ADDR:PORT`, and it prints no other line there,
//! 3. it serves as its section of `contestants.toml` requires, and closes a connection when its peer does:
//!    `echo` sends every byte back, `line` every line (ended by LF), and
//!    `fanout` sends the data of one connection to all others, after greeting each new connection with
//!    [`GREETING`] once it is a member; `http` and the like answer the requests of [`http`](crate::http), however many; `websocket`
//!    and `ws-broadcast` do the same as `echo` and `fanout` with binary messages, after the handshake of
//!    [`websocket`](crate::websocket); `dns` answers the queries of [`dns`](crate::dns) over UDP;
//!    `smtp` takes messages, `pop3` and `imap` have those of [`mail`](crate::mail); `irc` has a network of IRC,
//! 4. SIGTERM ends it,
//! 5. if it cannot run on this machine, it exits with status [`UNAVAILABLE`] and the reason on standard error.
//!
//! The servers of this package get 1 and 2 from [`Listen`]; the runner parses 2 with [`announced`].
//! Timers need no network: see [`timings`](crate::timings).

use std::fmt::Display;
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::time::Duration;

use clap::Parser;

/// The byte that a fan-out server sends to each new connection.
pub const GREETING: u8 = b'!';

/// The exit status of a server that cannot run on this machine: `EX_UNAVAILABLE` of `sysexits.h`.
pub const UNAVAILABLE: i32 = 69;

/// The time within which all members must have joined the channel of `irc`.
pub const JOINED_WITHIN: Duration = Duration::from_secs(600);

const ANNOUNCEMENT: &str = "listening on ";

/// The listen backlog; std's 128 would be too small for a storm of connections.
const BACKLOG: u16 = 4096;

/// A server to compare with: prints `listening on ADDR:PORT`, then serves
// The option that every server has.
#[derive(Clone, Copy, Debug, Parser)]
pub struct Listen {
    /// Address to listen on; port 0 picks a free one.
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:0")]
    pub listen: SocketAddr,
}

impl Listen {
    /// The listen backlog of all servers.
    #[must_use]
    pub fn backlog() -> u16 {
        BACKLOG
    }

    /// Binds the address, announces it, and returns the non-blocking listener.
    ///
    /// `TCP_NODELAY` is set on the listener, and Linux copies it to each accepted connection: so no server pays a
    /// system call for it, and none is delayed by Nagle's algorithm.
    ///
    /// # Errors
    /// When the address cannot be bound.
    pub fn bind(self) -> io::Result<TcpListener> {
        let listener = TcpListener::bind(self.listen)?;
        listener.set_nonblocking(true)?;
        rustix::net::listen(&listener, BACKLOG.into())?;
        rustix::net::sockopt::set_tcp_nodelay(&listener, true)?;
        announce(listener.local_addr()?);
        Ok(listener)
    }
}

/// [`Listen::bind`] for servers without options of their own.
///
/// # Errors
/// When the address cannot be bound.
pub fn listen() -> io::Result<TcpListener> {
    Listen::parse().bind()
}

/// Prints where a server listens.
pub fn announce(addr: SocketAddr) {
    println!("{ANNOUNCEMENT}{addr}");
}

/// Ends a server that cannot run on this machine.
pub fn unavailable(reason: impl Display) -> ! {
    eprintln!("{reason}");
    std::process::exit(UNAVAILABLE)
}

/// Parses the address in a server's first line; `None` if the line is anything else.
#[must_use]
pub fn announced(line: &str) -> Option<SocketAddr> {
    line.trim_end().strip_prefix(ANNOUNCEMENT).and_then(|address| address.parse().ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_announcement_is_parsed() {
        let address = "127.0.0.1:4000".parse().ok();
        let cases = [
            ("listening on 127.0.0.1:4000\n", address),
            ("listening on 127.0.0.1:4000", address),
            ("listening on port 4000", None),
            ("Listening on 127.0.0.1:4000", None),
            ("", None),
        ];
        for (line, expected) in cases {
            assert_eq!(announced(line), expected, "{line:?}");
        }
    }
}
