//! What a program tells the service manager, by the protocol of sd_notify(3): [`Notifier`], and [`NotifyService`], which does it
//! in time with the other services. Unix only; nothing happens where no service manager listens.

use std::{
    cell::RefCell,
    env, fmt, io,
    os::unix::net::{SocketAddr, UnixDatagram},
    process,
    rc::Rc,
    sync::Arc,
    time::Duration,
};

use sinew_reactor::{Deferred, LoopingCall, Reactor};

use crate::{Service, StartError, StopError};

/// The longest message, in bytes. Longer ones are cut, between characters. systemd takes 4096.
const MESSAGE_MAX: usize = 4096;

/// Sends messages to the service manager that has started this program. A handle: its clones send to the same socket.
///
/// A message that cannot be sent is an error of the call, and no harm is done by it: a program goes on without its manager.
///
/// # Examples
///
/// ```
/// use sinew_application::notify::Notifier;
///
/// if let Some(notifier) = Notifier::from_environment() {
///     let _ = notifier.status("reading the mail queue");
/// }
/// ```
#[derive(Clone, Debug)]
pub struct Notifier {
    socket: Arc<UnixDatagram>,
    to: Arc<SocketAddr>,
    /// The manager ends a program from which it has not heard for so long.
    watchdog: Option<Duration>,
}

impl Notifier {
    /// The manager that the environment names: `NOTIFY_SOCKET`, and `WATCHDOG_USEC` with `WATCHDOG_PID`. `None` if there is none,
    /// or if it cannot be used; the latter is logged.
    ///
    /// The environment is only read. Call this before other threads change it.
    #[must_use]
    pub fn from_environment() -> Option<Self> {
        let path = env::var_os("NOTIFY_SOCKET")?;
        let watchdog = watchdog(process::id(), |name| env::var(name).ok());
        match address(path.as_encoded_bytes()).and_then(|to| Self::new(to, watchdog)) {
            Ok(notifier) => Some(notifier),
            Err(error) => {
                tracing::warn!(path = %path.to_string_lossy().escape_debug(), %error, "cannot use NOTIFY_SOCKET of the environment");
                None
            }
        }
    }

    /// A manager that listens at this address, and that ends programs from which it has not heard for `watchdog`.
    ///
    /// # Errors
    ///
    /// If no socket can be made.
    pub fn new(to: SocketAddr, watchdog: impl Into<Option<Duration>>) -> io::Result<Self> {
        let socket = UnixDatagram::unbound()?;
        // A manager that does not read must not stop the program.
        socket.set_nonblocking(true)?;
        Ok(Self { socket: Arc::new(socket), to: Arc::new(to), watchdog: watchdog.into() })
    }

    /// How long the manager waits for a sign of life ([`alive`](Self::alive)) before it ends the program, if it does that.
    #[must_use]
    pub const fn watchdog(&self) -> Option<Duration> {
        self.watchdog
    }

    /// The program has started, or has read its configuration again (`READY=1`).
    ///
    /// # Errors
    ///
    /// If the message could not be sent.
    pub fn ready(&self) -> io::Result<()> {
        self.send("READY=1")
    }

    /// The program reads its configuration again (`RELOADING=1`). [`ready`](Self::ready) is to follow. Needed by a unit of
    /// `Type=notify-reload`.
    ///
    /// # Errors
    ///
    /// If the message could not be sent.
    pub fn reloading(&self, reactor: &Reactor) -> io::Result<()> {
        self.send(&format!("RELOADING=1\nMONOTONIC_USEC={}", reactor.monotonic_micros()))
    }

    /// The program stops (`STOPPING=1`).
    ///
    /// # Errors
    ///
    /// If the message could not be sent.
    pub fn stopping(&self) -> io::Result<()> {
        self.send("STOPPING=1")
    }

    /// The program is alive (`WATCHDOG=1`).
    ///
    /// # Errors
    ///
    /// If the message could not be sent.
    pub fn alive(&self) -> io::Result<()> {
        self.send("WATCHDOG=1")
    }

    /// What the program does, for people (`STATUS=`). Only the first line is sent.
    ///
    /// # Errors
    ///
    /// If the message could not be sent.
    pub fn status(&self, text: &str) -> io::Result<()> {
        // A second line would be a message of its own.
        let line = text.split(['\n', '\r']).next().unwrap_or_default();
        self.send(&format!("STATUS={line}"))
    }

    /// The program goes on as another process (`MAINPID=`). The unit needs `NotifyAccess=all`, or `NotifyAccess=main` if the old
    /// process sends this.
    ///
    /// # Errors
    ///
    /// If the message could not be sent.
    pub fn main_pid(&self, pid: u32) -> io::Result<()> {
        self.send(&format!("MAINPID={pid}"))
    }

    fn send(&self, message: &str) -> io::Result<()> {
        let mut end = message.len().min(MESSAGE_MAX);
        while !message.is_char_boundary(end) {
            end -= 1;
        }
        self.socket.send_to_addr(&message.as_bytes()[..end], &self.to).map(drop)
    }
}

