//! Errors of accept(2), injected with seccomp, on every engine: accepting pauses, no client is rejected, and the
//! error is logged once. The classification of errors is tested in the conformance suite. A binary of its own, since each
//! thread has a log subscriber, which other threads without one could switch off.

#![cfg(target_os = "linux")]

mod support;

mod accept_errors {
    pub(crate) mod sys;
}

use std::{
    cell::Cell,
    io::{self, Read},
    net::{SocketAddr, TcpListener, TcpStream},
    rc::Rc,
    thread,
    time::{Duration, Instant},
};

use accept_errors::sys::forbid_accepting;
use sinew::prelude::*;
use support::{Echo, Watchdog, log::Log, sockets::any_port};
use tracing::{
    Level,
    dispatcher::{self, DefaultGuard},
};

/// Longer than three accept pauses of a listener.
const WHILE: Duration = Duration::from_millis(350);

/// One turn per pause, and some for the timer wheel.
const TURNS_MAX: u64 = 30;

/// A listener of the reactor whose socket has a duplicate outside.
struct Fixture {
    reactor: Reactor,
    other: TcpListener,
    log: Log,
    _guard: DefaultGuard,
    _watchdog: Watchdog,
}

impl Fixture {
    fn new(engine: Engine, what: &str) -> Self {
        let log = Log::default();
        let guard = dispatcher::set_default(&log.subscriber(Level::ERROR));
        let watchdog = Watchdog::new(format!("{what} on {engine}"));
        let reactor = Reactor::builder().engine(engine).build().unwrap();
        let listener = TcpListener::bind(any_port()).unwrap();
        let other = listener.try_clone().unwrap();
        reactor.adopt_port(listener, ListenConfig::default(), |_: &Peer| Echo).unwrap();
        Self { reactor, other, log, _guard: guard, _watchdog: watchdog }
    }

    /// Runs the loop until a condition holds.
    fn until(&self, what: &str, mut condition: impl FnMut() -> bool) {
        let start = Instant::now();
        while !condition() {
            assert!(start.elapsed() < Duration::from_secs(20), "waited for {what}");
            self.reactor.turn(Some(Duration::from_millis(5))).unwrap();
        }
    }

    /// Number of turns that the loop makes in a while.
    fn turns(&self) -> u64 {
        let over = Rc::new(Cell::new(false));
        let rings = over.clone();
        self.reactor.call_later(WHILE, move |reactor| {
            rings.set(true);
            // Otherwise this turn would wait for an event.
            reactor.call_soon(|_| ());
        });
        let before = self.reactor.stats().turns;
        while !over.get() {
            self.reactor.turn(None).unwrap();
        }
        self.reactor.stats().turns - before
    }

    /// Stops listening through the duplicate: accept returns EINVAL from then on.
    fn shut_down(&self) {
        rustix::net::shutdown(&self.other, rustix::net::Shutdown::Read).unwrap();
        self.until("the error", || !self.log.lines().is_empty());
    }

    /// Listens again; returns the address.
    fn listen(&self) -> SocketAddr {
        rustix::net::listen(&self.other, 16).unwrap();
        self.other.local_addr().unwrap()
    }
}

fn client(at: SocketAddr) -> TcpStream {
    let client = TcpStream::connect(at).unwrap();
    client.set_nonblocking(true).unwrap();
    client
}

/// Whether the connection is still open and has received nothing.
fn waits(mut client: &TcpStream) -> bool {
    client.read(&mut [0]).is_err_and(|error| error.kind() == io::ErrorKind::WouldBlock)
}

#[test]
fn a_listener_pauses_if_its_socket_stops_listening() {
    for engine in Engine::available() {
        let fixture = Fixture::new(engine, "a socket that does not listen");
        fixture.shut_down();
        let turns = fixture.turns();
        assert!(turns <= TURNS_MAX, "{engine}: {turns} turns");
        let client = client(fixture.listen());
        fixture.until("a connection", || fixture.reactor.stats().connections == 1);
        assert!(waits(&client));
        let lines = fixture.log.lines();
        assert_eq!(lines.len(), 1, "{engine}: {lines:#?}");
        assert!(lines[0].contains("could not accept connections"), "{lines:#?}");
        let turns = fixture.turns();
        assert!(turns <= TURNS_MAX, "{engine}: {turns} turns with nothing to do");
    }
}

/// One error of each kind. The multishot accept of io_uring has failed before: from then on the listener calls accept
/// itself until one succeeds.
#[test]
fn persistent_accept_errors_do_not_spin() {
    let errors =
        [libc::EACCES, libc::EPERM, libc::ENOMEM, libc::EMFILE, libc::EPROTO, libc::ECONNABORTED];
    for engine in Engine::available() {
        // A seccomp filter applies to its thread, and ends with it.
        let threads = errors.map(|errno| {
            thread::spawn(move || {
                let error = io::Error::from_raw_os_error(errno);
                let fixture = Fixture::new(engine, &format!("{error}"));
                fixture.shut_down();
                if let Err(error) = forbid_accepting(errno) {
                    return println!("skipped: no filter of system calls: {error}");
                }
                let client = client(fixture.listen());
                let turns = fixture.turns();
                assert!(turns <= TURNS_MAX, "{engine}: {turns} turns of {error}");
                assert_eq!(fixture.reactor.stats().connections_made, 0);
                assert!(waits(&client), "{engine}: {error} cost a client its connection");
                let lines = fixture.log.lines();
                assert_eq!(lines.len(), 1, "{engine}: {lines:#?}");
            })
        });
        threads.into_iter().for_each(|thread| thread.join().unwrap());
    }
}

/// The same from the first call on, where the listener calls accept itself.
#[test]
fn a_listener_pauses_on_accept_errors() {
    for engine in Engine::available().filter(|engine| *engine != Engine::Uring) {
        let run = move || {
            let fixture = Fixture::new(engine, "accepting is forbidden");
            if let Err(error) = forbid_accepting(libc::EACCES) {
                return println!("skipped: no filter of system calls: {error}");
            }
            let client = client(fixture.other.local_addr().unwrap());
            fixture.until("the error", || !fixture.log.lines().is_empty());
            let turns = fixture.turns();
            assert!(turns <= TURNS_MAX, "{engine}: {turns} turns");
            assert!(waits(&client) && fixture.reactor.stats().connections_made == 0);
            assert_eq!(fixture.log.lines().len(), 1, "{engine}");
        };
        thread::spawn(run).join().unwrap();
    }
}
