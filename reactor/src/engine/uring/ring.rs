//! The ring: a submission queue, a completion queue, and one system call a turn. Knows descriptors and numbers, no
//! sources and no tokens.

use std::{
    io,
    mem::ManuallyDrop,
    os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd},
    ptr,
    time::Duration,
};

use io_uring::{IoUring, cqueue, opcode, squeue, types};

use crate::process::Origin;

/// `IORING_ENTER_GETEVENTS`: run the kernel's deferred task work.
const GETEVENTS: u32 = 1;

/// `IORING_RECVSEND_POLL_FIRST`: poll before the first attempt.
const POLL_FIRST: u16 = 1;

/// How often a full submission queue is flushed to make room for one more operation.
const FLUSHES_MAX: usize = 10_000;

/// The operations. None of them points at memory of ours, except that received data is written to the provided
/// buffers of the group.
#[derive(Clone, Copy, Debug)]
pub(super) enum Operation {
    /// Receive once, into a provided buffer that the kernel picks when data is available. Usually there is none yet;
    /// then it is cheaper to poll before the first attempt.
    Receive { group: u16, poll_first: bool },
    /// Accept once.
    Accept,
    /// Complete once when any of these conditions holds (`poll(2)`).
    Poll { mask: u32 },
    /// Complete now for the conditions that hold, and each time that something changes.
    PollChanges { mask: u32 },
}

/// The submission and completion queues.
pub(super) struct Ring {
    /// In a child of fork(2) its memory is not mapped.
    uring: ManuallyDrop<IoUring>,
    origin: Origin,
    /// Operations whose final completion has not arrived.
    in_flight: usize,
}

impl Ring {
    /// With the given sizes of the submission and completion queues; the kernel keeps completions that exceed the size.
    pub(super) fn new(submissions: u32, completions: u32) -> io::Result<Self> {
        let uring = IoUring::builder()
            .dontfork()
            .setup_single_issuer()
            .setup_defer_taskrun()
            .setup_submit_all()
            .setup_cqsize(completions)
            .build(submissions)?;
        Ok(Self { uring: ManuallyDrop::new(uring), origin: Origin::here(), in_flight: 0 })
    }

    /// Whether the ring can be used: not in a child of fork(2), which has its descriptor and nothing else.
    pub(super) fn is_here(&self) -> bool {
        self.origin.is_here()
    }

