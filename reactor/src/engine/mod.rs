//! Engines: the interface between the reactor and the kernel's readiness or completion queue. One file per mechanism.
//!
//! # The contract of a [`Poller`]
//!
//! 1. `register` once, when a source is added to the reactor. The token is returned with every event.
//! 2. `set_interest` sets the interest from now on. Edge-triggered engines ignore it (both directions were registered
//!    once); level-triggered engines report nothing outside of the interest, and nothing at all, not even a hang-up, for a
//!    source without interest.
//! 3. `wait` blocks at most `timeout` (`None`: without limit) and appends the ready sources. A signal or a notification
//!    ends the wait early and appends nothing. Never called while user code runs. On a transient failure, such as no
//!    memory, it fails with `OutOfMemory` or `WouldBlock`, and is called again after a backoff.
//! 4. `deregister` before the descriptor is closed, with `closing` if that is about to happen, so that an engine whose
//!    kernel forgets closed descriptors by itself can save the call. An engine whose kernel forgets them only with
//!    their last duplicate returns `true` from `watches_duplicates`, and gets no `closing` for a source that may have
//!    duplicates. No event for the token is reported by a later `wait`; events of the same batch are filtered by the
//!    reactor, since tokens carry a generation.
//!
//! Readiness is a *hint that a system call is worth trying*: the readiness flag that a transport keeps stays set until
//! a call returns `WouldBlock`.
//!
//! # Credit: how much a completion engine may buffer
//!
//! A completion engine, on which `set_delivery_mode` returns `true`, receives from connections and accepts from
//! listeners by itself. It buffers completions until they are collected. Credit bounds them, so that limits,
//! backpressure and fairness are the same on every engine.
//!
//! 1. A source has credit for **one** completion: at most [`RECEIVE_MAX`] bytes, or one connection. It gives that
//!    credit by its delivery mode and its read interest.
//! 2. A completion uses the credit up. `wait` reports it once, as readiness to read, and nothing more is received or
//!    accepted for this source: the rest stays in the kernel, whose receive window closes as if the socket were not
//!    read.
//! 3. `take_completion` collects it, and the source has credit again. The next `wait` submits a new operation, if
//!    reading is still wanted then. So in one turn a source receives once, and one that pauses, fills its queue or
//!    reaches a limit while it handles the data does not receive at all.
//! 4. When reading is no longer wanted, the next `wait` cancels the operation. A completion that arrived before, one at
//!    most, is kept for as long as the source likes, but not in the shared buffers.
//! 5. The receive buffers are shared by all sources, and bounded in number. A source holds at most one, so none can
//!    starve the others; a source that found no free buffer comes first in the next `wait`.
//! 6. `deregister` drops what is buffered: bytes are lost, a connection is reset. Nothing is received or accepted after it.
//!
//! `take_completion` takes only the token: it is on the hot path of every message.

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

/// The kernel mechanism that a reactor waits on.
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
    /// io_uring, on Linux 6.1 and later, where it is permitted. A completion engine: it receives and accepts by itself,
    /// so a turn is one system call plus one for each connection that writes. It buffers at most 64 KiB, or one
    /// accepted connection, for each source that wants to read, and receives nothing for the others.
    #[cfg(target_os = "linux")]
    Uring,
    /// The best available: `Uring` if the system permits it, else `Mio`, with the reason logged.
    Best,
    /// No kernel at all: no descriptors, and a virtual clock. See [`Reactor::simulated`](crate::Reactor::simulated). It
    /// is not in [`ALL`](Self::ALL), since it cannot serve connections.
    Simulated,
}

impl Engine {
    /// Every engine of this platform that waits on a kernel. [`check`](Self::check) tells whether this system permits it.
    pub const ALL: &'static [Self] = &[
        Self::Mio,
        #[cfg(unix)]
        Self::Poll,
        #[cfg(all(unix, not(any(target_os = "illumos", target_os = "solaris"))))]
        Self::Select,
        #[cfg(target_os = "linux")]
        Self::Uring,
    ];

    /// The engines of [`ALL`](Self::ALL) that this system permits.
    pub fn available() -> impl Iterator<Item = Self> {
        Self::ALL.iter().copied().filter(|engine| engine.check().is_ok())
    }

    /// Whether this system permits this engine, tested by opening it.
    ///
    /// # Errors
    ///
    /// The reason: an old kernel, a seccomp filter, no descriptors.
    pub fn check(self) -> io::Result<()> {
        self.open().map(drop)
    }

    /// The name that [`FromStr`] parses and [`Display`](fmt::Display) writes: `mio`, `poll`, `select`, `uring` or `best`.
    /// `simulated` is written, but not parsed.
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

    /// Opens the engine, and returns which one it is if that was left open.
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
                tracing::info!(reason = %error, "io_uring is not available; using the mio engine");
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

