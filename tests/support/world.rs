//! The test fixture [`World`]: a reactor with one engine, connections over one kind of link, and the traces of all
//! protocols.

use std::{
    cell::{Cell, RefCell},
    rc::Rc,
    sync::{Mutex, OnceLock, PoisonError},
    time::{Duration, Instant},
};

use sinew::{
    prelude::*,
    testing::for_seeds,
    transports::{Address, Faults, memory, tls::ReactorTls},
};

use super::{
    Echo, EndState, RemoteEnd, Trace, Traces, Watchdog, Width, certs,
    place::Place,
    rest::{assert_at_rest, pass},
    sockets::{NARROW, any_port, dial, listener},
};
#[cfg(unix)]
use {
    super::sockets::free_path,
    sinew::transports::{ReactorAdopt, UnixListenConfig},
    std::os::unix::net::{UnixListener, UnixStream},
};

/// Time limit of each wait.
const PATIENCE: Duration = Duration::from_secs(30);

/// More bytes than the narrowest connection buffers without a reader: the kernel grows send buffers to megabytes.
pub(crate) const TOO_MUCH: usize = 6 << 20;

/// Seed of the faults, unless `SINEW_SEED` is set.
const SEED: u64 = 20_261;

/// Longer than [`Faults::survivable`] delays a write.
const CALM: Duration = Duration::from_millis(3);

/// More turns than a short message and its answer take under [`Faults::survivable`].
const TURNS_TO_CALM: usize = 20;

/// The kind of connection, and which end of it is under test.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Link {
    /// TCP, accepted by a listener of the reactor.
    Accepted,
    /// TCP, connected by the reactor.
    Connected,
    /// A Unix socket, accepted by a listener of the reactor.
    #[cfg(unix)]
    UnixAccepted,
    /// A Unix socket, connected by the reactor.
    #[cfg(unix)]
    UnixConnected,
    /// TCP, accepted outside of the reactor and adopted.
    #[cfg(unix)]
    Adopted,
    /// One end of a Unix socket pair, adopted.
    #[cfg(unix)]
    AdoptedPair,
    /// An in-memory connection.
    Memory,
    /// TLS, accepted by a listener of the reactor.
    TlsAccepted,
    /// TLS, connected by the reactor.
    TlsConnected,
}

impl Link {
    /// Checks what the remote end sees after an abort: a Unix socket signals a reset only if data were unread.
    #[track_caller]
    pub(crate) fn assert_aborted(self, end_state: EndState, what: &str) {
        #[cfg(unix)]
        if matches!(self, Self::UnixAccepted | Self::UnixConnected | Self::AdoptedPair) {
            return assert_ne!(end_state, EndState::Open, "{what}");
        }
        assert_eq!(end_state, EndState::Reset, "{what}");
    }

    /// Whether a listener accepted it.
    pub(crate) fn is_accepted(self) -> bool {
        #[cfg(unix)]
        if self == Self::UnixAccepted {
            return true;
        }
        matches!(self, Self::Accepted | Self::TlsAccepted)
    }
}

/// The test fixture.
pub(crate) struct World {
    reactor: Reactor,
    pub(crate) link: Link,
    pub(crate) traces: Traces,
    /// Faults injected into connections over sockets.
    faults: Option<Faults>,
    canary: RefCell<Option<TestConnection>>,
    /// Called before each turn.
    meanwhile: RefCell<Option<Box<dyn FnMut()>>>,
}

/// A connection: its remote end, and the trace of the protocol under test.
pub(crate) struct TestConnection {
    pub(crate) remote: RemoteEnd,
    pub(crate) trace: Rc<Trace>,
    /// The listener that accepted it.
    pub(crate) port: Option<ListeningPort<Address>>,
}

impl TestConnection {
    pub(crate) fn transport(&self) -> Transport {
        self.trace.transport()
    }
}

