//! A socket for datagrams with its protocol: [`Core`], and what the loop does with it. Everything here runs from the loop;
//! what users ask is in `transport.rs`.

use std::{
    any::Any,
    cell::{Cell, RefCell},
    collections::VecDeque,
    io::{self, ErrorKind},
    rc::Rc,
    time::Duration,
};

use sinew_reactor::{Handler, Interest, Killed, Reactor, Ready, TimerKey, Token, WeakReactor};

use super::{
    DatagramAddr, DatagramConfig, DatagramProtocol, DatagramStats, DatagramTransport, SendFailed,
    Stopped, queue::Queue,
};
use crate::{TimerId, buffers::Buffers, net::DatagramSocket, timers::Timers};

/// Failures that wait to be told; past it they are only counted.
const FAILURES_MAX: usize = 64;

/// After how long sending is tried again where nobody tells when it is worth it.
const RETRY: Duration = Duration::from_millis(5);

/// Errors of receiving, one after the other, after which the socket is given up.
const ERRORS_MAX: u32 = 16;

/// See the head of this file.
pub(crate) struct Core<A: DatagramAddr> {
    pub(super) reactor: WeakReactor,
    buffers: Rc<Buffers>,
    pub(super) token: Token,
    /// `None` once it is closed.
    pub(super) socket: RefCell<Option<Box<dyn DatagramSocket<A>>>>,
    pub(super) local: A,
    pub(super) peer: Option<A>,
    pub(super) config: DatagramConfig,
    pub(super) flags: Cell<Flags>,
    pub(super) queue: RefCell<Queue<A>>,
    pub(super) failures: RefCell<VecDeque<SendFailed<A>>>,
    pub(super) timers: Timers,
    pub(super) reason: Cell<Option<Stopped>>,
    pub(super) stats: Cell<DatagramStats>,
    /// Errors of receiving since something was received.
    errors: Cell<u32>,
    /// When sending is tried again, where nobody tells when it is worth it.
    retry: Cell<Option<TimerKey>>,
    /// The only thing that is borrowed during a callback.
    protocol: RefCell<Option<Box<dyn DatagramProtocol<A>>>>,
    name: &'static str,
}

#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Flags {
    readable: bool,
    pub(super) blocked: bool,
    pub(super) paused: bool,
    pub(super) refused: bool,
    /// Something was refused for which the queue had no room; `sending_resumed` is owed.
    pub(super) resume_owed: bool,
    started: bool,
    /// The end is to be told.
    pub(super) over: bool,
    end_told: bool,
    gone: bool,
}

/// What a core is made of, on its way to be registered.
pub(super) struct Opened<A> {
    pub(super) socket: Box<dyn DatagramSocket<A>>,
    pub(super) peer: Option<A>,
}

impl<A: DatagramAddr> Opened<A> {
    /// Joins it to the reactor: the loop tells `started` in its next turn.
    pub(super) fn start<P: DatagramProtocol<A>>(
        mut self,
        reactor: &Reactor,
        config: DatagramConfig,
        protocol: P,
    ) -> io::Result<DatagramTransport<A>> {
        let registered = self.socket.local().and_then(|local| {
            let token = self.socket.register(reactor)?;
            Ok((local, token))
        });
        let (local, token) = match registered {
            Ok(registered) => registered,
            Err(error) => {
                // Its drop may be user code, and no call runs that.
                reactor.discard(protocol);
                return Err(error);
            }
        };
        let core = Rc::new(Core {
            reactor: reactor.downgrade(),
            buffers: reactor.local(),
            token,
            socket: RefCell::new(Some(self.socket)),
            local,
            peer: self.peer,
            config,
            flags: Cell::default(),
            queue: RefCell::default(),
            failures: RefCell::default(),
            timers: Timers::default(),
            reason: Cell::default(),
            stats: Cell::default(),
            errors: Cell::default(),
            retry: Cell::default(),
            protocol: RefCell::new(Some(Box::new(protocol))),
            name: std::any::type_name::<P>(),
        });
        reactor.bind(token, core.clone());
        reactor.run_again(token);
        Ok(DatagramTransport(core))
    }
}

impl<A: DatagramAddr> Core<A> {
    pub(super) fn update<R>(&self, f: impl FnOnce(&mut Flags) -> R) -> R {
        let mut flags = self.flags.get();
        let result = f(&mut flags);
        self.flags.set(flags);
        result
    }

    pub(super) fn count(&self, f: impl FnOnce(&mut DatagramStats)) {
        let mut stats = self.stats.get();
        f(&mut stats);
        self.stats.set(stats);
    }

    /// Has the loop come by, in this turn if its events are still to come.
    pub(super) fn come_by(&self) {
        if let Some(reactor) = self.reactor.upgrade() {
            reactor.run_again(self.token);
        }
    }

