//! The signal handler of the process, and who it writes to. The only `unsafe` outside `engine/`: sigaction(2) has no safe
//! face, and the ready-made crates do not give back the handlers that were there before.
//!
//! Every reactor that runs holds a seat: a pipe, and a mask of the signals it wants. The handler writes the signal's
//! number into the pipe of every seat that wants it; write(2) and atomics are all it does, and both are async-signal-safe
//! (signal-safety(7)). The pipes stay open for the life of the process, so the handler never meets a descriptor that has
//! become somebody else's.

use std::{
    io,
    mem::MaybeUninit,
    os::fd::{AsFd, AsRawFd, BorrowedFd, IntoRawFd, OwnedFd},
    ptr,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicI32, AtomicU64, Ordering},
    },
};

use rustix::{io::Errno, pipe::PipeFlags};

/// How many reactors of a process may listen to signals at once.
const SEATS: usize = 64;

/// Signals are numbered from 1 to 64 on every system we know.
const SIGNAL_MAX: i32 = 64;

struct Seat {
    /// The pipe's write end, or -1 before it is made.
    writer: AtomicI32,
    /// Bit `n - 1` for signal `n`.
    wanted: AtomicU64,
}

static TABLE: [Seat; SEATS] =
    [const { Seat { writer: AtomicI32::new(-1), wanted: AtomicU64::new(0) } }; SEATS];

/// What only subscribers touch, never the handler.
struct Desk {
    readers: [Option<i32>; SEATS],
    taken: [bool; SEATS],
    /// The handlers that were there before ours, by signal number.
    before: Vec<(i32, libc::sigaction)>,
}

static DESK: Mutex<Desk> =
    Mutex::new(Desk { readers: [None; SEATS], taken: [false; SEATS], before: Vec::new() });

const fn bit(signal: i32) -> u64 {
    1 << (signal - 1)
}

extern "C" fn on_signal(signal: libc::c_int) {
    let errno = errno::errno();
    for seat in &TABLE {
        if seat.wanted.load(Ordering::Acquire) & bit(signal) != 0 {
            let byte = signal as u8; // at most SIGNAL_MAX
            // SAFETY: write(2) is async-signal-safe; the descriptor was stored before the mask and is never closed; the
            // buffer is one live byte. A full pipe already has a wake-up in it, so the result does not matter.
            unsafe {
                libc::write(seat.writer.load(Ordering::Acquire), ptr::from_ref(&byte).cast(), 1)
            };
        }
    }
    errno::set_errno(errno);
}

/// Whether a signal can be asked for.
pub(super) fn check(signal: i32) -> io::Result<()> {
    let fatal =
        [libc::SIGSEGV, libc::SIGBUS, libc::SIGFPE, libc::SIGILL, libc::SIGKILL, libc::SIGSTOP];
    if !(1..=SIGNAL_MAX).contains(&signal) || fatal.contains(&signal) {
        return Err(io::Error::new(
            io::ErrorKind::InvalidInput,
            format!("signal {signal} cannot be handled by a callback"),
        ));
    }
    Ok(())
}

/// A seat of the table; dropping it gives up its signals.
pub(super) struct Subscription {
    seat: usize,
}

/// The read end of a seat's pipe.
pub(super) struct Reader {
    descriptor: BorrowedFd<'static>,
}

/// Takes a free seat.
pub(super) fn subscribe() -> io::Result<(Subscription, Reader)> {
    let mut desk = DESK.lock().unwrap_or_else(PoisonError::into_inner);
    let seat =
        desk.taken.iter().position(|taken| !taken).ok_or_else(|| {
            io::Error::other(format!("{SEATS} reactors listen to signals already"))
        })?;
    let reader = match desk.readers[seat] {
        Some(reader) => reader,
        None => {
            let (reader, writer) = open_pipe()?;
            TABLE[seat].writer.store(writer.into_raw_fd(), Ordering::Release);
            *desk.readers[seat].insert(reader.into_raw_fd())
        }
    };
    desk.taken[seat] = true;
    // SAFETY: the descriptor is the read end made above, now or for an earlier subscriber, and is never closed.
    let descriptor = unsafe { BorrowedFd::borrow_raw(reader) };
    let reader = Reader { descriptor };
    while reader.next().is_some() {}
    Ok((Subscription { seat }, reader))
}

