//! What a child does between fork(2) and exec(2), and nothing else.

#![allow(unsafe_code, reason = "`pre_exec` is unsafe; the argument stands beside it")]

use std::{
    mem::ManuallyDrop,
    os::{
        fd::{BorrowedFd, FromRawFd, OwnedFd, RawFd},
        unix::process::CommandExt,
    },
    process::Command,
};

/// A descriptor of the parent, and its number in the child.
#[derive(Clone, Copy, Debug)]
pub(super) struct Move {
    pub(super) from: RawFd,
    pub(super) to: RawFd,
}

/// Makes the child a session leader, with its standard input as its controlling terminal if `takes_terminal`, and moves
/// descriptors to their numbers in the child.
///
/// Each `from` must stay open in the parent until the program has been started, and must be higher than each `to`.
pub(super) fn before_exec(command: &mut Command, takes_terminal: bool, moves: Vec<Move>) {
    let prepare = move || {
        if takes_terminal {
            rustix::process::setsid()?;
            // SAFETY: this runs in the child, where the standard library has set up descriptor 0.
            let stdin = unsafe { BorrowedFd::borrow_raw(0) };
            rustix::process::ioctl_tiocsctty(stdin)?;
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
    // called. This makes system calls (setsid, ioctl, dup2), reads a vector that was filled before, and makes an
    // `io::Error` from a number; it neither allocates, nor frees, nor takes a lock. It accesses no memory but its own.
    unsafe {
        command.pre_exec(prepare);
    }
}