    /// One system call, and another if a signal came in between or it was told of something else first.
    pub(super) fn send_now(&self, data: &[u8], to: Option<&A>) -> io::Result<()> {
        let socket = self.socket.borrow();
        let socket = socket.as_ref().ok_or(ErrorKind::NotConnected)?;
        let mut refused = false;
        loop {
            match socket.send_to(data, to) {
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                // That is said of an earlier one; this one was not looked at.
                Err(error) if is_refusal(&error) && !refused => {
                    refused = true;
                    if self.peer.is_some() {
                        self.update(|flags| flags.refused = true);
                        self.come_by();
                    }
                }
                Ok(()) => {
                    self.count(|stats| stats.sent += 1);
                    if let Some(reactor) = self.reactor.upgrade() {
                        reactor.meter().bytes_sent.add(data.len() as u64);
                    }
                    return Ok(());
                }
                Err(error) => return Err(error),
            }
        }
    }

    /// Notes a failure, for the loop to tell.
    pub(super) fn failed(&self, to: Option<A>, source: io::Error) {
        self.count(|stats| stats.failed += 1);
        let mut failures = self.failures.borrow_mut();
        if failures.len() < FAILURES_MAX {
            failures.push_back(SendFailed { to, source });
            self.come_by();
        }
    }

    /// It is over; the loop tells the end.
    pub(super) fn lose(&self, reason: Stopped) {
        if self.update(|flags| std::mem::replace(&mut flags.over, true)) {
            return;
        }
        self.reason.set(Some(reason));
        if let Some(reactor) = self.reactor.upgrade() {
            reactor.reap_later(self.token);
        }
    }

    /// The system is full.
    pub(super) fn block(&self) {
        self.update(|flags| flags.blocked = true);
        let tells = self.socket.borrow().as_ref().is_none_or(|socket| socket.tells_of_room());
        if let Some(reactor) = self.reactor.upgrade() {
            if !tells && self.retry.get().is_none() {
                self.retry.set(Some(reactor.arm_timer(self.token, RETRY)));
            }
            self.tell_interest(&reactor);
        }
    }

    /// On level-triggered engines, what is not wanted must not be told: it would be told for ever.
    pub(super) fn tell_interest(&self, reactor: &Reactor) {
        let flags = self.flags.get();
        if reactor.is_edge_triggered() || flags.over {
            return;
        }
        let input = if flags.paused { Interest::NONE } else { Interest::READ };
        let waits = flags.blocked && self.retry.get().is_none();
        let output = if waits { Interest::WRITE } else { Interest::NONE };
        reactor.set_interest(self.token, input | output);
    }
}

/// "Nobody listens there", of a datagram that was sent before. Windows says so of others' ports, too.
fn is_refusal(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::ConnectionRefused | ErrorKind::ConnectionReset)
}

/// What Windows says of a datagram that does not fit into the buffer.
fn is_cut_off(error: &io::Error) -> bool {
    const WSAEMSGSIZE: i32 = 10_040;
    cfg!(windows) && error.raw_os_error() == Some(WSAEMSGSIZE)
}

impl<A: DatagramAddr> DatagramTransport<A> {
    /// What there is to do, and no more of it than others can wait for.
    fn work(&self, reactor: &Reactor) {
        let core = &*self.0;
        if !core.update(|flags| std::mem::replace(&mut flags.started, true)) {
            self.tell(|protocol| protocol.started(self));
        }
        self.tell_news();
        for _ in 0..core.config.received_per_turn {
            let flags = core.flags.get();
            if !flags.readable || flags.paused || flags.over {
                break;
            }
            self.receive(reactor);
        }
        self.send_queued();
        self.tell_news();
        let flags = core.flags.get();
        if flags.readable && !flags.paused && !flags.over {
            reactor.run_again(core.token);
        }
        core.tell_interest(reactor);
    }

    fn tell(&self, f: impl FnOnce(&mut dyn DatagramProtocol<A>)) {
        let mut protocol = self.0.protocol.borrow_mut();
        if let Some(protocol) = &mut *protocol {
            f(&mut **protocol);
        }
    }

    /// One datagram, and the callback that it leads to.
    fn receive(&self, reactor: &Reactor) {
        let core = &*self.0;
        let mut buffer = core.buffers.read_buffer();
        let room = core.config.room();
        let received = match &*core.socket.borrow() {
            Some(socket) => socket.receive_from(&mut buffer[..room]),
            None => Err(ErrorKind::WouldBlock.into()),
        };
        match received {
            Ok((len, from)) => {
                core.errors.set(0);
                reactor.meter().bytes_received.add(len as u64);
                if len == room {
                    return self.cut_off();
                }
                core.count(|stats| stats.received += 1);
                self.tell(|protocol| protocol.datagram_received(self, &buffer[..len], from));
            }
            Err(error) => {
                drop(buffer);
                self.not_received(error);
            }
        }
    }

    fn cut_off(&self) {
        self.0.count(|stats| stats.truncated += 1);
        tracing::debug!(local = %self.0.local, "a datagram was dropped: it is longer than max_len");
    }

