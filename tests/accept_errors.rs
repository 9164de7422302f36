//! Errors of accept(2), made by the kernel and told on every engine: accepting rests, nobody is turned away, and it is logged once.
//! What is done about which error, the tests of the table say.

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
    sync::{Arc, Mutex},
    thread,
    time::{Duration, Instant},
};

use accept_errors::sys::forbid_accepting;
use sinew::prelude::*;
use support::{Echo, Watchdog, sockets::any_port};
use tracing::subscriber::DefaultGuard;

/// Longer than three rests of a port.
const WHILE: Duration = Duration::from_millis(350);

/// One turn for each rest, and some for the timer wheel.
const TURNS_MAX: u64 = 30;

#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl io::Write for Log {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        self.0.lock().expect("nobody panics with it").write(line)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Log {
    /// One for the errors that are logged on this thread.
    fn begin() -> (Self, DefaultGuard) {
        let log = Self::default();
        let sink = log.clone();
        let subscriber = tracing_subscriber::fmt()
            .with_max_level(tracing::Level::ERROR)
            .with_writer(move || sink.clone())
            .with_ansi(false)
            .finish();
        (log, tracing::subscriber::set_default(subscriber))
    }

    fn lines(&self) -> Vec<String> {
        let bytes = self.0.lock().expect("nobody panics with it");
        String::from_utf8_lossy(&bytes).lines().map(str::to_owned).collect()
    }
}

/// A port on a listener of which somebody else has another descriptor.
struct Stage {
    reactor: Reactor,
    other: TcpListener,
    log: Log,
    _guard: DefaultGuard,
    _watchdog: Watchdog,
}

impl Stage {
    fn new(engine: Engine, what: &str) -> Self {
        let (log, guard) = Log::begin();
        let watchdog = Watchdog::new(format!("{what} on {engine}"));
        let reactor = Reactor::builder().engine(engine).build().unwrap();
        let listener = TcpListener::bind(any_port()).unwrap();
        let other = listener.try_clone().unwrap();
        reactor.adopt_port(listener, ListenConfig::default(), |_: &Peer| Echo).unwrap();
        Self { reactor, other, log, _guard: guard, _watchdog: watchdog }
    }

    /// Turns the loop until something is so.
    fn until(&self, what: &str, mut is_so: impl FnMut() -> bool) {
        let start = Instant::now();
        while !is_so() {
            assert!(start.elapsed() < Duration::from_secs(20), "waited for {what}");
            self.reactor.turn(Some(Duration::from_millis(5))).unwrap();
        }
    }

    /// The turns that the loop makes in a while.
    fn turns(&self) -> u64 {
        let over = Rc::new(Cell::new(false));
        let rings = over.clone();
        self.reactor.call_later(WHILE, move |reactor| {
            rings.set(true);
            // Or this turn would go on to wait for an event.
            reactor.call_soon(|_| ());
        });
        let before = self.reactor.stats().turns;
        while !over.get() {
            self.reactor.turn(None).unwrap();
        }
        self.reactor.stats().turns - before
    }

    /// Ends the listening behind the port's back: EINVAL from then on.
    fn shut_down(&self) {
        rustix::net::shutdown(&self.other, rustix::net::Shutdown::Read).unwrap();
        self.until("the error", || !self.log.lines().is_empty());
    }

    /// Listens again; where.
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

/// Whether nobody has closed it, or said anything.
fn waits(mut client: &TcpStream) -> bool {
    client.read(&mut [0]).is_err_and(|error| error.kind() == io::ErrorKind::WouldBlock)
}

#[test]
fn a_port_whose_socket_does_not_listen_any_more_rests() {
    for engine in Engine::available() {
        let stage = Stage::new(engine, "a socket that does not listen");
        stage.shut_down();
        let turns = stage.turns();
        assert!(turns <= TURNS_MAX, "{engine}: {turns} turns");
        let client = client(stage.listen());
        stage.until("a connection", || stage.reactor.stats().connections == 1);
        assert!(waits(&client));
        let lines = stage.log.lines();
        assert_eq!(lines.len(), 1, "{engine}: {lines:#?}");
        assert!(lines[0].contains("could not accept connections"), "{lines:#?}");
        let turns = stage.turns();
        assert!(turns <= TURNS_MAX, "{engine}: {turns} turns with nothing to do");
    }
}

/// One error of each kind. The engine that accepts by itself has been refused before: from then on the port makes the calls, until
/// one goes well.
#[test]
fn whatever_accept_says_without_end_does_not_spin() {
    let errors =
        [libc::EACCES, libc::EPERM, libc::ENOMEM, libc::EMFILE, libc::EPROTO, libc::ECONNABORTED];
    for engine in Engine::available() {
        // A filter is its thread's, and ends with it.
        let threads = errors.map(|errno| {
            thread::spawn(move || {
                let error = io::Error::from_raw_os_error(errno);
                let stage = Stage::new(engine, &format!("{error}"));
                stage.shut_down();
                if let Err(error) = forbid_accepting(errno) {
                    return println!("skipped: no filter of system calls: {error}");
                }
                let client = client(stage.listen());
                let turns = stage.turns();
                assert!(turns <= TURNS_MAX, "{engine}: {turns} turns of {error}");
                assert_eq!(stage.reactor.stats().connections_made, 0);
                assert!(waits(&client), "{engine}: {error} cost a client its connection");
                let lines = stage.log.lines();
                assert_eq!(lines.len(), 1, "{engine}: {lines:#?}");
            })
        });
        threads.into_iter().for_each(|thread| thread.join().unwrap());
    }
}

/// The same from the first call on, where it is the port's to make.
#[test]
fn a_port_that_may_not_accept_rests() {
    for engine in Engine::available().filter(|engine| *engine != Engine::Uring) {
        let run = move || {
            let stage = Stage::new(engine, "accepting is forbidden");
            if let Err(error) = forbid_accepting(libc::EACCES) {
                return println!("skipped: no filter of system calls: {error}");
            }
            let client = client(stage.other.local_addr().unwrap());
            stage.until("the error", || !stage.log.lines().is_empty());
            let turns = stage.turns();
            assert!(turns <= TURNS_MAX, "{engine}: {turns} turns");
            assert!(waits(&client) && stage.reactor.stats().connections_made == 0);
            assert_eq!(stage.log.lines().len(), 1, "{engine}");
        };
        thread::spawn(run).join().unwrap();
    }
}
