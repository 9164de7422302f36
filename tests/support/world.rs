//! A [`World`]: a reactor on one engine, connections over one kind of link, and the traces of all protocols in it.

use std::{
    cell::{Cell, RefCell},
    rc::Rc,
    sync::{Mutex, OnceLock, PoisonError},
    time::{Duration, Instant},
};

use sinew::{
    prelude::*,
    transports::{Address, Faults, memory, testing::for_seeds, tls::ReactorTls},
};

use super::{
    Echo, Far, Fate, Trace, Traces, Watchdog, Width, certs,
    sockets::{NARROW, any_port, dial, listener},
};
#[cfg(unix)]
use {
    super::sockets::free_path,
    sinew::transports::{ReactorAdopt, UnixListenConfig},
    std::os::unix::net::{UnixListener, UnixStream},
};

/// How long anything may take to happen.
const PATIENCE: Duration = Duration::from_secs(30);

/// More bytes than the narrowest connection takes with nobody reading: the kernel lets a send buffer grow to megabytes.
pub(crate) const TOO_MUCH: usize = 6 << 20;

/// Turns that a loop with nothing to do may make before a timer of some milliseconds: some for what the kernel still had
/// to say, one for each level of the timer wheel, and the timer's.
const TURNS_ASLEEP: u64 = 12;

/// How often a loop that made more is looked at again: what a busy kernel says late has an end, going round has none.
const LOOKS: usize = 5;

/// The seed of the faults in the table, unless `SINEW_SEED` says otherwise.
const SEED: u64 = 20_261;

/// Longer than [`Faults::rough`] delays a write.
const CALM: Duration = Duration::from_millis(3);

/// More turns than it takes under [`Faults::rough`] until a short message is read and answered.
const TURNS_TO_CALM: usize = 20;

/// What connections in a world are made of, and which side of them is ours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Link {
    /// TCP, accepted by a port of the reactor.
    Accepted,
    /// TCP, connected by the reactor.
    Connected,
    /// A Unix socket, accepted by a port of the reactor.
    #[cfg(unix)]
    UnixAccepted,
    /// A Unix socket, connected by the reactor.
    #[cfg(unix)]
    UnixConnected,
    /// TCP, accepted by somebody else and adopted by the reactor.
    #[cfg(unix)]
    Adopted,
    /// One end of a pair of Unix sockets, adopted by the reactor.
    #[cfg(unix)]
    AdoptedPair,
    /// A wire in memory.
    Memory,
    /// TLS, accepted by a port of the reactor.
    TlsAccepted,
    /// TLS, connected by the reactor.
    TlsConnected,
}

impl Link {
    /// What the far end may see when the near one aborts: a Unix socket knows a reset only where something was unread.
    #[track_caller]
    pub(crate) fn assert_aborted(self, fate: Fate, what: &str) {
        #[cfg(unix)]
        if matches!(self, Self::UnixAccepted | Self::UnixConnected | Self::AdoptedPair) {
            return assert_ne!(fate, Fate::Open, "{what}");
        }
        assert_eq!(fate, Fate::Reset, "{what}");
    }

    /// Whether a port accepted it.
    pub(crate) fn is_accepted(self) -> bool {
        #[cfg(unix)]
        if self == Self::UnixAccepted {
            return true;
        }
        matches!(self, Self::Accepted | Self::TlsAccepted)
    }
}

/// See the head of this file.
pub(crate) struct World {
    reactor: Reactor,
    pub(crate) link: Link,
    pub(crate) traces: Traces,
    /// What connections over sockets suffer.
    faults: Option<Faults>,
    canary: RefCell<Option<Line>>,
    /// What is done before each turn.
    meanwhile: RefCell<Option<Box<dyn FnMut()>>>,
}

/// A connection: its far end, and the trace of the protocol at the near one.
pub(crate) struct Line {
    pub(crate) far: Far,
    pub(crate) trace: Rc<Trace>,
    /// The port that accepted it.
    pub(crate) port: Option<ListeningPort<Address>>,
}

impl Line {
    pub(crate) fn transport(&self) -> Transport {
        self.trace.transport()
    }
}

impl World {
    pub(crate) fn new(engine: Engine, link: Link) -> Self {
        // On a busy machine nothing is called slow: the warning would be, among others, an allocation.
        let builder = Reactor::builder().engine(engine).slow_callback(Duration::MAX);
        let reactor = builder.build().expect("a reactor");
        let (traces, canary) = (Traces::default(), RefCell::default());
        Self { reactor, link, traces, faults: None, canary, meanwhile: RefCell::default() }
    }