    #[cold]
    fn not_received(&self, error: io::Error) {
        let core = &*self.0;
        match error.kind() {
            ErrorKind::WouldBlock => core.update(|flags| flags.readable = false),
            ErrorKind::Interrupted => {}
            _ if is_cut_off(&error) => self.cut_off(),
            _ if is_refusal(&error) => {
                if core.peer.is_some() {
                    self.tell(|protocol| protocol.connection_refused(self));
                }
            }
            _ => {
                core.errors.set(core.errors.get() + 1);
                if core.errors.get() >= ERRORS_MAX {
                    core.lose(Stopped::Io(error));
                } else {
                    // It is about something that was sent.
                    core.failed(core.peer.clone(), error);
                }
            }
        }
    }

    /// Sends what waits, until the socket is full.
    fn send_queued(&self) {
        let core = &*self.0;
        while !core.flags.get().blocked {
            let sent = match core.queue.borrow().front() {
                Some(first) => core.send_now(&first.data, first.to.as_ref()),
                None => break,
            };
            match sent {
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    core.block();
                }
                sent => {
                    let first = core.queue.borrow_mut().pop();
                    if let (Err(error), Some(first)) = (sent, first) {
                        core.failed(first.to, error);
                    }
                }
            }
        }
    }

    /// What was noted while the protocol could not be called.
    fn tell_news(&self) {
        let core = &*self.0;
        if core.update(|flags| std::mem::take(&mut flags.refused)) {
            self.tell(|protocol| protocol.connection_refused(self));
        }
        let count = core.failures.borrow().len();
        for _ in 0..count {
            let failed = core.failures.borrow_mut().pop_front();
            if let Some(failed) = failed {
                self.tell(|protocol| protocol.send_failed(self, &failed));
            }
        }
        let is_empty = core.queue.borrow().is_empty();
        if is_empty && core.update(|flags| std::mem::take(&mut flags.resume_owed)) {
            self.tell(|protocol| protocol.sending_resumed(self));
        }
    }

    /// Gives back what is the system's and the reactor's, then what is the user's.
    fn finish(&self, reactor: &Reactor) {
        let core = &*self.0;
        if core.update(|flags| std::mem::replace(&mut flags.gone, true)) {
            return;
        }
        core.update(|flags| flags.over = true);
        for key in core.timers.take().into_iter().chain(core.retry.take()) {
            reactor.disarm_timer(key);
        }
        reactor.deregister(core.token, true);
        core.socket.take();
        core.queue.borrow_mut().clear();
        core.failures.take();
        *core.protocol.borrow_mut() = None;
    }
}

impl<A: DatagramAddr> Handler for Core<A> {
    fn ready(self: Rc<Self>, reactor: &Reactor, ready: Ready) {
        self.update(|flags| {
            flags.readable |= ready.is_read();
            flags.blocked &= !ready.is_write();
        });
        DatagramTransport(self).work(reactor);
    }

    fn again(self: Rc<Self>, reactor: &Reactor) {
        let is_unwatched =
            self.socket.borrow().as_ref().is_some_and(|socket| socket.is_unwatched());
        if is_unwatched {
            self.update(|flags| flags.readable = true);
        }
        DatagramTransport(self).work(reactor);
    }

    fn timer(self: Rc<Self>, reactor: &Reactor, key: TimerKey) {
        if self.retry.get() == Some(key) {
            self.retry.set(None);
            self.update(|flags| flags.blocked = false);
            return DatagramTransport(self).work(reactor);
        }
        if self.timers.remove(key) && !self.flags.get().over {
            let transport = DatagramTransport(self);
            transport.tell(|protocol| protocol.timer_fired(&transport, TimerId(key)));
            transport.0.tell_interest(reactor);
        }
    }

    /// The end is told, and everything is let go. What waits has one more chance to be sent.
    fn reap(self: Rc<Self>, reactor: &Reactor) {
        let transport = DatagramTransport(self);
        let core = &*transport.0;
        if !core.update(|flags| std::mem::replace(&mut flags.started, true)) {
            transport.tell(|protocol| protocol.started(&transport));
        }
        if !core.update(|flags| std::mem::replace(&mut flags.end_told, true)) {
            core.update(|flags| flags.blocked = false);
            transport.send_queued();
            let reason = core.reason.take().unwrap_or(Stopped::Shutdown);
            transport.tell(|protocol| protocol.stopped(&transport, &reason));
        }
        transport.finish(reactor);
    }

    fn told(self: Rc<Self>, reactor: &Reactor, message: &dyn Any) {
        if message.is::<Killed>() {
            DatagramTransport(self).finish(reactor);
        }
    }

    fn shutdown(self: Rc<Self>, _: &Reactor) {
        self.lose(Stopped::Shutdown);
    }

    /// Of what one has sent, others must not suffer.
    fn panicked(self: Rc<Self>, reactor: &Reactor, _: &str) -> bool {
        let flags = self.flags.get();
        if flags.end_told {
            // It was `stopped` that panicked.
            DatagramTransport(self).finish(reactor);
        } else if flags.over {
            reactor.reap_later(self.token);
        } else {
            reactor.run_again(self.token);
        }
        true
    }

    fn describe(&self) -> String {
        format!("{} at {}", self.name, self.local)
    }
}
