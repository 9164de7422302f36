//! The signal handler of the process, and whom it tells. `unsafe` because sigaction(2) has no safe face, and the
//! ready-made crates do not give back the handlers that were there before.
//!
//! Every reactor that runs and wants signals holds a seat: what it wants and what is pending, a bit for each signal, and a
//! pipe. The handler sets the bit of every seat that wants the signal, and writes a byte into its pipe unless one is on its
//! way already: the pipe wakes and says nothing, so no flood of one signal takes the room of another. What comes again
//! before it was taken is told once, as the system itself does with a signal that is blocked (signal(7)).
//!
//! write(2), getpid(2) and atomics are all that the handler uses, and all are async-signal-safe (signal-safety(7)). The pipes
//! stay open for the life of the process, so it never meets a descriptor that has become somebody else's. A child of fork(2)
//! shares them with its parent, so there the handler only has done what would have been done without it: what was set for
//! the signal before.

use std::{
    cell::UnsafeCell,
    io,
    mem::MaybeUninit,
    os::fd::{BorrowedFd, IntoRawFd, OwnedFd},
    process, ptr,
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicI32, AtomicU32, AtomicU64, Ordering},
    },
};

use rustix::io::{Errno, ioctl_fionbio};

/// How many reactors of a process may listen to signals at once.
const SLOTS: usize = 64;

/// Signals are numbered from 1 to 64 on every system we know.
const SIGNAL_MAX: i32 = 64;

/// A set of signals: bit `n - 1` for signal `n`.
type Set = u64;

struct Slot {
    /// The pipe's write end, or -1 before it is made.
    writer: AtomicI32,
    wanted: AtomicU64,
    /// What has come and was not taken yet.
    pending: AtomicU64,
    /// A byte is in the pipe, or on its way there.
    woken: AtomicBool,
}

impl Slot {
    const fn free() -> Self {
        Self {
            writer: AtomicI32::new(-1),
            wanted: AtomicU64::new(0),
            pending: AtomicU64::new(0),
            woken: AtomicBool::new(false),
        }
    }
}

static TABLE: [Slot; SLOTS] = [const { Slot::free() }; SLOTS];

/// The process that the table is of, so that a child of fork(2) can tell that it has a copy.
static OWNER: AtomicU32 = AtomicU32::new(0);

/// What only subscribers touch, never the handler.
struct Registry {
    readers: [Option<i32>; SLOTS],
    taken: [bool; SLOTS],
    /// The signals whose handler is ours.
    installed: Vec<i32>,
}

static REGISTRY: Mutex<Registry> =
    Mutex::new(Registry { readers: [None; SLOTS], taken: [false; SLOTS], installed: Vec::new() });

/// What was set for each signal before ours. Written with the desk in hand and our handler not installed for that signal;
/// from then on it is only read.
struct PreviousActions([UnsafeCell<MaybeUninit<libc::sigaction>>; SIGNAL_MAX as usize]);

// SAFETY: an entry is written by whoever has the desk, and only while nobody reads it: the handler does so only once it is
// installed for that signal.
unsafe impl Sync for PreviousActions {}

static PREVIOUS: PreviousActions =
    PreviousActions([const { UnsafeCell::new(MaybeUninit::zeroed()) }; SIGNAL_MAX as usize]);

impl PreviousActions {
    /// Of a signal whose handler is ours.
    fn get(&self, signal: i32) -> libc::sigaction {
        // SAFETY: it was written before our handler was installed, and is not written as long as that is there. Zeros, which
        // were there at first, are a valid value, too.
        unsafe { (*self.0[signal as usize - 1].get()).assume_init() }
    }

    /// Of a signal whose handler is not ours; `registry` is in hand.
    fn set(&self, _registry: &mut Registry, signal: i32, action: libc::sigaction) {
        // SAFETY: nobody reads it, as the handler is not installed, and nobody else writes, as the desk is in hand.
        unsafe { *self.0[signal as usize - 1].get() = MaybeUninit::new(action) };
    }
}

const fn bit(signal: i32) -> Set {
    1 << (signal - 1)
}

extern "C" fn on_signal(signal: libc::c_int) {
    let errno = errno::errno();
    if OWNER.load(Ordering::Acquire) == process::id() {
        notify_slots(signal);
    } else {
        run_previous_action(signal);
    }
    errno::set_errno(errno);
}

fn notify_slots(signal: libc::c_int) {
    for slot in &TABLE {
        if slot.wanted.load(Ordering::Acquire) & bit(signal) == 0 {
            continue;
        }
        // First the bit, then the flag; whoever takes does it the other way round, so one of both sees the other.
        slot.pending.fetch_or(bit(signal), Ordering::SeqCst);
        if !slot.woken.swap(true, Ordering::SeqCst) {
            // SAFETY: write(2) is async-signal-safe; the descriptor was stored before the mask and is never closed; the
            // buffer is one live byte. A full pipe already has a wake-up in it, so the result does not matter.
            unsafe {
                libc::write(slot.writer.load(Ordering::Acquire), ptr::from_ref(&0_u8).cast(), 1)
            };
        }
    }
}

