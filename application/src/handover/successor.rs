//! The new process, from `ready` until it serves.
//!
//! | state | event | what happens | next |
//! |---|---|---|---|
//! | `Waiting` | it begins | `Ready` is sent, with the names of the ports that take connections | `Waiting` |
//! | `Waiting` | `Go`: the old process accepts no more | `Taken` is sent | `Taking` |
//! | `Waiting` | anything else that is understood or not | an error | `Failed` |
//! | `Taking` | `Connection` | it is kept | `Taking` |
//! | `Taking` | `Settled` | the connections begin, the ports accept, and `Serves` is sent | `Serving` |
//! | `Waiting`, `Taking` | the old process has ended | as with `Settled` | `Serving` |
//! | `Serving` | `Connection` | it begins | `Serving` |
//!
//! Nothing is accepted and no connection begins before `Serving`. So until it has sent `Settled`, the old process can go on as if
//! nothing had been, once this one is dead.

use std::{
    cell::{Cell, RefCell},
    collections::{BTreeSet, HashMap},
    os::fd::OwnedFd,
    rc::Rc,
    sync::{Arc, Mutex, PoisonError},
};

use sinew_reactor::{Deferred, Promise, Reactor};
use sinew_transports::{Connection, HandedConnection, ReactorAdopt, StreamConfig, Transport};

use super::{
    HandoverError, Shared, Stage,
    channel::{Channel, Side},
    each::on_each,
    message::Message,
    outbox::Outbox,
    sockets::Sockets,
};

/// Descriptors that may wait to be taken: more than one read brings.
const DESCRIPTORS_MAX: usize = 64;

struct Successor {
    shared: Arc<Shared>,
    state: Cell<State>,
    outbox: Outbox,
    /// Connections that have not begun.
    kept: RefCell<Kept>,
    promise: Cell<Option<Promise<(), HandoverError>>>,
    connection: RefCell<Option<Connection<Channel>>>,
}

/// Connections, by the names of their ports.
type Kept = HashMap<String, Vec<HandedConnection>>;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Waiting,
    Taking,
    Serving,
    Failed,
}

/// See [`Handover::ready`](super::Handover::ready).
pub(super) fn ready(shared: &Arc<Shared>, reactor: &Reactor) -> Deferred<(), HandoverError> {
    let (promise, serves) = reactor.promise();
    let channel = {
        let mut state = shared.lock();
        match state.stage {
            Stage::Starting => {
                state.stage = Stage::Ready;
                // What nobody has taken is closed.
                state.inherited.clear();
                state.channel.take()
            }
            Stage::Ready => {
                drop(state);
                promise.reject(HandoverError::ReadyTwice);
                return serves;
            }
            Stage::Serving | Stage::Upgrading | Stage::HandedOver => None,
        }
    };
    let Some((channel, decoder)) = channel else {
        promise.resolve(());
        return serves;
    };
    let successor = Rc::new(Successor {
        shared: shared.clone(),
        state: Cell::new(State::Waiting),
        outbox: Outbox::default(),
        kept: RefCell::default(),
        promise: Cell::new(Some(promise)),
        connection: RefCell::default(),
    });
    let config = StreamConfig::default().receive_descriptors(DESCRIPTORS_MAX);
    let side: Rc<dyn Side> = successor.clone();
    match reactor.adopt_stream_with(channel, config, Channel::new(side, decoder)) {
        Ok(connection) => {
            successor.connection.replace(Some(connection));
            successor.say_ready(reactor);
        }
        Err(error) => successor.fail(HandoverError::receive(std::io::Error::from(error))),
    }
    serves
}

impl Successor {
    fn say_ready(self: &Rc<Self>, reactor: &Reactor) {
        let successor = self.clone();
        on_each(
            &self.shared,
            reactor,
            |reactor, reply| reply.send(reactor.local::<Sockets>().names_that_take()),
            move |_, names| {
                let names: BTreeSet<String> = names.into_iter().flatten().collect();
                let ready = Message::Ready { takes: names.into_iter().collect() };
                successor.outbox.push(&ready, []);
                successor.wake();
            },
        );
    }

