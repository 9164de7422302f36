//! Connections that leave a port and are taken over by another, as between two processes: here from one port to another of the
//! same reactor, on every engine.

#![cfg(unix)]

use std::{
    cell::{Cell, RefCell},
    io::{Read, Write},
    net::{SocketAddr, TcpStream},
    rc::Rc,
    time::Duration,
};

use sinew_protocols::basic::{Line, LineHandler, LineReceiver, LineTransport};
use sinew_protocols::policies::{Rate, RateLimit};
use sinew_reactor::{Engine, Reactor};
use sinew_transports::{
    ConnectionLost, Factory, HandedConnection, ListenConfig, ListeningPort, Peer, Protocol,
    ReactorTcp, Transport,
};

#[path = "../../tests/support/watchdog.rs"]
mod watchdog;

type Log = Rc<RefCell<Vec<String>>>;

/// What a [`Speaker`] says of its state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Goes,
    Stays,
    TooLong,
    Panics,
    WritesFirst,
}

/// Writes down what it gets, and keeps what it gets after a `#` unread.
struct Speaker {
    log: Log,
    name: String,
    state: State,
    unread: Vec<u8>,
    transport: Rc<RefCell<Option<Transport>>>,
}

impl Speaker {
    fn note(&self, what: &str) {
        self.log.borrow_mut().push(format!("{} {what}", self.name));
    }
}

impl Protocol for Speaker {
    fn connection_made(&mut self, transport: &Transport) {
        self.transport.replace(Some(transport.clone()));
        self.note("made");
    }

    fn data_received(&mut self, _: &Transport, data: &[u8]) {
        self.note(&data.escape_ascii().to_string());
        if let Some(at) = data.iter().position(|byte| *byte == b'#') {
            self.unread.extend_from_slice(&data[at + 1..]);
        }
    }

    fn take_unread(&mut self, _: &Transport) -> bytes::Bytes {
        std::mem::take(&mut self.unread).into()
    }

    fn saved_state(&self) -> Option<Vec<u8>> {
        match self.state {
            State::Stays => None,
            State::Panics => panic!("it burns"),
            State::TooLong => Some(vec![0; (64 << 10) + 1]),
            State::WritesFirst => {
                let transport = self.transport.borrow();
                let transport = transport.as_ref().unwrap();
                if self.log.borrow_mut().iter().filter(|line| line.contains("wrote")).count() == 0 {
                    self.note("wrote");
                    transport.write(vec![b'x'; 300_000]);
                }
                Some(b"state".to_vec())
            }
            State::Goes => Some(b"state".to_vec()),
        }
    }

    fn connection_lost(&mut self, _: &Transport, reason: &ConnectionLost) {
        self.note(&format!("lost: {reason}"));
        self.transport.replace(None);
    }
}

/// Two ports of a reactor: connections go from the first to the second.
struct World {
    reactor: Reactor,
    old: ListeningPort,
    new: ListeningPort,
    log: Log,
    sent: Rc<Cell<usize>>,
}

impl World {
    fn new(engine: Engine, factory: impl Factory) -> Self {
        watchdog::watch_this_test();
        let reactor = Reactor::builder().engine(engine).build().unwrap();
        let any = SocketAddr::from(([127, 0, 0, 1], 0));
        let old = reactor.listen_tcp(any, factory).unwrap();
        let config = ListenConfig::default().max_connections(1);
        let nobody = |_: &Peer| -> Speaker { unreachable!("nobody connects to it") };
        let new = reactor.listen_tcp_with(any, config, nobody).unwrap();
        Self { reactor, old, new, log: Log::default(), sent: Rc::default() }
    }

    fn connect(&self) -> TcpStream {
        let before = self.old.connections();
        let client = TcpStream::connect(self.old.local()).unwrap();
        self.until(|world| world.old.connections() == before + 1);
        client
    }

    fn until(&self, done: impl Fn(&Self) -> bool) {
        while !done(self) {
            self.reactor.turn(Some(Duration::from_millis(10))).unwrap();
        }
    }

    fn turns(&self, count: usize) {
        for _ in 0..count {
            self.reactor.turn(Some(Duration::from_millis(1))).unwrap();
        }
    }

