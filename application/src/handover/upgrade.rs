//! The old process: starts the new one, and hands over.
//!
//! | state | event | what happens | next |
//! |---|---|---|---|
//! | – | `upgrade` | the program is started, and the sockets are offered to it | `Starting` |
//! | `Starting` | `Ready` | all reactors stop accepting, then `Go` is sent | `Committing` |
//! | `Committing` | `Taken` | connections that can go are sent, then `Settled` | `Settling` |
//! | `Settling` | all reactors have asked | `Settled` is sent | `Finishing` |
//! | `Finishing` | `Serves` | the result is there | `Done` |
//! | `Done` | each 50 ms | connections that can go by now are sent (`departures.rs`) | `Done` |
//! | before `Done` | it ends, closes the channel, reports a failure, is not understood, or is too slow | it is killed; all accept again | `Failed` |
//! | before `Done` | this process stops | it is killed, and that is waited for | `Failed` |
//!
//! The channel is closed only when the new process is dead: it takes the end of the channel for the end of this process, and
//! would serve.

use std::{
    cell::{Cell, RefCell},
    os::{fd::OwnedFd, unix::net::UnixStream},
    process::{self, Command},
    rc::Rc,
    sync::Arc,
    time::Duration,
};

use sinew_reactor::{Deferred, DelayedCall, Failure, LoopingCall, Phase, Promise, Reactor};
use sinew_transports::{
    AtStop, ChildFd, ChildIo, Connection, Process, ProcessConfig, ProcessProtocol, ProcessStatus,
    ReactorAdopt, ReactorProcesses, Transport,
};

mod departures;

use departures::Current;

use super::{
    Shared, Stage, UpgradeError, VARIABLE,
    channel::{Channel, Side},
    each::on_each,
    inherit::{DESCRIPTOR, variable},
    message::{Decoder, Message},
    outbox::Outbox,
    sockets::{Offered, Sockets},
};

/// How long the new process has to answer once it is ready; and how long the reactors of this one have to send connections.
const STEP_MAX: Duration = Duration::from_secs(5);

/// How long it takes at most to send the connections, and to begin them there.
const SERVE_MAX: Duration = Duration::from_secs(60);

/// The end of the process and that of its channel belong together: the second has so long to come after the first.
const END_MAX: Duration = Duration::from_secs(1);

/// How long connections that are about to leave are waited for.
const SETTLE: Duration = Duration::from_millis(10);

/// The next version of this program serves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Upgraded {
    /// Its process id.
    pub pid: u32,
}

struct Upgrade {
    shared: Arc<Shared>,
    state: Cell<State>,
    outbox: Arc<Outbox>,
    /// The ports whose connections can go.
    takes: RefCell<Vec<String>>,
    process: RefCell<Option<Process>>,
    status: Cell<Option<ProcessStatus>>,
    connection: RefCell<Option<Connection<Channel>>>,
    is_channel_ended: Cell<bool>,
    deadline: RefCell<Option<DelayedCall>>,
    start_max: Duration,
    promise: Cell<Option<Promise<Upgraded, UpgradeError>>>,
    asking: RefCell<Option<LoopingCall>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Starting,
    Committing,
    Settling,
    Finishing,
    Done,
    Failed,
}

/// See [`Handover::upgrade`](super::Handover::upgrade).
pub(super) fn upgrade(
    shared: &Arc<Shared>,
    reactor: &Reactor,
    start_max: Duration,
    command: Command,
) -> Deferred<Upgraded, UpgradeError> {
    let (promise, upgraded) = reactor.promise();
    let refusal = {
        let mut state = shared.lock();
        match state.stage {
            Stage::Serving => {
                state.stage = Stage::Upgrading;
                None
            }
            Stage::Upgrading => Some(UpgradeError::InProgress),
            Stage::Starting | Stage::Ready | Stage::HandedOver => Some(UpgradeError::NotServing),
        }
    };
    if let Some(error) = refusal {
        reactor.defer_drop(command);
        promise.reject(error);
        return upgraded;
    }
    let upgrade = Rc::new(Upgrade {
        shared: shared.clone(),
        state: Cell::new(State::Starting),
        outbox: Arc::default(),
        takes: RefCell::default(),
        process: RefCell::default(),
        status: Cell::default(),
        connection: RefCell::default(),
        is_channel_ended: Cell::default(),
        deadline: RefCell::default(),
        start_max,
        promise: Cell::default(),
        asking: RefCell::default(),
    });
    let cancelled = Rc::downgrade(&upgrade);
    promise.on_cancel(move |reactor| {
        if let Some(upgrade) = cancelled.upgrade() {
            upgrade.fail(reactor, Failure::Cancelled.into());
        }
    });
    upgrade.promise.set(Some(promise));
    let then = move |reactor: &Reactor, offers: Vec<std::io::Result<Vec<Offered>>>| {
        if upgrade.state.get() == State::Failed {
            return reactor.defer_drop(command);
        }
        let started = offers
            .into_iter()
            .collect::<Result<Vec<_>, _>>()
            .map_err(UpgradeError::Prepare)
            .and_then(|offers| {
                upgrade.start(reactor, offers.into_iter().flatten().collect(), command)
            });
        if let Err(error) = started {
            upgrade.fail(reactor, error);
        }
    };
    on_each(shared, reactor, |reactor, reply| reply.send(reactor.local::<Sockets>().offer()), then);
    upgraded
}

