//! The convention that every contestant keeps, whatever it is written in:
//!
//! 1. it takes `--listen ADDR` (port 0 works),
//! 2. its first line on standard output is `listening on ADDR:PORT`, and it prints no other line there,
//! 3. it serves what its section of `contestants.toml` says, and closes a connection when its peer does:
//!    `echo` answers every byte with itself, `line` every line with the same line (ended by LF), and
//!    `fanout` sends what comes in on one connection to all others, after greeting each connection with
//!    [`GREETING`] once it belongs to them,
//! 4. SIGTERM ends it,
//! 5. if it cannot run on this machine, it ends with status [`UNAVAILABLE`] and the reason on standard error.
//!
//! The contestants of this package get 1 and 2 from [`Listen`]; the runner reads 2 with [`announced`].
//! Timers need no network: see [`timings`](crate::timings).

use std::fmt::Display;
use std::io;
use std::net::{SocketAddr, TcpListener};

use clap::Parser;

/// What a server that fans out sends to each connection that it has taken in.
pub const GREETING: u8 = b'!';

/// The exit status of who cannot run here: `EX_UNAVAILABLE` of `sysexits.h`.
pub const UNAVAILABLE: i32 = 69;

const ANNOUNCEMENT: &str = "listening on ";

/// Connections waiting to be accepted; std's 128 would be too few for a storm of them.
const BACKLOG: u16 = 4096;

/// A server to compare with: prints `listening on ADDR:PORT`, then serves
// The option that every contestant has.
#[derive(Clone, Copy, Debug, Parser)]
pub struct Listen {
    /// Address to listen on; port 0 takes a free one.
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:0")]
    pub listen: SocketAddr,
}

impl Listen {
    /// How many connections may wait to be accepted, for all contestants.
    #[must_use]
    pub fn backlog() -> u16 {
        BACKLOG
    }

    /// Binds the address, announces it, and returns the non-blocking listener.
    ///
    /// `TCP_NODELAY` is set on the listener, and Linux hands it down to each accepted connection: so no
    /// contestant pays a system call for it, and none waits for Nagle.
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

/// [`Listen::bind`] for contestants without options of their own.
///
/// # Errors
/// When the address cannot be bound.
pub fn listen() -> io::Result<TcpListener> {
    Listen::parse().bind()
}

/// Says where a contestant listens.
pub fn announce(addr: SocketAddr) {
    println!("{ANNOUNCEMENT}{addr}");
}

/// Ends a contestant that cannot run on this machine.
pub fn unavailable(reason: impl Display) -> ! {
    eprintln!("{reason}");
    std::process::exit(UNAVAILABLE)
}

/// The address in a contestant's first line; `None` if the line is anything else.
#[must_use]
pub fn announced(line: &str) -> Option<SocketAddr> {
    line.trim_end().strip_prefix(ANNOUNCEMENT).and_then(|address| address.parse().ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_agreed_line_announces() {
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
