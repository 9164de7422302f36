//! fork(2), and the count of threads that it depends on. `unsafe` because a child of a process with threads may do nothing that
//! takes a lock, which no signature can say: so no process with other threads is forked here.

use std::{
    io::{self, Write},
    panic::{self, AssertUnwindSafe},
    thread,
};

use rustix::process::{Pid, getpid};

use crate::{ForkError, Socket};

/// How often other threads are looked for before they count: one that was joined is in the list for a moment more.
const LOOKS: usize = 100;

/// That this thread is the only one.
pub(super) fn check_single_threaded() -> Result<(), ForkError> {
    let mut threads = 0;
    for _ in 0..LOOKS {
        threads = count_threads().map_err(ForkError::Uncounted)?;
        if threads == 1 {
            return Ok(());
        }
        thread::yield_now();
    }
    Err(ForkError::OtherThreads { threads })
}

/// Has a child do `work`, which says what its exit code is. The child never returns from here, and ends without running any
/// destructor but those of `work`. It does not hold `listener`, and ends with this process if `ends_with_parent`.
pub(super) fn fork(
    listener: Option<&Socket>,
    ends_with_parent: bool,
    work: impl FnOnce() -> i32,
) -> Result<Pid, ForkError> {
    check_single_threaded()?;
    let parent = getpid();
    // Or both processes would write what is in there.
    let _ = io::stdout().flush();
    // SAFETY: this thread is the only one of the process, as has just been counted, and only it could have started another
    // since. So the child is a whole copy: nobody is in the middle of anything there, and it may do what the parent may.
    match unsafe { libc::fork() } {
        -1 => Err(ForkError::System(io::Error::last_os_error())),
        0 => {
            let ended = panic::catch_unwind(AssertUnwindSafe(|| {
                if let Some(listener) = listener {
                    let_go(listener);
                }
                if ends_with_parent && !end_with(parent) {
                    return 1;
                }
                work()
            }));
            let _ = panic::catch_unwind(|| io::stdout().flush());
            // SAFETY: _exit(2) can be called at any time, and does not come back.
            unsafe { libc::_exit(ended.unwrap_or(1)) }
        }
        child => Ok(Pid::from_raw(child).expect("fork returns a positive number to the parent")),
    }
}

/// Has this child get SIGTERM when its parent ends, however that comes about. `false` if it has ended already.
#[cfg(any(target_os = "linux", target_os = "android", target_os = "freebsd"))]
fn end_with(parent: Pid) -> bool {
    use rustix::process::{Signal, getppid, set_parent_process_death_signal};
    if let Err(error) = set_parent_process_death_signal(Some(Signal::TERM)) {
        tracing::debug!(%error, "a child will not end with its parent");
    }
    // Who ended before that was said is not told of any more: another process is the parent by now. One of another namespace
    // has no number here.
    getppid().is_none_or(|now| now == parent)
}

/// The system has no way to say so.
#[cfg(not(any(target_os = "linux", target_os = "android", target_os = "freebsd")))]
fn end_with(_: Pid) -> bool {
    true
}

/// Puts /dev/null in place of a socket: a listening one stays open for as long as any process has it, and the port would be
/// taken until the last child has ended.
fn let_go(socket: &Socket) {
    let Ok(null) = std::fs::File::open("/dev/null") else { return };
    use std::os::fd::AsRawFd;
    // SAFETY: both descriptors are open and borrowed from their owners; the number stays the socket's, which goes on owning it,
    // and what it now names is only ever used in ways that fail.
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
    // SAFETY: the buffer is as long as is said, and is all that is written to.
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
    // SAFETY: all of it was written; and zeros, which were there before, are a valid value of these integers too.
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
    // SAFETY: the name has as many parts as is said, the buffer as many bytes as `len` says, and nothing is set.
    let told = unsafe {
        let into = info.as_mut_ptr().cast();
        libc::sysctl(name.as_ptr(), 4, into, &raw mut len, std::ptr::null(), 0)
    };
    if told != 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the kernel has filled it in; and zeros, which were there before, are a valid value: integers and null pointers.
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
