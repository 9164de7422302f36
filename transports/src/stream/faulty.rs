//! A socket on which things go wrong on purpose: [`Faulty`]. The kernel knows nothing of it, so whatever is withheld here is
//! owed here: an engine that is edge-triggered will not tell of it again.

use std::{
    cell::{Cell, RefCell},
    io::{self, ErrorKind, IoSlice},
    time::Duration,
};

use fastrand::Rng;
use sinew_reactor::{DelayedCall, Reactor, Ready, Token, WeakReactor};

use super::{socket::Socket, wrapper::Wrapper};
use crate::{Faults, faults::Rates};

/// The most that a short read brings, and that most short writes take.
const FEW: usize = 4;

/// See the head of this file.
pub(super) struct Faulty {
    inner: Socket,
    reactor: WeakReactor,
    token: Token,
    rates: Rates,
    random: RefCell<Rng>,
    input: Way,
    output: Way,
    /// What the stream was told that it cannot have now, and can.
    owed: Cell<Ready>,
    /// While it is active, nothing is written. Then the loop comes by.
    hold: RefCell<Option<DelayedCall>>,
    broken: Cell<bool>,
}

/// What a direction has been spared from until one of its calls has gone through.
#[derive(Default)]
struct Way {
    interrupted: Cell<bool>,
    withheld: Cell<bool>,
}

impl Way {
    fn went_through(&self) {
        self.interrupted.set(false);
        self.withheld.set(false);
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
            input: Way::default(),
            output: Way::default(),
            owed: Cell::default(),
            hold: RefCell::default(),
            broken: Cell::new(false),
        }
    }

    fn happens(&self, rate: f64) -> bool {
        rate > 0.0 && self.random.borrow_mut().f64() < rate
    }

    /// What the call fails with instead of being made, if so.
    fn strike(&self, way: &Way, reset: ErrorKind) -> Result<(), ErrorKind> {
        if self.broken.get() || self.happens(self.rates.resets) {
            if !self.broken.replace(true) {
                self.inner.reset();
            }
            return Err(reset);
        }
        if !way.interrupted.get() && self.happens(self.rates.interrupted) {
            way.interrupted.set(true);
            return Err(ErrorKind::Interrupted);
        }
        if !way.withheld.get() && self.happens(self.rates.would_block) {
            way.withheld.set(true);
            return Err(ErrorKind::WouldBlock);
        }
        Ok(())
    }

    /// The stream takes it that the kernel will tell of this again. It will not; the loop is to come by.
    fn owe(&self, ready: Ready) {
        self.owed.set(self.owed.get() | ready);
        if let Some(reactor) = self.reactor.upgrade() {
            reactor.reschedule(self.token);
        }
    }

    /// Takes nothing for a while.
    fn begin_hold(&self) {
        let Some(reactor) = self.reactor.upgrade() else { return };
        let max = u64::try_from(self.rates.delay_max.as_nanos()).unwrap_or(u64::MAX);
        let delay = Duration::from_nanos(self.random.borrow_mut().u64(0..=max));
        let token = self.token;
        let call = reactor.call_later(delay, move |reactor| reactor.reschedule(token));
        self.hold.replace(Some(call));
    }

    /// How much of `len` bytes is written.
    fn cut(&self, len: usize) -> usize {
        if len < 2 || !self.happens(self.rates.short_writes) {
            return len;
        }
        let mut random = self.random.borrow_mut();
        let max = if random.bool() { len - 1 } else { FEW.min(len - 1) };
        random.usize(1..=max)
    }
}

impl Wrapper for Faulty {
    fn inner(&self) -> &Socket {
        &self.inner
    }

    fn read(&self, buffer: &mut [u8]) -> io::Result<usize> {
        if let Err(kind) = self.strike(&self.input, ErrorKind::ConnectionReset) {
            if kind == ErrorKind::WouldBlock {
                // The stream forgets that the end was announced, too, if it was. Read on until it comes, then.
                self.owe(Ready::READ | Ready::READ_CLOSED);
            }
            return Err(kind.into());
        }
        self.input.went_through();
        let is_short = buffer.len() > FEW && self.happens(self.rates.short_reads);
        if !is_short {
            return self.inner.read(buffer);
        }
        let few = self.random.borrow_mut().usize(1..=FEW);
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
        if let Err(kind) = self.strike(&self.output, ErrorKind::BrokenPipe) {
            if kind == ErrorKind::WouldBlock {
                self.owe(Ready::WRITE);
            }
            return Err(kind.into());
        }
        if !self.output.withheld.get() && self.happens(self.rates.delayed_writes) {
            self.output.withheld.set(true);
            self.begin_hold();
            return Err(ErrorKind::WouldBlock.into());
        }
        self.output.went_through();
        let offered = slices.iter().map(|slice| slice.len()).sum();
        let taken = self.cut(offered);
        if taken == offered {
            return self.inner.write_vectored(slices);
        }
        let n = self.inner.write_vectored(&prefix(slices, taken))?;
        if n == taken {
            self.owe(Ready::WRITE);
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
        let mut ready = self.inner.readiness() | self.owed.replace(Ready::NONE);
        if self.hold.borrow().is_some() && !self.is_held() {
            self.hold.take();
            ready = ready | Ready::WRITE;
        }
        ready
    }

    fn is_held(&self) -> bool {
        self.hold.borrow().as_ref().is_some_and(DelayedCall::is_active)
    }
}

impl Drop for Faulty {
    fn drop(&mut self) {
        if let Some(call) = self.hold.take() {
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
