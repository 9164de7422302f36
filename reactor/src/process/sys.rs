//! What is asked of the system without a safe face: to be told of forks, what SIGCHLD is set to, and how a child ended whose
//! exit status was not kept.

use std::{
    io,
    mem::MaybeUninit,
    ptr,
    sync::{
        OnceLock,
        atomic::{AtomicU32, Ordering},
    },
};
#[cfg(target_os = "linux")]
use std::{
    os::{fd::BorrowedFd, unix::process::ExitStatusExt},
    process::ExitStatus,
};

/// How many calls of fork(2) lie between the first process and this one.
static FORKS: AtomicU32 = AtomicU32::new(0);

extern "C" fn in_child() {
    FORKS.fetch_add(1, Ordering::Relaxed);
}

/// Another number in a child than in its parent.
#[inline]
pub(super) fn forks() -> u32 {
    FORKS.load(Ordering::Relaxed)
}

/// Has [`forks`] count.
pub(super) fn watch_forks() -> io::Result<()> {
    static ANSWER: OnceLock<libc::c_int> = OnceLock::new();
    // SAFETY: the function adds to an atomic number, which a child may do whatever other threads of its parent were at, and
    // it lives as long as the program.
    let answer = ANSWER.get_or_init(|| unsafe { libc::pthread_atfork(None, None, Some(in_child)) });
    if *answer == 0 { Ok(()) } else { Err(io::Error::from_raw_os_error(*answer)) }
}

/// Whether the system keeps the exit status of a child of this process until somebody waits for it: not if the process
/// ignores SIGCHLD (`SIG_IGN`, or `SA_NOCLDWAIT`; [wait(2)](https://man7.org/linux/man-pages/man2/wait.2.html), notes).
#[must_use]
pub fn exits_are_kept() -> bool {
    let mut action = MaybeUninit::<libc::sigaction>::zeroed();
    // SAFETY: the pointer is to a live value, and nothing is changed.
    let answer = unsafe { libc::sigaction(libc::SIGCHLD, ptr::null(), action.as_mut_ptr()) };
    // SAFETY: it was filled, or else it is as it was made: zeros, which are a valid value.
    let action = unsafe { action.assume_init() };
    answer != 0 || action.sa_sigaction != libc::SIG_IGN && action.sa_flags & libc::SA_NOCLDWAIT == 0
}

/// `struct pidfd_info` (linux/pidfd.h), as it was first.
#[cfg(target_os = "linux")]
#[repr(C)]
#[derive(Default)]
struct PidfdInfo {
    mask: u64,
    cgroup: u64,
    /// Process, thread group and parent; then eight of users and groups.
    ids: [u32; 11],
    exit_code: i32,
}

/// The exit code is wanted, and is there.
#[cfg(target_os = "linux")]
const PIDFD_INFO_EXIT: u64 = 1 << 3;

/// How often the system is asked for an exit status that it does not have ready yet.
#[cfg(target_os = "linux")]
const ASKS_MAX: usize = 1_000;

/// How a process ended whose exit status was not kept for whoever waits for it ([`exits_are_kept`]), or was taken by somebody
/// else: asked of a pidfd that was opened while it was there. Linux 6.15 and later know it; `None` elsewhere, and of a process
/// that is not gone.
#[cfg(target_os = "linux")]
#[must_use]
pub fn exit_status(pidfd: BorrowedFd<'_>) -> Option<ExitStatus> {
    use rustix::ioctl::{Updater, ioctl, opcode};
    const GET_INFO: rustix::ioctl::Opcode = opcode::read_write::<PidfdInfo>(0xff, 11);
    for _ in 0..ASKS_MAX {
        let mut info = PidfdInfo { mask: PIDFD_INFO_EXIT, ..PidfdInfo::default() };
        // SAFETY: PIDFD_GET_INFO reads and writes as many bytes as its number says, which is the size of this structure of
        // integers, and does nothing else.
        unsafe { ioctl(pidfd, Updater::<GET_INFO, PidfdInfo>::new(&mut info)) }.ok()?;
        if info.mask & PIDFD_INFO_EXIT != 0 {
            return Some(ExitStatus::from_raw(info.exit_code));
        }
        // It cannot be waited for any more, but the system is not done with it: a matter of microseconds.
        std::thread::yield_now();
    }
    None
}
