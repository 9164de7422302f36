//! A reactor on one engine, and protocols for datagrams that write down what they are told.

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

use crate::support::Watchdog;

const PATIENCE: Duration = Duration::from_secs(30);

/// A callback, as a value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Told<A> {
    Started,
    Datagram(Vec<u8>, A),
    /// Where to, and why.
    Failed(Option<A>, String),
    Refused,
    Resumed,
    Timer(TimerId),
    Stopped(String),
}

/// What a protocol was told.
pub(crate) struct Log<A> {
    told: RefCell<Vec<Told<A>>>,
    is_dropped: Cell<bool>,
    is_running: Cell<bool>,
}

impl<A: DatagramAddr + PartialEq> Log<A> {
    pub(crate) fn told(&self) -> Vec<Told<A>> {
        self.told.borrow().clone()
    }

    pub(crate) fn has(&self, told: &Told<A>) -> bool {
        self.told.borrow().contains(told)
    }

    /// The datagrams that came.
    pub(crate) fn came(&self) -> Vec<Vec<u8>> {
        let told = self.told.borrow();
        let came = told.iter().filter_map(|told| match told {
            Told::Datagram(data, _) => Some(data.clone()),
            _ => None,
        });
        came.collect()
    }

    pub(crate) fn failures(&self) -> Vec<(Option<A>, String)> {
        let told = self.told.borrow();
        let failures = told.iter().filter_map(|told| match told {
            Told::Failed(to, why) => Some((to.clone(), why.clone())),
            _ => None,
        });
        failures.collect()
    }

    pub(crate) fn is_stopped(&self) -> bool {
        matches!(self.told.borrow().last(), Some(Told::Stopped(_)))
    }

    /// Whether it had a whole life, a start, an end and nothing outside of them, or none, if its socket was not opened.
    fn judge(&self) {
        let told = self.told.borrow();
        assert!(self.is_dropped.get(), "the protocol is dropped after it has stopped");
        if told.is_empty() {
            return;
        }
        let starts = told.iter().filter(|told| matches!(told, Told::Started)).count();
        let stops = told.iter().filter(|told| matches!(told, Told::Stopped(_))).count();
        assert_eq!((starts, stops), (1, 1), "{told:?}");
        assert!(matches!(told.first(), Some(Told::Started)), "{told:?}");
        assert!(matches!(told.last(), Some(Told::Stopped(_))), "{told:?}");
    }
}

/// Writes down what it is told, then does what a closure does.
struct Watched<A: DatagramAddr, F> {
    log: Rc<Log<A>>,
    act: F,
}

impl<A, F> Watched<A, F>
where
    A: DatagramAddr,
    F: FnMut(&DatagramTransport<A>, &Told<A>) + 'static,
{
    fn told(&mut self, transport: &DatagramTransport<A>, told: Told<A>) {
        assert!(!self.log.is_running.replace(true), "one callback inside another");
        /// A panic is an end, too.
        struct Leave<'a>(&'a Cell<bool>);
        impl Drop for Leave<'_> {
            fn drop(&mut self) {
                self.0.set(false);
            }
        }
        let log = self.log.clone();
        let _leave = Leave(&log.is_running);
        log.told.borrow_mut().push(told.clone());
        (self.act)(transport, &told);
    }
}

impl<A, F> DatagramProtocol<A> for Watched<A, F>
where
    A: DatagramAddr,
    F: FnMut(&DatagramTransport<A>, &Told<A>) + 'static,
{
    fn started(&mut self, transport: &DatagramTransport<A>) {
        self.told(transport, Told::Started);
    }

    fn datagram_received(&mut self, transport: &DatagramTransport<A>, data: &[u8], from: A) {
        self.told(transport, Told::Datagram(data.to_vec(), from));
    }

    fn send_failed(&mut self, transport: &DatagramTransport<A>, failed: &SendFailed<A>) {
        self.told(transport, Told::Failed(failed.to.clone(), failed.source.to_string()));
    }

    fn connection_refused(&mut self, transport: &DatagramTransport<A>) {
        self.told(transport, Told::Refused);
    }

    fn sending_resumed(&mut self, transport: &DatagramTransport<A>) {
        self.told(transport, Told::Resumed);
    }

    fn timer_fired(&mut self, transport: &DatagramTransport<A>, timer: TimerId) {
        self.told(transport, Told::Timer(timer));
    }

    fn stopped(&mut self, transport: &DatagramTransport<A>, reason: &Stopped) {
        assert!(transport.is_stopped());
        self.told(transport, Told::Stopped(reason.to_string()));
    }
}