    /// A cell of the table: the scenario in a new world, and the judgement on all traces at its end.
    pub(crate) fn run(name: &str, engine: Engine, link: Link, scenario: impl FnOnce(&Self)) {
        if !is_available(name, engine) {
            return;
        }
        let _watchdog = Watchdog::new(format!("{name} on {engine} over {link:?}"));
        let world = Self::new(engine, link);
        scenario(&world);
        world.end();
    }

    /// The same with faults under every connection. If it fails, the seed is printed.
    pub(crate) fn run_rough(name: &str, engine: Engine, link: Link, scenario: impl Fn(&Self)) {
        if !is_available(name, engine) {
            return;
        }
        for_seeds(SEED..SEED + 1, |seed| {
            let what = format!("{name} on {engine} over {link:?} under the faults of {seed}");
            let _watchdog = Watchdog::new(what);
            let world = Self { faults: Some(Faults::rough(seed)), ..Self::new(engine, link) };
            scenario(&world);
            world.end();
        });
    }

    /// Drops the reactor, which ends what is still open, and judges every trace.
    pub(crate) fn end(self) {
        let weak = self.reactor.downgrade();
        drop(self.canary.take());
        drop(self.reactor);
        assert!(weak.upgrade().is_none(), "something still owns the reactor");
        let faults = self.traces.faults();
        assert!(faults.is_empty(), "{faults:#?}");
    }

    pub(crate) fn reactor(&self) -> &Reactor {
        &self.reactor
    }

    /// A factory of watched protocols.
    pub(crate) fn watched<P: Protocol>(
        &self,
        mut build: impl FnMut() -> P + 'static,
    ) -> impl Factory {
        let traces = self.traces.clone();
        move |_: &Peer| traces.watch(build())
    }

    // ---- connections ----

    /// A connection with `protocol` at its near end, which has been told that it is made.
    pub(crate) fn join<P: Protocol>(&self, protocol: P) -> Line {
        self.join_with(StreamConfig::default(), Width::Wide, protocol)
    }

    pub(crate) fn join_with<P: Protocol>(
        &self,
        config: StreamConfig,
        width: Width,
        protocol: P,
    ) -> Line {
        let config = match &self.faults {
            Some(faults) => config.faults(faults.clone()),
            None => config,
        };
        let before = self.traces.len();
        let (mut far, port) = match self.link {
            Link::TlsAccepted => self.join_tls_accepted(config, width, protocol),
            Link::TlsConnected => (self.join_tls_connected(config, width, protocol), None),
            Link::Accepted => self.join_accepted(config, width, protocol),
            Link::Connected => (self.join_connected(config, width, protocol), None),
            #[cfg(unix)]
            Link::UnixAccepted => self.join_unix_accepted(config, protocol),
            #[cfg(unix)]
            Link::UnixConnected => (self.join_unix_connected(config, protocol), None),
            #[cfg(unix)]
            Link::Adopted => (self.join_adopted(config, width, protocol), None),
            #[cfg(unix)]
            Link::AdoptedPair => (self.join_adopted_pair(config, protocol), None),
            Link::Memory => (self.join_memory(config, width, protocol), None),
        };
        self.until("connection_made", || {
            far.pump() && self.traces.len() > before && self.traces.last().is_made()
        });
        Line { far, trace: self.traces.last(), port }
    }

    fn join_accepted<P: Protocol>(
        &self,
        config: StreamConfig,
        width: Width,
        protocol: P,
    ) -> (Far, Option<ListeningPort<Address>>) {
        let config = ListenConfig::default().stream(config);
        let (traces, mut protocol) = (self.traces.clone(), Some(protocol));
        let factory =
            move |_: &Peer| traces.watch(protocol.take().expect("this port has one client"));
        let port = self.reactor.listen_tcp_with(any_port(), config, factory).expect("a free port");
        (Far::socket(dial(port.local(), width)), Some(port.of_any_kind()))
    }

    #[cfg(unix)]
    fn join_unix_accepted<P: Protocol>(
        &self,
        config: StreamConfig,
        protocol: P,
    ) -> (Far, Option<ListeningPort<Address>>) {
        let config = UnixListenConfig::default().stream(config);
        let (traces, mut protocol) = (self.traces.clone(), Some(protocol));
        let factory =
            move |_: &Peer| traces.watch(protocol.take().expect("this port has one client"));
        let path = free_path();
        let port = self.reactor.listen_unix_with(&path, config, factory).expect("a free path");
        (Far::unix(UnixStream::connect(path).expect("somebody listens")), Some(port.of_any_kind()))
    }

