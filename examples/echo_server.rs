//! Answers every connection with what it receives.
//!
//! ```text
//! $ cargo run --release --example echo_server
//! listening on 127.0.0.1:8000
//! $ nc 127.0.0.1 8000
//! hello
//! hello
//! ```

mod common;

use std::process::ExitCode;

use clap::Parser;
use common::ServerArgs;
use sinew::prelude::*;

struct Echo;

impl Protocol for Echo {
    fn data_received(&mut self, transport: &Transport, data: &[u8]) {
        transport.write(data);
    }
}

/// Answers every connection with what it receives
#[derive(Parser)]
struct Args {
    #[command(flatten)]
    server: ServerArgs,
}

fn main() -> ExitCode {
    Args::parse().server.serve(|_: &Peer| Echo)
}
