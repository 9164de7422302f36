//! What a child does between fork(2) and exec(2), and nothing else.

#![allow(unsafe_code, reason = "`pre_exec` is unsafe; the argument stands beside it")]

use std::{
    io,
    mem::{ManuallyDrop, MaybeUninit},
    os::{
        fd::{BorrowedFd, FromRawFd, OwnedFd, RawFd},
        unix::process::CommandExt,
    },
    process::Command,
    ptr,
};

/// A descriptor of the parent, and its number in the child.
#[derive(Clone, Copy, Debug)]
pub(super) struct Move {
    pub(super) from: RawFd,
    pub(super) to: RawFd,
}

/// Signals up to this number have a disposition that exec(2) keeps; higher ones are for real-time use, where there are any.
const SIGNAL_MAX: i32 = 31;

/// The signals that this process ignores. A program would ignore them, too: exec(2) resets only signals with handlers.
///
/// Without SIGPIPE, which the standard library resets itself.
pub(super) fn ignored_signals() -> Vec<i32> {
    (1..=SIGNAL_MAX).filter(|signal| *signal != libc::SIGPIPE && is_ignored(*signal)).collect()
}

fn is_ignored(signal: i32) -> bool {
    let mut action = MaybeUninit::<libc::sigaction>::zeroed();
    // SAFETY: the pointer is to a live value, and the call changes no disposition.
    let answer = unsafe { libc::sigaction(signal, ptr::null(), action.as_mut_ptr()) };
    // SAFETY: it was filled by the call, or is still all zeros, which are a valid value.
    answer == 0 && unsafe { action.assume_init() }.sa_sigaction == libc::SIG_IGN
}

/// What is done in the child.
#[derive(Debug, Default)]
pub(super) struct Preparation {
    /// The child becomes a session leader, with its standard input as its controlling terminal.
    pub(super) takes_terminal: bool,
    /// Signals that get their default disposition.
    pub(super) signals: Vec<i32>,
    /// Descriptors that are moved to their numbers in the child. Each `from` must stay open in the parent until the program has
    /// been started, and must be higher than each `to`.
    pub(super) moves: Vec<Move>,
}

impl Preparation {
    pub(super) fn is_empty(&self) -> bool {
        !self.takes_terminal && self.signals.is_empty() && self.moves.is_empty()
    }
}

/// Prepares the child so before the program is executed.
pub(super) fn before_exec(command: &mut Command, preparation: Preparation) {
    let Preparation { takes_terminal, signals, moves } = preparation;
    let prepare = move || {
        if takes_terminal {
            rustix::process::setsid()?;
            // SAFETY: this runs in the child, where the standard library has set up descriptor 0.
            let stdin = unsafe { BorrowedFd::borrow_raw(0) };
            rustix::process::ioctl_tiocsctty(stdin)?;
        }
        for signal in &signals {
            // SAFETY: `SIG_DFL` is not a handler, so no code of this process runs.
            if unsafe { libc::signal(*signal, libc::SIG_DFL) } == libc::SIG_ERR {
                return Err(io::Error::last_os_error());
            }
        }
        for Move { from, to } in &moves {
            // SAFETY: the caller keeps `from` open until the program has been started, and no `to` is a `from`.
            let source = unsafe { BorrowedFd::borrow_raw(*from) };
            // SAFETY: the descriptor of this number is replaced by dup2, and `ManuallyDrop` keeps it from being closed here.
            let mut target = ManuallyDrop::new(unsafe { OwnedFd::from_raw_fd(*to) });
            rustix::io::dup2(source, &mut target)?;
        }
        Ok(())
    };
    // SAFETY: between fork and exec, in a process that may have had other threads, only async-signal-safe functions may be
    // called. This makes system calls (setsid, ioctl, sigaction, dup2), reads vectors that were filled before, and makes an
    // `io::Error` from a number; it neither allocates, nor frees, nor takes a lock. It accesses no memory but its own.
    unsafe {
        command.pre_exec(prepare);
    }
}
