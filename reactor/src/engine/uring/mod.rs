//! The io_uring engine, on Linux: a completion engine. Received data and accepted connections arrive with the wait
//! itself, so that a turn is one system call plus one for each connection that writes. Level-triggered.
//!
//! - `ring.rs`: the submission and completion queues
//! - `buffers.rs`: the provided buffers that the kernel receives into
//! - `sources.rs`, `source.rs`: the registered sources; the interest of one source and its operations in flight
//! - `completions.rs`: completions that wait to be collected, at most one per source
//!
//! Every receive and every accept is a single operation, and the next one is submitted when the result was collected. A
//! multishot operation would save a few per cent of the CPU time of a short message, but nothing would bound what it
//! receives for one connection before the handler runs: see docs/design/16-completion-credit.md.
//!
//! Operations are submitted once a turn, right before the wait: an interest that is set and cleared again in between costs
//! nothing. An operation belongs to a source and one registration of it, which its `user_data` identifies, so that a late
//! completion is recognised.
//!
//! Writes are ordinary system calls made by the transports: measured, sends through the ring are no faster, and they
//! would give the kernel pointers to users' memory.

use std::{
    io,
    os::fd::{AsRawFd, OwnedFd},
    rc::Rc,
    sync::Arc,
    time::Duration,
};

use rustix::event::{EventfdFlags, eventfd};

use super::{
    Completion, DeliveryMode, Descriptor, DescriptorId, Event, Notify, Poller, TIMEOUT_MAX,
    pipe::Pipe,
};
use crate::{
    error::RegisterError,
    handler::{Interest, Token},
};

mod buffers;
mod completions;
mod ring;
mod source;
mod sources;
#[cfg(test)]
mod tests;

pub(crate) use buffers::Buffer;
use buffers::{BufferRing, GROUP};
use ring::{Operation, Ring};
use sources::Sources;

/// The size of the submission queue; more operations in a turn cost another system call.
const SUBMISSIONS: u32 = 1_024;

/// The size of the completion queue; the kernel keeps what exceeds it.
const COMPLETIONS: u32 = 8_192;

/// Buffers that all connections share: 16 MiB, if that many peers send that much at the same moment.
const BUFFERS: u16 = 256;

/// The `user_data` of cancellations. Not a valid kind of a source's operation.
const CANCELS: u64 = u64::MAX;

/// The `user_data` of the poll of the notifier's pipe.
const NOTIFIED: u64 = u64::MAX - 1;

/// The engine on io_uring.
pub(super) struct UringPoller {
    ring: Ring,
    buffers: Rc<BufferRing>,
    sources: Sources,
    pipe: Arc<Pipe>,
    /// The pipe is being polled.
    polls_pipe: bool,
    /// Counts completions, for another loop. The ring's own descriptor becomes readable only while nothing is deferred to
    /// the next call of the kernel (`IORING_SETUP_DEFER_TASKRUN`).
    eventfd: Option<OwnedFd>,
}

impl UringPoller {
    pub(super) fn new() -> io::Result<Self> {
        Self::with(SUBMISSIONS, COMPLETIONS, BUFFERS)
    }

    /// With the given sizes of the queues and number of buffers.
    fn with(submissions: u32, completions: u32, buffers: u16) -> io::Result<Self> {
        let ring = Ring::new(submissions, completions).map_err(explain)?;
        let buffers = BufferRing::new(&ring, buffers).map_err(explain)?;
        let sources = Sources::new(buffers.clone());
        Ok(Self { ring, buffers, sources, pipe: Pipe::new()?, polls_pipe: false, eventfd: None })
    }

    fn duplicate_eventfd(&mut self) -> io::Result<OwnedFd> {
        let eventfd = match self.eventfd.take() {
            Some(eventfd) => eventfd,
            None => {
                let eventfd = eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?;
                self.ring.submitter().register_eventfd(eventfd.as_raw_fd())?;
                eventfd
            }
        };
        self.eventfd.insert(eventfd).try_clone()
    }

    /// Submits what is wanted and not in flight yet.
    fn submit(&mut self) {
        if !self.polls_pipe {
            let mask = libc::POLLIN as u32;
            self.ring.queue(self.pipe.descriptor(), Operation::Poll { mask }, NOTIFIED);
            self.polls_pipe = true;
        }
        self.sources.submit(&mut self.ring);
    }