impl World {
    pub(crate) fn new(engine: Engine, link: Link) -> Self {
        // Never warn about slow callbacks on a busy machine: the warning would allocate, among other effects.
        let builder = Reactor::builder().engine(engine).slow_callback(Duration::MAX);
        let reactor = builder.build().expect("a reactor");
        let (traces, canary) = (Traces::default(), RefCell::default());
        Self { reactor, link, traces, faults: None, canary, meanwhile: RefCell::default() }
    }

    /// One cell of the test matrix: runs the scenario in a new fixture, then checks all traces.
    pub(crate) fn run(name: &str, engine: Engine, link: Link, scenario: impl FnOnce(&Self)) {
        if !is_available(name, engine) {
            return;
        }
        let _place = Place::take();
        let _watchdog = Watchdog::new(format!("{name} on {engine} over {link:?}"));
        let world = Self::new(engine, link);
        scenario(&world);
        world.end();
    }

    /// The same with fault injection in every connection. Prints the seed on failure.
    pub(crate) fn run_rough(name: &str, engine: Engine, link: Link, scenario: impl Fn(&Self)) {
        if !is_available(name, engine) {
            return;
        }
        let _place = Place::take();
        for_seeds(SEED..SEED + 1, |seed| {
            let what = format!("{name} on {engine} over {link:?} under the faults of {seed}");
            let _watchdog = Watchdog::new(what);
            let world = Self { faults: Some(Faults::survivable(seed)), ..Self::new(engine, link) };
            scenario(&world);
            world.end();
        });
    }

    /// Drops the reactor, which ends open connections, and checks every trace.
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

    /// A factory of traced protocols.
    pub(crate) fn watched<P: Protocol>(
        &self,
        mut build: impl FnMut() -> P + 'static,
    ) -> impl Factory {
        let traces = self.traces.clone();
        move |_: &Peer| traces.watch(build())
    }

    /// A factory of this protocol, for one connection.
    fn once<P: Protocol>(&self, protocol: P) -> impl Factory + use<P> {
        let (traces, mut protocol) = (self.traces.clone(), Some(protocol));
        move |_: &Peer| traces.watch(protocol.take().expect("there is one connection"))
    }

    // ---- connections ----

    /// A connection with `protocol` at the end under test; `connection_made` has been called.
    pub(crate) fn join<P: Protocol>(&self, protocol: P) -> TestConnection {
        self.join_with(StreamConfig::default(), Width::Wide, protocol)
    }

