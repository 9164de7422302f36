//! smtp-sink of Postfix, or Dovecot with the maildirs. This process becomes the server, and leaves a child behind that announces the
//! address as soon as it greets.

use std::error::Error;
use std::fs;
use std::io::{self, Read};
use std::net::{SocketAddr, TcpStream};
use std::os::unix::fs::{chown, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;

use bench::convention::{Listen, unavailable};
use bench::mail::{PASSWORD, folder, write_maildirs};
use bench::other::{START_MAX, announce_once, become_server, find, free_address};
use clap::{Parser, ValueEnum};

/// The user that owns the maildirs for Dovecot, which does not serve those of root: nobody.
const OWNER: u32 = 65_534;

/// Receives mail, or serves it
#[derive(Parser)]
struct Args {
    #[command(flatten)]
    listen: Listen,

    /// The server to run
    #[arg(value_enum)]
    server: Program,

    /// Only announce this address, once it greets
    #[arg(long, value_name = "ADDR", hide = true)]
    wait_for: Option<SocketAddr>,
}

#[derive(Clone, Copy, ValueEnum)]
enum Program {
    SmtpSink,
    DovecotPop3,
    DovecotImap,
}

fn main() -> Result<(), Box<dyn Error>> {
    let args = Args::parse();
    if let Some(address) = args.wait_for {
        return wait_for(address);
    }
    let (name, package) = match args.server {
        Program::SmtpSink => ("smtp-sink", "postfix"),
        Program::DovecotPop3 => ("dovecot", "dovecot-pop3d"),
        Program::DovecotImap => ("dovecot", "dovecot-imapd"),
    };
    let Some(program) = find(name, [peers().join("usr/sbin")]) else {
        unavailable(format_args!("{name} is not installed; try: apt install {package}"))
    };
    let address = free_address(args.listen)?;
    let mut command = Command::new(program);
    match args.server {
        Program::SmtpSink => {
            if rustix::process::geteuid().is_root() {
                command.args(["-u", "nobody"]);
            }
            command.arg(address.to_string()).arg(Listen::backlog().to_string());
            if let Ok(libraries) = peers().join("usr/lib/postfix").canonicalize() {
                command.env("LD_LIBRARY_PATH", libraries);
            }
        }
        Program::DovecotPop3 => dovecot(&mut command, "pop3", address)?,
        Program::DovecotImap => dovecot(&mut command, "imap", address)?,
    }
    let server = args.server.to_possible_value().ok_or("a server has a name")?;
    match become_server(command, &[server.get_name()], address)? {}
}

/// A server of mail greets.
fn wait_for(address: SocketAddr) -> Result<(), Box<dyn Error>> {
    announce_once(address, || {
        TcpStream::connect(address).is_ok_and(|mut stream| {
            stream.set_read_timeout(Some(START_MAX)).is_ok() && stream.read_exact(&mut [0]).is_ok()
        })
    })?;
    Ok(())
}

/// Where the tests have programs of Postfix.
fn peers() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/peers/postfix")
}

fn dovecot(command: &mut Command, protocol: &str, address: SocketAddr) -> io::Result<()> {
    if !rustix::process::geteuid().is_root() {
        unavailable("Dovecot has to be started by root");
    }
    let folder = folder("dovecot")?;
    write_maildirs(&folder.join("mail"))?;
    give_away(&folder.join("mail"))?;
    let config = folder.join("dovecot.conf");
    fs::write(&config, configuration(&folder, protocol, address))?;
    // Where its own programs look for it.
    let run = folder.join("run");
    fs::create_dir_all(&run)?;
    let _ = symlink(&config, run.join("dovecot.conf"));
    command.arg("-F").arg("-c").arg(config);
    Ok(())
}

fn configuration(folder: &Path, protocol: &str, address: SocketAddr) -> String {
    let (folder, ip, port) = (folder.display(), address.ip(), address.port());
    format!(
        "protocols = {protocol}
listen = {ip}
base_dir = {folder}/run
state_dir = {folder}/state
log_path = {folder}/log
ssl = no
disable_plaintext_auth = no
mail_location = maildir:{folder}/mail/%u
mail_fsync = never
mail_max_userip_connections = 100000
passdb {{
  driver = static
  args = password={PASSWORD}
}}
userdb {{
  driver = static
  args = uid={OWNER} gid={OWNER} home={folder}/mail/%u
}}
service {protocol}-login {{
  service_count = 0
  process_min_avail = 1
  client_limit = 10000
  inet_listener {protocol} {{
    port = {port}
  }}
  inet_listener {protocol}s {{
    port = 0
  }}
}}
service {protocol} {{
  process_limit = 100000
}}
"
    )
}

/// Gives everything in a folder to [`OWNER`].
fn give_away(path: &Path) -> io::Result<()> {
    chown(path, Some(OWNER), Some(OWNER))?;
    if path.is_dir() {
        for entry in fs::read_dir(path)? {
            give_away(&entry?.path())?;
        }
    }
    Ok(())
}