fn open_pipe() -> io::Result<(OwnedFd, OwnedFd)> {
    #[cfg(not(any(target_vendor = "apple")))]
    let ends = rustix::pipe::pipe_with(PipeFlags::CLOEXEC | PipeFlags::NONBLOCK)?;
    #[cfg(target_vendor = "apple")]
    let ends = {
        let _ = PipeFlags::empty();
        let (reader, writer) = rustix::pipe::pipe()?;
        for end in [&reader, &writer] {
            rustix::io::fcntl_setfd(end, rustix::io::FdFlags::CLOEXEC)?;
            rustix::io::ioctl_fionbio(end, true)?;
        }
        (reader, writer)
    };
    Ok(ends)
}

impl Subscription {
    /// Wants this signal too.
    pub(super) fn add(&self, signal: i32) -> io::Result<()> {
        check(signal)?;
        let mut desk = DESK.lock().unwrap_or_else(PoisonError::into_inner);
        if !desk.before.iter().any(|(number, _)| *number == signal) {
            let before = install(signal)?;
            desk.before.push((signal, before));
        }
        TABLE[self.seat].wanted.fetch_or(bit(signal), Ordering::AcqRel);
        Ok(())
    }
}

impl Drop for Subscription {
    fn drop(&mut self) {
        let mut desk = DESK.lock().unwrap_or_else(PoisonError::into_inner);
        TABLE[self.seat].wanted.store(0, Ordering::Release);
        desk.taken[self.seat] = false;
        let wanted = TABLE.iter().fold(0, |all, seat| all | seat.wanted.load(Ordering::Acquire));
        desk.before.retain(|(signal, before)| {
            let still = wanted & bit(*signal) != 0;
            if !still {
                restore(*signal, before);
            }
            still
        });
    }
}

/// Sets our handler and returns what was there.
fn install(signal: i32) -> io::Result<libc::sigaction> {
    let mut action = MaybeUninit::<libc::sigaction>::zeroed();
    let mut before = MaybeUninit::<libc::sigaction>::uninit();
    // SAFETY: all-zero bytes are a valid sigaction (no flags, an empty mask, the default handler); the fields set are
    // plain data, and the handler has the signature that a handler without SA_SIGINFO has.
    let action = unsafe {
        let action = action.assume_init_mut();
        action.sa_sigaction = on_signal as extern "C" fn(libc::c_int) as usize;
        action.sa_flags = libc::SA_RESTART;
        libc::sigemptyset(&raw mut action.sa_mask);
        &*action
    };
    // SAFETY: both pointers are to live sigaction values; on success the kernel has written the second.
    unsafe {
        if libc::sigaction(signal, action, before.as_mut_ptr()) != 0 {
            return Err(io::Error::last_os_error());
        }
        Ok(before.assume_init())
    }
}

fn restore(signal: i32, before: &libc::sigaction) {
    // SAFETY: `before` is what sigaction(2) gave us for this signal; the old value is not asked for.
    if unsafe { libc::sigaction(signal, before, ptr::null_mut()) } != 0 {
        tracing::error!(signal, error = %io::Error::last_os_error(), "a signal handler could not be restored");
    }
}

impl Reader {
    /// The next signal that came, if any.
    pub(super) fn next(&self) -> Option<i32> {
        let mut byte = [0];
        loop {
            match rustix::io::read(self.descriptor, &mut byte) {
                Ok(1) => return Some(i32::from(byte[0])),
                Err(Errno::INTR) => {}
                _ => return None,
            }
        }
    }

    /// What to register with the engine.
    pub(super) fn source(&mut self) -> BorrowedFd<'static> {
        debug_assert!(self.descriptor.as_fd().as_raw_fd() >= 0);
        self.descriptor
    }
}
