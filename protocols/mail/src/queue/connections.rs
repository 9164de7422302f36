//! Connections that are kept for a moment after a message, for the next one: [`Connections`].

use std::{
    cell::{Cell, RefCell},
    collections::VecDeque,
    rc::Rc,
    time::Duration,
};

use sinew_transports::reactor::Reactor;

use crate::smtp::client::SmtpClient;

pub(super) struct Connections {
    idle: RefCell<VecDeque<Idle>>,
    idle_timeout: Cell<Duration>,
    idle_max: Cell<usize>,
    messages_max: Cell<usize>,
    serial: Cell<u64>,
}

struct Idle {
    destination: String,
    serial: u64,
    kept: Kept,
}

/// A connection that has sent a message.
pub(super) struct Kept {
    pub(super) client: SmtpClient,
    /// The host.
    pub(super) name: String,
    messages: usize,
}

impl Default for Connections {
    fn default() -> Self {
        Self {
            idle: RefCell::default(),
            idle_timeout: Cell::new(Duration::from_secs(10)),
            idle_max: Cell::new(20),
            messages_max: Cell::new(100),
            serial: Cell::new(0),
        }
    }
}

impl Connections {
    pub(super) fn set_idle_timeout(&self, timeout: Duration) {
        self.idle_timeout.set(timeout);
    }

    pub(super) fn set_idle_max(&self, connections: usize) {
        self.idle_max.set(connections);
    }

    pub(super) fn set_messages_max(&self, messages: usize) {
        self.messages_max.set(messages);
    }

    /// A connection to this destination.
    pub(super) fn take(&self, destination: &str) -> Option<Kept> {
        let mut idle = self.idle.borrow_mut();
        let at = idle.iter().rposition(|idle| idle.destination == destination)?;
        idle.remove(at).map(|idle| idle.kept)
    }

    /// Keeps a connection that has sent its first message.
    pub(super) fn put_new(
        self: &Rc<Self>,
        reactor: &Reactor,
        destination: &str,
        name: &str,
        client: SmtpClient,
    ) {
        self.put(reactor, destination, Kept { client, name: name.to_owned(), messages: 0 });
    }

    /// Keeps a connection that has sent one more message, or ends it.
    pub(super) fn put(self: &Rc<Self>, reactor: &Reactor, destination: &str, mut kept: Kept) {
        kept.messages += 1;
        if kept.messages >= self.messages_max.get() || self.idle_max.get() == 0 {
            return quit(reactor, kept);
        }
        if !kept.client.is_usable() {
            return;
        }
        let serial = self.serial.replace(self.serial.get() + 1);
        let mut idle = self.idle.borrow_mut();
        idle.push_back(Idle { destination: destination.to_owned(), serial, kept });
        let oldest = if idle.len() > self.idle_max.get() { idle.pop_front() } else { None };
        drop(idle);
        if let Some(oldest) = oldest {
            quit(reactor, oldest.kept);
        }
        let weak = Rc::downgrade(self);
        reactor.call_later(self.idle_timeout.get(), move |reactor| {
            let Some(this) = weak.upgrade() else { return };
            let mut idle = this.idle.borrow_mut();
            let at = idle.iter().position(|idle| idle.serial == serial);
            let old = at.and_then(|at| idle.remove(at));
            drop(idle);
            if let Some(old) = old {
                quit(reactor, old.kept);
            }
        });
    }
}

fn quit(reactor: &Reactor, kept: Kept) {
    reactor.spawn(async move { kept.client.quit().await }).detach();
}