impl<A: DatagramAddr, F> Drop for Watched<A, F> {
    fn drop(&mut self) {
        self.log.is_dropped.set(true);
    }
}

/// See the head of this file.
pub(crate) struct Room {
    reactor: Reactor,
    judges: RefCell<Vec<Box<dyn Fn()>>>,
}

impl Room {
    /// Runs a scenario on every engine that there is, and judges all lives at its end.
    pub(crate) fn on_every_engine(name: &str, scenario: impl Fn(&Self)) {
        for engine in Engine::available() {
            let _watchdog = Watchdog::new(format!("{name} on {engine}"));
            println!("{name} on {engine}");
            let reactor = Reactor::builder().engine(engine).build().expect("a reactor");
            let room = Self { reactor, judges: RefCell::default() };
            scenario(&room);
            let weak = room.reactor.downgrade();
            drop(room.reactor);
            assert!(weak.upgrade().is_none(), "something still owns the reactor");
            room.judges.take().iter().for_each(|judge| judge());
        }
    }

    pub(crate) fn reactor(&self) -> &Reactor {
        &self.reactor
    }

    /// A protocol whose life is judged at the end, and its log.
    pub(crate) fn watch<A: DatagramAddr + PartialEq>(
        &self,
        act: impl FnMut(&DatagramTransport<A>, &Told<A>) + 'static,
    ) -> (Box<dyn DatagramProtocol<A>>, Rc<Log<A>>) {
        let log = Rc::new(Log {
            told: RefCell::default(),
            is_dropped: Cell::default(),
            is_running: Cell::default(),
        });
        let judged = log.clone();
        self.judges.borrow_mut().push(Box::new(move || judged.judge()));
        let protocol: Box<dyn DatagramProtocol<A>> = Box::new(Watched { log: log.clone(), act });
        (protocol, log)
    }

    /// Turns the loop until something is so.
    pub(crate) fn until(&self, what: &str, mut is_so: impl FnMut() -> bool) {
        let start = Instant::now();
        while !is_so() {
            assert!(start.elapsed() < PATIENCE, "waited {PATIENCE:?} for {what}");
            self.turn();
        }
    }

    /// One turn, which may wait for a moment.
    pub(crate) fn turn(&self) {
        self.reactor.turn(Some(Duration::from_millis(5))).expect("the loop turns");
    }

    /// Fails if the loop goes round and round with nothing to do.
    pub(crate) fn assert_asleep(&self) {
        for _ in 0..5 {
            self.reactor.turn(Some(Duration::ZERO)).expect("the loop turns");
        }
        let over = Rc::new(Cell::new(false));
        let rings = over.clone();
        self.reactor.call_later(Duration::from_millis(40), move |reactor| {
            rings.set(true);
            reactor.call_soon(|_| ());
        });
        let before = self.reactor.stats().turns;
        while !over.get() {
            self.reactor.turn(None).expect("the loop turns");
        }
        let turns = self.reactor.stats().turns - before;
        assert!(turns <= 12, "{turns} turns with nothing to do");
    }
}

/// Answers with what comes.
pub(crate) fn echo<A: DatagramAddr>(transport: &DatagramTransport<A>, told: &Told<A>) {
    if let Told::Datagram(data, from) = told {
        transport.send_to(data, from.clone());
    }
}

pub(crate) fn nothing<A: DatagramAddr>(_: &DatagramTransport<A>, _: &Told<A>) {}

/// A socket of the standard library, which does not block.
pub(crate) fn far(addr: &str) -> (UdpSocket, SocketAddr) {
    let socket = UdpSocket::bind(addr).expect("a free port");
    socket.set_nonblocking(true).expect("a socket can be made non-blocking");
    let addr = socket.local_addr().expect("a socket has an address");
    (socket, addr)
}

/// What waits at the far end.
pub(crate) fn take(socket: &UdpSocket) -> Option<(Vec<u8>, SocketAddr)> {
    let mut buffer = vec![0; 65_536];
    let (len, from) = socket.recv_from(&mut buffer).ok()?;
    buffer.truncate(len);
    Some((buffer, from))
}
