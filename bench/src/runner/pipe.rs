//! Lines from a child's standard output, each with a timeout.

use std::io::{ErrorKind, Read};
use std::process::ChildStdout;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;

/// Longest line accepted.
const LINE_LEN_MAX: usize = 16 * 1024;

#[derive(Debug)]
pub(crate) struct Lines {
    pipe: ChildStdout,
    pending: Vec<u8>,
}

impl Lines {
    pub(crate) fn new(pipe: ChildStdout) -> Self {
        Self { pipe, pending: Vec::new() }
    }

    /// The next line, without its end.
    pub(crate) fn next(&mut self, within: Duration) -> Result<String> {
        let deadline = Instant::now() + within;
        loop {
            if let Some(end) = self.pending.iter().position(|&byte| byte == b'\n') {
                let line = self.pending.drain(..=end).collect::<Vec<_>>();
                return Ok(String::from_utf8_lossy(&line[..end]).into_owned());
            }
            ensure!(
                self.pending.len() < LINE_LEN_MAX,
                "a line is longer than {LINE_LEN_MAX} bytes"
            );
            let left = deadline.saturating_duration_since(Instant::now());
            ensure!(!left.is_zero(), "no line within {within:?}");
            self.fill(left)?;
        }
    }

    /// Waits for some bytes and reads them.
    fn fill(&mut self, within: Duration) -> Result<()> {
        let timeout = Timespec::try_from(within).context("the timeout is too long")?;
        match poll(&mut [PollFd::new(&self.pipe, PollFlags::IN)], Some(&timeout)) {
            Ok(0) | Err(Errno::INTR) => return Ok(()),
            result => result?,
        };
        let mut chunk = [0; 1024];
        match self.pipe.read(&mut chunk) {
            Ok(0) => bail!("the process ended"),
            Ok(len) => self.pending.extend_from_slice(&chunk[..len]),
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(error.into()),
        }
        Ok(())
    }
}
