//! A wrapper that checks the callback contract of the protocol under test: `connection_made` once and first,
//! `connection_lost` once and last.

use std::{
    cell::{Cell, RefCell},
    rc::Rc,
};

use sinew_transports::Bytes;

use sinew_transports::{ConnectionLost, Protocol, TimerId, Transport};

/// What an observer has recorded.
#[derive(Default)]
pub(crate) struct Seen {
    made: Cell<bool>,
    lost: RefCell<Option<String>>,
    faults: RefCell<Vec<String>>,
}

impl Seen {
    /// The reason for which the connection was lost, as text.
    pub(crate) fn lost(&self) -> Option<String> {
        self.lost.borrow().clone()
    }

    #[track_caller]
    pub(crate) fn assert_no_faults(&self, when: &str) {
        let faults = self.faults.borrow();
        assert!(faults.is_empty(), "{when}: {}", faults.join("; "));
    }

    fn record(&self, what: &str) {
        if !self.made.get() {
            self.faults.borrow_mut().push(format!("{what} before connection_made"));
        }
        if self.lost.borrow().is_some() {
            self.faults.borrow_mut().push(format!("{what} after connection_lost"));
        }
    }
}

pub(crate) struct Observer<P> {
    protocol: P,
    seen: Rc<Seen>,
}

impl<P> Observer<P> {
    pub(crate) fn new(protocol: P) -> (Self, Rc<Seen>) {
        let seen = Rc::new(Seen::default());
        (Self { protocol, seen: seen.clone() }, seen)
    }

    pub(crate) fn get_mut(&mut self) -> &mut P {
        &mut self.protocol
    }
}

/// Records each callback, then forwards it.
macro_rules! observed {
    ($($name:ident($($arg:ident: $type:ty),*);)+) => {
        $(fn $name(&mut self, transport: &Transport, $($arg: $type),*) {
            self.seen.record(stringify!($name));
            self.protocol.$name(transport, $($arg),*);
        })+
    };
}

impl<P: Protocol> Protocol for Observer<P> {
    fn connection_made(&mut self, transport: &Transport) {
        if self.seen.made.replace(true) {
            self.seen.faults.borrow_mut().push("connection_made twice".to_owned());
        }
        self.protocol.connection_made(transport);
    }

    fn connection_lost(&mut self, transport: &Transport, reason: &ConnectionLost) {
        self.seen.record("connection_lost");
        self.seen.lost.replace(Some(reason.to_string()));
        self.protocol.connection_lost(transport, reason);
    }

    observed! {
        data_received(data: &[u8]);
        read_closed();
        writing_paused();
        writing_resumed();
        reading_resumed();
        timer_fired(timer: TimerId);
        idle_timeout();
        drain_requested();
        tls_started();
    }

    fn take_unread(&mut self, transport: &Transport) -> Bytes {
        self.seen.record("take_unread");
        self.protocol.take_unread(transport)
    }

    fn saved_state(&self) -> Option<Vec<u8>> {
        self.protocol.saved_state()
    }
}
