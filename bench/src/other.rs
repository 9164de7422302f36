//! Servers of others as contestants: the process of a contestant becomes the server, and leaves a child behind that announces the address
//! as soon as it answers.

use std::convert::Infallible;
use std::env;
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use crate::convention::{Listen, announce};

/// The longest that a server may take to answer.
pub const START_MAX: Duration = Duration::from_secs(10);

/// How often it is asked until then.
pub const TRY_EVERY: Duration = Duration::from_millis(20);

/// A program on the path, where system servers are, or in one of these folders.
#[must_use]
pub fn find(name: &str, also: impl IntoIterator<Item = PathBuf>) -> Option<PathBuf> {
    let paths = env::var_os("PATH").unwrap_or_default();
    let folders = env::split_paths(&paths).chain([PathBuf::from("/usr/sbin")]).chain(also);
    folders.map(|folder| folder.join(name)).find(|path| path.is_file())
}

/// An address for servers that take no port 0: it is free, and stays so for a moment.
///
/// # Errors
/// When none can be bound.
pub fn free_address(listen: Listen) -> io::Result<SocketAddr> {
    TcpListener::bind(listen.listen)?.local_addr()
}

/// Becomes the server. This program is started with these arguments and `--wait-for ADDRESS`, and is to call [`announce_once`].
///
/// # Errors
/// When a program cannot be started.
pub fn become_server(
    mut server: Command,
    arguments: &[&str],
    address: SocketAddr,
) -> io::Result<Infallible> {
    let wait = ["--wait-for", &address.to_string()];
    Command::new(env::current_exe()?).args(arguments).args(wait).spawn()?;
    // Standard output is for the announcement.
    Err(server.stdout(io::stderr()).exec())
}

/// Announces the address once the server answers.
///
/// # Errors
/// When it does not do so in time.
pub fn announce_once(address: SocketAddr, mut answers: impl FnMut() -> bool) -> io::Result<()> {
    let began = Instant::now();
    while began.elapsed() < START_MAX {
        // Nobody may listen yet.
        if answers() {
            announce(address);
            return Ok(());
        }
        thread::sleep(TRY_EVERY);
    }
    Err(io::Error::new(io::ErrorKind::TimedOut, "the server does not answer"))
}
