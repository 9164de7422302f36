//! Tests of the reactor, one file per topic. Tests of fork(2) and of signals are binaries of their own, since both concern the
//! whole process.

mod kit;

mod reactor {
    mod deferreds;
    #[cfg(unix)]
    mod drops;
    #[cfg(unix)]
    mod faults;
    #[cfg(unix)]
    mod handlers;
    mod lifecycle;
    mod pool;
    #[cfg(unix)]
    mod reentrancy;
    mod remote;
    mod runs;
    mod task_groups;
    mod tasks;
    mod timers;
    #[cfg(unix)]
    mod turns;
    #[cfg(target_os = "linux")]
    mod waits;
    mod wakes;
}
