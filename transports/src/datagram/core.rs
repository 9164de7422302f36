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

use sinew_reactor::{
    Handler, Interest, Killed, PacketInfo, Reactor, Ready, TimerKey, Token, WeakReactor,
    is_about_sent,
};

use super::{
    DatagramAddr, DatagramConfig, DatagramProtocol, DatagramStats, DatagramTransport, SendFailed,
    Stopped, queue::Queue, socket_io::SocketIo,
};
use crate::{TimerId, buffers::Buffers, net::Received, timers::Timers};

/// Failures that wait to be told; past it they are only counted.
const FAILURES_MAX: usize = 64;

/// After how long sending is tried again where nobody tells when it is worth it.
const RETRY: Duration = Duration::from_millis(5);

/// Errors of receiving, one right after the other, after which the socket is given up or, if they are about what was sent, has a rest.
const ERRORS_MAX: u32 = 16;

/// How long it rests then: an error that is told again and again, as by a security module, must not have all of the loop's time.
const REST: Duration = Duration::from_millis(100);

/// See the head of this file.
pub(crate) struct Core<A: DatagramAddr> {
    pub(super) reactor: WeakReactor,
    buffers: Rc<Buffers>,
    pub(super) token: Token,
    /// `None` once it is closed.
    pub(super) socket: RefCell<Option<Box<dyn SocketIo<A>>>>,
    pub(super) local: A,
    pub(super) peer: Option<A>,
    /// The only one that is heard, spelled as the system spells it, if the socket is connected.
    heard: RefCell<Option<A>>,
    pub(super) config: DatagramConfig,
    pub(super) flags: Cell<Flags>,
    pub(super) queue: RefCell<Queue<A>>,
    pub(super) failures: RefCell<VecDeque<SendFailed<A>>>,
    pub(super) timers: Timers,
    pub(super) reason: Cell<Option<Stopped>>,
    pub(super) stats: Cell<DatagramStats>,
    /// Of the datagram that is being delivered: its sender, and where it was sent to, if the system tells.
    delivering: RefCell<Option<(A, PacketInfo)>>,
    /// Errors of receiving since something was received, or there was nothing more to receive.
    errors: Cell<u32>,
    /// When sending is tried again, where nobody tells when it is worth it.
    retry: Cell<Option<TimerKey>>,
    /// When receiving is tried again.
    rest: Cell<Option<TimerKey>>,
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
    pub(super) socket: Box<dyn SocketIo<A>>,
    pub(super) peer: Option<A>,
    /// Others may have it, too.
    pub(super) is_shared: bool,
}

