//! Engines: what stands between the reactor and the kernel's queue of ready descriptors. One file a mechanism.
//!
//! # The contract of a [`Poller`]
//!
//! 1. `register` once, when a source comes to the reactor. The token is handed back with every event.
//! 2. `set_interest` says what is wanted from now on. Edge-triggered engines ignore it (both directions were registered
//!    once); level-triggered engines report nothing that is not wanted, and nothing at all, not even a hang-up, for a
//!    source from which nothing is wanted.
//! 3. `wait` blocks at most `timeout` (`None`: until something happens) and appends what is ready. A signal or a
//!    notification ends the wait early and appends nothing. Never called while user code runs. When the system is out of
//!    memory or of something else for the moment it fails with `OutOfMemory` or `WouldBlock`, and is called again a while later.
//! 4. `deregister` before the descriptor is closed, with `closing` if that is about to happen, so that an engine whose
//!    kernel forgets closed descriptors by itself may save the call. One whose kernel forgets them only with their last
//!    duplicate says so (`watches_duplicates`), and is not told `closing` of what may have any. No event for the token is
//!    reported afterwards by a later `wait`; events of the same batch are filtered by the reactor, since tokens carry a
//!    generation.
//!
//! Readiness is a *hint that a system call is worth trying*: the flag that a transport keeps from it stays set until
//! a call says `WouldBlock`.
//!
//! # Credit: what an engine may hold
//!
//! An engine may do more than tell, if `set_delivery_mode` says so: receive from a connection, accept from a listener. What it has received or
//! accepted and nobody has taken yet, it holds, and that is bounded by credit, so that limits, pauses and fairness mean the same on
//! every engine.
//!
//! 1. A source has credit for **one** thing: at most [`RECEIVE_MAX`] bytes, or one connection. It gives that credit by a duty and by
//!    wanting to read.
//! 2. What has come uses the credit up. `wait` reports it once, as readiness to read, and nothing more is received or accepted for
//!    this source: the rest stays with the kernel, whose window closes as if nobody read.
//! 3. `take_completion` hands it over, and with that the source has credit again. The kernel is asked by the next `wait`, if reading is
//!    still wanted then. So in one turn a source is received for once, and who pauses, fills its queue or is full while it deals with
//!    what it took is not received for at all.
//! 4. When reading is no longer wanted, the next `wait` ends what the kernel was asked for. What had come before that, one thing at
//!    most, is held for as long as the source likes, but not in memory that others need.
//! 5. The buffers that an engine receives into are shared by all sources, and bounded in number. As a source has one at most, none can
//!    take those of the others; who found none comes first in the next `wait`.
//! 6. `deregister` drops what is held: bytes are lost, a connection is reset. Nothing is received or accepted after it.
//!
//! `take_completion` gets the token alone: it is on the path of every message.

use std::{fmt, io, str::FromStr, sync::Arc, time::Duration};

use crate::{
    Excerpt,
    error::RegisterError,
    handler::{Interest, Ready, Token},
};

mod completion;
mod mio;
#[cfg(unix)]
mod pipe;
#[cfg(unix)]
mod poll;
#[cfg(all(unix, not(any(target_os = "illumos", target_os = "solaris"))))]
mod select;
mod simulated;
#[cfg(target_os = "linux")]
mod uring;

pub use completion::{Completion, DeliveryMode, ReceivedBytes};
pub(crate) use simulated::NoKernel;

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
    /// io_uring, on Linux 6.1 and later, where it is not forbidden: receives and accepts by itself, so a turn is one system
    /// call and one for each connection that writes. It holds at most 64 KiB, or one accepted connection, for each source that
    /// wants to read, and receives nothing for those that do not.
    #[cfg(target_os = "linux")]
    Uring,
    /// The best there is: `Uring` where it is to be had, else `Mio`, with the reason logged.
    Best,
    /// No kernel at all: no descriptors, and a clock that stands still until it is moved. See
    /// [`Reactor::simulated`](crate::Reactor::simulated). It has no place in [`ALL`](Self::ALL), since nothing can be served
    /// on it.
    Simulated,
}

