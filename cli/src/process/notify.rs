//! The words to systemd: [`Notify`], the protocol of sd_notify(3). One socket, connected at the start, since its path may not be
//! reachable in a new root directory.

use std::{
    env,
    os::unix::{ffi::OsStrExt, net::UnixDatagram},
    time::Duration,
};

use nix::time::{ClockId, clock_gettime};
use sinew::reactor::Excerpt;

/// Tells systemd how the server does. Does nothing if nobody listens.
#[derive(Debug, Default)]
pub(crate) struct Notify {
    socket: Option<UnixDatagram>,
    watchdog: Option<Duration>,
}

impl Notify {
    /// Connects to `$NOTIFY_SOCKET`, if it is set. The variables stay set, for the process that an upgrade starts.
    pub(crate) fn connect() -> Self {
        let Some(path) = env::var_os("NOTIFY_SOCKET").filter(|path| !path.is_empty()) else {
            return Self::default();
        };
        match connected(path.as_bytes()) {
            Ok(socket) => Self { socket: Some(socket), watchdog: watchdog() },
            Err(error) => {
                let path = Excerpt::new(path.as_bytes()).to_string();
                tracing::warn!(%error, path, "cannot reach the socket of $NOTIFY_SOCKET");
                Self::default()
            }
        }
    }

    /// How often [`alive`](Self::alive) is to be called; `None` without a watchdog. Half of the time after which systemd would end the
    /// process, as sd_watchdog_enabled(3) recommends.
    pub(crate) fn watchdog(&self) -> Option<Duration> {
        self.watchdog.map(|limit| limit / 2)
    }

    /// Whether somebody listens.
    pub(crate) fn is_connected(&self) -> bool {
        self.socket.is_some()
    }

    /// The server serves. `status` is what `systemctl status` shows.
    pub(crate) fn ready(&self, status: &str) {
        self.send(&format!("READY=1\nSTATUS={}", one_line(status)));
    }

    /// A reload begins; [`ready`](Self::ready) ends it.
    pub(crate) fn reloading(&self) {
        let now = clock_gettime(ClockId::CLOCK_MONOTONIC).map(Duration::from);
        let now = now.unwrap_or_default().as_micros();
        self.send(&format!("RELOADING=1\nMONOTONIC_USEC={now}\nSTATUS=reloading"));
    }

    /// The server stops.
    pub(crate) fn stopping(&self) {
        self.send("STOPPING=1\nSTATUS=stopping");
    }

    /// The event loop turns.
    pub(crate) fn alive(&self) {
        self.send("WATCHDOG=1");
    }

    /// Another process is the server now.
    pub(crate) fn main_pid(&self, pid: u32) {
        self.send(&format!("MAINPID={pid}"));
    }

    fn send(&self, state: &str) {
        let Some(socket) = &self.socket else { return };
        if let Err(error) = socket.send(state.as_bytes()) {
            tracing::debug!(%error, "cannot notify systemd");
        }
    }
}

fn connected(path: &[u8]) -> std::io::Result<UnixDatagram> {
    let socket = UnixDatagram::unbound()?;
    match path.strip_prefix(b"@") {
        #[cfg(target_os = "linux")]
        Some(name) => {
            use std::os::{linux::net::SocketAddrExt, unix::net::SocketAddr};
            socket.connect_addr(&SocketAddr::from_abstract_name(name)?)?;
        }
        _ => socket.connect(std::ffi::OsStr::from_bytes(path))?,
    }
    // The event loop must not wait for systemd.
    socket.set_nonblocking(true)?;
    Ok(socket)
}

/// `$WATCHDOG_USEC`, if it is meant for this process.
fn watchdog() -> Option<Duration> {
    let number = |name| env::var(name).ok()?.parse::<u64>().ok();
    if number("WATCHDOG_PID").is_some_and(|pid| pid != u64::from(std::process::id())) {
        return None;
    }
    number("WATCHDOG_USEC").filter(|time| *time > 0).map(Duration::from_micros)
}

/// A line of its own, since a line break would begin another variable.
fn one_line(text: &str) -> String {
    text.replace(char::is_control, " ")
}
