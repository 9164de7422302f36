//! NSD, Knot DNS or dnsmasq with the zone. This process becomes the server, and leaves a child behind that announces the address as soon
//! as it answers.

use std::env;
use std::error::Error;
use std::fs;
use std::io;
use std::net::{SocketAddr, UdpSocket};
use std::path::Path;
use std::process::Command;

use bench::convention::{Listen, unavailable};
use bench::dns::{hosts, is_answer, query, zone};
use bench::other::{TRY_EVERY, announce_once, become_server, find, free_address};
use clap::{Parser, ValueEnum};

/// Answers from a zone
#[derive(Parser)]
struct Args {
    #[command(flatten)]
    listen: Listen,

    /// The server to run
    #[arg(value_enum)]
    server: Program,

    /// Only announce this address, once it answers
    #[arg(long, value_name = "ADDR", hide = true)]
    wait_for: Option<SocketAddr>,
}

#[derive(Clone, Copy, ValueEnum)]
enum Program {
    Nsd,
    Knotd,
    Dnsmasq,
}

fn main() -> Result<(), Box<dyn Error>> {
    let args = Args::parse();
    if let Some(address) = args.wait_for {
        return wait_for(address);
    }
    let (name, package) = match args.server {
        Program::Nsd => ("nsd", "nsd"),
        Program::Knotd => ("knotd", "knot"),
        Program::Dnsmasq => ("dnsmasq", "dnsmasq-base"),
    };
    let Some(program) = find(name, []) else {
        unavailable(format_args!("{name} is not installed; try: apt install {package}"))
    };
    let folder = env::temp_dir().join(format!("sinew-bench-{name}-{}", std::process::id()));
    fs::create_dir_all(&folder)?;
    let address = free_address(args.listen)?;
    let mut command = Command::new(program);
    match args.server {
        Program::Nsd => nsd(&mut command, &folder, address)?,
        Program::Knotd => knotd(&mut command, &folder, address)?,
        Program::Dnsmasq => dnsmasq(&mut command, &folder, address)?,
    }
    match become_server(command, &[name], address)? {}
}

fn wait_for(address: SocketAddr) -> Result<(), Box<dyn Error>> {
    let socket = UdpSocket::bind("127.0.0.1:0")?;
    socket.connect(address)?;
    socket.set_read_timeout(Some(TRY_EVERY))?;
    let mut answer = [0; 4_096];
    announce_once(address, || {
        socket.send(&query(1, 0)).is_ok()
            && socket.recv(&mut answer).is_ok_and(|len| is_answer(&answer[..len], 1, 0))
    })?;
    Ok(())
}

/// One process for queries, beside its own parent.
fn nsd(command: &mut Command, folder: &Path, address: SocketAddr) -> io::Result<()> {
    fs::write(folder.join("example.zone"), zone())?;
    let config = folder.join("nsd.conf");
    let folder = folder.display();
    let text = format!(
        "server:
 ip-address: 127.0.0.1@{port}
 server-count: 1
 username: \"\"
 chroot: \"\"
 zonesdir: \"{folder}\"
 pidfile: \"{folder}/pid\"
 database: \"\"
 zonelistfile: \"{folder}/list\"
 xfrdfile: \"{folder}/xfrd\"
 xfrdir: \"{folder}\"
 minimal-responses: yes
 rrl-ratelimit: 0
remote-control:
 control-enable: no
zone:
 name: \"example\"
 zonefile: \"example.zone\"
",
        port = address.port()
    );
    fs::write(&config, text)?;
    command.arg("-d").arg("-c").arg(config);
    Ok(())
}

/// One thread for queries over UDP.
fn knotd(command: &mut Command, folder: &Path, address: SocketAddr) -> io::Result<()> {
    fs::write(folder.join("example.zone"), zone())?;
    let config = folder.join("knot.conf");
    let folder = folder.display();
    let text = format!(
        "server:
    rundir: \"{folder}\"
    listen: 127.0.0.1@{port}
    udp-workers: 1
    tcp-workers: 1
    background-workers: 1
log:
  - target: stderr
    any: error
database:
    storage: \"{folder}\"
template:
  - id: default
    storage: \"{folder}\"
    zonefile-sync: -1
    journal-content: none
zone:
  - domain: example
    file: \"example.zone\"
",
        port = address.port()
    );
    fs::write(&config, text)?;
    command.arg("-c").arg(config);
    Ok(())
}

/// The names from a file of hosts.
fn dnsmasq(command: &mut Command, folder: &Path, address: SocketAddr) -> io::Result<()> {
    let names = folder.join("hosts");
    fs::write(&names, hosts())?;
    command.args([
        "--keep-in-foreground",
        "--log-facility=/dev/null",
        "--conf-file=/dev/null",
        "--no-resolv",
        "--no-hosts",
        "--bind-interfaces",
        "--listen-address=127.0.0.1",
        "--user=",
        "--group=",
        "--local=/example/",
    ]);
    command
        .arg(format!("--addn-hosts={}", names.display()))
        .arg(format!("--port={}", address.port()))
        .arg(format!("--pid-file={}/pid", folder.display()));
    Ok(())
}
