//! A protocol around the one that is tested, which sees whether its life is as it should be: made once and first, lost once
//! and last.

use std::{
    cell::{Cell, RefCell},
    rc::Rc,
};

use sinew_transports::Bytes;

use sinew_transports::{ConnectionLost, Protocol, TimerId, Transport};

/// What the witness has seen.
#[derive(Default)]
pub(crate) struct Seen {
    made: Cell<bool>,
    lost: RefCell<Option<String>>,
    faults: RefCell<Vec<String>>,
}

impl Seen {
    /// Why the connection was lost, in words.
    pub(crate) fn lost(&self) -> Option<String> {
        self.lost.borrow().clone()
    }

    #[track_caller]
    pub(crate) fn assert_no_faults(&self, when: &str) {
        let faults = self.faults.borrow();
        assert!(faults.is_empty(), "{when}: {}", faults.join("; "));
    }

    fn told(&self, what: &str) {
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

/// Has each callback noted, then passed on.
macro_rules! witnessed {
    ($($name:ident($($arg:ident: $type:ty),*);)+) => {
        $(fn $name(&mut self, transport: &Transport, $($arg: $type),*) {
            self.seen.told(stringify!($name));
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
        self.seen.told("connection_lost");
        self.seen.lost.replace(Some(reason.to_string()));
        self.protocol.connection_lost(transport, reason);
    }

    witnessed! {
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
        self.seen.told("take_unread");
        self.protocol.take_unread(transport)
    }
}