    #[cfg(unix)]
    fn join_unix_connected<P: Protocol>(&self, config: StreamConfig, protocol: P) -> Far {
        let path = free_path();
        let listener = UnixListener::bind(&path).expect("a free path");
        listener.set_nonblocking(true).expect("a listener can be made non-blocking");
        let config = ConnectConfig::default().stream(config);
        let (traces, mut protocol) = (self.traces.clone(), Some(protocol));
        let factory = move |_: &Peer| traces.watch(protocol.take().expect("built once"));
        drop(self.reactor.connect_unix_with(&path, config, factory));
        let mut accepted = None;
        self.until("the far end to accept", || {
            accepted = listener.accept().ok();
            accepted.is_some()
        });
        std::fs::remove_file(path).expect("it was there to connect to");
        Far::unix(accepted.expect("it has just been accepted").0)
    }

    #[cfg(unix)]
    fn join_adopted<P: Protocol>(&self, config: StreamConfig, width: Width, protocol: P) -> Far {
        let listener = std::net::TcpListener::bind(any_port()).expect("a free port");
        let far = dial(listener.local_addr().expect("a listener has an address"), width);
        let (socket, _) = listener.accept().expect("it has connected");
        let protocol = self.traces.watch(protocol);
        self.reactor.adopt_stream_with(socket, config, protocol).expect("it is connected");
        Far::socket(far)
    }

    #[cfg(unix)]
    fn join_adopted_pair<P: Protocol>(&self, config: StreamConfig, protocol: P) -> Far {
        let (near, far) = UnixStream::pair().expect("a pair of sockets");
        let protocol = self.traces.watch(protocol);
        self.reactor.adopt_stream_with(near, config, protocol).expect("it is connected");
        Far::unix(far)
    }

    fn join_connected<P: Protocol>(&self, config: StreamConfig, width: Width, protocol: P) -> Far {
        let listener = listener(width);
        let addr = listener.local_addr().expect("a listener has an address");
        let config = ConnectConfig::default().stream(config);
        let (traces, mut protocol) = (self.traces.clone(), Some(protocol));
        let factory = move |_: &Peer| traces.watch(protocol.take().expect("built once"));
        drop(self.reactor.connect_tcp_with(addr, config, factory));
        let mut accepted = None;
        self.until("the far end to accept", || {
            accepted = listener.accept().ok();
            accepted.is_some()
        });
        Far::socket(accepted.expect("it has just been accepted").0)
    }

    fn join_tls_accepted<P: Protocol>(
        &self,
        config: StreamConfig,
        width: Width,
        protocol: P,
    ) -> (Far, Option<ListeningPort<Address>>) {
        let config = ListenConfig::default().stream(config);
        let (traces, mut protocol) = (self.traces.clone(), Some(protocol));
        let factory =
            move |_: &Peer| traces.watch(protocol.take().expect("this port has one client"));
        let port = self.reactor.listen_tls_with(any_port(), config, &certs::server(), factory);
        let port = port.expect("a free port");
        (Far::secured(dial(port.local(), width), certs::far_client()), Some(port.of_any_kind()))
    }

    fn join_tls_connected<P: Protocol>(
        &self,
        config: StreamConfig,
        width: Width,
        protocol: P,
    ) -> Far {
        let listener = listener(width);
        let addr = listener.local_addr().expect("a listener has an address");
        let config = ConnectConfig::default().stream(config);
        let (traces, mut protocol) = (self.traces.clone(), Some(protocol));
        let factory = move |_: &Peer| traces.watch(protocol.take().expect("built once"));
        drop(self.reactor.connect_tls_with(addr, config, &certs::client(), factory));
        let mut accepted = None;
        self.until("the far end to accept", || {
            accepted = listener.accept().ok();
            accepted.is_some()
        });
        let (socket, _) = accepted.expect("it has just been accepted");
        // A ticket, and what is sent behind it, would wait for one another.
        socket.set_nodelay(true).expect("TCP_NODELAY can be set");
        Far::secured(socket, certs::far_server())
    }

    fn join_memory<P: Protocol>(&self, config: StreamConfig, width: Width, protocol: P) -> Far {
        let protocol = self.traces.watch(protocol);
        let (_, wire) = memory::connect(&self.reactor, config, protocol).expect("room for one");
        if width == Width::Narrow {
            wire.set_capacity(NARROW);
        }
        Far::wire(wire)
    }

    // ---- time ----

    /// Turns the loop until something is so.
    pub(crate) fn until(&self, what: &str, mut is_so: impl FnMut() -> bool) {
        let start = Instant::now();
        while !is_so() {
            if start.elapsed() > PATIENCE {
                let told: Vec<_> = self.traces.all().iter().map(|trace| trace.told()).collect();
                panic!("waited {PATIENCE:?} for {what}; told so far: {told:#?}");
            }
            self.turn();
        }
    }

    /// Has this done before each turn from now on.
    pub(crate) fn meanwhile(&self, what: impl FnMut() + 'static) {
        self.meanwhile.replace(Some(Box::new(what)));
    }

