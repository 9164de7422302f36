//! The process's signal handler, and the table of reactors that it notifies. `unsafe` because sigaction(2) has no safe
//! wrapper here, and the existing crates do not restore the previous handlers.
//!
//! Every running reactor that watches signals owns a slot: the set of signals it wants and the set of pending ones, a
//! bit for each signal, and a pipe. The handler sets the pending bit in every slot that wants the signal, and writes a
//! byte into the slot's pipe unless one is in it already. The pipe only wakes and carries no data, so a flood of one
//! signal cannot displace another. A signal that arrives again before it was taken is reported once, as the system does
//! with a blocked signal (signal(7)).
//!
//! The handler uses only write(2), getpid(2) and atomics, all async-signal-safe (signal-safety(7)). The pipes
//! stay open for the life of the process, so the handler never writes to a descriptor that was reused. A child of fork(2)
//! shares the pipes with its parent, so there the handler only runs the previous action of the signal.

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

/// How many reactors of a process may watch signals at once.
const SLOTS: usize = 64;

/// Signals are numbered from 1 to 64 on every supported system.
const SIGNAL_MAX: i32 = 64;

/// A set of signals: bit `n - 1` for signal `n`.
type Set = u64;

struct Slot {
    /// The pipe's write end, or -1 before it is made.
    writer: AtomicI32,
    wanted: AtomicU64,
    /// Signals that have arrived and have not been taken.
    pending: AtomicU64,
    /// A byte is in the pipe, or about to be written.
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

/// The process that the table belongs to, so that a child of fork(2) can tell that it has a copy.
static OWNER: AtomicU32 = AtomicU32::new(0);

/// State that only subscribers use, never the signal handler.
struct Registry {
    readers: [Option<i32>; SLOTS],
    used: [bool; SLOTS],
    /// The signals whose handler is ours.
    installed: Vec<i32>,
}

static REGISTRY: Mutex<Registry> =
    Mutex::new(Registry { readers: [None; SLOTS], used: [false; SLOTS], installed: Vec::new() });

/// The action of each signal before ours. Written with the registry locked and while our handler is not installed for
/// that signal; from then on it is only read.
struct PreviousActions([UnsafeCell<MaybeUninit<libc::sigaction>>; SIGNAL_MAX as usize]);

// SAFETY: an entry is written only with the registry locked, and only while it is not read: the handler reads it only
// once it is installed for that signal.
unsafe impl Sync for PreviousActions {}

static PREVIOUS: PreviousActions =
    PreviousActions([const { UnsafeCell::new(MaybeUninit::zeroed()) }; SIGNAL_MAX as usize]);

impl PreviousActions {
    /// For a signal whose handler is ours.
    fn get(&self, signal: i32) -> libc::sigaction {
        // SAFETY: it was written before our handler was installed, and is not written as long as it is installed. The
        // initial zeros are a valid value, too.
        unsafe { (*self.0[signal as usize - 1].get()).assume_init() }
    }

