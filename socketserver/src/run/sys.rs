//! fork(2), and the thread count that it depends on. `unsafe` because a child of a process with threads must not
//! take any lock, which no signature can express: so a process with other threads is not forked here.

use std::{
    io::{self, Write},
    panic::{self, AssertUnwindSafe},
    thread,
};

use rustix::process::{Pid, getpid};

use crate::{ForkError, Socket};

/// How often threads are counted before others count: a thread that was joined is listed for a moment longer.
const COUNT_TRIES: usize = 100;

/// Ensures that this thread is the only one.
pub(super) fn check_single_threaded() -> Result<(), ForkError> {
    let mut threads = 0;
    for _ in 0..COUNT_TRIES {
        threads = count_threads().map_err(ForkError::Uncounted)?;
        if threads == 1 {
            return Ok(());
        }
        thread::yield_now();
    }
    Err(ForkError::OtherThreads { threads })
}

/// Runs `work` in a child, with its result as the exit code. The child never returns from here, and runs no
/// destructors except those of `work`. It does not keep `listener` open, and ends with this process if `ends_with_parent`.
pub(super) fn fork(
    listener: Option<&Socket>,
    ends_with_parent: bool,
    work: impl FnOnce() -> i32,
) -> Result<Pid, ForkError> {
    check_single_threaded()?;
    let parent = getpid();
    // Otherwise both processes would write the buffered output.
    let _ = io::stdout().flush();
    // SAFETY: this thread is the only one of the process, as has just been counted, and only it could have started another
    // since. So the child is a complete copy in which no lock is held by another thread, and it may do what the parent may.
    match unsafe { libc::fork() } {
        -1 => Err(ForkError::System(io::Error::last_os_error())),
        0 => {
            let ended = panic::catch_unwind(AssertUnwindSafe(|| {
                if let Some(listener) = listener {
                    replace_by_null(listener);
                }
                if ends_with_parent && !end_with(parent) {
                    return 1;
                }
                work()
            }));
            let _ = panic::catch_unwind(|| io::stdout().flush());
            // SAFETY: _exit(2) can be called at any time, and does not return.
            unsafe { libc::_exit(ended.unwrap_or(1)) }
        }
        child => Ok(Pid::from_raw(child).expect("fork returns a positive number to the parent")),
    }
}

/// Has this child get SIGTERM when its parent ends in any way. `false` if the parent has ended already.
#[cfg(any(target_os = "linux", target_os = "android", target_os = "freebsd"))]
fn end_with(parent: Pid) -> bool {
    use rustix::process::{Signal, getppid, set_parent_process_death_signal};
    if let Err(error) = set_parent_process_death_signal(Some(Signal::TERM)) {
        tracing::debug!(%error, "cannot have a child end with its parent");
    }
    // If the parent ended before the call, no signal comes: the child has another parent by now. A parent in another
    // namespace has no number here.
    getppid().is_none_or(|now| now == parent)
}

/// This system has no such signal.
#[cfg(not(any(target_os = "linux", target_os = "android", target_os = "freebsd")))]
fn end_with(_: Pid) -> bool {
    true
}

/// Replaces a socket by /dev/null: a listening socket stays open for as long as any process has it, and the port would be
/// in use until the last child has ended.
fn replace_by_null(socket: &Socket) {
    let Ok(null) = std::fs::File::open("/dev/null") else { return };
    use std::os::fd::AsRawFd;
    // SAFETY: both descriptors are open and borrowed from their owners; the number stays owned by the socket,
    // whose operations on /dev/null merely fail.
    unsafe { libc::dup2(null.as_raw_fd(), socket.fileno()) };
}

#[cfg(any(target_os = "linux", target_os = "android"))]
fn count_threads() -> io::Result<usize> {
    Ok(std::fs::read_dir("/proc/self/task")?.count())
}

#[cfg(target_vendor = "apple")]
fn count_threads() -> io::Result<usize> {
    use std::mem::{self, MaybeUninit};
    let mut info = MaybeUninit::<libc::proc_taskinfo>::zeroed();
    let size = mem::size_of::<libc::proc_taskinfo>() as libc::c_int; // some hundred bytes
    // SAFETY: the buffer is as long as the given size, and nothing else is written to.
    let written = unsafe {
        libc::proc_pidinfo(
            libc::getpid(),
            libc::PROC_PIDTASKINFO,
            0,
            info.as_mut_ptr().cast(),
            size,
        )
    };
    if written < size {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: all of it was written; and the initial zeros are a valid value of these integers, too.
    let info = unsafe { info.assume_init() };
    usize::try_from(info.pti_threadnum).map_err(io::Error::other)
}

#[cfg(target_os = "freebsd")]
fn count_threads() -> io::Result<usize> {
    use std::mem::{self, MaybeUninit};
    let mut name = [libc::CTL_KERN, libc::KERN_PROC, libc::KERN_PROC_PID, 0];
    name[3] = i32::try_from(std::process::id()).map_err(io::Error::other)?;
    let mut info = MaybeUninit::<libc::kinfo_proc>::zeroed();
    let mut len = mem::size_of::<libc::kinfo_proc>();
    // SAFETY: the name has four parts, the buffer has `len` bytes, and no value is set.
    let result = unsafe {
        let into = info.as_mut_ptr().cast();
        libc::sysctl(name.as_ptr(), 4, into, &raw mut len, std::ptr::null(), 0)
    };
    if result != 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the kernel has filled it in; and the initial zeros are a valid value, too: integers and null pointers.
    let info = unsafe { info.assume_init() };
    usize::try_from(info.ki_numthreads).map_err(io::Error::other)
}

#[cfg(not(any(
    target_os = "linux",
    target_os = "android",
    target_vendor = "apple",
    target_os = "freebsd"
)))]
fn count_threads() -> io::Result<usize> {
    Err(io::ErrorKind::Unsupported.into())
}