    /// One turn, which may wait for a moment.
    pub(crate) fn turn(&self) {
        if let Some(what) = &mut *self.meanwhile.borrow_mut() {
            what();
        }
        self.reactor.turn(Some(Duration::from_millis(5))).expect("the loop turns");
    }

    /// Until whatever is on its way has arrived: what was sent before this is there by the time that another connection
    /// has had its answers.
    pub(crate) fn settle(&self) {
        let mut canary = self.canary.take().unwrap_or_else(|| self.join(Echo));
        for _ in 0..3 {
            canary.far.send(b"?");
            self.receive(&mut canary.far, 1);
            self.reactor.turn(Some(Duration::ZERO)).expect("the loop turns");
        }
        self.canary.replace(Some(canary));
        if self.faults.is_some() {
            self.calm();
        }
    }

    /// Until everything that was sent has got through the faults.
    fn calm(&self) {
        self.pass(CALM);
        for _ in 0..TURNS_TO_CALM {
            self.reactor.turn(Some(Duration::ZERO)).expect("the loop turns");
        }
    }

    /// Fails if the loop goes round and round with nothing to do.
    pub(crate) fn assert_asleep(&self) {
        self.settle();
        let mut sent = 0;
        // What is more than a short message may take longer under faults.
        while self.faults.is_some() && sent != self.reactor.stats().bytes_sent {
            sent = self.reactor.stats().bytes_sent;
            self.calm();
        }
        let turns_asleep = || {
            let before = self.reactor.stats().turns;
            self.pass(Duration::from_millis(40));
            self.reactor.stats().turns - before
        };
        let looks: Vec<u64> =
            (0..LOOKS).map(|_| turns_asleep()).take_while(|&turns| turns > TURNS_ASLEEP).collect();
        assert!(looks.len() < LOOKS, "{looks:?} turns with nothing to do");
    }

    /// Turns the loop for so long.
    fn pass(&self, time: Duration) {
        let over = Rc::new(Cell::new(false));
        let rings = over.clone();
        self.reactor.call_later(time, move |reactor| {
            rings.set(true);
            // Or this turn would go on to wait for an event.
            reactor.call_soon(|_| ());
        });
        while !over.get() {
            self.reactor.turn(None).expect("the loop turns");
        }
    }

    // ---- bytes ----

    /// Has the far end send all of this, however long it takes.
    pub(crate) fn send_all(&self, far: &mut Far, data: &[u8]) {
        let mut sent = 0;
        self.until("the near end to take what is sent", || {
            sent += far.try_send(&data[sent..]);
            sent == data.len()
        });
    }

    /// Has the far end receive so many bytes, or more.
    pub(crate) fn receive(&self, far: &mut Far, len: usize) -> Vec<u8> {
        let mut received = Vec::new();
        self.until("bytes at the far end", || {
            received.extend(far.take());
            received.len() >= len
        });
        received
    }

    /// Has the far end receive until the end, of whichever kind.
    pub(crate) fn receive_to_end(&self, far: &mut Far) -> (Vec<u8>, Fate) {
        let mut received = Vec::new();
        let mut fate = Fate::Open;
        self.until("the end at the far end", || {
            received.extend(far.take());
            fate = far.fate_so_far();
            fate != Fate::Open
        });
        (received, fate)
    }

    /// Waits for `connection_lost`, and says why.
    pub(crate) fn lost(&self, trace: &Trace) -> super::Lost {
        self.until("connection_lost", || trace.is_lost());
        trace.lost().expect("it is lost")
    }
}

/// Whether this system lets us have the engine, asked once. If not, that is shown with `--nocapture`.
fn is_available(name: &str, engine: Engine) -> bool {
    static AVAILABLE: OnceLock<Vec<Engine>> = OnceLock::new();
    let is_available = AVAILABLE.get_or_init(|| Engine::available().collect()).contains(&engine);
    if !is_available {
        println!("skipped: {name} on {engine}: {:?}", engine.check());
    }
    is_available
}

/// Bytes that differ from place to place, so that none can be lost, doubled or moved without notice. Generated once for all tests
/// of a binary: in a debug build, most of their time would go into this loop.
pub(crate) fn noise(len: usize) -> Vec<u8> {
    static NOISE: Mutex<Vec<u8>> = Mutex::new(Vec::new());

    let mut noise = NOISE.lock().unwrap_or_else(PoisonError::into_inner);
    let mut state =
        noise.last_chunk().map_or(0x2545_f491_4f6c_dd1d, |last| u64::from_le_bytes(*last));
    while noise.len() < len {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        noise.extend_from_slice(&state.to_le_bytes());
    }
    noise[..len].to_vec()
}
