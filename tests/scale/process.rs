//! Process statistics for tests, and the lock that serialises the tests of this binary.

use std::{
    fs,
    sync::{Mutex, MutexGuard, PoisonError},
};

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

static ALONE: Mutex<()> = Mutex::new(());

/// Held by a test while it measures process-wide values.
pub(crate) fn alone() -> MutexGuard<'static, ()> {
    ALONE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Raises the descriptor limit as far as permitted, and returns it.
pub(crate) fn descriptors_max() -> usize {
    let limit = getrlimit(Resource::Nofile);
    let raised = Rlimit { current: limit.maximum, ..limit };
    setrlimit(Resource::Nofile, raised).expect("up to the hard limit is allowed");
    limit.maximum.map_or(usize::MAX, |max| usize::try_from(max).unwrap_or(usize::MAX))
}

/// Number of open descriptors.
pub(crate) fn descriptors() -> usize {
    // The descriptor used for reading is not counted.
    fs::read_dir("/proc/self/fd").expect("proc(5) is mounted").count() - 1
}

/// Resident memory in bytes, as reported by the kernel.
pub(crate) fn resident() -> usize {
    let status = fs::read_to_string("/proc/self/status").expect("proc(5) is mounted");
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kibibytes = line.and_then(|line| line.trim().strip_suffix(" kB")?.parse::<usize>().ok());
    kibibytes.expect("VmRSS is in kibibytes") * 1024
}
