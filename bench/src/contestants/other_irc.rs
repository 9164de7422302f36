//! ngIRCd. This process becomes the server, and leaves a child behind that announces the address as soon as it takes connections.

use std::error::Error;
use std::fs;
use std::net::{SocketAddr, TcpStream};
use std::process::Command;

use bench::convention::{Listen, unavailable};
use bench::mail::folder;
use bench::other::{announce_once, become_server, find, free_address};
use clap::Parser;

/// Serves a network of IRC
#[derive(Parser)]
struct Args {
    #[command(flatten)]
    listen: Listen,

    /// Only announce this address, once it answers
    #[arg(long, value_name = "ADDR", hide = true)]
    wait_for: Option<SocketAddr>,
}

fn main() -> Result<(), Box<dyn Error>> {
    let args = Args::parse();
    if let Some(address) = args.wait_for {
        announce_once(address, || TcpStream::connect(address).is_ok())?;
        return Ok(());
    }
    let Some(program) = find("ngircd", []) else {
        unavailable("ngircd is not installed; try: apt install ngircd")
    };
    let address = free_address(args.listen)?;
    let config = folder("ngircd")?.join("ngircd.conf");
    fs::write(&config, configuration(address))?;
    // It logs each connection to its standard output.
    let mut command = Command::new("sh");
    command.args(["-c", "exec \"$0\" --nodaemon --config \"$1\" >/dev/null 2>&1"]);
    command.arg(program).arg(config);
    match become_server(command, &[], address)? {}
}

/// Without limits, as far as it can do without.
fn configuration(address: SocketAddr) -> String {
    let (ip, port) = (address.ip(), address.port());
    format!(
        "[Global]
Name = irc.bench.example
Info = bench
Listen = {ip}
Ports = {port}
[Limits]
MaxConnections = 0
MaxConnectionsIP = 0
MaxJoins = 0
MaxNickLength = 20
MaxPenaltyTime = 0
PingTimeout = 3600
PongTimeout = 3600
[Options]
DNS = no
Ident = no
PAM = no
"
    )
}
