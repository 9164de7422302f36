//! The signal handler of the process, and who it writes to. `unsafe` because sigaction(2) has no safe face, and the
//! ready-made crates do not give back the handlers that were there before.
//!
//! Every reactor that runs and wants signals holds a seat: a pipe, and a mask of what it wants. The handler writes the
//! signal's number into the pipe of every seat that wants it; write(2), getpid(2) and atomics are all it uses, and all are
//! async-signal-safe (signal-safety(7)). The pipes stay open for the life of the process, so the handler never meets a
//! descriptor that has become somebody else's. A child of fork(2) shares them with its parent, so there the handler only
//! does what the system would have done.

use std::{
    io,
    mem::MaybeUninit,
    os::fd::{BorrowedFd, IntoRawFd, OwnedFd},
    process, ptr,
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicI32, AtomicU32, AtomicU64, Ordering},
    },
};

use rustix::io::{Errno, ioctl_fionbio};

/// How many reactors of a process may listen to signals at once.
const SEATS: usize = 64;

/// Signals are numbered from 1 to 64 on every system we know.
const SIGNAL_MAX: i32 = 64;

/// How many signals are read at once.
pub(super) const BATCH: usize = 64;

struct Seat {
    /// The pipe's write end, or -1 before it is made.
    writer: AtomicI32,
    /// Bit `n - 1` for signal `n`.
    wanted: AtomicU64,
}

static TABLE: [Seat; SEATS] =
    [const { Seat { writer: AtomicI32::new(-1), wanted: AtomicU64::new(0) } }; SEATS];

/// The process that the table is of, so that a child of fork(2) can tell that it has a copy.
static OWNER: AtomicU32 = AtomicU32::new(0);

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
    if OWNER.load(Ordering::Acquire) == process::id() {
        tell_seats(signal);
    } else {
        do_default(signal);
    }
    errno::set_errno(errno);
}

fn tell_seats(signal: libc::c_int) {
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
}

/// In a child of fork(2) that nobody has told what to do with signals: it must not wake its parent's reactors, nor be deaf.
/// The signal is delivered again when the handler returns.
fn do_default(signal: libc::c_int) {
    let _ = exchange(signal, Some(&default_action()));
    // SAFETY: raise(3) is async-signal-safe.
    unsafe { libc::raise(signal) };
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
    /// The process that took it.
    owner: u32,
}

/// The read end of a seat's pipe.
pub(super) struct Reader {
    descriptor: BorrowedFd<'static>,
}

/// Takes a free seat.
pub(super) fn subscribe() -> io::Result<(Subscription, Reader)> {
    let mut desk = lock();
    let owner = process::id();
    if OWNER.load(Ordering::Acquire) != owner {
        desk.start_over();
        OWNER.store(owner, Ordering::Release);
    }
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
    while reader.read(&mut [0; BATCH]) == BATCH {}
    Ok((Subscription { seat, owner }, reader))
}

fn lock() -> MutexGuard<'static, Desk> {
    DESK.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Desk {
    /// In a child of fork(2), and in the first process of all: nobody sits here. The pipes of the parent are left alone, as
    /// what the child has copied of the parent's reactors may still name them.
    fn start_over(&mut self) {
        for seat in &TABLE {
            seat.wanted.store(0, Ordering::Release);
        }
        for (signal, before) in self.before.drain(..) {
            // Fails for no signal for which it once succeeded.
            let _ = restore(signal, &before);
        }
        self.readers = [None; SEATS];
        self.taken = [false; SEATS];
    }
}

/// Neither end blocks, and no child process that is another program inherits them.
fn open_pipe() -> io::Result<(OwnedFd, OwnedFd)> {
    let (reader, writer) = io::pipe()?;
    ioctl_fionbio(&reader, true)?;
    ioctl_fionbio(&writer, true)?;
    Ok((reader.into(), writer.into()))
}

impl Subscription {
    /// Wants this signal too.
    pub(super) fn add(&self, signal: i32) -> io::Result<()> {
        check(signal)?;
        let mut desk = lock();
        let wanted = &TABLE[self.seat].wanted;
        wanted.fetch_or(bit(signal), Ordering::AcqRel);
        if !desk.before.iter().any(|(number, _)| *number == signal) {
            let before = install(signal).inspect_err(|_| {
                wanted.fetch_and(!bit(signal), Ordering::AcqRel);
            })?;
            desk.before.push((signal, before));
        }
        Ok(())
    }
}

impl Drop for Subscription {
    fn drop(&mut self) {
        if self.owner != process::id() {
            return; // A copy, in a child of fork(2); the seat may be somebody else's there.
        }
        let mut desk = lock();
        let others = TABLE.iter().enumerate().filter(|(seat, _)| *seat != self.seat);
        let wanted = others.fold(0, |all, (_, seat)| all | seat.wanted.load(Ordering::Acquire));
        let mut failed = Vec::new();
        // First the handlers, then the mask: a signal in between goes into the pipe, rather than to a handler that tells
        // nobody.
        desk.before.retain(|(signal, before)| {
            let is_wanted = wanted & bit(*signal) != 0;
            if !is_wanted && let Err(error) = restore(*signal, before) {
                failed.push((*signal, error));
            }
            is_wanted
        });
        TABLE[self.seat].wanted.store(0, Ordering::Release);
        desk.taken[self.seat] = false;
        drop(desk);
        for (signal, error) in failed {
            tracing::error!(signal, %error, "a signal handler could not be restored");
        }
    }
}

/// Sets our handler and returns what was there.
fn install(signal: i32) -> io::Result<libc::sigaction> {
    let mut action = default_action();
    action.sa_sigaction = our_handler();
    // On the alternate stack, if the thread that is hit has one: Go's threads want it.
    action.sa_flags = libc::SA_RESTART | libc::SA_ONSTACK;
    exchange(signal, Some(&action))
}

/// Sets what was there before, unless somebody has put another handler in place of ours since.
fn restore(signal: i32, before: &libc::sigaction) -> io::Result<()> {
    if exchange(signal, None)?.sa_sigaction == our_handler() {
        exchange(signal, Some(before))?;
    }
    Ok(())
}

fn our_handler() -> libc::sighandler_t {
    on_signal as extern "C" fn(libc::c_int) as libc::sighandler_t
}

fn default_action() -> libc::sigaction {
    // SAFETY: all-zero bytes are a valid sigaction: no flags, an empty mask, the default handler.
    unsafe { MaybeUninit::zeroed().assume_init() }
}

/// sigaction(2): returns what there is, and sets another if one is given.
fn exchange(signal: i32, action: Option<&libc::sigaction>) -> io::Result<libc::sigaction> {
    let mut before = default_action();
    let action = action.map_or(ptr::null(), ptr::from_ref);
    // SAFETY: both pointers are to live sigaction values, or null where that means "no change". The handlers that are ever
    // set are `on_signal`, which does what a handler may and has the signature of one without SA_SIGINFO, the default, and
    // what this very call has returned for the signal before.
    if unsafe { libc::sigaction(signal, action, &raw mut before) } != 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(before)
}

impl Reader {
    /// The signals that came, by their numbers: how many there are, at most [`BATCH`].
    pub(super) fn read(&self, batch: &mut [u8; BATCH]) -> usize {
        loop {
            match rustix::io::read(self.descriptor, &mut *batch) {
                Err(Errno::INTR) => {}
                came => return came.unwrap_or(0),
            }
        }
    }

    /// What to register with the engine.
    pub(super) fn source(&self) -> BorrowedFd<'static> {
        self.descriptor
    }
}
