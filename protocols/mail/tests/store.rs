//! Mail stores: the same scenarios in memory and on the disk, on a virtual clock.

#[path = "../../../tests/support/watchdog.rs"]
mod watchdog;

mod store {
    mod contents;
    mod hierarchy;
    mod limits;
    mod sessions;
    mod stores;
}
