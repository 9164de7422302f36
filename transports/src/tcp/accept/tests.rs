//! A listener that says what it is told to say: no system can be made to say all of it. That the errors of the kernel's are the same
//! on every engine, `tests/accept_errors.rs` shows.

use std::{collections::VecDeque, io::IoSlice, net::SocketAddr};

use rustix::io::Errno;

use super::*;
use crate::{
    Protocol, Transport,
    net::{ByteStream, NetListener},
    tcp::{ListeningPort, open},
};

/// What accept(2) says, call by call; then that nobody waits.
#[derive(Default)]
struct Script {
    answers: RefCell<VecDeque<Result<(), Errno>>>,
    /// After those, this for ever.
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

/// A client that says nothing and stays.
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

struct Stage {
    reactor: Reactor,
    script: Rc<Script>,
    port: ListeningPort,
}

impl Stage {
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

    /// How often the spare descriptor was given up. It is taken once at the start.
    fn spares_used(&self) -> usize {
        self.script.spares.get() - 1
    }
}

/// accept(2), "Error handling": "treat them like EAGAIN by retrying".
const OF_ONE_CONNECTION: [Errno; 8] = [
    Errno::CONNABORTED,
    Errno::PROTO,
    Errno::NOPROTOOPT,
    Errno::HOSTDOWN,
    Errno::HOSTUNREACH,
    Errno::OPNOTSUPP,
    Errno::NETDOWN,
    Errno::NETUNREACH,
];

/// They leave the backlog as it is.
const OF_ALL: [Errno; 6] =
    [Errno::ACCESS, Errno::PERM, Errno::NOBUFS, Errno::NOMEM, Errno::INVAL, Errno::BADF];

#[test]
fn what_befell_one_connection_does_not_cost_the_next() {
    for error in OF_ONE_CONNECTION {
        let stage = Stage::new([Err(error), Ok(()), Err(error), Err(error), Ok(())], None);
        assert_eq!(stage.port.connections(), 2, "{error:?}");
        assert_eq!(stage.spares_used(), 0, "{error:?}");
    }
}

#[test]
fn what_leaves_the_backlog_as_it_is_is_waited_out() {
    for error in OF_ALL {
        let stage = Stage::new([Err(error), Ok(()), Ok(()), Err(error), Ok(())], None);
        assert_eq!(stage.port.connections(), 0, "{error:?}");
        stage.pass(REST - Duration::from_millis(1));
        assert_eq!((stage.port.connections(), stage.script.calls.get()), (0, 1), "{error:?}");
        stage.pass(Duration::from_millis(1));
        assert_eq!(stage.port.connections(), 2, "{error:?}");
        stage.pass(REST);
        assert_eq!((stage.port.connections(), stage.spares_used()), (3, 0), "{error:?}");
    }
}

#[test]
fn with_no_descriptor_left_a_client_is_told_by_a_close() {
    for error in [Errno::MFILE, Errno::NFILE] {
        let stage = Stage::new([Err(error), Ok(()), Ok(())], None);
        assert_eq!((stage.port.connections(), stage.spares_used()), (1, 1), "{error:?}");
        // Nor is there one after the spare one was given up.
        let stage = Stage::new([Err(error), Err(error), Ok(())], None);
        assert_eq!((stage.port.connections(), stage.spares_used()), (0, 1), "{error:?}");
        stage.pass(REST);
        assert_eq!((stage.port.connections(), stage.spares_used()), (1, 1), "{error:?}");
    }
}

/// Whatever is said, said without end: some hundreds of calls in a tenth of a second at most, and some turns.
#[test]
fn no_error_spins() {
    let others = [Errno::MFILE, Errno::NFILE, Errno::INTR, Errno::NOSYS, Errno::IO];
    for error in OF_ONE_CONNECTION.into_iter().chain(OF_ALL).chain(others) {
        let stage = Stage::new([], Some(error));
        let (calls, turns) = (stage.script.calls.get(), stage.reactor.stats().turns);
        stage.pass(Duration::from_secs(1));
        let calls = stage.script.calls.get() - calls;
        let max = if OF_ALL.contains(&error) { 10 } else { 10 * ACCEPTS_PER_TURN };
        assert!((10..=max).contains(&calls), "{error:?}: {calls} calls");
        let turns = stage.reactor.stats().turns - turns;
        assert!(turns <= 100, "{error:?}: {turns} turns");
        // It ends, and all is well.
        stage.script.answers.borrow_mut().push_back(Ok(()));
        stage.script.last.set(None);
        stage.pass(REST);
        assert_eq!(stage.port.connections(), 1, "{error:?}");
    }
}