/// The name is not that of an engine of this platform.
#[derive(Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "unknown engine {:?}; available on this platform: {}, best",
    Excerpt::new(.name), Engine::ALL.iter().map(|e| e.name()).collect::<Vec<_>>().join(", ")
)]
#[non_exhaustive]
pub struct UnknownEngine {
    /// The unknown name.
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

/// Longest timeout given to a kernel; a longer wait ends early, with no events. `poll(2)` and epoll are limited to 2^31
/// milliseconds (24.8 days), and Darwin refuses much longer ones.
const TIMEOUT_MAX: Duration = Duration::from_secs(24 * 24 * 60 * 60);

/// The most bytes that an engine receives for a source before they are collected.
#[cfg(target_os = "linux")]
pub(crate) const RECEIVE_MAX: usize = 64 * 1024;

/// A source that became ready.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Event {
    pub(crate) token: Token,
    pub(crate) ready: Ready,
}

/// The interface of an engine; its contract is at the head of this file.
pub(crate) trait Poller {
    /// Whether each change of readiness is reported once, so that a handler that stops early must remember it.
    fn is_edge_triggered(&self) -> bool;

    fn register(
        &mut self,
        source: Descriptor<'_>,
        token: Token,
        interest: Interest,
    ) -> Result<(), RegisterError>;

    fn set_interest(&mut self, id: DescriptorId, token: Token, interest: Interest);

    fn deregister(&mut self, id: DescriptorId, token: Token, closing: bool) -> io::Result<()>;

    /// A duplicate of a descriptor that becomes readable when `wait` would return something, if there is one.
    #[cfg(unix)]
    fn duplicate_descriptor(&mut self) -> Option<io::Result<std::os::fd::OwnedFd>> {
        None
    }

    /// Called before another loop waits for that descriptor: does what `wait` does before it blocks. Returns `false` if there is
    /// something already, for which the descriptor need not become readable.
    #[cfg(unix)]
    fn prepare_wait(&mut self) -> io::Result<bool> {
        Ok(true)
    }

    /// Whether the kernel keeps watching a closed descriptor, as long as a duplicate of it is open.
    fn watches_duplicates(&self) -> bool {
        false
    }

    fn wait(&mut self, timeout: Option<Duration>, events: &mut Vec<Event>) -> io::Result<()>;

    /// The system call of `wait`, for errors.
    fn call(&self) -> &'static str;

    /// A notifier that ends a `wait` from any thread.
    fn notifier(&self) -> Arc<dyn Notify>;

    /// `false` from an engine that only reports readiness.
    fn set_delivery_mode(&mut self, id: DescriptorId, token: Token, mode: DeliveryMode) -> bool {
        let _ = (id, token, mode);
        false
    }

    fn take_completion(&mut self, token: Token) -> Option<Completion> {
        let _ = token;
        None
    }

    /// Whether an operation on the input of a source is in flight, which may still take data from it.
    fn is_input_in_flight(&mut self, token: Token) -> bool {
        let _ = token;
        false
    }
}

/// Ends the current `wait`, or the next one; may be called from any thread, any number of times.
pub(crate) trait Notify: Send + Sync {
    fn notify(&self) -> io::Result<()>;
}

/// A source passed to an engine.
#[cfg(unix)]
pub(crate) type Descriptor<'a> = std::os::fd::RawFd;
/// A source passed to an engine.
#[cfg(not(unix))]
pub(crate) type Descriptor<'a> = &'a mut dyn ::mio::event::Source;

/// How an engine identifies a source: its descriptor, where there are descriptors.
pub(crate) type DescriptorId = i32;

/// Whether a short write means that the socket's send buffer is full, so that the engine will report when there is room.
///
/// True on epoll, kqueue, and the level-triggered engines (which report remaining room again); not on Windows. For a
/// short *read* nothing of the kind holds in general: it may have ended at urgent data, at a passed descriptor, at the
/// end of a packet. Read until `WouldBlock`, unless this kind of source never cuts reads.
pub const SHORT_WRITE_FILLS: bool = cfg!(unix);

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn the_best_engine_is_io_uring_where_it_is_available() {
        let expected = if Engine::Uring.check().is_ok() { Engine::Uring } else { Engine::Mio };
        let (best, _) = Engine::Best.open_as().expect("mio is always available");
        assert_eq!(best, expected);
    }
}