impl Upgrade {
    fn start(
        self: &Rc<Self>,
        reactor: &Reactor,
        offered: Vec<Offered>,
        mut command: Command,
    ) -> Result<(), UpgradeError> {
        let (ours, theirs) = UnixStream::pair().map_err(UpgradeError::Prepare)?;
        command.env(VARIABLE, variable(process::id()));
        let config = ProcessConfig::default()
            .stdin(ChildIo::FromCommand)
            .stdout(ChildIo::FromCommand)
            .stderr(ChildIo::FromCommand)
            .pass(ChildFd(DESCRIPTOR), OwnedFd::from(theirs))
            .at_stop(AtStop::Leave);
        let process = reactor.spawn_process_with(Watch(self.clone()), command, config)?;
        tracing::info!(pid = process.pid(), "the next version of this program was started");
        self.process.replace(Some(process));
        let sockets = u32::try_from(offered.len()).unwrap_or(u32::MAX);
        self.outbox.push(&Message::Offer { pid: process::id(), sockets }, []);
        for Offered { name, kind, socket, lock } in offered {
            let message = Message::Socket { name, kind, has_lock: lock.is_some() };
            self.outbox.push(&message, [socket].into_iter().chain(lock));
        }
        let channel = Channel::new(self.clone(), Decoder::default());
        let connection = reactor
            .adopt_stream(ours, channel)
            .map_err(|error| UpgradeError::Prepare(error.into()))?;
        self.connection.replace(Some(connection));
        reactor.local::<Current>().0.replace(Rc::downgrade(self));
        self.set_deadline(reactor, self.start_max);
        self.end_with(reactor);
        Ok(())
    }

    /// If this process stops before the new one has taken over, that must not take the end of this one for its time.
    fn end_with(self: &Rc<Self>, reactor: &Reactor) {
        let upgrade = Rc::downgrade(self);
        reactor.on(Phase::BeforeShutdown, move |reactor| {
            let upgrade = upgrade.upgrade().filter(|upgrade| upgrade.is_in_progress());
            let process = upgrade.and_then(|upgrade| {
                upgrade.fail(reactor, UpgradeError::Stopping);
                upgrade.process.borrow().clone()
            });
            match process {
                Some(process) => process.when_ended().map(|_| Ok(())),
                None => Deferred::ready_on(reactor, ()),
            }
        });
    }

    fn is_in_progress(&self) -> bool {
        !matches!(self.state.get(), State::Done | State::Failed)
    }

    fn set_deadline(self: &Rc<Self>, reactor: &Reactor, within: Duration) {
        let upgrade = Rc::downgrade(self);
        let timer = reactor.call_later(within, move |reactor| {
            let Some(upgrade) = upgrade.upgrade() else { return };
            match upgrade.state.get() {
                State::Settling => upgrade.settled(reactor),
                _ => upgrade.fail(reactor, UpgradeError::TimedOut { within }),
            }
        });
        if let Some(earlier) = self.deadline.replace(Some(timer)) {
            earlier.cancel();
        }
    }

    /// The new process has not taken over: this one goes on.
    fn fail(self: &Rc<Self>, reactor: &Reactor, error: UpgradeError) {
        if !self.is_in_progress() {
            return;
        }
        let before = self.state.replace(State::Failed);
        if let Some(timer) = self.deadline.take() {
            timer.cancel();
        }
        if let Some(process) = &*self.process.borrow() {
            // An error says that it has exited.
            let _ = process.kill();
        }
        if self.status.get().is_some() {
            self.close_channel();
        }
        self.shared.lock().stage = Stage::Serving;
        if before != State::Starting {
            let accept = |reactor: &Reactor, reply: super::each::Reply<()>| {
                let sockets = reactor.local::<Sockets>();
                sockets.leave_files(false);
                sockets.leave(false);
                reply.send(());
            };
            on_each(&self.shared, reactor, accept, |_, _| ());
        }
        tracing::warn!(%error, "the next version of this program has not taken over; this one goes on");
        if let Some(promise) = self.promise.take() {
            promise.reject(error);
        }
    }

    fn close_channel(&self) {
        if let Some(connection) = self.connection.take() {
            connection.transport().abort();
        }
    }

