//! Captured log lines: [`Log`].

use std::{
    io, mem,
    sync::{Arc, Mutex, MutexGuard},
};

use tracing::{Dispatch, Level};

/// The lines that a subscriber has written.
#[derive(Clone, Default)]
pub(crate) struct Log(Arc<Mutex<Vec<u8>>>);

impl Log {
    /// A subscriber for lines of this level and above.
    pub(crate) fn subscriber(&self, level: Level) -> Dispatch {
        let log = self.clone();
        tracing_subscriber::fmt()
            .with_max_level(level)
            .with_writer(move || log.clone())
            .with_ansi(false)
            .finish()
            .into()
    }

    /// All lines since the last [`take`](Self::take).
    pub(crate) fn lines(&self) -> Vec<String> {
        String::from_utf8_lossy(&self.bytes()).lines().map(str::to_owned).collect()
    }

    /// The same, and removes them.
    pub(crate) fn take(&self) -> Vec<String> {
        let lines = self.lines();
        mem::take(&mut *self.bytes());
        lines
    }

    fn bytes(&self) -> MutexGuard<'_, Vec<u8>> {
        self.0.lock().expect("nobody panics with it")
    }
}

impl io::Write for Log {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        self.bytes().write(line)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
