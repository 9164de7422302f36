//! A datagram socket with its protocol: [`Core`], the handler called by the event loop. The handle for users is in
//! `transport.rs`.

use std::{
    any::Any,
    cell::{Cell, RefCell},
    collections::VecDeque,
    io::{self, ErrorKind},
    rc::{Rc, Weak},
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
use crate::{
    TimerId,
    buffers::Buffers,
    inspect::{OpenPort, OpenPorts},
    net::Received,
    timers::Timers,
};

mod report;

/// Maximum failures queued for `send_failed`; further ones are only counted.
const FAILURES_MAX: usize = 64;

/// Retry interval for sending on sockets that do not report when they are writable.
const SEND_RETRY: Duration = Duration::from_millis(5);

/// Maximum consecutive receive receive_errors. Then the socket is closed or, if the receive_errors concern sent datagrams, receiving pauses.
const ERRORS_MAX: u32 = 16;

/// Length of that pause, so that an error without end, as from a security module, does not take all of the loop's time.
const RECEIVE_BACKOFF: Duration = Duration::from_millis(100);

/// The state of a datagram socket, and its handler.
pub(crate) struct Core<A: DatagramAddr> {
    pub(super) reactor: WeakReactor,
    buffers: Rc<Buffers>,
    pub(super) token: Token,
    /// `None` when closed.
    pub(super) socket: RefCell<Option<Box<dyn SocketIo<A>>>>,
    pub(super) local: A,
    pub(super) peer: Option<A>,
    /// For connected sockets, the peer as the system reports it: datagrams from others are dropped.
    connected_peer: RefCell<Option<A>>,
    pub(super) config: DatagramConfig,
    pub(super) flags: Cell<Flags>,
    pub(super) queue: RefCell<Queue<A>>,
    pub(super) failures: RefCell<VecDeque<SendFailed<A>>>,
    pub(super) timers: Timers,
    pub(super) reason: Cell<Option<Stopped>>,
    pub(super) stats: Cell<DatagramStats>,
    /// During `datagram_received`: the sender, and the packet info if it is received.
    delivering: RefCell<Option<(A, PacketInfo)>>,
    /// Consecutive receive receive_errors; reset by a datagram and by `WouldBlock`.
    receive_errors: Cell<u32>,
    /// Timer of the next attempt to send, for sockets that do not report when they are writable.
    retry: Cell<Option<TimerKey>>,
    /// Timer that ends a pause in receiving.
    backoff: Cell<Option<TimerKey>>,
    /// The only cell that is borrowed during a callback.
    protocol: RefCell<Option<Box<dyn DatagramProtocol<A>>>>,
    name: &'static str,
}

#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Flags {
    readable: bool,
    pub(super) blocked: bool,
    pub(super) paused: bool,
    pub(super) refused: bool,
    /// A datagram was refused since the queue was full; `sending_resumed` must be called.
    pub(super) resume_owed: bool,
    started: bool,
    /// `stopped` must be called.
    pub(super) closing: bool,
    stopped_called: bool,
    finished: bool,
}

/// An open socket, before it is registered.
pub(super) struct Opened<A> {
    pub(super) socket: Box<dyn SocketIo<A>>,
    pub(super) peer: Option<A>,
    /// Other processes may hold the same socket.
    pub(super) is_shared: bool,
}

