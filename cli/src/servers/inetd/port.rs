//! A service that is a program: [`Port`] watches its socket, and starts a child for each connection, or one that is given the socket.
//!
//! | state | the socket is watched | what happens |
//! |---|---|---|
//! | `Listening` | yes | a connection starts a child (nowait), or the socket's first event does (wait) |
//! | `Lent` (wait) | no | the child has the socket; its end leads back to `Listening` |
//! | `Full` (nowait) | no | as many children run as may; the end of one leads back to `Listening` |
//! | `Resting` | no | it was started too often; a timer leads back to `Listening` |
//! | `Closed` | no | the socket is closed; children go on |

use std::{
    cell::{Cell, RefCell},
    io,
    os::fd::OwnedFd,
    os::unix::process::CommandExt,
    process::{Command, Stdio},
    rc::Rc,
};

use sinew::{
    prelude::*,
    reactor::{
        AcceptFailure, Excerpt,
        source::{Handler, Interest, Ready, Token},
        with_causes,
    },
    transports::{AtStop, ChildIo},
};

use super::{
    entry::{Entry, Run},
    identity::Identity,
    socket::Socket,
    start_limit::StartLimit,
};

/// Connections that are accepted in a turn; then the other services have theirs.
const PER_TURN: usize = 16;

/// Pause after an error of accept(2) or fork(2) that would come again at once.
const BACK_OFF: std::time::Duration = std::time::Duration::from_millis(500);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Listening,
    Lent,
    Full,
    Resting,
    Closed,
}

/// The running service.
pub(super) struct Port {
    /// `None` once it is closed: children may outlive it.
    socket: RefCell<Option<Socket>>,
    /// What is started. Replaced when the file has changed.
    entry: RefCell<Entry>,
    identity: RefCell<Option<Identity>>,
    limit: RefCell<StartLimit>,
    state: Cell<State>,
    token: Cell<Option<Token>>,
    children: Cell<usize>,
}

impl Port {
    pub(super) fn open(entry: Entry, identity: Option<Identity>) -> io::Result<Rc<Self>> {
        Ok(Rc::new(Self {
            socket: RefCell::new(Some(Socket::open(&entry.at)?)),
            limit: RefCell::new(StartLimit::new(entry.limits)),
            entry: RefCell::new(entry),
            identity: RefCell::new(identity),
            state: Cell::new(State::Listening),
            token: Cell::new(None),
            children: Cell::new(0),
        }))
    }

    pub(super) fn address(&self) -> String {
        self.socket.borrow().as_ref().map(Socket::address).unwrap_or_default()
    }

    /// From now on, starts what this entry says. Its place is the same.
    pub(super) fn replace(&self, entry: Entry, identity: Option<Identity>) {
        *self.limit.borrow_mut() = StartLimit::new(entry.limits);
        *self.entry.borrow_mut() = entry;
        *self.identity.borrow_mut() = identity;
    }

    /// Watches the socket. What is waiting on it already is reported, too.
    pub(super) fn listen(self: &Rc<Self>, reactor: &Reactor) {
        if self.state.get() == State::Closed || self.token.get().is_some() {
            return;
        }
        let registered = match &mut *self.socket.borrow_mut() {
            Some(socket) => reactor.register_source(socket, Interest::READ),
            None => return,
        };
        match registered {
            Ok(token) => {
                self.token.set(Some(token));
                self.state.set(State::Listening);
                reactor.bind(token, self.clone());
            }
            Err(error) => {
                tracing::error!(service = %self.name(), %error, "the socket cannot be watched; trying again");
                self.rest(reactor, BACK_OFF);
            }
        }
    }

    /// Closes the socket. Children keep running.
    pub(super) fn close(&self, reactor: &Reactor) {
        self.unwatch(reactor);
        self.state.set(State::Closed);
        self.socket.take();
    }

    fn unwatch(&self, reactor: &Reactor) {
        if let Some(token) = self.token.take() {
            reactor.deregister(token, false);
        }
    }

    fn rest(self: &Rc<Self>, reactor: &Reactor, time: std::time::Duration) {
        self.unwatch(reactor);
        self.state.set(State::Resting);
        let port = self.clone();
        reactor.call_later(time, move |reactor| {
            if port.state.get() == State::Resting {
                port.listen(reactor);
            }
        });
    }

    fn name(&self) -> String {
        Excerpt::new(&self.entry.borrow().name).to_string()
    }

    /// Whether another start is allowed; if not, rests.
    fn may_start(self: &Rc<Self>, reactor: &Reactor) -> bool {
        let allowed = self.limit.borrow_mut().start(reactor.now());
        if let Err(rest) = allowed {
            tracing::error!(
                service = %self.name(),
                ?rest,
                "started too often, perhaps in a loop: the service rests"
            );
            self.rest(reactor, rest);
        }
        allowed.is_ok()
    }

