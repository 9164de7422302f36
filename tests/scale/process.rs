//! What a test wants to know of its own process, and the lock that keeps the tests of this binary apart.

use std::{
    fs,
    sync::{Mutex, MutexGuard, PoisonError},
};

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

static ALONE: Mutex<()> = Mutex::new(());

/// Held by a test for as long as it counts what is the whole process's.
pub(crate) fn alone() -> MutexGuard<'static, ()> {
    ALONE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Raises the limit of descriptors as far as this process may, and says how many it may have.
pub(crate) fn descriptors_max() -> usize {
    let limit = getrlimit(Resource::Nofile);
    let raised = Rlimit { current: limit.maximum, ..limit };
    setrlimit(Resource::Nofile, raised).expect("up to the hard limit is allowed");
    limit.maximum.map_or(usize::MAX, |max| usize::try_from(max).unwrap_or(usize::MAX))
}

/// Descriptors that are open.
pub(crate) fn descriptors() -> usize {
    // The one with which this is read is not counted.
    fs::read_dir("/proc/self/fd").expect("proc(5) is mounted").count() - 1
}

/// Bytes of memory in use, as the kernel sees it.
pub(crate) fn resident() -> usize {
    let status = fs::read_to_string("/proc/self/status").expect("proc(5) is mounted");
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kibibytes = line.and_then(|line| line.trim().strip_suffix(" kB")?.parse::<usize>().ok());
    kibibytes.expect("VmRSS is in kibibytes") * 1024
}