impl<A: DatagramAddr> Opened<A> {
    /// Registers it with the reactor; `started` is called in the next turn.
    pub(super) fn start<P: DatagramProtocol<A>>(
        mut self,
        reactor: &Reactor,
        config: DatagramConfig,
        protocol: P,
    ) -> io::Result<DatagramTransport<A>> {
        // The kernel may report it otherwise: it is asked at the first difference.
        let connected_peer = self.peer.clone();
        let registered = self.socket.local().and_then(|local| {
            let token = self.socket.register(reactor)?;
            Ok((local, token))
        });
        let (local, token) = match registered {
            Ok(registered) => registered,
            Err(error) => {
                // Dropping the protocol may run user code, so the event loop drops it.
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
            connected_peer: RefCell::new(connected_peer),
            config,
            flags: Cell::default(),
            queue: RefCell::default(),
            failures: RefCell::default(),
            timers: Timers::default(),
            reason: Cell::default(),
            stats: Cell::default(),
            delivering: RefCell::default(),
            receive_errors: Cell::default(),
            retry: Cell::default(),
            backoff: Cell::default(),
            protocol: RefCell::new(Some(Box::new(protocol))),
            name: std::any::type_name::<P>(),
        });
        let port: Weak<dyn OpenPort> = Rc::downgrade(&(core.clone() as Rc<dyn OpenPort>));
        OpenPorts::add(reactor, token, port);
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

    /// Has the loop call the handler, in this turn if dispatch is still to come.
    pub(super) fn reschedule(&self) {
        if let Some(reactor) = self.reactor.upgrade() {
            reactor.reschedule(self.token);
        }
    }

    /// Makes one system call, and another if it was interrupted or returned the pending error of an earlier datagram.
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
                // This may be the error of an earlier datagram; then this one was not sent.
                Err(error) if is_about_sent(&error) && earlier.is_none() => earlier = Some(error),
                sent => break sent,
            }
        };
        if let Some(earlier) = earlier {
            let code = |error: &io::Error| (error.kind(), error.raw_os_error());
            let is_same = sent.as_ref().is_err_and(|error| code(error) == code(&earlier));
            if is_refusal(&earlier) || !is_same {
                self.delivery_failed(earlier);
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

    /// The source address of an answer: the packet info, if `to` has sent the datagram that is being delivered.
    pub(super) fn answers_from(&self, to: &A) -> Option<PacketInfo> {
        let delivering = self.delivering.borrow();
        delivering.as_ref().filter(|(from, _)| from.is(to)).map(|(_, info)| *info)
    }

    /// Packet info of the datagram that is being delivered.
    pub(super) fn packet_info(&self) -> Option<PacketInfo> {
        self.delivering.borrow().as_ref().map(|(_, info)| *info)
    }

    /// Queues the report of a datagram that did not arrive. ICMP "port unreachable" becomes `connection_refused`.
    fn delivery_failed(&self, error: io::Error) {
        if !is_refusal(&error) {
            self.failed(self.peer.clone(), error);
        } else if self.peer.is_some() {
            self.update(|flags| flags.refused = true);
            self.reschedule();
        }
    }

    /// Whether a datagram from this address is delivered. Datagrams from others may have been queued before the socket was
    /// connected.
    fn accepts_from(&self, from: &A) -> bool {
        let mut connected_peer = self.connected_peer.borrow_mut();
        let Some(peer) = connected_peer.as_mut().filter(|peer| !peer.is(from)) else { return true };
        // A Unix peer may have been bound to a name since then, and a shared socket may have been reconnected.
        let socket = self.socket.borrow();
        match socket.as_ref().map(|socket| (socket.peer(), socket.is_unwatched())) {
            Some((Ok(now), _)) => *peer = now,
            // A network in the kernel's place delivers only what is from the peer.
            Some((Err(_), true)) => return true,
            _ => {}
        }
        peer.is(from)
    }

    /// Queues a failure for `send_failed`.
    pub(super) fn failed(&self, to: Option<A>, source: io::Error) {
        self.count(|stats| stats.failed += 1);
        let mut failures = self.failures.borrow_mut();
        if failures.len() < FAILURES_MAX {
            failures.push_back(SendFailed { to, source });
            self.reschedule();
        }
    }

    /// Marks the socket as closed; the loop calls `stopped`.
    pub(super) fn close(&self, reason: Stopped) {
        if self.update(|flags| std::mem::replace(&mut flags.closing, true)) {
            return;
        }
        self.reason.set(Some(reason));
        if let Some(reactor) = self.reactor.upgrade() {
            reactor.finalize_later(self.token);
        }
    }

    /// The socket's send buffer is full.
    pub(super) fn block(&self) {
        self.update(|flags| flags.blocked = true);
        let reports = self.socket.borrow().as_ref().is_none_or(|socket| socket.tells_of_room());
        if let Some(reactor) = self.reactor.upgrade() {
            if !reports && self.retry.get().is_none() {
                self.retry.set(Some(reactor.arm_timer(self.token, SEND_RETRY)));
            }
            self.update_interest(&reactor);
        }
    }

    fn may_receive(&self) -> bool {
        let flags = self.flags.get();
        flags.readable && !flags.paused && !flags.closing && self.backoff.get().is_none()
    }

    /// On level-triggered engines, an unwanted event would be reported again and again.
    pub(super) fn update_interest(&self, reactor: &Reactor) {
        let flags = self.flags.get();
        if reactor.is_edge_triggered() || flags.closing {
            return;
        }
        let paused = flags.paused || self.backoff.get().is_some();
        let input = if paused { Interest::NONE } else { Interest::READ };
        let waits = flags.blocked && self.retry.get().is_none();
        let output = if waits { Interest::WRITE } else { Interest::NONE };
        reactor.set_interest(self.token, input | output);
    }
}

/// ICMP "port unreachable" for an earlier datagram. Windows reports it on unconnected sockets, too.
fn is_refusal(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::ConnectionRefused | ErrorKind::ConnectionReset)
}

