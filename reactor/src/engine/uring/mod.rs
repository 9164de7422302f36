//! The io_uring engine, on Linux. It does more than tell what is ready: what connections receive and listeners accept comes
//! with the wait itself, so that a turn is one system call and one for each connection that writes. Level-triggered.
//!
//! - `ring.rs`: operations in, completions out
//! - `buffers.rs`: what the kernel receives into
//! - `sources.rs`, `source.rs`: what is registered; what is wanted of one source, and what the kernel has been asked for
//! - `completions.rs`: what was received or accepted and waits to be taken, one thing for each source
//!
//! Every receive and every accept is for once, and the next one is asked for when what it brought was taken. The kernel can go on by
//! itself (multishot), which saves a few per cent of the CPU time of a short message, but then nothing bounds what it takes for one
//! connection before anybody hears of it: see docs/design/16-completion-credit.md.
//!
//! The kernel is asked for things once a turn, right before the wait: whatever was wanted and unwanted again in between costs
//! nothing. An operation belongs to a source and one registration of it; its `user_data` says to which, so that what comes
//! late is known for what it is.
//!
//! Writes are ordinary system calls of whoever writes: measured, sends through the ring are no faster, and they would put
//! memory of users into the kernel's hands.

use std::{io, rc::Rc, sync::Arc, time::Duration};

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

/// Operations that may be asked for before they are handed to the kernel; more cost another system call.
const SUBMISSIONS: u32 = 1_024;

/// Completions that the kernel may tell at once; it keeps what is more.
const COMPLETIONS: u32 = 8_192;

/// Buffers that all connections share: 16 MiB, if as many peers have as much to say at the same moment.
const BUFFERS: u16 = 256;

/// The `user_data` of what ends other operations. No operation of a source is of a kind like this.
const CANCELS: u64 = u64::MAX;

/// The `user_data` of the watch on the pipe.
const NOTIFIED: u64 = u64::MAX - 1;

/// See the head of this file.
pub(super) struct UringPoller {
    ring: Ring,
    buffers: Rc<BufferRing>,
    sources: Sources,
    pipe: Arc<Pipe>,
    /// The pipe is watched.
    listens: bool,
}

impl UringPoller {
    pub(super) fn new() -> io::Result<Self> {
        Self::with(SUBMISSIONS, COMPLETIONS, BUFFERS)
    }

    /// With room for so many operations, completions and buffers.
    fn with(submissions: u32, completions: u32, buffers: u16) -> io::Result<Self> {
        let ring = Ring::new(submissions, completions).map_err(explain)?;
        let buffers = BufferRing::new(&ring, buffers).map_err(explain)?;
        let sources = Sources::new(buffers.clone());
        Ok(Self { ring, buffers, sources, pipe: Pipe::new()?, listens: false })
    }

    /// Asks the kernel for what is wanted and was not asked for yet.
    fn ask(&mut self) {
        if !self.listens {
            let mask = libc::POLLIN as u32;
            self.ring.ask(self.pipe.descriptor(), Operation::Poll { mask }, NOTIFIED);
            self.listens = true;
        }
        self.sources.ask(&mut self.ring);
    }

    fn take_completions(&mut self, events: &mut Vec<Event>) {
        for completion in self.ring.completions() {
            match completion.user_data {
                CANCELS => {}
                NOTIFIED => {
                    self.listens = false;
                    self.pipe.drain();
                }
                _ => self.sources.completed(completion, events),
            }
        }
        self.buffers.see_to_more();
    }

    /// Ends all operations, and waits for the last word of each.
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
        // One that is not open is told as ready to read when the kernel says so; asking beforehand would cost a system call for
        // every connection.
        self.sources.insert(source, token, interest)
    }

    fn set_interest(&mut self, _id: DescriptorId, token: Token, interest: Interest) {
        self.sources.set_interest(token, interest);
    }

    /// The kernel keeps a socket for as long as it has operations on it. One that is about to be closed is to be closed, and its
    /// peer to hear of it, so these end here and now; as does what takes from a source that lives on. Few connections have any left
    /// then: nothing is asked for from the moment that something was taken to the end of the turn.
    fn deregister(&mut self, _id: DescriptorId, token: Token, closing: bool) -> io::Result<()> {
        if self.sources.remove(token, closing, &mut self.ring) {
            self.ring.enter(Some(Duration::ZERO))?;
        }
        Ok(())
    }

    fn wait(&mut self, timeout: Option<Duration>, events: &mut Vec<Event>) -> io::Result<()> {
        self.ask();
        let entered = self.ring.enter(timeout.map(|timeout| timeout.min(TIMEOUT_MAX)));
        // Also if that failed, what has been done before is there.
        self.take_completions(events);
        entered
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
}

impl Drop for UringPoller {
    /// Everything that was given to the kernel outlives every operation on it.
    fn drop(&mut self) {
        if !self.ring.is_here() {
            return;
        }
        if let Err(error) = self.quiesce() {
            // Better to lose the memory than to share it.
            tracing::warn!(%error, "the ring could not be ended; its buffers are left behind");
            std::mem::forget(self.buffers.clone());
            return;
        }
        if let Err(error) = self.ring.submitter().unregister_buf_ring(GROUP) {
            tracing::debug!(%error, "the buffers of the ring could not be unregistered");
        }
    }
}

/// Says in words why there is no ring.
fn explain(error: io::Error) -> io::Error {
    let why = match error.raw_os_error() {
        Some(libc::ENOSYS) => "this kernel has no io_uring",
        Some(libc::EPERM | libc::EACCES) => {
            "io_uring is forbidden here (by kernel.io_uring_disabled, or by a seccomp filter as containers have it)"
        }
        Some(libc::EINVAL) => "this kernel's io_uring is too old; 6.1 is needed",
        Some(libc::ENOMEM) => "no memory may be locked for io_uring (ulimit -l)",
        _ => return error,
    };
    io::Error::new(error.kind(), format!("{why}: {error}"))
}
