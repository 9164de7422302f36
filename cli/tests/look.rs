//! `sinew status` and `sinew top` as real processes, looking into a program that runs in this one. `top` is driven in tmux and
//! read back; skipped, aloud, where tmux is missing. Nothing sleeps: a screen is read again until it shows what is awaited.

#[path = "../../tests/support/watchdog.rs"]
mod watchdog;

mod look {
    mod program;
    mod status;
    mod tmux;
    mod top;
}
