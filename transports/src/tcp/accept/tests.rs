//! Accept errors, injected by a scripted listener, since no system produces all of them on demand. `tests/accept_errors.rs` shows
//! that the kernel's errors are the same on every engine.

use std::{collections::VecDeque, io::IoSlice, net::SocketAddr, time::Duration};

use rustix::io::Errno;

use super::{failing::ACCEPT_BACKOFF, *};
use crate::{
    Protocol, Transport,
    net::{ByteStream, NetListener},
    tcp::{ListeningPort, open},
};

/// Results of accept(2), call by call; then `WouldBlock`.
#[derive(Default)]
struct Script {
    answers: RefCell<VecDeque<Result<(), Errno>>>,
    /// Returned for ever after those.
    last: Cell<Option<Errno>>,
    calls: Cell<usize>,
    spares: Cell<usize>,
}

struct Scripted(Rc<Script>);

impl NetListener for Scripted {
    fn register(&self, _: Token) {}

    fn local_addr(&self) -> io::Result<SocketAddr> {
        Ok(([127, 0, 0, 1], 1).into())
    }

    fn accept(&self) -> io::Result<(Box<dyn ByteStream>, Peer)> {
        self.0.calls.set(self.0.calls.get() + 1);
        match self.0.answers.borrow_mut().pop_front() {
            Some(Ok(())) => Ok((Box::new(Silent), Peer::Memory)),
            Some(Err(error)) => Err(error.into()),
            None => Err(self.0.last.get().unwrap_or(Errno::AGAIN).into()),
        }
    }

    fn is_ready(&self) -> bool {
        !self.0.answers.borrow().is_empty() || self.0.last.get().is_some()
    }

    fn spare(&self) -> Option<Spare> {
        self.0.spares.set(self.0.spares.get() + 1);
        Some(Box::new(()))
    }
}

/// A client that sends nothing and stays connected.
struct Silent;

impl ByteStream for Silent {
    fn read(&self, _: &mut [u8]) -> io::Result<usize> {
        Err(io::ErrorKind::WouldBlock.into())
    }

    fn peek(&self) -> io::Result<usize> {
        Err(io::ErrorKind::WouldBlock.into())
    }

    fn short_read_drains(&self, _: bool) -> bool {
        true
    }

    fn check(&self) -> io::Result<()> {
        Ok(())
    }

    fn write_vectored(&self, _: &[IoSlice<'_>]) -> io::Result<usize> {
        Err(io::ErrorKind::WouldBlock.into())
    }

    fn close_write(&self) -> io::Result<()> {
        Ok(())
    }

    fn reset(&self) {}

    fn readiness(&self) -> Ready {
        Ready::NONE
    }
}

struct Mute;

impl Protocol for Mute {
    fn data_received(&mut self, _: &Transport, _: &[u8]) {}
}

struct Fixture {
    reactor: Reactor,
    script: Rc<Script>,
    port: ListeningPort,
}

impl Fixture {
    fn new(answers: impl IntoIterator<Item = Result<(), Errno>>, last: Option<Errno>) -> Self {
        let (reactor, script) = (Reactor::simulated(1), Rc::<Script>::default());
        script.answers.borrow_mut().extend(answers);
        script.last.set(last);
        let listener = Listener::Other(Box::new(Scripted(script.clone())));
        let addr: SocketAddr = ([127, 0, 0, 1], 1).into();
        let config = ListenConfig::default();
        let port = open(&reactor, listener, addr, config, None, |_: &Peer| Mute).unwrap();
        reactor.advance(Duration::ZERO).unwrap();
        Self { reactor, script, port }
    }

    fn pass(&self, time: Duration) {
        self.reactor.advance(time).unwrap();
    }

    /// How often the spare descriptor was used. It is opened once at the start.
    fn spares_used(&self) -> usize {
        self.script.spares.get() - 1
    }
}

/// accept(2), "Error handling": "treat them like EAGAIN by retrying".
const PER_CONNECTION_ERRORS: [Errno; 8] = [
    Errno::CONNABORTED,
    Errno::PROTO,
    Errno::NOPROTOOPT,
    Errno::HOSTDOWN,
    Errno::HOSTUNREACH,
    Errno::OPNOTSUPP,
    Errno::NETDOWN,
    Errno::NETUNREACH,
];

/// These leave the backlog unchanged.
const LISTENER_ERRORS: [Errno; 6] =
    [Errno::ACCESS, Errno::PERM, Errno::NOBUFS, Errno::NOMEM, Errno::INVAL, Errno::BADF];

#[test]
fn error_of_one_connection_does_not_affect_the_next() {
    for error in PER_CONNECTION_ERRORS {
        let fixture = Fixture::new([Err(error), Ok(()), Err(error), Err(error), Ok(())], None);
        assert_eq!(fixture.port.connections(), 2, "{error:?}");
        assert_eq!(fixture.spares_used(), 0, "{error:?}");
    }
}

#[test]
fn error_of_the_listener_pauses_accepting() {
    for error in LISTENER_ERRORS {
        let fixture = Fixture::new([Err(error), Ok(()), Ok(()), Err(error), Ok(())], None);
        assert_eq!(fixture.port.connections(), 0, "{error:?}");
        fixture.pass(ACCEPT_BACKOFF - Duration::from_millis(1));
        assert_eq!((fixture.port.connections(), fixture.script.calls.get()), (0, 1), "{error:?}");
        fixture.pass(Duration::from_millis(1));
        assert_eq!(fixture.port.connections(), 2, "{error:?}");
        fixture.pass(ACCEPT_BACKOFF);
        assert_eq!((fixture.port.connections(), fixture.spares_used()), (3, 0), "{error:?}");
    }
}

#[test]
fn without_descriptors_a_client_is_accepted_and_closed() {
    for error in [Errno::MFILE, Errno::NFILE] {
        let fixture = Fixture::new([Err(error), Ok(()), Ok(())], None);
        assert_eq!((fixture.port.connections(), fixture.spares_used()), (1, 1), "{error:?}");
        // Closing the spare descriptor freed none.
        let fixture = Fixture::new([Err(error), Err(error), Ok(())], None);
        assert_eq!((fixture.port.connections(), fixture.spares_used()), (0, 1), "{error:?}");
        fixture.pass(ACCEPT_BACKOFF);
        assert_eq!((fixture.port.connections(), fixture.spares_used()), (1, 1), "{error:?}");
    }
}

/// Any error, repeated for ever: at most some hundreds of calls per 100 ms, and some turns.
#[test]
fn no_error_spins() {
    let others = [Errno::MFILE, Errno::NFILE, Errno::INTR, Errno::NOSYS, Errno::IO];
    for error in PER_CONNECTION_ERRORS.into_iter().chain(LISTENER_ERRORS).chain(others) {
        let fixture = Fixture::new([], Some(error));
        let (calls, turns) = (fixture.script.calls.get(), fixture.reactor.stats().turns);
        fixture.pass(Duration::from_secs(1));
        let calls = fixture.script.calls.get() - calls;
        let max = if LISTENER_ERRORS.contains(&error) { 10 } else { 10 * ACCEPTS_PER_TURN };
        assert!((10..=max).contains(&calls), "{error:?}: {calls} calls");
        let turns = fixture.reactor.stats().turns - turns;
        assert!(turns <= 100, "{error:?}: {turns} turns");
        // Once the errors stop, connections are accepted.
        fixture.script.answers.borrow_mut().push_back(Ok(()));
        fixture.script.last.set(None);
        fixture.pass(ACCEPT_BACKOFF);
        assert_eq!(fixture.port.connections(), 1, "{error:?}");
    }
}