impl<A: DatagramAddr> Opened<A> {
    /// Joins it to the reactor: the loop tells `started` in its next turn.
    pub(super) fn start<P: DatagramProtocol<A>>(
        mut self,
        reactor: &Reactor,
        config: DatagramConfig,
        protocol: P,
    ) -> io::Result<DatagramTransport<A>> {
        let heard = self.peer.as_ref().and_then(|_| self.socket.peer().ok());
        let registered = self.socket.local().and_then(|local| {
            let token = self.socket.register(reactor)?;
            Ok((local, token))
        });
        let (local, token) = match registered {
            Ok(registered) => registered,
            Err(error) => {
                // Its drop may be user code, and no call runs that.
                reactor.defer_drop(protocol);
                return Err(error);
            }
        };
        if self.is_shared {
            reactor.mark_shared(token);
        }
        let core = Rc::new(Core {
            reactor: reactor.downgrade(),
            buffers: reactor.local(),
            token,
            socket: RefCell::new(Some(self.socket)),
            local,
            peer: self.peer,
            heard: RefCell::new(heard),
            config,
            flags: Cell::default(),
            queue: RefCell::default(),
            failures: RefCell::default(),
            timers: Timers::default(),
            reason: Cell::default(),
            stats: Cell::default(),
            delivering: RefCell::default(),
            errors: Cell::default(),
            retry: Cell::default(),
            rest: Cell::default(),
            protocol: RefCell::new(Some(Box::new(protocol))),
            name: std::any::type_name::<P>(),
        });
        reactor.bind(token, core.clone());
        reactor.reschedule(token);
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
    pub(super) fn reschedule(&self) {
        if let Some(reactor) = self.reactor.upgrade() {
            reactor.reschedule(self.token);
        }
    }

    /// One system call, and another if a signal came in between or it was told of something else first.
    pub(super) fn send_now(
        &self,
        data: &[u8],
        to: Option<&A>,
        from: Option<&PacketInfo>,
    ) -> io::Result<()> {
        let socket = self.socket.borrow();
        let socket = socket.as_ref().ok_or(ErrorKind::NotConnected)?;
        let mut earlier: Option<io::Error> = None;
        let sent = loop {
            match socket.send(data, to, from) {
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                // That may be said of an earlier one, and then this one was not looked at.
                Err(error) if is_about_sent(&error) && earlier.is_none() => earlier = Some(error),
                sent => break sent,
            }
        };
        if let Some(earlier) = earlier {
            let said = |error: &io::Error| (error.kind(), error.raw_os_error());
            let is_of_this = sent.as_ref().is_err_and(|error| said(error) == said(&earlier));
            if is_refusal(&earlier) || !is_of_this {
                self.did_not_arrive(earlier);
            }
        }
        if sent.is_ok() {
            self.count(|stats| stats.sent += 1);
            if let Some(reactor) = self.reactor.upgrade() {
                reactor.meter().bytes_sent.add(data.len() as u64);
            }
        }
        sent
    }

    /// Where an answer leaves from: the address that was asked, if this goes to the one whose datagram is being delivered.
    pub(super) fn answers_from(&self, to: &A) -> Option<PacketInfo> {
        let delivering = self.delivering.borrow();
        delivering.as_ref().filter(|(from, _)| from.is(to)).map(|(_, info)| *info)
    }

    /// Where the datagram that is being delivered was sent to.
    pub(super) fn packet_info(&self) -> Option<PacketInfo> {
        self.delivering.borrow().as_ref().map(|(_, info)| *info)
    }

    /// The system says that something which was sent did not arrive; the loop tells. That nobody listens is told as such.
    fn did_not_arrive(&self, error: io::Error) {
        if !is_refusal(&error) {
            self.failed(self.peer.clone(), error);
        } else if self.peer.is_some() {
            self.update(|flags| flags.refused = true);
            self.reschedule();
        }
    }

    /// Whether a datagram from there is to be told. Those that came before the socket was connected, the system lets through, whoever
    /// has sent them.
    fn hears(&self, from: &A) -> bool {
        let mut heard = self.heard.borrow_mut();
        let Some(peer) = heard.as_mut().filter(|peer| !peer.is(from)) else { return true };
        // A Unix socket may have been given its name since then, and what is shared may have been connected to somebody else.
        if let Some(Ok(now)) = self.socket.borrow().as_ref().map(|socket| socket.peer()) {
            *peer = now;
        }
        peer.is(from)
    }

    /// Notes a failure, for the loop to tell.
    pub(super) fn failed(&self, to: Option<A>, source: io::Error) {
        self.count(|stats| stats.failed += 1);
        let mut failures = self.failures.borrow_mut();
        if failures.len() < FAILURES_MAX {
            failures.push_back(SendFailed { to, source });
            self.reschedule();
        }
    }

    /// It is over; the loop tells the end.
    pub(super) fn lose(&self, reason: Stopped) {
        if self.update(|flags| std::mem::replace(&mut flags.over, true)) {
            return;
        }
        self.reason.set(Some(reason));
        if let Some(reactor) = self.reactor.upgrade() {
            reactor.finalize_later(self.token);
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

    fn may_receive(&self) -> bool {
        let flags = self.flags.get();
        flags.readable && !flags.paused && !flags.over && self.rest.get().is_none()
    }

    /// On level-triggered engines, what is not wanted must not be told: it would be told for ever.
    pub(super) fn tell_interest(&self, reactor: &Reactor) {
        let flags = self.flags.get();
        if reactor.is_edge_triggered() || flags.over {
            return;
        }
        let held = flags.paused || self.rest.get().is_some();
        let input = if held { Interest::NONE } else { Interest::READ };
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
            if !core.may_receive() {
                break;
            }
            self.receive(reactor);
        }
        self.send_queued();
        self.tell_news();
        if core.may_receive() {
            reactor.reschedule(core.token);
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
            Some(socket) => socket.receive(&mut buffer[..room]),
            None => Err(ErrorKind::WouldBlock.into()),
        };
        match received {
            Ok(Received { len, from, info }) => {
                core.errors.set(0);
                if !core.hears(&from) {
                    return core.count(|stats| stats.strangers += 1);
                }
                reactor.meter().bytes_received.add(len as u64);
                if len == room {
                    return self.cut_off();
                }
                core.count(|stats| stats.received += 1);
                let info = info.filter(|_| core.config.packet_info);
                if let Some(info) = info {
                    core.delivering.replace(Some((from.clone(), info)));
                }
                self.tell(|protocol| protocol.datagram_received(self, &buffer[..len], from));
                if info.is_some() {
                    core.delivering.take();
                }
            }
            Err(error) => {
                drop(buffer);
                self.not_received(reactor, error);
            }
        }
    }

    fn cut_off(&self) {
        self.0.count(|stats| stats.truncated += 1);
        tracing::debug!(local = %self.0.local, "a datagram was dropped: it is longer than max_len");
    }

    #[cold]
    fn not_received(&self, reactor: &Reactor, error: io::Error) {
        let core = &*self.0;
        match error.kind() {
            ErrorKind::WouldBlock => {
                core.errors.set(0);
                return core.update(|flags| flags.readable = false);
            }
            ErrorKind::Interrupted => return,
            _ if is_cut_off(&error) => return self.cut_off(),
            _ => {}
        }
        let errors = core.errors.get() + 1;
        core.errors.set(errors % ERRORS_MAX);
        let is_about_sent = is_about_sent(&error);
        if is_about_sent && errors == ERRORS_MAX {
            core.rest.set(Some(reactor.arm_timer(core.token, REST)));
        }
        if !is_about_sent && errors == ERRORS_MAX {
            core.lose(Stopped::Io(error));
        } else if is_refusal(&error) {
            if core.peer.is_some() {
                self.tell(|protocol| protocol.connection_refused(self));
            }
        } else {
            core.failed(core.peer.clone(), error);
        }
    }

    /// Sends what waits, until the socket is full.
    fn send_queued(&self) {
        let core = &*self.0;
        while !core.flags.get().blocked {
            let sent = match core.queue.borrow().front() {
                Some(first) => core.send_now(&first.data, first.to.as_ref(), first.from.as_ref()),
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
        for key in core.timers.take().into_iter().chain(core.retry.take()).chain(core.rest.take()) {
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

    fn rescheduled(self: Rc<Self>, reactor: &Reactor) {
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
        if self.rest.get() == Some(key) {
            self.rest.set(None);
            return DatagramTransport(self).work(reactor);
        }
        if self.timers.remove(key) && !self.flags.get().over {
            let transport = DatagramTransport(self);
            transport.tell(|protocol| protocol.timer_fired(&transport, TimerId(key)));
            transport.0.tell_interest(reactor);
        }
    }

    /// The end is told, and everything is let go. What waits has one more chance to be sent.
    fn finalize(self: Rc<Self>, reactor: &Reactor) {
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

    fn message_received(self: Rc<Self>, reactor: &Reactor, message: &dyn Any) {
        if message.is::<Killed>() {
            DatagramTransport(self).finish(reactor);
        }
    }

    fn shutdown(self: Rc<Self>, _: &Reactor) {
        self.lose(Stopped::Shutdown);
    }

    /// Of what one has sent, others must not suffer.
    fn panicked(self: Rc<Self>, reactor: &Reactor, _: &str) -> bool {
        self.delivering.take();
        let flags = self.flags.get();
        if flags.end_told {
            // It was `stopped` that panicked.
            DatagramTransport(self).finish(reactor);
        } else if flags.over {
            reactor.finalize_later(self.token);
        } else {
            reactor.reschedule(self.token);
        }
        true
    }

    fn describe(&self) -> String {
        format!("{} at {}", self.name, self.local)
    }
}

#[cfg(test)]
mod tests;
