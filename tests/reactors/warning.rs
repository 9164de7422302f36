//! What is logged when several reactors start.

use std::thread::available_parallelism;

use tracing::{Level, dispatcher};

use super::kit::quiet;
use crate::log::Log;

/// What is logged on this thread when so many start.
fn logged(reactors: usize) -> String {
    let log = Log::default();
    dispatcher::with_default(&log.subscriber(Level::WARN), || {
        drop(quiet(reactors).start().expect("they start"));
    });
    log.lines().join("\n")
}

#[test]
fn more_reactors_than_processors_are_warned_of() {
    let processors = available_parallelism().expect("it is known").get();
    assert_eq!(logged(processors), "");
    let warning = logged(processors + 1);
    assert!(
        warning.contains("WARN") && warning.contains("more reactors than processors"),
        "{warning}"
    );
    let numbers = format!("reactors={} processors={processors}", processors + 1);
    assert!(warning.contains(&numbers), "{warning}");
}
