//! Zero-copy transfer between two kernel sockets through a pipe: `splice(2)`. Pipes come from a pool while there is data to move
//! and return to it when they are empty.

use std::{
    cell::{Cell, RefCell},
    io,
    os::fd::{AsFd, OwnedFd},
    rc::Rc,
};

use rustix::{
    io::Errno,
    pipe::{PipeFlags, SpliceFlags, fcntl_setpipe_size, pipe_with, splice},
};
use sinew_reactor::Reactor;

use super::{direct::DirectWrite, socket::StreamSocket};
use crate::Transport;

/// Requested capacity of a pipe. An unprivileged user may have up to 1 MiB in each (`pipe(7)`).
const PIPE_SIZE: usize = 512 * 1024;

/// Capacity of a pipe that may not be enlarged.
const PIPE_SIZE_MIN: usize = 64 * 1024;

/// Splicing stays on while a call moves at least this many bytes. Copying less is cheaper than three system calls.
const SPLICE_MIN: usize = 16 * 1024;

/// Pipes kept in the pool.
const POOLED_MAX: usize = 8;

/// Unused pipes, one pool for each reactor.
#[derive(Default)]
struct PipePool {
    spare: RefCell<Vec<Pipe>>,
}

struct Pipe {
    read: OwnedFd,
    write: OwnedFd,
    size: usize,
    /// Bytes in the pipe.
    len: usize,
}

impl PipePool {
    /// An empty pipe, or `None` if no file descriptors are left.
    fn take(&self) -> Option<Pipe> {
        self.spare.borrow_mut().pop().or_else(|| Pipe::open().ok())
    }

    fn give_back(&self, pipe: Pipe) {
        debug_assert!(pipe.len == 0, "bytes of one connection must not reach another");
        let mut spare = self.spare.borrow_mut();
        if spare.len() < POOLED_MAX {
            spare.push(pipe);
        }
    }
}

impl Pipe {
    fn open() -> io::Result<Self> {
        let (read, write) = pipe_with(PipeFlags::CLOEXEC | PipeFlags::NONBLOCK)?;
        let size = fcntl_setpipe_size(&write, PIPE_SIZE).unwrap_or(PIPE_SIZE_MIN);
        Ok(Self { read, write, size, len: 0 })
    }

    /// Reads everything that is in the pipe.
    fn read_all(&mut self) -> io::Result<Vec<u8>> {
        let mut bytes = vec![0; self.len];
        let mut filled = 0;
        while filled < bytes.len() {
            match rustix::io::read(&self.read, &mut bytes[filled..]) {
                Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
                Ok(n) => filled += n,
                Err(Errno::INTR) => {}
                Err(error) => return Err(error.into()),
            }
        }
        self.len = 0;
        Ok(bytes)
    }
}

/// Splicing of bulk data in one direction of a relay.
pub(super) struct SplicePipe {
    pipes: Rc<PipePool>,
    /// The last read filled the buffer, or the last splice moved much: there may be more.
    enabled: Cell<bool>,
    /// The kernel cannot splice from this socket.
    unsupported: Cell<bool>,
    /// Present while it contains data.
    pipe: Cell<Option<Pipe>>,
}

impl SplicePipe {
    pub(super) fn new(reactor: &Reactor) -> Self {
        Self {
            pipes: reactor.local(),
            enabled: Cell::new(false),
            unsupported: Cell::new(false),
            pipe: Cell::new(None),
        }
    }

    /// Starts splicing: a read has filled the buffer.
    pub(super) fn enable(&self) {
        self.enabled.set(!self.unsupported.get());
    }

    /// Whether no data is in the pipe.
    pub(super) fn is_empty(&self) -> bool {
        let pipe = self.pipe.take();
        let is_empty = pipe.is_none();
        self.pipe.set(pipe);
        is_empty
    }

    /// Moves received data from a socket into the pipe; returns the number of bytes. `None` means that the caller must read
    /// instead, also if nothing was moved: at urgent data splice(2) reports 0 or `EAGAIN`, so only a read can tell an empty
    /// socket from the end of the input.
    pub(super) fn fill(
        &self,
        from: &dyn StreamSocket,
        to: &dyn StreamSocket,
    ) -> Option<io::Result<usize>> {
        if !self.enabled.get() {
            return None;
        }
        to.kernel_fd()?;
        let from = from.kernel_fd()?;
        let mut pipe = self.pipes.take()?;
        let flags = SpliceFlags::NONBLOCK | SpliceFlags::MOVE;
        match splice_retry(from, &pipe.write, pipe.size, flags) {
            Ok(len) if len > 0 => {
                self.enabled.set(len >= SPLICE_MIN);
                pipe.len = len;
                self.pipe.set(Some(pipe));
                Some(Ok(len))
            }
            Ok(_) | Err(Errno::AGAIN) => {
                self.pipes.give_back(pipe);
                None
            }
            Err(Errno::INVAL | Errno::NOSYS | Errno::OPNOTSUPP) => {
                self.pipes.give_back(pipe);
                self.unsupported.set(true);
                self.enabled.set(false);
                None
            }
            Err(error) => {
                self.pipes.give_back(pipe);
                Some(Err(error.into()))
            }
        }
    }

    /// Moves data from the pipe into the other socket. Returns `false` if some is left.
    pub(super) fn drain(&self, reactor: &Reactor, to: &Transport) -> bool {
        let Some(mut pipe) = self.pipe.take() else { return true };
        let flags = SpliceFlags::NONBLOCK | SpliceFlags::MOVE;
        while pipe.len > 0 {
            let result = to.write_now(reactor, |socket| {
                let socket = socket.kernel_fd().ok_or(io::ErrorKind::Unsupported)?;
                match splice_retry(&pipe.read, socket, pipe.len, flags)? {
                    0 => Err(io::ErrorKind::WriteZero.into()),
                    len => Ok(len),
                }
            });
            match result {
                DirectWrite::Sent(len) => {
                    reactor.meter().bytes_moved.add(len as u64);
                    pipe.len -= len;
                }
                DirectWrite::Full => {
                    self.pipe.set(Some(pipe));
                    return false;
                }
                // The socket was wrapped meanwhile.
                DirectWrite::Refused => match pipe.read_all() {
                    Ok(bytes) => to.inner().queue_unbounded(&bytes),
                    Err(error) => {
                        to.output_failed(reactor, error);
                        return true;
                    }
                },
                DirectWrite::Failed(error) => {
                    to.output_failed(reactor, error);
                    return true;
                }
            }
        }
        self.pipes.give_back(pipe);
        true
    }

    /// Drops the data in the pipe: nothing is sent any more.
    pub(super) fn discard(&self) {
        self.pipe.take();
    }
}

fn splice_retry(
    from: impl AsFd,
    to: impl AsFd,
    len: usize,
    flags: SpliceFlags,
) -> Result<usize, Errno> {
    loop {
        match splice(&from, None, &to, None, len, flags) {
            Err(Errno::INTR) => {}
            result => return result,
        }
    }
}

#[cfg(test)]
mod tests;