    pub(crate) fn join_with<P: Protocol>(
        &self,
        config: StreamConfig,
        width: Width,
        protocol: P,
    ) -> TestConnection {
        let config = match &self.faults {
            Some(faults) => config.faults(faults.clone()),
            None => config,
        };
        let before = self.traces.len();
        let (mut remote, port) = match self.link {
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
            remote.pump() && self.traces.len() > before && self.traces.last().is_made()
        });
        TestConnection { remote, trace: self.traces.last(), port }
    }

    fn join_accepted<P: Protocol>(
        &self,
        config: StreamConfig,
        width: Width,
        protocol: P,
    ) -> (RemoteEnd, Option<ListeningPort<Address>>) {
        let config = ListenConfig::default().stream(config);
        let factory = self.once(protocol);
        let port = self.reactor.listen_tcp_with(any_port(), config, factory).expect("a free port");
        (RemoteEnd::socket(dial(port.local(), width)), Some(port.into_any()))
    }

    #[cfg(unix)]
    fn join_unix_accepted<P: Protocol>(
        &self,
        config: StreamConfig,
        protocol: P,
    ) -> (RemoteEnd, Option<ListeningPort<Address>>) {
        let config = UnixListenConfig::default().stream(config);
        let factory = self.once(protocol);
        let path = free_path();
        let port = self.reactor.listen_unix_with(&path, config, factory).expect("a free path");
        (
            RemoteEnd::unix(UnixStream::connect(path).expect("somebody listens")),
            Some(port.into_any()),
        )
    }

    #[cfg(unix)]
    fn join_unix_connected<P: Protocol>(&self, config: StreamConfig, protocol: P) -> RemoteEnd {
        let path = free_path();
        let listener = UnixListener::bind(&path).expect("a free path");
        listener.set_nonblocking(true).expect("a listener can be made non-blocking");
        let config = ConnectConfig::default().stream(config);
        let factory = self.once(protocol);
        self.reactor.connect_unix_with(&path, config, factory).detach();
        let mut accepted = None;
        self.until("the far end to accept", || {
            accepted = listener.accept().ok();
            accepted.is_some()
        });
        std::fs::remove_file(path).expect("it was there to connect to");
        RemoteEnd::unix(accepted.expect("it has just been accepted").0)
    }

    #[cfg(unix)]
    fn join_adopted<P: Protocol>(
        &self,
        config: StreamConfig,
        width: Width,
        protocol: P,
    ) -> RemoteEnd {
        let listener = std::net::TcpListener::bind(any_port()).expect("a free port");
        let remote = dial(listener.local_addr().expect("a listener has an address"), width);
        let (socket, _) = listener.accept().expect("it has connected");
        let protocol = self.traces.watch(protocol);
        self.reactor.adopt_stream_with(socket, config, protocol).expect("it is connected");
        RemoteEnd::socket(remote)
    }

    #[cfg(unix)]
    fn join_adopted_pair<P: Protocol>(&self, config: StreamConfig, protocol: P) -> RemoteEnd {
        let (near, remote) = UnixStream::pair().expect("a pair of sockets");
        let protocol = self.traces.watch(protocol);
        self.reactor.adopt_stream_with(near, config, protocol).expect("it is connected");
        RemoteEnd::unix(remote)
    }

    fn join_connected<P: Protocol>(
        &self,
        config: StreamConfig,
        width: Width,
        protocol: P,
    ) -> RemoteEnd {
        let listener = listener(width);
        let addr = listener.local_addr().expect("a listener has an address");
        let config = ConnectConfig::default().stream(config);
        let factory = self.once(protocol);
        self.reactor.connect_tcp_with(addr, config, factory).detach();
        let mut accepted = None;
        self.until("the far end to accept", || {
            accepted = listener.accept().ok();
            accepted.is_some()
        });
        RemoteEnd::socket(accepted.expect("it has just been accepted").0)
    }

    fn join_tls_accepted<P: Protocol>(
        &self,
        config: StreamConfig,
        width: Width,
        protocol: P,
    ) -> (RemoteEnd, Option<ListeningPort<Address>>) {
        let config = ListenConfig::default().stream(config);
        let factory = self.once(protocol);
        let port = self.reactor.listen_tls_with(any_port(), config, &certs::server(), factory);
        let port = port.expect("a free port");
        (
            RemoteEnd::secured(dial(port.local(), width), certs::remote_client()),
            Some(port.into_any()),
        )
    }

    fn join_tls_connected<P: Protocol>(
        &self,
        config: StreamConfig,
        width: Width,
        protocol: P,
    ) -> RemoteEnd {
        let listener = listener(width);
        let addr = listener.local_addr().expect("a listener has an address");
        let config = ConnectConfig::default().stream(config);
        let factory = self.once(protocol);
        self.reactor.connect_tls_with(addr, config, &certs::client(), factory).detach();
        let mut accepted = None;
        self.until("the far end to accept", || {
            accepted = listener.accept().ok();
            accepted.is_some()
        });
        let (socket, _) = accepted.expect("it has just been accepted");
        // Nagle's algorithm would delay the data behind a session ticket.
        socket.set_nodelay(true).expect("TCP_NODELAY can be set");
        RemoteEnd::secured(socket, certs::remote_server())
    }

    fn join_memory<P: Protocol>(
        &self,
        config: StreamConfig,
        width: Width,
        protocol: P,
    ) -> RemoteEnd {
        let protocol = self.traces.watch(protocol);
        let (_, wire) = memory::connect(&self.reactor, config, protocol).expect("room for one");
        if width == Width::Narrow {
            wire.set_capacity(NARROW);
        }
        RemoteEnd::wire(wire)
    }

    // ---- time ----

    /// Runs the loop until a condition holds.
    pub(crate) fn until(&self, what: &str, mut condition: impl FnMut() -> bool) {
        let start = Instant::now();
        while !condition() {
            if start.elapsed() > PATIENCE {
                let callbacks: Vec<_> =
                    self.traces.all().iter().map(|trace| trace.callbacks()).collect();
                panic!("waited {PATIENCE:?} for {what}; told so far: {callbacks:#?}");
            }
            self.turn();
        }
    }

    /// Calls this before each turn from now on.
    pub(crate) fn meanwhile(&self, what: impl FnMut() + 'static) {
        self.meanwhile.replace(Some(Box::new(what)));
    }

    /// One turn, which waits for a short time at most.
    pub(crate) fn turn(&self) {
        if let Some(what) = &mut *self.meanwhile.borrow_mut() {
            what();
        }
        self.reactor.turn(Some(Duration::from_millis(5))).expect("the loop turns");
    }

    /// Waits until everything sent has arrived: runs a round trip on another connection.
    pub(crate) fn settle(&self) {
        let mut canary = self.canary.take().unwrap_or_else(|| self.join(Echo));
        for _ in 0..3 {
            canary.remote.send(b"?");
            self.receive(&mut canary.remote, 1);
            self.reactor.turn(Some(Duration::ZERO)).expect("the loop turns");
        }
        self.canary.replace(Some(canary));
        if self.faults.is_some() {
            self.drain_faults();
        }
    }

    /// Waits until everything sent has passed the injected faults.
    fn drain_faults(&self) {
        self.pass(CALM);
        for _ in 0..TURNS_TO_CALM {
            self.reactor.turn(Some(Duration::ZERO)).expect("the loop turns");
        }
    }

    /// Fails if the loop is busy with nothing to do.
    pub(crate) fn assert_asleep(&self) {
        self.settle();
        let mut sent = 0;
        // Longer messages may take longer under faults.
        while self.faults.is_some() && sent != self.reactor.stats().bytes_sent {
            sent = self.reactor.stats().bytes_sent;
            self.drain_faults();
        }
        assert_at_rest(&self.reactor);
    }

    /// Runs the loop for this time.
    fn pass(&self, time: Duration) {
        pass(&self.reactor, time);
    }

    // ---- bytes ----

    /// Sends all of this from the remote end.
    pub(crate) fn send_all(&self, remote: &mut RemoteEnd, data: &[u8]) {
        let mut sent = 0;
        self.until("the near end to take what is sent", || {
            sent += remote.try_send(&data[sent..]);
            sent == data.len()
        });
    }

    /// Receives at least this many bytes at the remote end.
    pub(crate) fn receive(&self, remote: &mut RemoteEnd, len: usize) -> Vec<u8> {
        let mut received = Vec::new();
        self.until("bytes at the far end", || {
            received.extend(remote.take());
            received.len() >= len
        });
        received
    }

    /// Receives at the remote end until the connection ends.
    pub(crate) fn receive_to_end(&self, remote: &mut RemoteEnd) -> (Vec<u8>, EndState) {
        let mut received = Vec::new();
        let mut end_state = EndState::Open;
        self.until("the end at the far end", || {
            received.extend(remote.take());
            end_state = remote.end_state_so_far();
            end_state != EndState::Open
        });
        (received, end_state)
    }

    /// Waits for `connection_lost`, and returns its reason.
    pub(crate) fn lost(&self, trace: &Trace) -> super::Lost {
        self.until("connection_lost", || trace.is_lost());
        trace.lost().expect("it is lost")
    }
}

/// Whether this system supports the engine, checked once. If not, a message is shown with `--nocapture`.
fn is_available(name: &str, engine: Engine) -> bool {
    static AVAILABLE: OnceLock<Vec<Engine>> = OnceLock::new();
    let is_available = AVAILABLE.get_or_init(|| Engine::available().collect()).contains(&engine);
    if !is_available {
        println!("skipped: {name} on {engine}: {:?}", engine.check());
    }
    is_available
}

/// Position-dependent bytes, so that lost, duplicated or moved data are detected. Generated once for all tests of a binary: in a
/// debug build, most of their time would go into this loop.
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