    fn take_completions(&mut self, events: &mut Vec<Event>) {
        for completion in self.ring.completions() {
            match completion.user_data {
                CANCELS => {}
                NOTIFIED => {
                    self.polls_pipe = false;
                    self.pipe.drain();
                }
                _ => self.sources.completed(completion, events),
            }
        }
        self.buffers.grow_if_exhausted();
    }

    /// Cancels all operations, and waits for the final completion of each.
    fn quiesce(&mut self) -> io::Result<()> {
        self.ring.cancel_all(CANCELS);
        let mut late = Vec::new();
        while self.ring.in_flight() > 0 {
            self.ring.enter(None)?;
            self.take_completions(&mut late);
        }
        Ok(())
    }
}

impl Poller for UringPoller {
    fn is_edge_triggered(&self) -> bool {
        false
    }

    fn register(
        &mut self,
        source: Descriptor<'_>,
        token: Token,
        interest: Interest,
    ) -> Result<(), RegisterError> {
        // A descriptor that is not open is reported as ready to read when the kernel says so; checking beforehand would
        // cost a system call for every connection.
        self.sources.insert(source, token, interest)
    }

    fn set_interest(&mut self, _id: DescriptorId, token: Token, interest: Interest) {
        self.sources.set_interest(token, interest);
    }

    /// The kernel keeps a socket open for as long as it has operations on it. A source that is about to be closed must
    /// be closed, and its peer notified, so its operations are cancelled here and now; as are operations that would
    /// take data from a source that lives on. Few connections have any at that point: nothing is submitted between the
    /// collection of a completion and the end of the turn.
    fn deregister(&mut self, _id: DescriptorId, token: Token, closing: bool) -> io::Result<()> {
        if self.sources.remove(token, closing, &mut self.ring) {
            self.ring.enter(Some(Duration::ZERO))?;
        }
        Ok(())
    }

    fn wait(&mut self, timeout: Option<Duration>, events: &mut Vec<Event>) -> io::Result<()> {
        self.submit();
        let entered = self.ring.enter(timeout.map(|timeout| timeout.min(TIMEOUT_MAX)));
        // Even if that failed, earlier completions are available.
        self.take_completions(events);
        entered
    }

    fn duplicate_descriptor(&mut self) -> Option<io::Result<OwnedFd>> {
        Some(self.duplicate_eventfd())
    }

    fn prepare_wait(&mut self) -> io::Result<bool> {
        if let Some(eventfd) = &self.eventfd {
            // Nothing to read is no error.
            let _ = rustix::io::read(eventfd, &mut [0; 8]);
        }
        self.submit();
        self.ring.enter(Some(Duration::ZERO))?;
        Ok(!self.ring.has_completions())
    }

    fn call(&self) -> &'static str {
        "io_uring_enter"
    }

    fn notifier(&self) -> Arc<dyn Notify> {
        self.pipe.clone()
    }

    fn set_delivery_mode(&mut self, _id: DescriptorId, token: Token, mode: DeliveryMode) -> bool {
        self.sources.set_delivery_mode(token, mode);
        true
    }

    fn take_completion(&mut self, token: Token) -> Option<Completion> {
        self.sources.take_completion(token)
    }

    fn is_input_in_flight(&mut self, token: Token) -> bool {
        self.sources.is_input_in_flight(token)
    }
}

impl Drop for UringPoller {
    /// Ensures that all memory given to the kernel outlives every operation on it.
    fn drop(&mut self) {
        if !self.ring.is_here() {
            return;
        }
        if let Err(error) = self.quiesce() {
            // Better to leak the memory than to share it with the kernel.
            tracing::warn!(%error, "cannot cancel the operations of io_uring; leaking its buffers");
            std::mem::forget(self.buffers.clone());
            return;
        }
        if let Err(error) = self.ring.submitter().unregister_buf_ring(GROUP) {
            tracing::debug!(%error, "cannot unregister the buffers of io_uring");
        }
    }
}

/// Explains why io_uring is not available.
fn explain(error: io::Error) -> io::Error {
    let why = match error.raw_os_error() {
        Some(libc::ENOSYS) => "this kernel has no io_uring",
        Some(libc::EPERM | libc::EACCES) => {
            "io_uring is forbidden here (by kernel.io_uring_disabled, or by a seccomp filter as in containers)"
        }
        Some(libc::EINVAL) => "io_uring of this kernel is too old; 6.1 is required",
        Some(libc::ENOMEM) => "not enough lockable memory for io_uring (ulimit -l)",
        _ => return error,
    };
    io::Error::new(error.kind(), format!("{why}: {error}"))
}