impl Engine {
    /// Every engine that is known on this platform and waits on a kernel. Whether this very system lets it, says
    /// [`check`](Self::check).
    pub const ALL: &'static [Self] = &[
        Self::Mio,
        #[cfg(unix)]
        Self::Poll,
        #[cfg(all(unix, not(any(target_os = "illumos", target_os = "solaris"))))]
        Self::Select,
        #[cfg(target_os = "linux")]
        Self::Uring,
    ];

    /// The engines of [`ALL`](Self::ALL) that this system lets us have.
    pub fn available() -> impl Iterator<Item = Self> {
        Self::ALL.iter().copied().filter(|engine| engine.check().is_ok())
    }

    /// Whether this system lets us have this engine, tried by opening it.
    ///
    /// # Errors
    ///
    /// Why not: an old kernel, a seccomp filter, no descriptors.
    pub fn check(self) -> io::Result<()> {
        self.open().map(drop)
    }

    /// The name that [`FromStr`] reads and [`Display`](fmt::Display) writes: `mio`, `poll`, `select`, `uring` or `best`.
    /// `simulated` is written, but not read.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Mio => "mio",
            #[cfg(unix)]
            Self::Poll => "poll",
            #[cfg(all(unix, not(any(target_os = "illumos", target_os = "solaris"))))]
            Self::Select => "select",
            #[cfg(target_os = "linux")]
            Self::Uring => "uring",
            Self::Best => "best",
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
            #[cfg(target_os = "linux")]
            Self::Uring => Box::new(uring::UringPoller::new()?),
            Self::Best => return self.open_best().map(|(_, poller)| poller),
            Self::Simulated => Box::new(simulated::NoKernel),
        })
    }

    /// Opens it, and says which it is if that was left open.
    pub(crate) fn open_as(self) -> io::Result<(Self, Box<dyn Poller>)> {
        match self {
            Self::Best => self.open_best(),
            _ => Ok((self, self.open()?)),
        }
    }

    #[cfg(target_os = "linux")]
    fn open_best(self) -> io::Result<(Self, Box<dyn Poller>)> {
        match Self::Uring.open() {
            Ok(poller) => Ok((Self::Uring, poller)),
            Err(error) => {
                tracing::info!(reason = %error, "no io_uring; the engine is mio");
                Ok((Self::Mio, Self::Mio.open()?))
            }
        }
    }

    #[cfg(not(target_os = "linux"))]
    fn open_best(self) -> io::Result<(Self, Box<dyn Poller>)> {
        Ok((Self::Mio, Self::Mio.open()?))
    }
}

impl fmt::Display for Engine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// The name given is not that of an engine of this platform.
#[derive(Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "no engine is called {:?} here; there are {}, best",
    Excerpt::new(.name), Engine::ALL.iter().map(|e| e.name()).collect::<Vec<_>>().join(", ")
)]
#[non_exhaustive]
pub struct UnknownEngine {
    /// What was asked for.
    pub name: String,
}

crate::error_debug!(UnknownEngine);

impl FromStr for Engine {
    type Err = UnknownEngine;

    fn from_str(name: &str) -> Result<Self, UnknownEngine> {
        Self::ALL
            .iter()
            .copied()
            .chain([Self::Best])
            .find(|engine| engine.name() == name)
            .ok_or_else(|| UnknownEngine { name: name.to_owned() })
    }
}

/// Longest wait asked of a kernel; a longer one ends early, with no events. `poll(2)` and epoll count to 2^31 milliseconds
/// (24.8 days), and Darwin refuses what is much longer than that.
const TIMEOUT_MAX: Duration = Duration::from_secs(24 * 24 * 60 * 60);

/// The most that an engine receives for a source before that has taken it.
#[cfg(target_os = "linux")]
pub(crate) const RECEIVE_MAX: usize = 64 * 1024;

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

    /// Whether the kernel goes on watching a descriptor that is closed, as long as a duplicate of it is open.
    fn watches_duplicates(&self) -> bool {
        false
    }

    fn wait(&mut self, timeout: Option<Duration>, events: &mut Vec<Event>) -> io::Result<()>;

    /// The system call that `wait` makes, for errors.
    fn call(&self) -> &'static str;

    /// What ends a `wait` from any thread.
    fn notifier(&self) -> Arc<dyn Notify>;

    /// `false` from an engine that only tells.
    fn set_delivery_mode(&mut self, id: DescriptorId, token: Token, mode: DeliveryMode) -> bool {
        let _ = (id, token, mode);
        false
    }

    fn take_completion(&mut self, token: Token) -> Option<Completion> {
        let _ = token;
        None
    }
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

/// Whether a write that takes less than it was offered has found the socket full, so that the engine will tell of room.
///
/// True on epoll, kqueue, and the level-triggered engines (which repeat themselves); not on Windows. Of a *read* that brings less
/// than it had room for, nothing of the kind holds in general: it may have been cut at urgent data, at a passed descriptor, at the
/// end of a packet. Read until `WouldBlock`, unless the kind of source is known to cut none.
pub const SHORT_WRITE_FILLS: bool = cfg!(unix);

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn the_best_is_io_uring_where_the_system_has_it() {
        let expected = if Engine::Uring.check().is_ok() { Engine::Uring } else { Engine::Mio };
        let (best, _) = Engine::Best.open_as().expect("there is always mio");
        assert_eq!(best, expected);
    }
}
