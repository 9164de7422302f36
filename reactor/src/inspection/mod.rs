//! What the loop counts for each handler when [`Builder::inspection`](crate::Builder::inspection) is on: [`Inspection`]. It
//! knows no sockets; the loop tells it which handler was called, and when.
//!
//! Nothing here is asked while it is off: the loop looks at one pointer where it has called a handler outside of the
//! dispatch of events, and once for all events of a turn. The counters stand in a table beside the slab, by slot, so that a
//! handler's slot stays as small as it is.
//!
//! Bytes are not counted where they are read: a handler has received what the reactor's counters grew by while it ran. What
//! is sent at once on behalf of another handler is reported by [`Reactor::count_sent`].

mod histogram;
mod long_callbacks;
mod report;

use std::{
    any::Any,
    cell::{Cell, RefCell},
    rc::Rc,
    time::Duration,
};

pub use histogram::Histogram;
pub(crate) use long_callbacks::{LONG_FROM, LongCallbacks};
pub use long_callbacks::{LongCallback, SlowCallback};
pub use report::{LoopReport, PoolReport};

use crate::{Handler, Meter, Reactor, clock::Clock, handler::Token};

/// What is counted for each handler and for each turn.
#[derive(Default)]
pub(crate) struct Inspection {
    /// By slot.
    entries: RefCell<Vec<Entry>>,
    /// The reactor's counters when a handler was last called.
    received: Cell<u64>,
    sent: Cell<u64>,
    /// How long the turns took, without their wait.
    turns: Histogram,
    /// How late timers were.
    lag: Histogram,
}

/// One cache line.
#[derive(Clone, Copy)]
struct Entry {
    /// The handler that the counters belong to; its slot may have had others before.
    token: Token,
    /// Times are in nanoseconds of the callback timer.
    registered: u64,
    last_called: u64,
    calls: u64,
    received: u64,
    sent: u64,
    last: u64,
    longest: u64,
}

/// What was counted for one handler; see [`Reactor::handler_counts`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct HandlerCounts {
    /// The time since it was registered.
    pub age: Duration,
    /// The time since it was last called; the age, if never.
    pub quiet: Duration,
    /// How often it was called.
    pub calls: u64,
    /// Bytes received.
    pub received: u64,
    /// Bytes sent.
    pub sent: u64,
    /// How long its last call took.
    pub last: Duration,
    /// How long its longest call took.
    pub longest: Duration,
}

impl Inspection {
    /// A handler has got this token.
    pub(crate) fn registered(&self, token: Token, now: u64) {
        let vacant = Entry {
            token,
            registered: now,
            last_called: now,
            calls: 0,
            received: 0,
            sent: 0,
            last: 0,
            longest: 0,
        };
        let mut entries = self.entries.borrow_mut();
        if entries.len() <= token.slot() {
            entries.resize(token.slot() + 1, Entry { token: Token::ENGINE, ..vacant });
        }
        entries[token.slot()] = vacant;
    }

    /// A handler was called. Not inlined, so that the loop stays as small as it is without inspection.
    #[inline(never)]
    pub(crate) fn called(&self, token: Token, meter: &Meter, began: u64, now: u64) {
        let (received, sent) = (meter.bytes_received.value(), meter.bytes_sent.value());
        let (new_received, new_sent) =
            (received.wrapping_sub(self.received.get()), sent.wrapping_sub(self.sent.get()));
        self.received.set(received);
        self.sent.set(sent);
        let mut entries = self.entries.borrow_mut();
        let Some(entry) = entries.get_mut(token.slot()).filter(|entry| entry.token == token) else {
            return;
        };
        let took = now.saturating_sub(began);
        entry.received += new_received;
        entry.sent += new_sent;
        entry.calls += 1;
        entry.last = took;
        entry.last_called = now;
        entry.longest = entry.longest.max(took);
    }

