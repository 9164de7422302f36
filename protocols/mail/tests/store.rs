//! Mail stores: the same scenarios in memory and on the disk, on a virtual clock.

#![cfg(unix)]

#[path = "../../../tests/support/watchdog.rs"]
mod watchdog;

#[path = "interop/program.rs"]
#[allow(dead_code, reason = "each test binary uses a part of this")]
mod program;

mod store {
    mod contents;
    mod disk;
    mod folder;
    mod full_disk;
    mod hierarchy;
    mod limits;
    mod processes;
    mod programs;
    mod sessions;
    mod stores;
}
