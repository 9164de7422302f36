//! [`Watched`]: a wrapper that checks the callback order of a protocol: the callback contract, alternating pauses and
//! resumptions, no input while reading is paused. Violations are recorded and reported by the next check of the
//! watch.

use std::{cell::Cell, rc::Rc};

use sinew::prelude::*;

use super::watch::{HostSeen, Marks};

/// Whether a connection is paused, as far as its protocol knows.
#[derive(Default)]
pub(super) struct Pace {
    /// Between `writing_paused` and `writing_resumed`.
    is_writing_paused: Cell<bool>,
    /// Reading was observed to be paused, and `reading_resumed` has not been called yet.
    has_stopped_reading: Cell<bool>,
}

impl Pace {
    /// Violations that are visible between callbacks.
    pub(super) fn at_rest(&self, transport: &Transport, marks: Marks) -> Option<String> {
        // The ends of a relay are paused by each other, without callbacks.
        if transport.relayed().is_some() {
            return None;
        }
        let queued = transport.queued();
        match self.is_writing_paused.get() {
            false if queued > marks.high => {
                return Some(format!("has {queued} bytes queued and was not told writing_paused"));
            }
            true if queued <= marks.low => {
                return Some(format!("has {queued} bytes queued and was not told writing_resumed"));
            }
            _ => {}
        }
        let reads = transport.is_reading();
        if reads && self.has_stopped_reading.get() {
            return Some("reads again and was not told reading_resumed".to_owned());
        }
        self.note(transport);
        None
    }

    fn note(&self, transport: &Transport) {
        if !transport.is_reading() {
            self.has_stopped_reading.set(true);
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    New,
    Alive,
    Lost,
}

/// The wrapper around a protocol.
pub(crate) struct Watched<P> {
    protocol: P,
    host: Rc<HostSeen>,
    stage: Stage,
    number: u64,
    pace: Rc<Pace>,
}

impl<P: Protocol> Watched<P> {
    pub(super) fn new(protocol: P, host: Rc<HostSeen>) -> Self {
        Self { protocol, host, stage: Stage::New, number: 0, pace: Rc::default() }
    }

    fn callbacks(&self, what: &str) {
        if self.stage != Stage::Alive {
            self.host.fault(&format!("is told {what} when it is {:?}", self.stage));
        }
    }

    /// Checks that a callback is allowed in the current stage, and records its effect.
    fn pass(&mut self, what: &str, transport: &Transport, f: impl FnOnce(&mut P, &Transport)) {
        self.callbacks(what);
        f(&mut self.protocol, transport);
        self.pace.note(transport);
    }
}

impl<P> Drop for Watched<P> {
    fn drop(&mut self) {
        self.host.end(self.number);
        if self.stage != Stage::Lost && !self.host.may_be_killed() && !std::thread::panicking() {
            self.host.fault(&format!("is dropped when it is {:?}", self.stage));
        }
    }
}

macro_rules! passed_on {
    ($($name:ident($($arg:ident: $type:ty),*);)+) => {
        $(fn $name(&mut self, transport: &Transport, $($arg: $type),*) {
            self.pass(stringify!($name), transport, |protocol, transport| {
                protocol.$name(transport, $($arg),*);
            });
        })+
    };
}

impl<P: Protocol> Protocol for Watched<P> {
    fn connection_made(&mut self, transport: &Transport) {
        if self.stage != Stage::New {
            self.host.fault("is told connection_made twice");
        }
        self.stage = Stage::Alive;
        self.number = self.host.begin(transport, &self.pace);
        self.protocol.connection_made(transport);
        self.pace.note(transport);
    }

    fn data_received(&mut self, transport: &Transport, data: &[u8]) {
        if !transport.is_reading() {
            self.host.fault("is given input while it does not read");
        } else if self.pace.has_stopped_reading.get() && transport.relayed().is_none() {
            self.host.fault("is given input before reading_resumed");
        }
        self.pass("data_received", transport, |protocol, transport| {
            protocol.data_received(transport, data);
        });
    }

    fn writing_paused(&mut self, transport: &Transport) {
        if self.pace.is_writing_paused.replace(true) {
            self.host.fault("is told writing_paused twice");
        }
        self.host.note_pause();
        self.pass("writing_paused", transport, P::writing_paused);
    }

    fn writing_resumed(&mut self, transport: &Transport) {
        let (queued, low) = (transport.queued(), self.host.marks().low);
        if !self.pace.is_writing_paused.replace(false) {
            self.host.fault("is told writing_resumed without a pause");
        } else if queued > low {
            self.host.fault(&format!("is told writing_resumed at {queued} bytes, above {low}"));
        }
        self.pass("writing_resumed", transport, P::writing_resumed);
    }

    fn reading_resumed(&mut self, transport: &Transport) {
        let had_stopped = self.pace.has_stopped_reading.replace(false);
        if !transport.is_reading() {
            self.host.fault("is told reading_resumed while it does not read");
        } else if !had_stopped && !self.host.is_shared() {
            self.host.fault("is told reading_resumed without a pause");
        }
        self.pass("reading_resumed", transport, P::reading_resumed);
    }

    passed_on! {
        read_closed();
        timer_fired(timer: TimerId);
        idle_timeout();
        drain_requested();
    }

    fn connection_lost(&mut self, transport: &Transport, reason: &ConnectionLost) {
        self.callbacks("connection_lost");
        self.stage = Stage::Lost;
        self.protocol.connection_lost(transport, reason);
    }

    fn take_unread(&mut self, transport: &Transport) -> bytes::Bytes {
        self.callbacks("take_unread");
        self.protocol.take_unread(transport)
    }
}