/// How Windows reports a datagram that is longer than the buffer.
fn is_truncated(error: &io::Error) -> bool {
    const WSAEMSGSIZE: i32 = 10_040;
    cfg!(windows) && error.raw_os_error() == Some(WSAEMSGSIZE)
}

impl<A: DatagramAddr> DatagramTransport<A> {
    /// One dispatch: callbacks, receiving up to the limit per turn, and sending what is queued.
    fn drive(&self, reactor: &Reactor) {
        let core = &*self.0;
        if !core.update(|flags| std::mem::replace(&mut flags.started, true)) {
            self.with_protocol(|protocol| protocol.started(self));
        }
        self.report_failures();
        for _ in 0..core.config.received_per_turn {
            if !core.may_receive() {
                break;
            }
            self.receive(reactor);
        }
        self.send_queued();
        self.report_failures();
        if core.may_receive() {
            reactor.reschedule(core.token);
        }
        core.update_interest(reactor);
    }

    fn with_protocol(&self, f: impl FnOnce(&mut dyn DatagramProtocol<A>)) {
        let mut protocol = self.0.protocol.borrow_mut();
        if let Some(protocol) = &mut *protocol {
            f(&mut **protocol);
        }
    }

    /// Receives and delivers one datagram.
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
                core.receive_errors.set(0);
                if !core.accepts_from(&from) {
                    return core.count(|stats| stats.wrong_sender += 1);
                }
                reactor.meter().bytes_received.add(len as u64);
                if len == room {
                    return self.truncated();
                }
                core.count(|stats| stats.received += 1);
                let info = info.filter(|_| core.config.packet_info);
                if let Some(info) = info {
                    core.delivering.replace(Some((from.clone(), info)));
                }
                self.with_protocol(|protocol| {
                    protocol.datagram_received(self, &buffer[..len], from)
                });
                if info.is_some() {
                    core.delivering.take();
                }
            }
            Err(error) => {
                drop(buffer);
                self.receive_failed(reactor, error);
            }
        }
    }

    fn truncated(&self) {
        self.0.count(|stats| stats.truncated += 1);
        tracing::debug!(local = %self.0.local, "datagram dropped: longer than max_len");
    }

    #[cold]
    fn receive_failed(&self, reactor: &Reactor, error: io::Error) {
        let core = &*self.0;
        match error.kind() {
            ErrorKind::WouldBlock => {
                core.receive_errors.set(0);
                return core.update(|flags| flags.readable = false);
            }
            ErrorKind::Interrupted => return,
            _ if is_truncated(&error) => return self.truncated(),
            _ => {}
        }
        let receive_errors = core.receive_errors.get() + 1;
        core.receive_errors.set(receive_errors % ERRORS_MAX);
        let is_about_sent = is_about_sent(&error);
        if is_about_sent && receive_errors == ERRORS_MAX {
            core.backoff.set(Some(reactor.arm_timer(core.token, RECEIVE_BACKOFF)));
        }
        if !is_about_sent && receive_errors == ERRORS_MAX {
            core.close(Stopped::Io(error));
        } else if is_refusal(&error) {
            if core.peer.is_some() {
                self.with_protocol(|protocol| protocol.connection_refused(self));
            }
        } else {
            core.failed(core.peer.clone(), error);
        }
    }

    /// Sends from the queue until it is empty or the socket is full.
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

    /// Calls the callbacks for failures queued since the last time.
    fn report_failures(&self) {
        let core = &*self.0;
        if core.update(|flags| std::mem::take(&mut flags.refused)) {
            self.with_protocol(|protocol| protocol.connection_refused(self));
        }
        let count = core.failures.borrow().len();
        for _ in 0..count {
            let failed = core.failures.borrow_mut().pop_front();
            if let Some(failed) = failed {
                self.with_protocol(|protocol| protocol.send_failed(self, &failed));
            }
        }
        let is_empty = core.queue.borrow().is_empty();
        if is_empty && core.update(|flags| std::mem::take(&mut flags.resume_owed)) {
            self.with_protocol(|protocol| protocol.sending_resumed(self));
        }
    }

    /// Releases the socket, slot and timers, then the protocol.
    fn finish(&self, reactor: &Reactor) {
        let core = &*self.0;
        if core.update(|flags| std::mem::replace(&mut flags.finished, true)) {
            return;
        }
        core.update(|flags| flags.closing = true);
        for key in
            core.timers.take().into_iter().chain(core.retry.take()).chain(core.backoff.take())
        {
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
        if ready.is_read()
            && let Some(socket) = &*self.socket.borrow()
        {
            socket.became_readable();
        }
        DatagramTransport(self).drive(reactor);
    }

    fn rescheduled(self: Rc<Self>, reactor: &Reactor) {
        let is_unwatched =
            self.socket.borrow().as_ref().is_some_and(|socket| socket.is_unwatched());
        if is_unwatched {
            self.update(|flags| flags.readable = true);
        }
        DatagramTransport(self).drive(reactor);
    }

    fn timer(self: Rc<Self>, reactor: &Reactor, key: TimerKey) {
        if self.retry.get() == Some(key) {
            self.retry.set(None);
            self.update(|flags| flags.blocked = false);
            return DatagramTransport(self).drive(reactor);
        }
        if self.backoff.get() == Some(key) {
            self.backoff.set(None);
            return DatagramTransport(self).drive(reactor);
        }
        if self.timers.remove(key) && !self.flags.get().closing {
            let transport = DatagramTransport(self);
            transport.with_protocol(|protocol| protocol.timer_fired(&transport, TimerId(key)));
            transport.0.update_interest(reactor);
        }
    }

    /// Calls `stopped` and releases everything. Queued datagrams get one last attempt.
    fn finalize(self: Rc<Self>, reactor: &Reactor) {
        let transport = DatagramTransport(self);
        let core = &*transport.0;
        if !core.update(|flags| std::mem::replace(&mut flags.started, true)) {
            transport.with_protocol(|protocol| protocol.started(&transport));
        }
        if !core.update(|flags| std::mem::replace(&mut flags.stopped_called, true)) {
            core.update(|flags| flags.blocked = false);
            transport.send_queued();
            let reason = core.reason.take().unwrap_or(Stopped::Shutdown);
            transport.with_protocol(|protocol| protocol.stopped(&transport, &reason));
        }
        transport.finish(reactor);
    }

    fn message_received(self: Rc<Self>, reactor: &Reactor, message: &dyn Any) {
        if message.is::<Killed>() {
            DatagramTransport(self).finish(reactor);
        }
    }

    fn shutdown(self: Rc<Self>, _: &Reactor) {
        self.close(Stopped::Shutdown);
    }

    /// A panic on one datagram must not close the socket, which serves all peers.
    fn panicked(self: Rc<Self>, reactor: &Reactor, _: &str) -> bool {
        self.delivering.take();
        let flags = self.flags.get();
        if flags.stopped_called {
            // `stopped` itself panicked.
            DatagramTransport(self).finish(reactor);
        } else if flags.closing {
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
