//! The command `sinew`.

use clap::Parser;

/// Ready servers and clients, and server programs from a file.
#[derive(Parser)]
#[command(name = "sinew", version)]
struct Arguments {}

fn main() {
    let Arguments {} = Arguments::parse();
}