/// In a child of fork(2) that nobody has told what to do with signals: it must not wake its parent's reactors, nor be deaf,
/// nor die of what its parent would have ignored. The signal is delivered again when the handler returns.
fn run_previous_action(signal: libc::c_int) {
    let _ = exchange(signal, Some(&PREVIOUS.get(signal)));
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
    slot: usize,
    /// The process that took it.
    owner: u32,
}

/// The taking end of a seat.
pub(super) struct Reader {
    slot: usize,
    /// The read end of its pipe.
    descriptor: BorrowedFd<'static>,
}

/// Takes a free seat.
pub(super) fn subscribe() -> io::Result<(Subscription, Reader)> {
    let mut registry = lock();
    let owner = process::id();
    if OWNER.load(Ordering::Acquire) != owner {
        registry.start_over();
        OWNER.store(owner, Ordering::Release);
    }
    let slot =
        registry.taken.iter().position(|taken| !taken).ok_or_else(|| {
            io::Error::other(format!("{SLOTS} reactors listen to signals already"))
        })?;
    let reader = match registry.readers[slot] {
        Some(reader) => reader,
        None => {
            let (reader, writer) = open_pipe()?;
            TABLE[slot].writer.store(writer.into_raw_fd(), Ordering::Release);
            *registry.readers[slot].insert(reader.into_raw_fd())
        }
    };
    registry.taken[slot] = true;
    // SAFETY: the descriptor is the read end made above, now or for an earlier subscriber, and is never closed.
    let descriptor = unsafe { BorrowedFd::borrow_raw(reader) };
    let reader = Reader { slot, descriptor };
    // What has come for whoever sat here before.
    let _ = reader.take();
    Ok((Subscription { slot, owner }, reader))
}

fn lock() -> MutexGuard<'static, Registry> {
    REGISTRY.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Registry {
    /// In a child of fork(2), and in the first process of all: nobody sits here. The pipes of the parent are left alone, as
    /// what the child has copied of the parent's reactors may still name them.
    fn start_over(&mut self) {
        for slot in &TABLE {
            slot.wanted.store(0, Ordering::Release);
        }
        for signal in self.installed.drain(..) {
            // Fails for no signal for which it once succeeded.
            let _ = restore(signal);
        }
        self.readers = [None; SLOTS];
        self.taken = [false; SLOTS];
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
        let mut registry = lock();
        let wanted = &TABLE[self.slot].wanted;
        wanted.fetch_or(bit(signal), Ordering::AcqRel);
        if !registry.installed.contains(&signal) {
            install(&mut registry, signal).inspect_err(|_| {
                wanted.fetch_and(!bit(signal), Ordering::AcqRel);
            })?;
            registry.installed.push(signal);
        }
        Ok(())
    }
}

impl Drop for Subscription {
    fn drop(&mut self) {
        if self.owner != process::id() {
            return; // A copy, in a child of fork(2); the seat may be somebody else's there.
        }
        let mut registry = lock();
        let others = TABLE.iter().enumerate().filter(|(slot, _)| *slot != self.slot);
        let wanted = others.fold(0, |all, (_, slot)| all | slot.wanted.load(Ordering::Acquire));
        let mut failed = Vec::new();
        // First the handlers, then the mask: a signal in between is taken down, rather than left to a handler that tells
        // nobody.
        registry.installed.retain(|signal| {
            let is_wanted = wanted & bit(*signal) != 0;
            if !is_wanted && let Err(error) = restore(*signal) {
                failed.push((*signal, error));
            }
            is_wanted
        });
        TABLE[self.slot].wanted.store(0, Ordering::Release);
        registry.taken[self.slot] = false;
        drop(registry);
        for (signal, error) in failed {
            tracing::error!(signal, %error, "a signal handler could not be restored");
        }
    }
}

/// Sets our handler, and keeps what was there.
fn install(registry: &mut Registry, signal: i32) -> io::Result<()> {
    let before = exchange(signal, None)?;
    PREVIOUS.set(registry, signal, before);
    let mut action = default_action();
    action.sa_sigaction = our_handler();
    // On the alternate stack, if the thread that is hit has one: Go's threads want it.
    action.sa_flags = libc::SA_RESTART | libc::SA_ONSTACK;
    exchange(signal, Some(&action)).map(drop)
}

/// Sets what was there before, unless somebody has put another handler in place of ours since.
fn restore(signal: i32) -> io::Result<()> {
    if exchange(signal, None)?.sa_sigaction == our_handler() {
        exchange(signal, Some(&PREVIOUS.get(signal)))?;
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
    /// Takes the signals that have come, each of them once.
    pub(super) fn take(&self) -> impl Iterator<Item = i32> + use<> {
        let mut bytes = [0; 16];
        // There is one byte, or on rare occasions two.
        while matches!(rustix::io::read(self.descriptor, &mut bytes), Ok(1..) | Err(Errno::INTR)) {}
        let slot = &TABLE[self.slot];
        slot.woken.store(false, Ordering::SeqCst);
        let taken = slot.pending.swap(0, Ordering::SeqCst);
        (1..=SIGNAL_MAX).filter(move |signal| taken & bit(*signal) != 0)
    }

    /// What to register with the engine.
    pub(super) fn source(&self) -> BorrowedFd<'static> {
        self.descriptor
    }
}