    pub(super) fn submitter(&self) -> io_uring::Submitter<'_> {
        self.uring.submitter()
    }

    pub(super) fn in_flight(&self) -> usize {
        self.in_flight
    }

    /// Queues an operation on a descriptor. It is submitted by the next [`enter`](Self::enter).
    #[inline]
    pub(super) fn queue(&mut self, fd: RawFd, operation: Operation, user_data: u64) {
        let fd = types::Fd(fd);
        let entry = match operation {
            Operation::Receive { group, poll_first } => opcode::Recv::new(fd, ptr::null_mut(), 0)
                .buf_group(group)
                .ioprio(if poll_first { POLL_FIRST } else { 0 })
                .build()
                .flags(squeue::Flags::BUFFER_SELECT),
            Operation::Accept => opcode::Accept::new(fd, ptr::null_mut(), ptr::null_mut())
                .flags(libc::SOCK_NONBLOCK | libc::SOCK_CLOEXEC)
                .build(),
            Operation::Poll { mask } => opcode::PollAdd::new(fd, mask).build(),
            Operation::PollChanges { mask } => opcode::PollAdd::new(fd, mask).multi(true).build(),
        };
        if self.push(&entry.user_data(user_data)) {
            self.in_flight += 1;
        }
    }

    /// Cancels an operation, which still gets its final completion. The cancellation itself completes only if it fails.
    pub(super) fn cancel(&mut self, user_data: u64, own: u64) {
        let entry = opcode::AsyncCancel::new(user_data).build();
        self.push(&entry.flags(squeue::Flags::SKIP_SUCCESS).user_data(own));
    }

    /// Cancels all operations.
    pub(super) fn cancel_all(&mut self, own: u64) {
        let entry = opcode::AsyncCancel2::new(types::CancelBuilder::any()).build();
        self.push(&entry.flags(squeue::Flags::SKIP_SUCCESS).user_data(own));
    }

    /// `false` if the kernel accepts nothing any more, as in a forked child, which does not own the ring.
    #[inline]
    fn push(&mut self, entry: &squeue::Entry) -> bool {
        // SAFETY: none of the operations points at memory of ours except `Receive`, which names the buffer group,
        // and that outlives all operations: see the drop of `UringPoller`.
        unsafe { self.uring.submission().push(entry) }.is_ok() || self.push_when_full(entry)
    }

    #[cold]
    fn push_when_full(&mut self, entry: &squeue::Entry) -> bool {
        for _ in 0..FLUSHES_MAX {
            // Flush the queue. Retried while the kernel is out of memory.
            if let Err(error) = self.enter(Some(Duration::ZERO))
                && error.kind() != io::ErrorKind::WouldBlock
            {
                tracing::error!(%error, "io_uring accepts no more operations");
                return false;
            }
            // SAFETY: as in `push`.
            if unsafe { self.uring.submission().push(entry) }.is_ok() {
                return true;
            }
        }
        tracing::error!("the submission queue of io_uring stayed full");
        false
    }

    /// Submits the queued operations, and waits for a completion: at most `timeout`, `None` without limit. Fails with
    /// `WouldBlock` if the kernel is out of memory; the operations are then submitted the next time.
    pub(super) fn enter(&mut self, timeout: Option<Duration>) -> io::Result<()> {
        let submitter = self.uring.submitter();
        let entered = match timeout {
            Some(Duration::ZERO) => {
                // SAFETY: all queued operations are submitted, no argument is passed, and `GETEVENTS` is
                // a valid flag of this call.
                let pushed = unsafe { self.uring.submission_shared() }.len();
                // SAFETY: as above.
                unsafe { submitter.enter::<libc::sigset_t>(pushed as u32, 0, GETEVENTS, None) }
            }
            Some(timeout) => {
                let timeout = types::Timespec::from(timeout);
                submitter.submit_with_args(1, &types::SubmitArgs::new().timespec(&timeout))
            }
            None => submitter.submit_and_wait(1),
        };
        match entered {
            Ok(_) => Ok(()),
            Err(error) => match error.raw_os_error() {
                // Timeout; a signal; the kernel wants its completions to be taken first.
                Some(libc::ETIME | libc::EINTR | libc::EBUSY) => Ok(()),
                _ => Err(error),
            },
        }
    }

    /// Whether there are completions that have not been taken.
    pub(super) fn has_completions(&mut self) -> bool {
        !self.uring.completion().is_empty()
    }

    /// The completions since the last call.
    pub(super) fn completions(&mut self) -> impl Iterator<Item = CompletionEntry> {
        let in_flight = &mut self.in_flight;
        self.uring.completion().map(move |entry| {
            let completion = CompletionEntry {
                user_data: entry.user_data(),
                result: entry.result(),
                flags: entry.flags(),
            };
            if !completion.has_more() && completion.user_data != super::CANCELS {
                *in_flight -= 1;
            }
            completion
        })
    }
}

impl Drop for Ring {
    fn drop(&mut self) {
        if self.is_here() {
            // SAFETY: this is the drop of its owner, and it is not used afterwards.
            unsafe { ManuallyDrop::drop(&mut self.uring) }
        } else {
            // The child may have mapped something else where the ring was, and that must not be unmapped.
            // SAFETY: the owner of the descriptor is never dropped, so it is ours to close.
            drop(unsafe { OwnedFd::from_raw_fd(self.uring.as_raw_fd()) });
        }
    }
}

/// A completion queue entry.
#[derive(Clone, Copy, Debug)]
pub(super) struct CompletionEntry {
    pub(super) user_data: u64,
    /// The result of the system call; negative for an error.
    pub(super) result: i32,
    flags: u32,
}

impl CompletionEntry {
    /// The provided buffer that was filled.
    #[inline]
    pub(super) fn buffer(&self) -> Option<u16> {
        cqueue::buffer_select(self.flags)
    }

    /// Whether more completions of the operation follow.
    #[inline]
    pub(super) fn has_more(&self) -> bool {
        cqueue::more(self.flags)
    }
}
