//! The notifier of the level-triggered engines: a self-pipe that ends a wait. Carries no data and coalesces nothing.

use std::{
    io::{self, ErrorKind, PipeReader, PipeWriter, Read, Write},
    os::fd::{AsRawFd, RawFd},
    sync::Arc,
};

use rustix::io::ioctl_fionbio;

use super::Notify;

/// Both ends in one value, so that a notifier that outlives its engine fills the pipe instead of causing `SIGPIPE`.
pub(super) struct Pipe {
    reader: PipeReader,
    writer: PipeWriter,
}

impl Pipe {
    /// Both ends are non-blocking and closed on exec.
    pub(super) fn new() -> io::Result<Arc<Self>> {
        let (reader, writer) = io::pipe()?;
        ioctl_fionbio(&reader, true)?;
        ioctl_fionbio(&writer, true)?;
        Ok(Arc::new(Self { reader, writer }))
    }

    /// The read end, to be watched.
    pub(super) fn descriptor(&self) -> RawFd {
        self.reader.as_raw_fd()
    }

    /// Removes pending notifications. One read: if more are pending than it holds, the next wait returns at once, too.
    pub(super) fn drain(&self) {
        // An error shows again in the next wait.
        let _ = (&self.reader).read(&mut [0; 1024]);
    }
}

impl Notify for Pipe {
    fn notify(&self) -> io::Result<()> {
        loop {
            match (&self.writer).write(&[1]) {
                Ok(_) => return Ok(()),
                // Full: so many notifications are pending that the next wait returns at once.
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn notifying_through_a_full_pipe_succeeds() {
        let pipe = Pipe::new().unwrap();
        while (&pipe.writer).write(&[0; 4096]).is_ok() {}
        pipe.notify().unwrap();
    }

    #[test]
    fn draining_an_empty_pipe_does_not_block() {
        let pipe = Pipe::new().unwrap();
        pipe.drain();
        pipe.notify().unwrap();
        pipe.drain();
        let error = (&pipe.reader).read(&mut [0]).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::WouldBlock);
    }
}
