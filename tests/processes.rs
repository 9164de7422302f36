//! Child processes, on every engine: what their protocols are told, in which order, and what is left of them. What has to do with
//! all children of a process at once is in `tests/children.rs`.

#![cfg(unix)]

#[path = "support/watchdog.rs"]
mod watchdog;

mod processes {
    pub(crate) mod kit;

    mod ending;
    mod endpoints;
    mod failing;
    mod talking;
    mod terminals;
}
