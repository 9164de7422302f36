//! The connection that a client is making by its `connect`: [`connect`], and [`Attempt`], one at a time, which can be given up.
//!
//! A client is a factory, too: another connection may be made before this one. Then this one is refused, with the client's error for a second
//! connection, and the others who wait for the client wait for the other connection. Each ends the wait for itself alone.

use std::{
    cell::{Cell, RefCell},
    fmt,
    rc::Rc,
};

use sinew_transports::{
    ConnectError, Factory, Peer,
    endpoint::ClientEndpoint,
    reactor::{Canceller, Deferred, Failure, Reactor},
};

use crate::waiting::Waiting;

/// A handle of a client that has one connection at a time.
pub(crate) trait Attempting: Factory + Clone {
    type Error: From<ConnectError> + From<Failure> + fmt::Display + 'static;

    fn attempt(&self) -> &Attempt;

    fn waiting(&self) -> &Waiting<Self::Error>;

    /// There is a connection already.
    fn connected() -> Self::Error;

    fn is_offline(&self) -> bool;

    /// The number of the connection that is there, or of the last one.
    fn connection_number(&self) -> u64;

    /// Aborts the connection, unless the client is online.
    fn abort_unless_online(&self);

    /// A handle that does not keep the client alive.
    fn weak(&self) -> Box<dyn FnOnce() -> Option<Self>>;
}

/// What makes the connection, while it does.
#[derive(Default)]
pub(crate) struct Attempt {
    connecting: RefCell<Option<Rc<Canceller<(), ConnectError>>>>,
    /// Who waits for the last attempt, in [`Waiting`].
    waiter: Cell<u64>,
    /// The connection that it has made.
    made: Cell<Option<u64>>,
}

impl Attempt {
    /// Stops connecting, if there is no connection yet. Returns whether there was something to stop.
    pub(crate) fn cancel(&self) -> bool {
        let connecting = self.connecting.borrow().clone();
        if let Some(connecting) = &connecting {
            connecting.cancel();
        }
        connecting.is_some()
    }

    /// Who waits for a connection that is not made yet: the end of another one is not its end.
    pub(crate) fn waiter(&self) -> Option<u64> {
        let is_open = self.connecting.borrow().is_some() && self.made.get().is_none();
        is_open.then(|| self.waiter.get())
    }
}

/// Connects once. The result comes when the client is online.
pub(crate) fn connect<C: Attempting>(
    client: &C,
    reactor: &Reactor,
    endpoint: ClientEndpoint,
) -> Deferred<(), C::Error> {
    let (promise, online) = reactor.promise();
    let (attempt, waiting) = (client.attempt(), client.waiting());
    if !client.is_offline() || attempt.connecting.borrow().is_some() {
        promise.reject(C::connected());
        return online;
    }
    let waiter = waiting.next_number();
    let weak = client.weak();
    promise.on_cancel(move |_| {
        if let Some(client) = weak() {
            give_up(&client, waiter);
        }
    });
    waiting.push_as(waiter, promise);
    attempt.waiter.set(waiter);
    attempt.made.set(None);
    let connecting = endpoint.connect(reactor, Attempted(client.clone())).map(drop);
    *attempt.connecting.borrow_mut() = Some(Rc::new(connecting.canceller()));
    let client = client.clone();
    connecting.then(move |_, connected| {
        client.attempt().connecting.take();
        // The connection belongs to its protocol from here on.
        let Err(error) = connected else { return };
        match client.is_offline() {
            true => drop(client.waiting().fail(error.into(), None)),
            // Another connection was faster, and those who wait, wait for that one.
            false => client.waiting().reject(waiter, C::connected()),
        }
    });
    online
}

/// Nobody waits any more for what this attempt makes.
fn give_up<C: Attempting>(client: &C, waiter: u64) {
    let attempt = client.attempt();
    if attempt.waiter.get() != waiter {
        return;
    }
    attempt.cancel();
    if attempt.made.get() == Some(client.connection_number()) {
        client.abort_unless_online();
    }
}

/// The factory of an attempt, which notes that its connection is made.
struct Attempted<C>(C);

impl<C: Attempting> Factory for Attempted<C> {
    type Protocol = C::Protocol;

    fn build_protocol(&mut self, peer: &Peer) -> Option<C::Protocol> {
        let protocol = self.0.build_protocol(peer)?;
        self.0.attempt().made.set(Some(self.0.connection_number()));
        Some(protocol)
    }
}
