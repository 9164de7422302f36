//! What a child does between fork(2) and exec(2). Nothing else is done here.

#![allow(unsafe_code, reason = "`pre_exec` is unsafe; the argument stands beside it")]

use std::{
    mem::ManuallyDrop,
    os::{
        fd::{BorrowedFd, FromRawFd, OwnedFd, RawFd},
        unix::process::CommandExt,
    },
    process::Command,
};

/// A descriptor of the parent, and the number that it is to have in the child.
#[derive(Clone, Copy, Debug)]
pub(super) struct Move {
    pub(super) from: RawFd,
    pub(super) to: RawFd,
}

/// Has the child lead a session, with its standard input as its terminal if `takes_terminal`, and have the descriptors of
/// `moves` under their numbers.
///
/// Each `from` has to be open in the parent, and higher than each `to`, until the program has been started.
pub(super) fn before_exec(command: &mut Command, takes_terminal: bool, moves: Vec<Move>) {
    let prepare = move || {
        if takes_terminal {
            rustix::process::setsid()?;
            // SAFETY: this runs in the child, where the library has just put its standard input.
            let stdin = unsafe { BorrowedFd::borrow_raw(0) };
            rustix::process::ioctl_tiocsctty(stdin)?;
        }
        for Move { from, to } in &moves {
            // SAFETY: the caller keeps `from` open until the program has been started, and no `to` is a `from`.
            let source = unsafe { BorrowedFd::borrow_raw(*from) };
            // SAFETY: whatever has this number in the child is to be replaced, and is not closed by us.
            let mut target = ManuallyDrop::new(unsafe { OwnedFd::from_raw_fd(*to) });
            rustix::io::dup2(source, &mut target)?;
        }
        Ok(())
    };
    // SAFETY: between fork and exec, in a process that may have had other threads, only what is async-signal-safe may be
    // called. This makes system calls (setsid, ioctl, dup2), reads a vector that was filled before, and turns a number into an
    // `io::Error`; it neither allocates, nor frees, nor takes a lock. It touches no memory but its own.
    unsafe {
        command.pre_exec(prepare);
    }
}