/// The address of the manager: a path, or an abstract name after `@`.
fn address(text: &[u8]) -> io::Result<SocketAddr> {
    use std::{ffi::OsStr, os::unix::ffi::OsStrExt};
    match text {
        [b'/', ..] => SocketAddr::from_pathname(OsStr::from_bytes(text)),
        #[cfg(any(target_os = "linux", target_os = "android"))]
        [b'@', name @ ..] if !name.is_empty() => {
            use std::os::linux::net::SocketAddrExt;
            SocketAddr::from_abstract_name(name)
        }
        _ => {
            let why = "it is neither an absolute path nor an abstract name, which begins with @";
            Err(io::Error::new(io::ErrorKind::InvalidInput, why))
        }
    }
}

/// `WATCHDOG_USEC`, unless `WATCHDOG_PID` says that another process is meant (sd_watchdog_enabled(3)).
fn watchdog(pid: u32, variable: impl Fn(&str) -> Option<String>) -> Option<Duration> {
    if variable("WATCHDOG_PID").is_some_and(|of| of.parse() != Ok(pid)) {
        return None;
    }
    let micros = variable("WATCHDOG_USEC")?.parse().ok().filter(|micros| *micros > 0)?;
    Some(Duration::from_micros(micros))
}

/// Tells the manager that the program is ready, stops, and, as often as the manager's watchdog needs it, that it is alive.
///
/// Add it to an [`Application`](crate::Application) as the last service: it starts when all others have, and stops first.
/// Messages that cannot be sent are logged.
///
/// # Examples
///
/// ```
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use sinew_application::{Application, notify::NotifyService};
///
/// let application = Application::new();
/// // … the services, and then:
/// application.services().add("notify", NotifyService::from_environment())?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Default)]
pub struct NotifyService {
    notifier: Option<Notifier>,
    signs: Rc<RefCell<Option<LoopingCall>>>,
}

impl NotifyService {
    /// For the manager that the environment names ([`Notifier::from_environment`]). Without one the service does nothing.
    #[must_use]
    pub fn from_environment() -> Self {
        Self { notifier: Notifier::from_environment(), signs: Rc::default() }
    }

    /// For this manager.
    #[must_use]
    pub fn new(notifier: Notifier) -> Self {
        Self { notifier: Some(notifier), signs: Rc::default() }
    }

    /// The notifier, for messages of one's own; `None` if there is no manager.
    #[must_use]
    pub const fn notifier(&self) -> Option<&Notifier> {
        self.notifier.as_ref()
    }
}

impl Service for NotifyService {
    fn start(&self, reactor: &Reactor) -> Result<(), StartError> {
        let Some(notifier) = &self.notifier else { return Ok(()) };
        log_failure(notifier.ready());
        if let Some(limit) = notifier.watchdog {
            let notifier = notifier.clone();
            // As sd_watchdog_enabled(3) recommends.
            let interval = (limit / 2).max(Duration::from_millis(1));
            let signs = reactor.call_every(interval, move |_| log_failure(notifier.alive()));
            if let Some(earlier) = self.signs.replace(Some(signs)) {
                earlier.stop();
            }
        }
        Ok(())
    }

    fn stop(&self, reactor: &Reactor) -> Deferred<(), StopError> {
        if let Some(notifier) = &self.notifier {
            log_failure(notifier.stopping());
        }
        // The signs of life go on: a drain may take longer than the manager waits.
        Deferred::ready_on(reactor, ())
    }
}

fn log_failure(sent: io::Result<()>) {
    if let Err(error) = sent {
        tracing::warn!(%error, "could not send a message to the service manager");
    }
}

impl fmt::Debug for NotifyService {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NotifyService").field("notifier", &self.notifier).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn watchdog_is_for_the_process_that_it_names() {
        type Variables = &'static [(&'static str, &'static str)];
        let cases: [(Variables, Option<u64>); 7] = [
            (&[], None),
            (&[("WATCHDOG_USEC", "3000000")], Some(3)),
            (&[("WATCHDOG_USEC", "3000000"), ("WATCHDOG_PID", "7")], Some(3)),
            (&[("WATCHDOG_USEC", "3000000"), ("WATCHDOG_PID", "8")], None),
            (&[("WATCHDOG_USEC", "3000000"), ("WATCHDOG_PID", "x")], None),
            (&[("WATCHDOG_USEC", "0")], None),
            (&[("WATCHDOG_USEC", "-1")], None),
        ];
        for (environment, expected) in cases {
            let found = watchdog(7, |name| {
                let found = environment.iter().find(|(other, _)| *other == name);
                found.map(|(_, value)| (*value).to_owned())
            });
            assert_eq!(found, expected.map(Duration::from_secs), "{environment:?}");
        }
    }

    #[test]
    fn addresses_are_paths_and_abstract_names() {
        for good in ["/run/systemd/notify", "/x"] {
            assert!(address(good.as_bytes()).is_ok(), "{good}");
        }
        let long = format!("/{}", "x".repeat(200));
        for bad in ["", "@", "run/notify", "vsock:2:1", &long] {
            assert!(address(bad.as_bytes()).is_err(), "{bad}");
        }
    }
}
