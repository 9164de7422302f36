//! The fixture for datagram tests: a reactor with one engine, and protocols that record their callbacks.

use std::{
    cell::{Cell, RefCell},
    net::{SocketAddr, UdpSocket},
    rc::Rc,
    time::{Duration, Instant},
};

use sinew::{
    prelude::*,
    transports::{DatagramAddr, DatagramProtocol, DatagramTransport, SendFailed, Stopped, TimerId},
};

use crate::support::{Watchdog, rest::assert_at_rest};

const PATIENCE: Duration = Duration::from_secs(30);

/// A recorded callback.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Callback<A> {
    Started,
    Datagram(Vec<u8>, A),
    /// The destination, and the error.
    Failed(Option<A>, String),
    Refused,
    Resumed,
    Timer(TimerId),
    Stopped(String),
}

/// The record of a protocol.
pub(crate) struct Log<A> {
    callbacks: RefCell<Vec<Callback<A>>>,
    is_dropped: Cell<bool>,
    is_running: Cell<bool>,
}

impl<A: DatagramAddr + PartialEq> Log<A> {
    pub(crate) fn callbacks(&self) -> Vec<Callback<A>> {
        self.callbacks.borrow().clone()
    }

    pub(crate) fn has(&self, callbacks: &Callback<A>) -> bool {
        self.callbacks.borrow().contains(callbacks)
    }

    /// The received datagrams.
    pub(crate) fn came(&self) -> Vec<Vec<u8>> {
        let callbacks = self.callbacks.borrow();
        let came = callbacks.iter().filter_map(|callbacks| match callbacks {
            Callback::Datagram(data, _) => Some(data.clone()),
            _ => None,
        });
        came.collect()
    }

    pub(crate) fn failures(&self) -> Vec<(Option<A>, String)> {
        let callbacks = self.callbacks.borrow();
        let failures = callbacks.iter().filter_map(|callbacks| match callbacks {
            Callback::Failed(to, why) => Some((to.clone(), why.clone())),
            _ => None,
        });
        failures.collect()
    }

    pub(crate) fn is_stopped(&self) -> bool {
        matches!(self.callbacks.borrow().last(), Some(Callback::Stopped(_)))
    }

    /// Whether the callback contract held: started and stopped once, with all others in between; or no callbacks if
    /// the socket was not opened.
    fn judge(&self) {
        let callbacks = self.callbacks.borrow();
        assert!(self.is_dropped.get(), "the protocol is dropped after it has stopped");
        if callbacks.is_empty() {
            return;
        }
        let starts =
            callbacks.iter().filter(|callbacks| matches!(callbacks, Callback::Started)).count();
        let stops =
            callbacks.iter().filter(|callbacks| matches!(callbacks, Callback::Stopped(_))).count();
        assert_eq!((starts, stops), (1, 1), "{callbacks:?}");
        assert!(matches!(callbacks.first(), Some(Callback::Started)), "{callbacks:?}");
        assert!(matches!(callbacks.last(), Some(Callback::Stopped(_))), "{callbacks:?}");
    }
}

/// Records each callback, then calls a closure.
struct Watched<A: DatagramAddr, F> {
    log: Rc<Log<A>>,
    act: F,
}

impl<A, F> Watched<A, F>
where
    A: DatagramAddr,
    F: FnMut(&DatagramTransport<A>, &Callback<A>) + 'static,
{
    fn callbacks(&mut self, transport: &DatagramTransport<A>, callbacks: Callback<A>) {
        assert!(!self.log.is_running.replace(true), "one callback inside another");
        /// A panic ends the socket, too.
        struct Leave<'a>(&'a Cell<bool>);
        impl Drop for Leave<'_> {
            fn drop(&mut self) {
                self.0.set(false);
            }
        }
        let log = self.log.clone();
        let _leave = Leave(&log.is_running);
        log.callbacks.borrow_mut().push(callbacks.clone());
        (self.act)(transport, &callbacks);
    }
}