    /// For a signal whose handler is not ours; the registry is locked.
    fn set(&self, _registry: &mut Registry, signal: i32, action: libc::sigaction) {
        // SAFETY: there is no reader, as the handler is not installed, and no other writer, as the registry is locked.
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
        // First the pending bit, then the flag; the reader does it in the opposite order, so at least one of them sees
        // the other.
        slot.pending.fetch_or(bit(signal), Ordering::SeqCst);
        if !slot.woken.swap(true, Ordering::SeqCst) {
            // SAFETY: write(2) is async-signal-safe; the descriptor was stored before the mask and is never closed; the
            // buffer is one live byte. A full pipe contains a wakeup already, so the result does not matter.
            unsafe {
                libc::write(slot.writer.load(Ordering::Acquire), ptr::from_ref(&0_u8).cast(), 1)
            };
        }
    }
}

/// In a child of fork(2) that has set no actions of its own: the signal must not wake the parent's reactors, nor be lost,
/// nor kill the child where the parent would have ignored it. The signal is delivered again when the handler returns.
fn run_previous_action(signal: libc::c_int) {
    let _ = exchange(signal, Some(&PREVIOUS.get(signal)));
    // SAFETY: raise(3) is async-signal-safe.
    unsafe { libc::raise(signal) };
}

/// Whether a signal can be watched.
pub(super) fn check(signal: i32) -> io::Result<()> {
    let fatal =
        [libc::SIGSEGV, libc::SIGBUS, libc::SIGFPE, libc::SIGILL, libc::SIGKILL, libc::SIGSTOP];
    if !(1..=SIGNAL_MAX).contains(&signal) || fatal.contains(&signal) {
        return Err(io::Error::new(
            io::ErrorKind::InvalidInput,
            format!(
                "cannot watch signal {signal}: it cannot be caught, or its handler could not return"
            ),
        ));
    }
    Ok(())
}

/// A slot of the table; dropping it releases its signals.
pub(super) struct Subscription {
    slot: usize,
    /// The process that acquired it.
    owner: u32,
}

/// The receiving end of a slot.
pub(super) struct Reader {
    slot: usize,
    /// The read end of its pipe.
    descriptor: BorrowedFd<'static>,
}

/// Acquires a free slot.
pub(super) fn subscribe() -> io::Result<(Subscription, Reader)> {
    let mut registry = lock();
    let owner = process::id();
    if OWNER.load(Ordering::Acquire) != owner {
        registry.start_over();
        OWNER.store(owner, Ordering::Release);
    }
    let slot = registry.used.iter().position(|used| !used).ok_or_else(|| {
        io::Error::other(format!("{SLOTS} reactors of this process watch signals already"))
    })?;
    let reader = match registry.readers[slot] {
        Some(reader) => reader,
        None => {
            let (reader, writer) = open_pipe()?;
            TABLE[slot].writer.store(writer.into_raw_fd(), Ordering::Release);
            *registry.readers[slot].insert(reader.into_raw_fd())
        }
    };
    registry.used[slot] = true;
    // SAFETY: the descriptor is the read end made above, now or for an earlier subscriber, and is never closed.
    let descriptor = unsafe { BorrowedFd::borrow_raw(reader) };
    let reader = Reader { slot, descriptor };
    // Discard what is pending for the slot's previous user.
    let _ = reader.take();
    Ok((Subscription { slot, owner }, reader))
}

fn lock() -> MutexGuard<'static, Registry> {
    REGISTRY.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Registry {
    /// Resets the table, in a child of fork(2) and in the first process: all slots are free. The parent's pipes are not
    /// closed, since the child's copies of the parent's reactors may still refer to them.
    fn start_over(&mut self) {
        for slot in &TABLE {
            slot.wanted.store(0, Ordering::Release);
        }
        for signal in self.installed.drain(..) {
            // Cannot fail for a signal for which it once succeeded.
            let _ = restore(signal);
        }
        self.readers = [None; SLOTS];
        self.used = [false; SLOTS];
    }
}

/// Both ends are non-blocking and closed on exec.
fn open_pipe() -> io::Result<(OwnedFd, OwnedFd)> {
    let (reader, writer) = io::pipe()?;
    ioctl_fionbio(&reader, true)?;
    ioctl_fionbio(&writer, true)?;
    Ok((reader.into(), writer.into()))
}

impl Subscription {
    /// Watches this signal too.
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
            return; // A copy, in a child of fork(2), where the slot may have another user.
        }
        let mut registry = lock();
        let others = TABLE.iter().enumerate().filter(|(slot, _)| *slot != self.slot);
        let wanted = others.fold(0, |all, (_, slot)| all | slot.wanted.load(Ordering::Acquire));
        let mut failed = Vec::new();
        // First the handlers, then the mask: a signal in between is recorded in the slot, rather than lost in a handler
        // that finds no slot.
        registry.installed.retain(|signal| {
            let is_wanted = wanted & bit(*signal) != 0;
            if !is_wanted && let Err(error) = restore(*signal) {
                failed.push((*signal, error));
            }
            is_wanted
        });
        TABLE[self.slot].wanted.store(0, Ordering::Release);
        registry.used[self.slot] = false;
        drop(registry);
        for (signal, error) in failed {
            tracing::error!(signal, %error, "cannot restore the previous handler of a signal");
        }
    }
}

/// Installs our handler, and keeps the previous action.
fn install(registry: &mut Registry, signal: i32) -> io::Result<()> {
    let before = exchange(signal, None)?;
    PREVIOUS.set(registry, signal, before);
    let mut action = default_action();
    action.sa_sigaction = our_handler();
    // On the alternate stack, if the interrupted thread has one: Go's threads require it.
    action.sa_flags = libc::SA_RESTART | libc::SA_ONSTACK;
    exchange(signal, Some(&action)).map(drop)
}

/// Restores the previous action, unless our handler has been replaced since.
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

/// sigaction(2): returns the current action, and sets another if one is given.
fn exchange(signal: i32, action: Option<&libc::sigaction>) -> io::Result<libc::sigaction> {
    let mut before = default_action();
    let action = action.map_or(ptr::null(), ptr::from_ref);
    // SAFETY: both pointers are to live sigaction values, or null where that means "no change". The handlers that are
    // ever set are `on_signal`, which is async-signal-safe and has the signature for a handler without SA_SIGINFO, the
    // default, and what this very call has returned for the signal before.
    if unsafe { libc::sigaction(signal, action, &raw mut before) } != 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(before)
}

impl Reader {
    /// Takes the pending signals, each of them once.
    pub(super) fn take(&self) -> impl Iterator<Item = i32> + use<> {
        let mut bytes = [0; 16];
        // There is one byte, or rarely two.
        while matches!(rustix::io::read(self.descriptor, &mut bytes), Ok(1..) | Err(Errno::INTR)) {}
        let slot = &TABLE[self.slot];
        slot.woken.store(false, Ordering::SeqCst);
        let taken = slot.pending.swap(0, Ordering::SeqCst);
        (1..=SIGNAL_MAX).filter(move |signal| taken & bit(*signal) != 0)
    }

    /// The descriptor to register with the engine.
    pub(super) fn source(&self) -> BorrowedFd<'static> {
        self.descriptor
    }
}
