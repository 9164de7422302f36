//! Makes accept(2) fail on this thread with seccomp(2), as a security module would. For tests only.

#![allow(
    unsafe_code,
    reason = "prctl(2) takes a pointer to the filter; the argument stands beside it"
)]

use std::io;

/// Instructions of a BPF filter (linux/filter.h): load a word, return, skip unless equal.
const LOAD: u16 = (libc::BPF_LD | libc::BPF_W | libc::BPF_ABS) as u16;
const RETURN: u16 = (libc::BPF_RET | libc::BPF_K) as u16;
const SKIP_UNLESS: u16 = (libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K) as u16;

/// From now on, for the rest of this thread's life, accept(2) and accept4(2) fail with this error. io_uring makes no
/// such system calls and is not affected.
pub(crate) fn forbid_accepting(errno: i32) -> io::Result<()> {
    let step = |code, jf, k| libc::sock_filter { code, jt: 0, jf, k };
    let denied = libc::SECCOMP_RET_ERRNO | u32::try_from(errno).expect("an errno is positive");
    let number = |number| u32::try_from(number).expect("a system call has a number");
    let mut steps = [
        // The first word is the system call number.
        step(LOAD, 0, 0),
        step(SKIP_UNLESS, 1, number(libc::SYS_accept)),
        step(RETURN, 0, denied),
        step(SKIP_UNLESS, 1, number(libc::SYS_accept4)),
        step(RETURN, 0, denied),
        step(RETURN, 0, libc::SECCOMP_RET_ALLOW),
    ];
    let filter = libc::sock_fprog { len: steps.len() as u16, filter: steps.as_mut_ptr() };
    // SAFETY: both calls concern this thread only. The filter points to `steps`, which has as many as it says, and the system copies
    // them before the call returns.
    let results = unsafe {
        [
            libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0),
            libc::prctl(libc::PR_SET_SECCOMP, libc::SECCOMP_MODE_FILTER, &raw const filter),
        ]
    };
    if results == [0, 0] { Ok(()) } else { Err(io::Error::last_os_error()) }
}