    fn accept_some(self: &Rc<Self>, reactor: &Reactor) {
        for _ in 0..PER_TURN {
            if self.children.get() >= self.entry.borrow().limits.children {
                self.unwatch(reactor);
                self.state.set(State::Full);
                return;
            }
            let accepted = self.socket.borrow().as_ref().map(Socket::accept);
            let Some(accepted) = accepted else { return };
            match accepted {
                Ok((stream, peer)) => {
                    if !self.may_start(reactor) {
                        return;
                    }
                    self.start(reactor, stream, &peer);
                }
                Err(error) => match AcceptFailure::of(&error) {
                    AcceptFailure::Drained => return,
                    AcceptFailure::Skip => {}
                    AcceptFailure::NoDescriptors | AcceptFailure::Wait => {
                        tracing::error!(service = %self.name(), %error, "cannot accept; trying again");
                        return self.rest(reactor, BACK_OFF);
                    }
                },
            }
        }
        if let Some(token) = self.token.get() {
            reactor.reschedule(token);
        }
    }

    /// Starts a child for an accepted connection.
    fn start(self: &Rc<Self>, reactor: &Reactor, stream: OwnedFd, peer: &str) {
        match self.spawn(reactor, stream) {
            Ok(process) => {
                self.children.set(self.children.get() + 1);
                tracing::info!(service = %self.name(), pid = process.pid(), %peer, "started");
            }
            // The connection is closed.
            Err(error) => {
                tracing::error!(service = %self.name(), %peer, %error, "could not be started")
            }
        }
    }

    /// Gives the socket to a child.
    fn lend(self: &Rc<Self>, reactor: &Reactor) {
        if !self.may_start(reactor) {
            return;
        }
        self.unwatch(reactor);
        let lent = {
            let socket = self.socket.borrow();
            let Some(socket) = socket.as_ref() else { return };
            // Programs expect a socket that blocks.
            socket.set_blocking(true).and_then(|()| socket.lend())
        };
        let started =
            lent.map_err(|error| error.to_string()).and_then(|socket| self.spawn(reactor, socket));
        match started {
            Ok(process) => {
                self.state.set(State::Lent);
                self.children.set(self.children.get() + 1);
                tracing::info!(service = %self.name(), pid = process.pid(), "started, with the socket");
            }
            Err(error) => {
                tracing::error!(service = %self.name(), %error, "could not be started; trying again");
                self.take_back();
                self.rest(reactor, BACK_OFF);
            }
        }
    }

    /// The socket becomes standard input, output and error.
    fn spawn(self: &Rc<Self>, reactor: &Reactor, socket: OwnedFd) -> Result<Process, String> {
        let entry = self.entry.borrow();
        let Run::Program { path, arguments } = &entry.run else {
            return Err("it is a built-in service".to_owned());
        };
        let mut command = Command::new(path);
        if let Some((name, rest)) = arguments.split_first() {
            command.arg0(name).args(rest);
        }
        if let Some(identity) = &*self.identity.borrow() {
            command.uid(identity.uid).gid(identity.gid);
        }
        let stdio = || socket.try_clone().map(Stdio::from).map_err(|error| error.to_string());
        command.stdin(stdio()?).stdout(stdio()?).stderr(stdio()?);
        let config = ProcessConfig::default()
            .stdin(ChildIo::FromCommand)
            .stdout(ChildIo::FromCommand)
            .stderr(ChildIo::FromCommand)
            .at_stop(AtStop::Leave);
        let child = Child { port: self.clone() };
        reactor.spawn_process_with(child, command, config).map_err(|error| error.to_string())
    }

    /// The socket is this process's own again.
    fn take_back(&self) {
        if let Some(socket) = self.socket.borrow().as_ref()
            && let Err(error) = socket.set_blocking(false)
        {
            tracing::error!(service = %self.name(), error = %with_causes(&error), "the socket cannot be made non-blocking");
        }
    }

    fn child_ended(self: &Rc<Self>, reactor: &Reactor) {
        self.children.set(self.children.get().saturating_sub(1));
        match self.state.get() {
            State::Lent => {
                self.take_back();
                self.listen(reactor);
            }
            State::Full => self.listen(reactor),
            State::Listening | State::Resting | State::Closed => {}
        }
    }
}

impl Handler for Port {
    fn ready(self: Rc<Self>, reactor: &Reactor, _: Ready) {
        if self.state.get() != State::Listening {
            return;
        }
        if !self.entry.borrow().wait {
            self.accept_some(reactor);
        } else if self.socket.borrow().as_ref().is_some_and(Socket::has_input) {
            // Readiness is a hint only: a program that is started for nothing would wait with the socket.
            self.lend(reactor);
        }
    }

    fn rescheduled(self: Rc<Self>, reactor: &Reactor) {
        self.ready(reactor, Ready::default());
    }

    fn describe(&self) -> String {
        format!("inetd: {}", self.name())
    }
}

struct Child {
    port: Rc<Port>,
}

impl ProcessProtocol for Child {
    fn exited(&mut self, process: &Process, status: &ProcessStatus) {
        let (service, pid) = (self.port.name(), process.pid());
        if status.is_success() {
            tracing::info!(%service, pid, "ended");
        } else {
            tracing::warn!(%service, pid, %status, "failed");
        }
        if let Some(reactor) = process.reactor() {
            self.port.child_ended(&reactor);
        }
    }
}
