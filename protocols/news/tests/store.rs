//! Stores: the same on disk and in memory, and what a crash leaves.

#[path = "../../../tests/support/watchdog.rs"]
mod watchdog;

#[allow(dead_code, reason = "each test binary uses a part of this")]
#[path = "support/mod.rs"]
mod support;

mod store {
    mod alike;
    mod crashes;
    mod folder;
    mod killed;
}
