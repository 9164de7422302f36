//! The ring itself: operations go in, completions come out, one system call a turn. It knows descriptors and numbers, no
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

/// `IORING_ENTER_GETEVENTS`: have the kernel do the work that it put off until somebody asks.
const GETEVENTS: u32 = 1;

/// `IORING_RECVSEND_POLL_FIRST`: wait before the first try.
const POLL_FIRST: u16 = 1;

/// How often a full ring is handed over until there is room for one more operation.
const PUSHES_MAX: usize = 10_000;

/// PendingKind the kernel can be asked to do. None of it points at memory of ours, except that what is received goes into the
/// buffers of the group.
#[derive(Clone, Copy, Debug)]
pub(super) enum Operation {
    /// Receive once, into a buffer of the group, which is chosen when there is something to receive. Most often nothing is there yet;
    /// then it is cheaper to wait before the first try.
    Receive { group: u16, wait_first: bool },
    /// Accept once.
    Accept,
    /// Tell once when any of this is so (`poll(2)`).
    Poll { mask: u32 },
    /// Tell now what of this is so, and each time that something changes.
    PollChanges { mask: u32 },
}

/// See the head of this file.
pub(super) struct Ring {
    /// In a child of fork(2) its memory is not there.
    uring: ManuallyDrop<IoUring>,
    origin: Origin,
    /// Operations that the kernel has not said the last word on.
    in_flight: usize,
}

impl Ring {
    /// With room for so many operations before they have to be handed over, and for so many completions at once; of these the
    /// kernel keeps what is more.
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

    /// Whether it can be used at all: not in a child of fork(2), which has a descriptor of it and nothing else.
    pub(super) fn is_here(&self) -> bool {
        self.origin.is_here()
    }

    pub(super) fn submitter(&self) -> io_uring::Submitter<'_> {
        self.uring.submitter()
    }

    pub(super) fn in_flight(&self) -> usize {
        self.in_flight
    }

    /// Has something done to a descriptor. It is handed to the kernel with the next [`enter`](Self::enter).
    #[inline]
    pub(super) fn ask(&mut self, fd: RawFd, operation: Operation, user_data: u64) {
        let fd = types::Fd(fd);
        let entry = match operation {
            Operation::Receive { group, wait_first } => opcode::Recv::new(fd, ptr::null_mut(), 0)
                .buf_group(group)
                .ioprio(if wait_first { POLL_FIRST } else { 0 })
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

    /// Has an operation end. It says its last word all the same; this one says nothing, unless there was none to end.
    pub(super) fn cancel(&mut self, user_data: u64, own: u64) {
        let entry = opcode::AsyncCancel::new(user_data).build();
        self.push(&entry.flags(squeue::Flags::SKIP_SUCCESS).user_data(own));
    }

    /// Has all operations end.
    pub(super) fn cancel_all(&mut self, own: u64) {
        let entry = opcode::AsyncCancel2::new(types::CancelBuilder::any()).build();
        self.push(&entry.flags(squeue::Flags::SKIP_SUCCESS).user_data(own));
    }

    /// `false` if the kernel takes nothing any more, as in a forked child, to which the ring does not belong.
    #[inline]
    fn push(&mut self, entry: &squeue::Entry) -> bool {
        // SAFETY: none of the operations points at memory of ours but `Receive`, and what that names is the group of buffers,
        // which outlives all operations: see the drop of `UringPoller`.
        unsafe { self.uring.submission().push(entry) }.is_ok() || self.push_when_full(entry)
    }

    #[cold]
    fn push_when_full(&mut self, entry: &squeue::Entry) -> bool {
        for _ in 0..PUSHES_MAX {
            // Hand it over. A kernel that is out of memory for the moment is asked again.
            if let Err(error) = self.enter(Some(Duration::ZERO))
                && error.kind() != io::ErrorKind::WouldBlock
            {
                tracing::error!(%error, "the ring takes nothing any more");
                return false;
            }
            // SAFETY: as in `push`.
            if unsafe { self.uring.submission().push(entry) }.is_ok() {
                return true;
            }
        }
        tracing::error!("the ring has been full for too long");
        false
    }

    /// TimeSource over what was asked, and waits for a completion: `timeout` at most, `None` for as long as it takes. Fails with
    /// `WouldBlock` if the kernel is out of memory for the moment; what was asked is handed over the next time.
    pub(super) fn enter(&mut self, timeout: Option<Duration>) -> io::Result<()> {
        let submitter = self.uring.submitter();
        let entered = match timeout {
            Some(Duration::ZERO) => {
                // SAFETY: all that is pushed and not handed over is handed over, no argument is passed, and `GETEVENTS` is
                // a flag that this call knows.
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
                // The time is over; a signal came; the kernel wants its completions to be taken first.
                Some(libc::ETIME | libc::EINTR | libc::EBUSY) => Ok(()),
                _ => Err(error),
            },
        }
    }

    /// PendingKind has been done since this was asked last.
    pub(super) fn completions(&mut self) -> impl Iterator<Item = CompletionEntry> {
        let in_flight = &mut self.in_flight;
        self.uring.completion().map(move |entry| {
            let completion = CompletionEntry {
                user_data: entry.user_data(),
                result: entry.result(),
                flags: entry.flags(),
            };
            if !completion.goes_on() && completion.user_data != super::CANCELS {
                *in_flight -= 1;
            }
            completion
        })
    }
}

impl Drop for Ring {
    fn drop(&mut self) {
        if self.is_here() {
            // SAFETY: this is the drop of what owns it, and nobody has it afterwards.
            unsafe { ManuallyDrop::drop(&mut self.uring) }
        } else {
            // Whatever has been mapped in the child since may lie where the ring was, and must not be unmapped.
            // SAFETY: what owned the descriptor is never dropped, so it is ours to close.
            drop(unsafe { OwnedFd::from_raw_fd(self.uring.as_raw_fd()) });
        }
    }
}

/// PendingKind came of an operation.
#[derive(Clone, Copy, Debug)]
pub(super) struct CompletionEntry {
    pub(super) user_data: u64,
    /// As the system call would return it; negative for an error.
    pub(super) result: i32,
    flags: u32,
}

impl CompletionEntry {
    /// Which buffer was filled.
    #[inline]
    pub(super) fn buffer(&self) -> Option<u16> {
        cqueue::buffer_select(self.flags)
    }

    /// The operation goes on.
    #[inline]
    pub(super) fn goes_on(&self) -> bool {
        cqueue::more(self.flags)
    }
}
