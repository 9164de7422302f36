//! A key-value store: a small command protocol with typed frames, and limits on everything that a client can do.
//!
//! ```text
//! $ printf 'AUTH secret\r\nSET colour light blue\r\nGET colour\r\nLIST\r\nQUIT\r\n' | nc 127.0.0.1 8000
//! + hello
//! + kept
//! + light blue
//! + 1 follow
//! colour light blue
//! .
//! + bye
//! ```

#[path = "../cli/mod.rs"]
mod cli;
mod commands;
mod session;

use std::{process::ExitCode, time::Duration};

use clap::Parser;
use cli::ServerArgs;
use commands::Commands;
use session::{Session, Store};
use sinew::{
    prelude::*,
    protocols::{
        basic::{Framed, Line, Parsed, PhaseDeadline},
        policies::{Rate, RateLimit},
    },
};

/// A key-value store
#[derive(Parser)]
struct Args {
    /// The password of the server
    #[arg(long, value_name = "WORD", default_value = "secret")]
    secret: String,

    /// Login timeout in milliseconds
    #[arg(long, value_name = "MS", default_value_t = 10_000)]
    login_timeout: u64,

    /// Receive rate limit per client, in bytes per second
    #[arg(long, value_name = "BYTES", default_value_t = 1_000_000)]
    rate: u64,

    #[command(flatten)]
    server: ServerArgs,
}

fn main() -> ExitCode {
    cli::main(|args: Args| {
        let reactor = args.server.reactor()?;
        let (store, within) = (Store::default(), Duration::from_millis(args.login_timeout));
        let rate = Rate::bytes_per_second(args.rate);
        let session = move |_: &Peer| {
            let login = PhaseDeadline::new("login", within);
            let session = Session { secret: args.secret.clone(), login, store: store.clone() };
            let lines = Line::lf_or_crlf().len_max(1_000);
            RateLimit::new(Framed::typed(Parsed::new(lines, Commands), session), rate)
        };
        let port = args.server.listen.listen(&reactor, session)?;
        cli::run(&reactor, port)
    })
}
