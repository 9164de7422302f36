//! Fault injection on a real socket: [`Faulty`]. The kernel knows nothing of the faults, so readiness that is hidden here must be
//! reported again from here: an edge-triggered engine will not.

use std::{
    cell::{Cell, RefCell},
    io::{self, ErrorKind, IoSlice},
    time::Duration,
};

use fastrand::Rng;
use sinew_reactor::{DelayedCall, Reactor, Ready, Token, WeakReactor};

use super::{socket::Socket, wrapper::Wrapper};
use crate::{Faults, faults::Rates};

/// Most bytes of a short read, and of most short writes.
const SHORT_MAX: usize = 4;

/// A socket with injected faults.
pub(super) struct Faulty {
    inner: Socket,
    reactor: WeakReactor,
    token: Token,
    rates: Rates,
    random: RefCell<Rng>,
    input: Direction,
    output: Direction,
    /// Readiness that was hidden from the stream.
    hidden: Cell<Ready>,
    /// While its timer runs, writes are delayed. Then the stream is rescheduled.
    delay: RefCell<Option<DelayedCall>>,
    broken: Cell<bool>,
}

/// Faults not to be repeated in one direction until a call has succeeded.
#[derive(Default)]
struct Direction {
    interrupted: Cell<bool>,
    blocked: Cell<bool>,
}

impl Direction {
    fn call_succeeded(&self) {
        self.interrupted.set(false);
        self.blocked.set(false);
    }
}

impl Faulty {
    pub(super) fn new(inner: Socket, reactor: &Reactor, token: Token, faults: &Faults) -> Self {
        Self {
            inner,
            reactor: reactor.downgrade(),
            token,
            rates: faults.rates(),
            random: RefCell::new(faults.next_random()),
            input: Direction::default(),
            output: Direction::default(),
            hidden: Cell::default(),
            delay: RefCell::default(),
            broken: Cell::new(false),
        }
    }

    fn happens(&self, rate: f64) -> bool {
        rate > 0.0 && self.random.borrow_mut().f64() < rate
    }

    /// The error to return in place of the call, if a fault is due.
    fn inject(&self, direction: &Direction, reset: ErrorKind) -> Result<(), ErrorKind> {
        if self.broken.get() || self.happens(self.rates.resets) {
            if !self.broken.replace(true) {
                self.inner.reset();
            }
            return Err(reset);
        }
        if !direction.interrupted.get() && self.happens(self.rates.interrupted) {
            direction.interrupted.set(true);
            return Err(ErrorKind::Interrupted);
        }
        if !direction.blocked.get() && self.happens(self.rates.would_block) {
            direction.blocked.set(true);
            return Err(ErrorKind::WouldBlock);
        }
        Ok(())
    }

    /// Hides readiness: the stream expects an event that the kernel will not send, so it is rescheduled.
    fn hide_readiness(&self, ready: Ready) {
        self.hidden.set(self.hidden.get() | ready);
        if let Some(reactor) = self.reactor.upgrade() {
            reactor.reschedule(self.token);
        }
    }

    /// Delays all writes for a random time.
    fn delay_writes(&self) {
        let Some(reactor) = self.reactor.upgrade() else { return };
        let max = u64::try_from(self.rates.delay_max.as_nanos()).unwrap_or(u64::MAX);
        let delay = Duration::from_nanos(self.random.borrow_mut().u64(0..=max));
        let token = self.token;
        let call = reactor.call_later(delay, move |reactor| reactor.reschedule(token));
        self.delay.replace(Some(call));
    }

    /// How many of `len` bytes to write.
    fn cut(&self, len: usize) -> usize {
        if len < 2 || !self.happens(self.rates.short_writes) {
            return len;
        }
        let mut random = self.random.borrow_mut();
        let max = if random.bool() { len - 1 } else { SHORT_MAX.min(len - 1) };
        random.usize(1..=max)
    }
}

impl Wrapper for Faulty {
    fn inner(&self) -> &Socket {
        &self.inner
    }

    fn read(&self, buffer: &mut [u8]) -> io::Result<usize> {
        if let Err(kind) = self.inject(&self.input, ErrorKind::ConnectionReset) {
            if kind == ErrorKind::WouldBlock {
                // `read_blocked` clears the stream's note that the peer has closed, so report that again: it then reads to the
                // end.
                self.hide_readiness(Ready::READ | Ready::READ_CLOSED);
            }
            return Err(kind.into());
        }
        self.input.call_succeeded();
        let is_short = buffer.len() > SHORT_MAX && self.happens(self.rates.short_reads);
        if !is_short {
            return self.inner.read(buffer);
        }
        let few = self.random.borrow_mut().usize(1..=SHORT_MAX);
        self.inner.read(&mut buffer[..few])
    }

    fn peek(&self) -> io::Result<usize> {
        match self.broken.get() {
            true => Err(ErrorKind::ConnectionReset.into()),
            false => self.inner.peek(),
        }
    }

    fn short_read_drains(&self, is_edge_triggered: bool) -> bool {
        self.rates.short_reads == 0.0 && self.inner.short_read_drains(is_edge_triggered)
    }

    fn write_vectored(&self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        if self.is_held() {
            return Err(ErrorKind::WouldBlock.into());
        }
        if let Err(kind) = self.inject(&self.output, ErrorKind::BrokenPipe) {
            if kind == ErrorKind::WouldBlock {
                self.hide_readiness(Ready::WRITE);
            }
            return Err(kind.into());
        }
        if !self.output.blocked.get() && self.happens(self.rates.delayed_writes) {
            self.output.blocked.set(true);
            self.delay_writes();
            return Err(ErrorKind::WouldBlock.into());
        }
        self.output.call_succeeded();
        let offered = slices.iter().map(|slice| slice.len()).sum();
        let taken = self.cut(offered);
        if taken == offered {
            return self.inner.write_vectored(slices);
        }
        let n = self.inner.write_vectored(&prefix(slices, taken))?;
        if n == taken {
            self.hide_readiness(Ready::WRITE);
        }
        Ok(n)
    }

    fn check(&self) -> io::Result<()> {
        match self.broken.get() {
            true => Err(ErrorKind::ConnectionReset.into()),
            false => self.inner.check(),
        }
    }

    fn readiness(&self) -> Ready {
        let mut ready = self.inner.readiness() | self.hidden.replace(Ready::NONE);
        if self.delay.borrow().is_some() && !self.is_held() {
            self.delay.take();
            ready = ready | Ready::WRITE;
        }
        ready
    }

    fn is_held(&self) -> bool {
        self.delay.borrow().as_ref().is_some_and(DelayedCall::is_active)
    }
}

impl Drop for Faulty {
    fn drop(&mut self) {
        if let Some(call) = self.delay.take() {
            call.cancel();
        }
    }
}

/// The first `len` bytes of what the slices hold.
fn prefix<'a>(slices: &'a [IoSlice<'_>], mut len: usize) -> Vec<IoSlice<'a>> {
    let mut prefix = Vec::new();
    for slice in slices {
        let part = &slice[..slice.len().min(len)];
        len -= part.len();
        prefix.push(IoSlice::new(part));
        if len == 0 {
            break;
        }
    }
    prefix
}

#[cfg(test)]
mod tests;
