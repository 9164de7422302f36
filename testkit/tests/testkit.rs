//! Tests of the test kit: the simulated network, recordings, and their replays.

#[path = "../../tests/support/watchdog.rs"]
mod watchdog;

mod echo;

mod testkit {
    mod recordings;
    mod replays;
    mod simulation;
    mod task_tests;
}
