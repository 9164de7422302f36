//! Bytes from one socket of the kernel's into another through a pipe, in no buffer of ours: `splice(2)`. PipePool are taken from a pool
//! when there is something to move, and given back when all of it is out.

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

/// What a pipe is to hold. A user who is no root may have up to 1 MiB in each (`pipe(7)`).
const PIPE_SIZE: usize = 512 * 1024;

/// What a pipe holds that may not be made larger.
const PIPE_SIZE_MIN: usize = 64 * 1024;

/// As long as so much comes at once, it is moved. Copying less is cheaper than three calls.
const ENOUGH: usize = 16 * 1024;

/// PipePool kept for the next who has something to move.
const POOLED_MAX: usize = 8;

/// The pipes that nobody uses, one pool a reactor.
#[derive(Default)]
struct PipePool {
    spare: RefCell<Vec<Pipe>>,
}

struct Pipe {
    read: OwnedFd,
    write: OwnedFd,
    size: usize,
    /// So much is in it.
    held: usize,
}

impl PipePool {
    /// An empty pipe, or none if there are no descriptors left.
    fn take(&self) -> Option<Pipe> {
        self.spare.borrow_mut().pop().or_else(|| Pipe::open().ok())
    }

    fn give_back(&self, pipe: Pipe) {
        debug_assert!(pipe.held == 0, "bytes of one connection must not reach another");
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
        Ok(Self { read, write, size, held: 0 })
    }

    /// Everything that is in it.
    fn spill(&mut self) -> io::Result<Vec<u8>> {
        let mut bytes = vec![0; self.held];
        let mut filled = 0;
        while filled < bytes.len() {
            match rustix::io::read(&self.read, &mut bytes[filled..]) {
                Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
                Ok(n) => filled += n,
                Err(Errno::INTR) => {}
                Err(error) => return Err(error.into()),
            }
        }
        self.held = 0;
        Ok(bytes)
    }
}

/// How one direction of a relay moves what comes in bulk.
pub(super) struct SplicePipe {
    pipes: Rc<PipePool>,
    /// Much has come at once; more may be behind it.
    is_on: Cell<bool>,
    /// The kernel does not move what comes from this socket.
    is_refused: Cell<bool>,
    /// There while something is in it.
    pipe: Cell<Option<Pipe>>,
}

impl SplicePipe {
    pub(super) fn new(reactor: &Reactor) -> Self {
        Self {
            pipes: reactor.local(),
            is_on: Cell::new(false),
            is_refused: Cell::new(false),
            pipe: Cell::new(None),
        }
    }

    /// Much has come at once.
    pub(super) fn begin(&self) {
        self.is_on.set(!self.is_refused.get());
    }

    /// Whether nothing is on the way.
    pub(super) fn is_empty(&self) -> bool {
        let pipe = self.pipe.take();
        let is_empty = pipe.is_none();
        self.pipe.set(pipe);
        is_empty
    }

    /// Moves what has come in at one socket, on its way to another; so many bytes. `None` if it is to be read: also where nothing
    /// could be moved, for whether nothing has come, or no more ever will, only a read tells. At urgent data splice(2) says either.
    pub(super) fn fill(
        &self,
        from: &dyn StreamSocket,
        to: &dyn StreamSocket,
    ) -> Option<io::Result<usize>> {
        if !self.is_on.get() {
            return None;
        }
        to.kernels()?;
        let from = from.kernels()?;
        let mut pipe = self.pipes.take()?;
        let flags = SpliceFlags::NONBLOCK | SpliceFlags::MOVE;
        match moved(from, &pipe.write, pipe.size, flags) {
            Ok(len) if len > 0 => {
                self.is_on.set(len >= ENOUGH);
                pipe.held = len;
                self.pipe.set(Some(pipe));
                Some(Ok(len))
            }
            Ok(_) | Err(Errno::AGAIN) => {
                self.pipes.give_back(pipe);
                None
            }
            Err(Errno::INVAL | Errno::NOSYS | Errno::OPNOTSUPP) => {
                self.pipes.give_back(pipe);
                self.is_refused.set(true);
                self.is_on.set(false);
                None
            }
            Err(error) => {
                self.pipes.give_back(pipe);
                Some(Err(error.into()))
            }
        }
    }

    /// Has the other socket take what is on the way; `false` if something is left.
    pub(super) fn drain(&self, reactor: &Reactor, to: &Transport) -> bool {
        let Some(mut pipe) = self.pipe.take() else { return true };
        let flags = SpliceFlags::NONBLOCK | SpliceFlags::MOVE;
        while pipe.held > 0 {
            let put = to.put(reactor, |socket| {
                let socket = socket.kernels().ok_or(io::ErrorKind::Unsupported)?;
                match moved(&pipe.read, socket, pipe.held, flags)? {
                    0 => Err(io::ErrorKind::WriteZero.into()),
                    len => Ok(len),
                }
            });
            match put {
                DirectWrite::Sent(len) => {
                    reactor.meter().bytes_moved.add(len as u64);
                    pipe.held -= len;
                }
                DirectWrite::Full => {
                    self.pipe.set(Some(pipe));
                    return false;
                }
                // Something was put around the socket meanwhile.
                DirectWrite::Refused => match pipe.spill() {
                    Ok(bytes) => to.inner().queue_quietly(&bytes),
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

    /// Nobody takes what is on the way any more.
    pub(super) fn let_go(&self) {
        self.pipe.take();
    }
}

fn moved(from: impl AsFd, to: impl AsFd, len: usize, flags: SpliceFlags) -> Result<usize, Errno> {
    loop {
        match splice(&from, None, &to, None, len, flags) {
            Err(Errno::INTR) => {}
            moved => return moved,
        }
    }
}

#[cfg(test)]
mod tests;