impl<A, F> DatagramProtocol<A> for Watched<A, F>
where
    A: DatagramAddr,
    F: FnMut(&DatagramTransport<A>, &Callback<A>) + 'static,
{
    fn started(&mut self, transport: &DatagramTransport<A>) {
        self.callbacks(transport, Callback::Started);
    }

    fn datagram_received(&mut self, transport: &DatagramTransport<A>, data: &[u8], from: A) {
        self.callbacks(transport, Callback::Datagram(data.to_vec(), from));
    }

    fn send_failed(&mut self, transport: &DatagramTransport<A>, failed: &SendFailed<A>) {
        self.callbacks(transport, Callback::Failed(failed.to.clone(), failed.source.to_string()));
    }

    fn connection_refused(&mut self, transport: &DatagramTransport<A>) {
        self.callbacks(transport, Callback::Refused);
    }

    fn sending_resumed(&mut self, transport: &DatagramTransport<A>) {
        self.callbacks(transport, Callback::Resumed);
    }

    fn timer_fired(&mut self, transport: &DatagramTransport<A>, timer: TimerId) {
        self.callbacks(transport, Callback::Timer(timer));
    }

    fn stopped(&mut self, transport: &DatagramTransport<A>, reason: &Stopped) {
        assert!(transport.is_stopped());
        self.callbacks(transport, Callback::Stopped(reason.to_string()));
    }
}

impl<A: DatagramAddr, F> Drop for Watched<A, F> {
    fn drop(&mut self) {
        self.log.is_dropped.set(true);
    }
}

/// The fixture.
pub(crate) struct Fixture {
    reactor: Reactor,
    judges: RefCell<Vec<Box<dyn Fn()>>>,
}

impl Fixture {
    /// Runs a scenario on every available engine, and checks all records at its end.
    pub(crate) fn on_every_engine(name: &str, scenario: impl Fn(&Self)) {
        for engine in Engine::available() {
            let _watchdog = Watchdog::new(format!("{name} on {engine}"));
            println!("{name} on {engine}");
            let reactor = Reactor::builder().engine(engine).build().expect("a reactor");
            let fixture = Self { reactor, judges: RefCell::default() };
            scenario(&fixture);
            let weak = fixture.reactor.downgrade();
            drop(fixture.reactor);
            assert!(weak.upgrade().is_none(), "something still owns the reactor");
            fixture.judges.take().iter().for_each(|judge| judge());
        }
    }

    pub(crate) fn reactor(&self) -> &Reactor {
        &self.reactor
    }

    /// A recording protocol, and its record.
    pub(crate) fn watch<A: DatagramAddr + PartialEq>(
        &self,
        act: impl FnMut(&DatagramTransport<A>, &Callback<A>) + 'static,
    ) -> (Box<dyn DatagramProtocol<A>>, Rc<Log<A>>) {
        let log = Rc::new(Log {
            callbacks: RefCell::default(),
            is_dropped: Cell::default(),
            is_running: Cell::default(),
        });
        let judged = log.clone();
        self.judges.borrow_mut().push(Box::new(move || judged.judge()));
        let protocol: Box<dyn DatagramProtocol<A>> = Box::new(Watched { log: log.clone(), act });
        (protocol, log)
    }

    /// Runs the loop until a condition holds.
    pub(crate) fn until(&self, what: &str, mut condition: impl FnMut() -> bool) {
        let start = Instant::now();
        while !condition() {
            assert!(start.elapsed() < PATIENCE, "waited {PATIENCE:?} for {what}");
            self.turn();
        }
    }

    /// One turn, which waits for a short time at most.
    pub(crate) fn turn(&self) {
        self.reactor.turn(Some(Duration::from_millis(5))).expect("the loop turns");
    }

    /// Fails if the loop is busy with nothing to do.
    pub(crate) fn assert_asleep(&self) {
        for _ in 0..5 {
            self.reactor.turn(Some(Duration::ZERO)).expect("the loop turns");
        }
        assert_at_rest(&self.reactor);
    }
}

/// Sends back each datagram.
pub(crate) fn echo<A: DatagramAddr>(transport: &DatagramTransport<A>, callbacks: &Callback<A>) {
    if let Callback::Datagram(data, from) = callbacks {
        transport.send_to(data, from.clone());
    }
}

pub(crate) fn nothing<A: DatagramAddr>(_: &DatagramTransport<A>, _: &Callback<A>) {}

/// A nonblocking socket of the standard library.
pub(crate) fn remote(addr: &str) -> (UdpSocket, SocketAddr) {
    let socket = UdpSocket::bind(addr).expect("a free port");
    socket.set_nonblocking(true).expect("a socket can be made non-blocking");
    let addr = socket.local_addr().expect("a socket has an address");
    (socket, addr)
}

/// The datagrams received by the remote end.
pub(crate) fn take(socket: &UdpSocket) -> Option<(Vec<u8>, SocketAddr)> {
    let mut buffer = vec![0; 65_536];
    let (len, from) = socket.recv_from(&mut buffer).ok()?;
    buffer.truncate(len);
    Some((buffer, from))
}