    /// Sends what can go to the other port, which `rebuild`s it.
    fn move_all<P: Protocol>(&self, rebuild: impl Fn(&[u8], &Peer) -> Option<P> + Clone + 'static) {
        let going = Rc::new(RefCell::new(Vec::<HandedConnection>::new()));
        let (gone, sent) = (going.clone(), self.sent.clone());
        self.old.hand_over_connections(move |_, connection| {
            sent.set(sent.get() + 1);
            gone.borrow_mut().push(connection);
        });
        self.turns(20);
        self.new.take_over(going.take(), rebuild);
        self.turns(5);
    }

    fn taken(&self) -> Vec<String> {
        self.log.take()
    }
}

fn engines() -> impl Iterator<Item = Engine> {
    Engine::available()
}

fn speaker(log: &Log, name: &str, state: State) -> Speaker {
    Speaker {
        log: log.clone(),
        name: name.to_owned(),
        state,
        unread: Vec::new(),
        transport: Rc::default(),
    }
}

#[test]
fn connections_go_with_state_and_unread_input_all_together() {
    for engine in engines() {
        let log = Log::default();
        let made = log.clone();
        let world = World::new(engine, move |_: &Peer| speaker(&made, "old", State::Goes));
        let mut clients: Vec<_> = (0..3).map(|_| world.connect()).collect();
        for (client, text) in clients.iter_mut().zip(["a#A", "b#B", "c#C"]) {
            client.write_all(text.as_bytes()).unwrap();
        }
        world.until(|_| log.borrow().len() == 6);
        log.take();
        let rebuilt = log.clone();
        world.move_all(move |state, peer| {
            assert!(matches!(peer, Peer::Inet(_)));
            Some(speaker(&rebuilt, &format!("new {}", str::from_utf8(state).unwrap()), State::Goes))
        });
        let events = log.take();
        assert_eq!(
            events[..3],
            ["old lost: handed over"; 3]
                .map(|_| format!("old lost: {}", ConnectionLost::HandedOver)),
            "{engine}"
        );
        assert_eq!(events[3..6], ["new state made"; 3], "{engine}: all before the input of any");
        let mut input = events[6..9].to_vec();
        input.sort_unstable();
        assert_eq!(input, ["new state A", "new state B", "new state C"], "{engine}");
        assert_eq!((world.old.connections(), world.new.connections()), (0, 3), "{engine}");
        // Past the limit of the port, but it counts.
        clients[1].write_all(b"more").unwrap();
        world.until(|_| !log.borrow().is_empty());
        assert_eq!(log.take(), ["new state more"], "{engine}");
        drop(clients);
        world.until(|world| world.new.connections() == 0);
    }
}

#[test]
fn connections_stay_that_cannot_go() {
    for engine in engines() {
        for state in [State::Stays, State::TooLong, State::Panics] {
            let log = Log::default();
            let made = log.clone();
            let world = World::new(engine, move |_: &Peer| speaker(&made, "old", state));
            let mut client = world.connect();
            let rebuilt = log.clone();
            world.move_all(move |_, _| Some(speaker(&rebuilt, "new", State::Goes)));
            assert_eq!(world.sent.get(), 0, "{engine} {state:?}");
            if state == State::Panics {
                let reason = ConnectionLost::Panicked("it burns".to_owned());
                assert_eq!(*log.borrow().last().unwrap(), format!("old lost: {reason}"));
                assert_eq!(world.old.connections(), 0);
                continue;
            }
            client.write_all(b"still here").unwrap();
            world.until(|_| log.borrow().len() == 2);
            assert_eq!(log.take(), ["old made", "old still here"], "{engine} {state:?}");
        }
    }
}

#[test]
fn half_closed_connections_stay() {
    struct Open(Log);
    impl Protocol for Open {
        fn data_received(&mut self, _: &Transport, _: &[u8]) {}
        fn read_closed(&mut self, _: &Transport) {
            self.0.borrow_mut().push("closed".to_owned());
        }
        fn saved_state(&self) -> Option<Vec<u8>> {
            Some(Vec::new())
        }
    }
    for engine in engines() {
        let log = Log::default();
        let made = log.clone();
        let world = World::new(engine, move |_: &Peer| Open(made.clone()));
        let client = world.connect();
        client.shutdown(std::net::Shutdown::Write).unwrap();
        world.until(|_| !log.borrow().is_empty());
        world.move_all(|_, _| None::<Open>);
        assert_eq!((world.sent.get(), world.old.connections()), (0, 1), "{engine}");
    }
}

