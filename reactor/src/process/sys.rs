//! System calls without a safe wrapper: noticing forks, reading the disposition of SIGCHLD, and the exit status of a child
//! that the system has not kept.

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

/// The number of fork(2) calls between the first process and this one.
static FORKS: AtomicU32 = AtomicU32::new(0);

extern "C" fn in_child() {
    FORKS.fetch_add(1, Ordering::Relaxed);
}

/// Differs between a child and its parent.
#[inline]
pub(super) fn forks() -> u32 {
    FORKS.load(Ordering::Relaxed)
}

/// Installs the fork handler that counts for [`forks`].
pub(super) fn watch_forks() -> io::Result<()> {
    static ANSWER: OnceLock<libc::c_int> = OnceLock::new();
    // SAFETY: the handler only adds to an atomic number, which is safe in a child whatever the parent's other threads
    // were doing, and it lives as long as the program.
    let answer = ANSWER.get_or_init(|| unsafe { libc::pthread_atfork(None, None, Some(in_child)) });
    if *answer == 0 { Ok(()) } else { Err(io::Error::from_raw_os_error(*answer)) }
}

/// Whether the system keeps the exit status of a child of this process until it is waited for: not if the process
/// ignores SIGCHLD (`SIG_IGN`, or `SA_NOCLDWAIT`; [wait(2)](https://man7.org/linux/man-pages/man2/wait.2.html), notes).
#[must_use]
pub fn keeps_exit_statuses() -> bool {
    let mut action = MaybeUninit::<libc::sigaction>::zeroed();
    // SAFETY: the pointer is to a live value, and the call changes no disposition.
    let answer = unsafe { libc::sigaction(libc::SIGCHLD, ptr::null(), action.as_mut_ptr()) };
    // SAFETY: it was filled by the call, or is still all zeros, which are a valid value.
    let action = unsafe { action.assume_init() };
    answer != 0 || action.sa_sigaction != libc::SIG_IGN && action.sa_flags & libc::SA_NOCLDWAIT == 0
}

/// `struct pidfd_info` (linux/pidfd.h), in its first version.
#[cfg(target_os = "linux")]
#[repr(C)]
#[derive(Default)]
struct PidfdInfo {
    mask: u64,
    cgroup: u64,
    /// Process, thread group and parent; then eight ids of users and groups.
    ids: [u32; 11],
    exit_code: i32,
}

/// Requests the exit code; set in the answer if it is available.
#[cfg(target_os = "linux")]
const PIDFD_INFO_EXIT: u64 = 1 << 3;

/// How often an exit status that is not available yet is requested.
#[cfg(target_os = "linux")]
const EXIT_STATUS_TRIES_MAX: usize = 1_000;

/// The exit status of a process that was not kept for waiting ([`keeps_exit_statuses`]), or that something else has
/// collected, read from a pidfd that was opened while the process existed. Linux 6.15 and later; `None` elsewhere, and
/// for a process that has not exited.
#[cfg(target_os = "linux")]
#[must_use]
pub fn exit_status(pidfd: BorrowedFd<'_>) -> Option<ExitStatus> {
    use rustix::ioctl::{Updater, ioctl, opcode};
    const GET_INFO: rustix::ioctl::Opcode = opcode::read_write::<PidfdInfo>(0xff, 11);
    for _ in 0..EXIT_STATUS_TRIES_MAX {
        let mut info = PidfdInfo { mask: PIDFD_INFO_EXIT, ..PidfdInfo::default() };
        // SAFETY: PIDFD_GET_INFO reads and writes as many bytes as its number encodes, which is the size of this
        // structure of integers, and does nothing else.
        unsafe { ioctl(pidfd, Updater::<GET_INFO, PidfdInfo>::new(&mut info)) }.ok()?;
        if info.mask & PIDFD_INFO_EXIT != 0 {
            return Some(ExitStatus::from_raw(info.exit_code));
        }
        // The process cannot be waited for any more, but the kernel has not finished its exit: a matter of microseconds.
        std::thread::yield_now();
    }
    None
}
