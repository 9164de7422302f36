//! Answers every connection to a Unix socket with what it receives, and prints whose process it is.
//!
//! ```text
//! $ cargo run --release --example unix_echo -- --listen /tmp/echo.sock --mode 600
//! listening on /tmp/echo.sock
//! ```
//!
//! ```text
//! $ nc -U /tmp/echo.sock
//! hello
//! hello
//! ```
#![cfg_attr(not(unix), allow(dead_code, unused_imports))]

mod cli;

use std::{path::PathBuf, process::ExitCode};

use clap::Parser;
use cli::{EngineArgs, say};
use sinew::prelude::*;

struct Echo;

impl Protocol for Echo {
    /// The system vouches for the user and the process at the other end, where it does.
    fn connection_made(&mut self, transport: &Transport) {
        say!("{} connected", transport.peer());
    }

    fn data_received(&mut self, transport: &Transport, data: &[u8]) {
        transport.write(data);
    }
}

/// Answers every connection to a Unix socket with what it receives
#[derive(Parser)]
struct Args {
    /// Path of the socket
    #[arg(long, value_name = "PATH", default_value = "/tmp/sinew-echo.sock")]
    listen: PathBuf,

    /// Mode of the socket's file, in octal: who may write to it may connect
    #[arg(long, value_name = "MODE", default_value = "600", value_parser = octal)]
    mode: u32,

    #[command(flatten)]
    engine: EngineArgs,
}

fn octal(text: &str) -> Result<u32, String> {
    let mode = u32::from_str_radix(text, 8).ok().filter(|mode| *mode <= 0o777);
    mode.ok_or_else(|| "a mode is three octal digits".to_owned())
}

#[cfg(unix)]
fn main() -> ExitCode {
    cli::main(|args: Args| {
        let reactor = args.engine.builder().build()?;
        // A file that a dead server has left is replaced; one on which a server listens is not. When this one ends, its
        // file goes with it.
        let config = sinew::transports::UnixListenConfig::default().mode(args.mode);
        let port = reactor.listen_unix_with(args.listen, config, |_: &Peer| Echo)?;
        cli::run(&reactor, port)
    })
}

#[cfg(not(unix))]
fn main() -> ExitCode {
    cli::main(|_: Args| Err("there are no Unix sockets here".into()))
}
