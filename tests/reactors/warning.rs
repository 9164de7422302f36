//! What is logged when several reactors start.

use std::{
    io,
    sync::{Arc, Mutex},
    thread::available_parallelism,
};

use super::kit::quiet;

/// Captures log lines.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl io::Write for Log {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        self.0.lock().expect("nobody panics with it").write(line)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// What is logged on this thread when so many start.
fn logged(reactors: usize) -> String {
    let log = Log::default();
    let writer = log.clone();
    let subscriber =
        tracing_subscriber::fmt().with_ansi(false).with_writer(move || writer.clone()).finish();
    tracing::subscriber::with_default(subscriber, || {
        drop(quiet(reactors).start().expect("they start"));
    });
    let bytes = log.0.lock().expect("nobody panics with it").clone();
    String::from_utf8(bytes).expect("text")
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
