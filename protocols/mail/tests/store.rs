//! Mail stores: the same scenarios in memory and on the disk, on a virtual clock.

#![cfg(unix)]

#[path = "../../../tests/support/watchdog.rs"]
mod watchdog;

mod store {
    mod contents;
    mod folder;
    mod hierarchy;
    mod limits;
    mod sessions;
    mod stores;
}