#[test]
fn queued_output_is_sent_before_a_connection_goes() {
    for engine in engines() {
        let log = Log::default();
        let made = log.clone();
        let world = World::new(engine, move |_: &Peer| speaker(&made, "old", State::WritesFirst));
        let mut client = world.connect();
        let reading = std::thread::spawn(move || {
            let mut data = vec![0; 300_003];
            client.read_exact(&mut data).unwrap();
            data
        });
        let rebuilt = log.clone();
        let going = Rc::new(RefCell::new(Vec::new()));
        let gone = going.clone();
        world.old.hand_over_connections(move |_, connection| gone.borrow_mut().push(connection));
        world.until(|_| !going.borrow().is_empty());
        world.new.take_over(going.take(), move |_, _| Some(speaker(&rebuilt, "new", State::Goes)));
        world.until(|_| log.borrow().iter().any(|line| line == "new made"));
        // Nothing that the old one has queued is lost, and the new one's output comes after it.
        world.turns(2);
        struct Tail;
        impl Protocol for Tail {
            fn connection_made(&mut self, transport: &Transport) {
                transport.write(b"end");
            }
            fn data_received(&mut self, _: &Transport, _: &[u8]) {}
        }
        let again = Rc::new(RefCell::new(Vec::new()));
        let gone = again.clone();
        world.new.hand_over_connections(move |_, connection| gone.borrow_mut().push(connection));
        world.until(|_| !again.borrow().is_empty());
        world.new.take_over(again.take(), |_, _| Some(Tail));
        world.until(|_| reading.is_finished());
        let data = reading.join().unwrap();
        assert!(data[..300_000].iter().all(|byte| *byte == b'x') && &data[300_000..] == b"end");
    }
}

#[test]
fn connections_that_cannot_be_rebuilt_are_closed() {
    type Rebuild = fn(&[u8], &Peer) -> Option<Speaker>;
    let cases: [(&str, Rebuild); 2] =
        [("refused", |_, _| None), ("panics", |_, _| panic!("it burns"))];
    for (what, rebuild) in cases {
        let log = Log::default();
        let made = log.clone();
        let world = World::new(Engine::Mio, move |_: &Peer| speaker(&made, "old", State::Goes));
        let mut client = world.connect();
        world.move_all(rebuild);
        assert_eq!(client.read(&mut [0; 8]).unwrap_or(0), 0, "{what}");
        assert_eq!((world.sent.get(), world.new.connections()), (1, 0), "{what}");
    }
    // On a port that is closed meanwhile.
    let made = Log::default();
    let world = World::new(Engine::Mio, move |_: &Peer| speaker(&made, "old", State::Goes));
    let mut client = world.connect();
    world.new.stop_listening();
    world.move_all(|_, _| -> Option<Speaker> { unreachable!("it is closed") });
    assert_eq!(client.read(&mut [0; 8]).unwrap_or(0), 0);
    assert!(world.taken().is_empty());
}

/// Repeats each line with a number.
struct Numbered(u64, Log);

impl LineHandler for Numbered {
    fn line_received(&mut self, _: &mut LineTransport<'_>, line: &[u8]) {
        self.0 += 1;
        self.1.borrow_mut().push(format!("{} {}", self.0, line.escape_ascii()));
    }

    fn saved_state(&self) -> Option<Vec<u8>> {
        Some(self.0.to_be_bytes().into())
    }
}

#[test]
fn lines_go_on_in_the_middle_of_one_and_under_a_policy() {
    let log = Log::default();
    let receiver = |count: u64, log: &Log| {
        let lines = LineReceiver::with_decoder(Line::lf_or_crlf(), Numbered(count, log.clone()));
        RateLimit::new(lines, Rate::bytes_per_second(1_000_000))
    };
    let made = log.clone();
    let world = World::new(Engine::Mio, move |_: &Peer| receiver(0, &made));
    let mut client = world.connect();
    client.write_all(b"one\ntwo\nhalf of").unwrap();
    world.until(|_| log.borrow().len() == 2);
    world.turns(3);
    let rebuilt = log.clone();
    world.move_all(move |state, _| {
        Some(receiver(u64::from_be_bytes(state.try_into().ok()?), &rebuilt))
    });
    client.write_all(b" a line\nfour\n").unwrap();
    world.until(|_| log.borrow().len() == 4);
    assert_eq!(log.take(), ["1 one", "2 two", "3 half of a line", "4 four"]);
}
