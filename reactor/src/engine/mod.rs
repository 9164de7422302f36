//! Engines: what stands between the reactor and the kernel's queue of ready descriptors. One file a mechanism.
//!
//! # The contract of a [`Poller`]
//!
//! 1. `register` once, when a source comes to the reactor. The token is handed back with every event.
//! 2. `set_interest` says what is wanted from now on. Edge-triggered engines ignore it (both directions were registered
//!    once); level-triggered engines report nothing that is not wanted, and nothing at all, not even a hang-up, for a
//!    source from which nothing is wanted.
//! 3. `wait` blocks at most `timeout` (`None`: until something happens) and appends what is ready. A signal or a
//!    notification ends the wait early and appends nothing. Never called while user code runs.
//! 4. `deregister` before the descriptor is closed, with `closing` if that is about to happen, so that an engine whose
//!    kernel forgets closed descriptors by itself may save the call. No event for the token is reported afterwards by
//!    a later `wait`; events of the same batch are filtered by the reactor, since tokens carry a generation.
//!
//! Readiness is a *hint that a system call is worth trying*: the flag that a transport keeps from it stays set until
//! a call says `WouldBlock`.

use std::{fmt, io, str::FromStr, sync::Arc, time::Duration};

use crate::{
    error::RegisterError,
    handler::{Interest, Ready, Token},
};

mod mio;
#[cfg(unix)]
mod pipe;
#[cfg(unix)]
mod poll;
#[cfg(all(unix, not(any(target_os = "illumos", target_os = "solaris"))))]
mod select;
mod simulated;

/// Which mechanism of the kernel a reactor waits on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Engine {
    /// mio: epoll on Linux, kqueue on macOS and the BSDs, IOCP on Windows. Edge-triggered. The default.
    #[default]
    Mio,
    /// `poll(2)`, on Unix. Level-triggered; the cost of a turn grows with the number of connections.
    #[cfg(unix)]
    Poll,
    /// `select(2)`, on Unix other than illumos and Solaris. Level-triggered; refuses descriptors past `FD_SETSIZE` (1,024
    /// on most systems).
    #[cfg(all(unix, not(any(target_os = "illumos", target_os = "solaris"))))]
    Select,
    /// No kernel at all: no descriptors, and a clock that stands still until it is moved. See
    /// [`Reactor::simulated`](crate::Reactor::simulated). It has no place in [`ALL`](Self::ALL), since nothing can be served
    /// on it.
    Simulated,
}

impl Engine {
    /// Every engine that exists on this platform and waits on a kernel.
    pub const ALL: &'static [Self] = &[
        Self::Mio,
        #[cfg(unix)]
        Self::Poll,
        #[cfg(all(unix, not(any(target_os = "illumos", target_os = "solaris"))))]
        Self::Select,
    ];

    /// The name that [`FromStr`] reads and [`Display`](fmt::Display) writes: `mio`, `poll` or `select`. `simulated` is
    /// written, but not read.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Mio => "mio",
            #[cfg(unix)]
            Self::Poll => "poll",
            #[cfg(all(unix, not(any(target_os = "illumos", target_os = "solaris"))))]
            Self::Select => "select",
            Self::Simulated => "simulated",
        }
    }

    pub(crate) fn open(self) -> io::Result<Box<dyn Poller>> {
        Ok(match self {
            Self::Mio => Box::new(mio::MioPoller::new()?),
            #[cfg(unix)]
            Self::Poll => Box::new(poll::PollPoller::new()?),
            #[cfg(all(unix, not(any(target_os = "illumos", target_os = "solaris"))))]
            Self::Select => Box::new(select::SelectPoller::new()?),
            Self::Simulated => Box::new(simulated::NoKernel),
        })
    }
}

impl fmt::Display for Engine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// The name given is not that of an engine of this platform.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no engine is called {name:?} here; there are {}", Engine::ALL.iter().map(|e| e.name()).collect::<Vec<_>>().join(", "))]
pub struct UnknownEngine {
    /// What was asked for.
    pub name: String,
}

impl FromStr for Engine {
    type Err = UnknownEngine;

    fn from_str(name: &str) -> Result<Self, UnknownEngine> {
        Self::ALL
            .iter()
            .copied()
            .find(|engine| engine.name() == name)
            .ok_or_else(|| UnknownEngine { name: name.to_owned() })
    }
}

/// Longest wait asked of a kernel; a longer one ends early, with no events. `poll(2)` and epoll count to 2^31 milliseconds
/// (24.8 days), and Darwin refuses what is much longer than that.
const TIMEOUT_MAX: Duration = Duration::from_secs(24 * 24 * 60 * 60);

/// One source that became ready.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Event {
    pub(crate) token: Token,
    pub(crate) ready: Ready,
}

/// The contract is at the head of this file.
pub(crate) trait Poller {
    /// Whether readiness is told once for each change, so that a handler that stops early must remember it.
    fn is_edge_triggered(&self) -> bool;

    fn register(
        &mut self,
        source: Descriptor<'_>,
        token: Token,
        interest: Interest,
    ) -> Result<(), RegisterError>;

    fn set_interest(&mut self, id: DescriptorId, token: Token, interest: Interest);

    fn deregister(&mut self, id: DescriptorId, token: Token, closing: bool) -> io::Result<()>;

    fn wait(&mut self, timeout: Option<Duration>, events: &mut Vec<Event>) -> io::Result<()>;

    /// What ends a `wait` from any thread.
    fn notifier(&self) -> Arc<dyn Notify>;
}

/// Ends a `wait`, now or the next one; may be called from any thread, any number of times.
pub(crate) trait Notify: Send + Sync {
    fn notify(&self) -> io::Result<()>;
}

/// A source on its way to an engine.
#[cfg(unix)]
pub(crate) type Descriptor<'a> = std::os::fd::RawFd;
/// A source on its way to an engine.
#[cfg(not(unix))]
pub(crate) type Descriptor<'a> = &'a mut dyn ::mio::event::Source;

/// How an engine knows a source again: its descriptor, where there are descriptors.
pub(crate) type DescriptorId = i32;

/// Whether a read that fills less than its buffer has taken all there was, so that the next event will tell of more.
///
/// True on epoll, kqueue, and the level-triggered engines (which repeat themselves); not on Windows.
pub const SHORT_READ_DRAINS: bool = cfg!(unix);