    /// Bytes were moved on behalf of a handler that is not running, and are in the reactor's counters.
    fn moved(&self, token: Token, received: u64, sent: u64) {
        self.received.set(self.received.get().wrapping_add(received));
        self.sent.set(self.sent.get().wrapping_add(sent));
        let mut entries = self.entries.borrow_mut();
        if let Some(entry) = entries.get_mut(token.slot()).filter(|entry| entry.token == token) {
            entry.received += received;
            entry.sent += sent;
        }
    }

    /// A turn has ended that took so long, in nanoseconds.
    #[inline(never)]
    pub(crate) fn turned(&self, took: u64) {
        self.turns.record(took);
    }

    /// The first timer of a turn was due at this tick.
    #[inline(never)]
    pub(crate) fn timer_late(&self, clock: &Clock, due: u64) {
        let late = clock.age().saturating_sub(Duration::from_millis(due));
        self.lag.record(u64::try_from(late.as_nanos()).unwrap_or(u64::MAX));
    }

    fn counts(&self, token: Token, now: u64) -> Option<HandlerCounts> {
        let entries = self.entries.borrow();
        let entry = entries.get(token.slot()).filter(|entry| entry.token == token)?;
        let since = |then: u64| Duration::from_nanos(now.saturating_sub(then));
        Some(HandlerCounts {
            age: since(entry.registered),
            quiet: since(entry.last_called),
            calls: entry.calls,
            received: entry.received,
            sent: entry.sent,
            last: Duration::from_nanos(entry.last),
            longest: Duration::from_nanos(entry.longest),
        })
    }
}

/// # For authors of transports
///
/// What a look inside needs of a handler; the module [`source`](crate::source) explains it.
impl Reactor {
    /// Whether [`Builder::inspection`](crate::Builder::inspection) is on.
    #[must_use]
    pub fn is_inspected(&self) -> bool {
        self.inner.inspection.is_some()
    }

    /// What was counted for a handler; `None` if inspection is off or the handler is gone.
    #[must_use]
    pub fn handler_counts(&self, token: Token) -> Option<HandlerCounts> {
        self.inner.registry.borrow().handler(token)?;
        let inspection = self.inner.inspection.as_ref()?;
        inspection.counts(token, self.inner.clock.stopwatch())
    }

    /// Calls [`Handler::inspect`] of up to `max` handlers, in the order of their slots from number `first` on. Returns the
    /// number to go on from if there may be more; there may also be none on a page.
    ///
    /// A handler that exists from the first of several such calls to the last is visited exactly once, whatever comes and
    /// goes between them. Nothing is called but `inspect`, so this may be used in a callback.
    pub fn inspect_handlers(
        &self,
        first: usize,
        max: usize,
        visitor: &mut dyn Any,
    ) -> Option<usize> {
        let (handlers, next) = self.inner.registry.borrow().page(first, max.max(1));
        for (token, handler) in handlers {
            handler.inspect(self, token, visitor);
        }
        next
    }

    /// Calls [`Handler::inspect`] of one handler. Returns `false` if it is gone.
    pub fn inspect_handler(&self, token: Token, visitor: &mut dyn Any) -> bool {
        let handler: Option<Rc<dyn Handler>> = self.inner.registry.borrow().handler(token);
        let Some(handler) = handler else { return false };
        handler.inspect(self, token, visitor);
        true
    }

    /// Counts bytes that a handler has sent while it may not have been running: on a call by the user, or by another
    /// handler.
    #[inline]
    pub fn count_sent(&self, token: Token, len: usize) {
        self.inner.meter.bytes_sent.add(len as u64);
        if let Some(inspection) = &self.inner.inspection {
            inspection.moved(token, 0, len as u64);
        }
    }

    /// The same for bytes that it has received.
    #[inline]
    pub fn count_received(&self, token: Token, len: usize) {
        self.inner.meter.bytes_received.add(len as u64);
        if let Some(inspection) = &self.inner.inspection {
            inspection.moved(token, len as u64, 0);
        }
    }
}

#[cfg(test)]
mod tests;
