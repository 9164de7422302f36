//! The convention that every contestant keeps, whatever it is written in:
//!
//! 1. it takes `--listen ADDR` (port 0 works),
//! 2. its first line on standard output is `listening on ADDR:PORT`, and it prints no other line there,
//! 3. it echoes every byte of every connection, and closes when its peer does,
//! 4. SIGTERM ends it.
//!
//! The contestants of this package get 1 and 2 from [`listen`]; the runner reads 2 with [`announced`].

use std::io;
use std::net::{SocketAddr, TcpListener};

use clap::Parser;

const ANNOUNCEMENT: &str = "listening on ";

/// Connections waiting to be accepted; std's 128 would be too few for a storm of them.
const BACKLOG: i32 = 4096;

#[derive(Debug, Parser)]
#[command(about = "An echo server to compare with: prints `listening on ADDR:PORT`, then echoes")]
struct Args {
    /// Address to listen on; port 0 takes a free one.
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:0")]
    listen: SocketAddr,
}

/// Binds the address given on the command line, announces it, and returns the non-blocking listener.
///
/// `TCP_NODELAY` is set on the listener, and Linux hands it down to each accepted connection: so no
/// contestant pays a system call for it, and none waits for Nagle.
///
/// # Errors
/// When the address cannot be bound.
pub fn listen() -> io::Result<TcpListener> {
    let listener = TcpListener::bind(Args::parse().listen)?;
    listener.set_nonblocking(true)?;
    rustix::net::listen(&listener, BACKLOG)?;
    rustix::net::sockopt::set_tcp_nodelay(&listener, true)?;
    println!("{ANNOUNCEMENT}{}", listener.local_addr()?);
    Ok(listener)
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