    /// The process has exited, or the channel has ended: with the other end, or after a while, that is a failure.
    fn end_seen(self: &Rc<Self>, reactor: &Reactor) {
        if !self.is_in_progress() {
            return;
        }
        let fail = |upgrade: &Rc<Self>, reactor: &Reactor| {
            let error = match upgrade.status.get() {
                Some(status) => UpgradeError::Exited { status },
                None => UpgradeError::Closed,
            };
            upgrade.fail(reactor, error);
        };
        if self.status.get().is_some() && self.is_channel_ended.get() {
            return fail(self, reactor);
        }
        let upgrade = Rc::downgrade(self);
        reactor.call_later(END_MAX, move |reactor| {
            if let Some(upgrade) = upgrade.upgrade() {
                fail(&upgrade, reactor);
            }
        });
    }

    /// The new process has started: all reactors stop accepting, and it is told.
    fn commit(self: &Rc<Self>, reactor: &Reactor, takes: Vec<String>) {
        self.state.set(State::Committing);
        self.takes.replace(takes);
        self.set_deadline(reactor, STEP_MAX);
        let leave = |reactor: &Reactor, reply: super::each::Reply<()>| {
            reactor.local::<Sockets>().leave(true);
            reply.send(());
        };
        let upgrade = self.clone();
        on_each(&self.shared, reactor, leave, move |_, _| {
            if upgrade.state.get() == State::Committing {
                upgrade.outbox.push(&Message::Go, []);
                upgrade.wake();
            }
        });
    }

    /// The new process has taken over: what can go goes.
    fn settle(self: &Rc<Self>, reactor: &Reactor) {
        self.state.set(State::Settling);
        self.set_deadline(reactor, STEP_MAX);
        let ask = self.ask(reactor.remote());
        let settle = move |reactor: &Reactor, reply: super::each::Reply<()>| {
            reactor.local::<Sockets>().leave_files(true);
            ask(reactor);
            // What leaves in the next turn has left after two more.
            reactor.call_later(SETTLE, |reactor| {
                reactor.call_soon(|reactor| reactor.call_soon(|_| reply.send(())));
            });
        };
        let upgrade = self.clone();
        on_each(&self.shared, reactor, settle, move |reactor, _| upgrade.settled(reactor));
    }

    /// All that can go at once has been queued.
    fn settled(self: &Rc<Self>, reactor: &Reactor) {
        if self.state.get() != State::Settling {
            return;
        }
        self.state.set(State::Finishing);
        self.set_deadline(reactor, SERVE_MAX);
        self.outbox.push(&Message::Settled, []);
        self.wake();
    }

    /// The new process serves.
    fn done(self: &Rc<Self>, reactor: &Reactor) {
        self.state.set(State::Done);
        if let Some(timer) = self.deadline.take() {
            timer.cancel();
        }
        self.shared.lock().stage = Stage::HandedOver;
        let pid = self.process.borrow().as_ref().map_or(0, Process::pid);
        tracing::info!(pid, "the next version of this program has taken over");
        if let Some(promise) = self.promise.take() {
            promise.resolve(Upgraded { pid });
        }
        self.keep_asking(reactor);
    }

    /// Has the channel send what waits.
    fn wake(&self) {
        if let Some(connection) = &*self.connection.borrow() {
            connection.call(Channel::send_more);
        }
    }
}

impl Side for Upgrade {
    fn received(self: Rc<Self>, reactor: &Reactor, message: Message, _: Vec<OwnedFd>) {
        match (self.state.get(), message) {
            (State::Starting, Message::Ready { takes }) => self.commit(reactor, takes),
            (State::Starting, Message::Failed { why }) => {
                self.fail(reactor, UpgradeError::Reported { why });
            }
            (State::Committing, Message::Taken) => self.settle(reactor),
            (State::Finishing, Message::Serves) => self.done(reactor),
            (State::Failed, _) => {}
            (state, message) => {
                let why = format!("unexpected in state {state:?}: {message:?}");
                self.fail(reactor, UpgradeError::Malformed { why });
            }
        }
    }

    fn send_more(self: Rc<Self>, transport: &Transport) -> bool {
        self.outbox.send(transport)
    }

    fn ended(self: Rc<Self>, reactor: &Reactor, malformed: Option<String>) {
        self.is_channel_ended.set(true);
        match malformed {
            Some(why) => self.fail(reactor, UpgradeError::Malformed { why }),
            None => self.end_seen(reactor),
        }
    }
}

/// Watches the new process.
struct Watch(Rc<Upgrade>);

impl ProcessProtocol for Watch {
    fn exited(&mut self, process: &Process, status: &ProcessStatus) {
        let Some(reactor) = process.reactor() else { return };
        if *status == ProcessStatus::LeftRunning {
            return;
        }
        self.0.status.set(Some(*status));
        if self.0.state.get() == State::Failed {
            self.0.close_channel();
        }
        self.0.end_seen(&reactor);
    }
}