    /// Has the channel send what waits.
    fn wake(&self) {
        if let Some(connection) = &*self.connection.borrow() {
            connection.call(Channel::send_more);
        }
    }

    fn fail(&self, error: HandoverError) {
        self.state.set(State::Failed);
        if let Some(promise) = self.promise.take() {
            promise.reject(error);
        }
        // The other process learns of it at once.
        if let Some(connection) = self.connection.take() {
            connection.transport().abort();
        }
    }

    /// Serves: nobody else does any more.
    fn serve(self: &Rc<Self>, reactor: &Reactor) {
        self.state.set(State::Serving);
        self.shared.lock().stage = Stage::Serving;
        let kept = self.kept.take();
        let successor = self.clone();
        self.share_out(reactor, kept, move |_| {
            successor.outbox.push(&Message::Serves, []);
            successor.wake();
            if let Some(promise) = successor.promise.take() {
                promise.resolve(());
            }
        });
    }

    /// Has the reactors begin these connections, each its share, and then accept.
    fn share_out(&self, reactor: &Reactor, kept: Kept, then: impl FnOnce(&Reactor) + 'static) {
        let reactors = self.shared.lock().reactors.len();
        let shared = Arc::new(Mutex::new((kept, reactors)));
        let take = move |reactor: &Reactor, reply: super::each::Reply<()>| {
            let sockets = reactor.local::<Sockets>();
            for name in sockets.names_that_take() {
                let mut shared = shared.lock().unwrap_or_else(PoisonError::into_inner);
                let (kept, left) = &mut *shared;
                let Some(connections) = kept.get_mut(&name) else { continue };
                let count = connections.len().div_ceil((*left).max(1));
                let taken = connections.split_off(connections.len() - count);
                drop(shared);
                sockets.take_over(&name, taken);
            }
            let mut shared = shared.lock().unwrap_or_else(PoisonError::into_inner);
            shared.1 = shared.1.saturating_sub(1);
            drop(shared);
            sockets.leave_files(false);
            sockets.leave(false);
            reply.send(());
        };
        on_each(&self.shared, reactor, take, move |reactor, _| then(reactor));
    }
}

impl Side for Successor {
    fn received(
        self: Rc<Self>,
        reactor: &Reactor,
        message: Message,
        mut descriptors: Vec<OwnedFd>,
    ) {
        match (self.state.get(), message) {
            (State::Waiting, Message::Go) => {
                self.state.set(State::Taking);
                self.outbox.push(&Message::Taken, []);
            }
            (State::Taking | State::Serving, Message::Connection { port, state, unread }) => {
                let Some(socket) = descriptors.pop() else { return };
                let connection = HandedConnection::from_parts(socket, state, unread.into());
                if self.state.get() == State::Taking {
                    self.kept.borrow_mut().entry(port).or_default().push(connection);
                } else {
                    self.share_out(reactor, HashMap::from([(port, vec![connection])]), |_| ());
                }
            }
            (State::Taking, Message::Settled) => self.serve(reactor),
            (State::Failed, _) => {}
            (state, message) => {
                let why = format!("{message:?} while this process is {state:?}");
                match state {
                    State::Waiting => self.fail(HandoverError::malformed(why)),
                    _ => tracing::error!(why, "unexpected from the old process"),
                }
            }
        }
    }

    fn send_more(self: Rc<Self>, transport: &Transport) -> bool {
        self.outbox.send(transport)
    }

    fn ended(self: Rc<Self>, reactor: &Reactor, malformed: Option<String>) {
        match (self.state.get(), malformed) {
            (State::Waiting, Some(why)) => self.fail(HandoverError::malformed(why)),
            (State::Waiting | State::Taking, malformed) => {
                let why = malformed.unwrap_or_else(|| "it has ended".to_owned());
                tracing::warn!(why, "the old process has not handed over; this one goes on alone");
                self.serve(reactor);
            }
            (State::Serving | State::Failed, _) => {}
        }
        self.connection.take();
    }
}
