//! Moving open connections, on every engine. What cannot move is in `refusing.rs`.

use std::{
    io::{Read, Write},
    net::TcpStream,
    sync::mpsc,
    thread,
};

use sinew::{
    prelude::*,
    transports::reactors::{Distribution, RunningReactors, SendToError, Shard},
};

#[cfg(unix)]
use super::kit::free_path;
use super::kit::{
    Actor, Client, MUCH, actors, any_port, connections, quiet, serving, wait_for_connections,
};

/// Two reactors on this engine; connections are accepted in turn.
fn two_on(engine: Engine) -> RunningReactors {
    serving(2)
        .distribution(Distribution::RoundRobin)
        .reactor(move |_| Reactor::builder().engine(engine))
        .start()
        .expect("they start")
}

#[test]
fn an_open_connection_moves_with_its_unread_bytes() {
    for engine in Engine::available() {
        let reactors = two_on(engine);
        let mut client = Client::of(&reactors);
        assert_eq!(client.shard(), 0);
        // The protocol receives both commands at once, and uses the first.
        client.send("1?");
        assert_eq!(client.take(1), "1", "{engine}");
        assert_eq!(connections(&reactors), [0, 1]);
        assert_eq!(client.shard(), 1, "{engine}");
        client.send("0?1?0?");
        assert_eq!(client.take(3), "010", "{engine}");
        let total = reactors.stats().expect("they run").total();
        assert_eq!((total.connections, total.connections_made), (1, 1), "it is one connection");
        // It belongs to the port where it is, and is drained there.
        reactors.stop().expect("they run");
        assert_eq!(client.rest(), "bye");
        reactors.join().expect("none failed");
    }
}

/// All output goes first.
#[test]
fn a_connection_moves_when_its_output_is_sent() {
    for engine in Engine::available() {
        let reactors = two_on(engine);
        let mut client = Client::of(&reactors);
        client.send("b1b?");
        assert_eq!(client.take(2 * MUCH), "b".repeat(2 * MUCH), "{engine}");
        assert_eq!(client.take(1), "1", "{engine}");
    }
}

#[cfg(unix)]
#[test]
fn a_unix_connection_moves() {
    for engine in Engine::available() {
        let path = free_path();
        let endpoint = format!("unix:{}", path.display()).parse().expect("an endpoint");
        let _reactors = quiet(2)
            .listen(endpoint, actors)
            .reactor(move |_| Reactor::builder().engine(engine))
            .start()
            .expect("they start");
        let mut client = Client::at_path(&path);
        client.send("?1?0?");
        assert_eq!(client.take(3), "010", "{engine}");
    }
}

/// Sends back what it receives, and moves to the other reactor after every so many bytes.
struct Wandering {
    unread: Vec<u8>,
}

/// Bytes between two moves: no divisor of the size of reads.
const STAGE: usize = 4_999;

impl Protocol for Wandering {
    fn data_received(&mut self, transport: &Transport, data: &[u8]) {
        let here = data.len().min(STAGE);
        transport.write(&data[..here]);
        self.unread = data[here..].to_vec();
        let reactor = transport.reactor().expect("it is in a callback");
        let shard = Shard::of(&reactor).expect("it is one of several");
        transport.send_to(1 - shard.index()).expect("the other one runs");
    }

    fn take_unread(&mut self, _: &Transport) -> Bytes {
        std::mem::take(&mut self.unread).into()
    }
}

/// While it moves to and fro, bytes arrive all the time: in the socket, in the engine, at the protocol.
#[test]
fn no_byte_is_lost_or_reordered_on_the_way() {
    const LEN: usize = 1 << 20;
    for engine in Engine::available() {
        let reactors = quiet(2)
            .listen(any_port(), |_: &Shard| |_: &Peer| Wandering { unread: Vec::new() })
            .reactor(move |_| Reactor::builder().engine(engine))
            .start()
            .expect("they start");
        let sent: Vec<u8> = (0..LEN).map(|n| (n % 251) as u8).collect();
        let Client(stream) = Client::of(&reactors);
        let mut writer: TcpStream = stream.try_clone().expect("a duplicate");
        let to_send = sent.clone();
        let sender = thread::spawn(move || {
            // In odd pieces, so that reads end anywhere.
            for piece in to_send.chunks(3_331) {
                writer.write_all(piece).expect("it is open");
            }
        });
        let mut received = vec![0; LEN];
        (&stream).read_exact(&mut received).expect("all of it");
        assert!(received == sent, "{engine}: something else came back");
        sender.join().expect("it does not panic");
        // After the last byte it moves once more.
        let total = loop {
            let total = reactors.stats().expect("they run").total();
            if total.connections == 1 {
                break total;
            }
            thread::yield_now();
        };
        assert_eq!(total.connections_made, 1, "{engine}");
        assert_eq!(total.bytes_received, LEN as u64, "{engine}");
        assert_eq!(total.bytes_sent, LEN as u64, "{engine}");
    }
}

/// By a call from outside of its callbacks, while an engine may be receiving for it.
#[test]
fn an_idle_connection_is_moved_from_outside() {
    #[derive(Default)]
    struct Last(std::cell::RefCell<Option<Transport>>);

    struct Known(Actor);

    impl Protocol for Known {
        fn connection_made(&mut self, transport: &Transport) {
            let reactor = transport.reactor().expect("it is in a callback");
            reactor.local::<Last>().0.replace(Some(transport.clone()));
        }
        fn data_received(&mut self, transport: &Transport, data: &[u8]) {
            self.0.data_received(transport, data);
        }
        fn connection_lost(&mut self, transport: &Transport, reason: &ConnectionLost) {
            assert!(matches!(reason, ConnectionLost::HandedOver | ConnectionLost::Shutdown));
            assert!(transport.is_closing());
        }
    }

    for engine in Engine::available() {
        let reactors = quiet(2)
            .distribution(Distribution::RoundRobin)
            .listen(any_port(), |shard: &Shard| {
                let index = shard.index();
                move |_: &Peer| Known(Actor::on(index))
            })
            .reactor(move |_| Reactor::builder().engine(engine))
            .start()
            .expect("they start");
        let mut client = Client::of(&reactors);
        assert_eq!(client.shard(), 0);
        for _ in 0..10 {
            for (from, to) in [(0, 1), (1, 0)] {
                let moved = reactors.call(from, move |shard| {
                    let transport = shard.local::<Last>().0.take().expect("it is here");
                    (transport.send_to(to), transport.send_to(to))
                });
                assert_eq!(moved, Ok((Ok(()), Err(SendToError::Pending))), "{engine}");
                assert_eq!(client.shard(), to, "{engine}");
            }
        }
        wait_for_connections(&reactors, &[1, 0]);
    }
}

/// The next protocol may know what this one knew; so a connection moves that no shared port has accepted.
#[test]
fn an_outgoing_connection_moves_with_its_state() {
    struct Asking {
        name: &'static str,
        sender: mpsc::Sender<(usize, String)>,
    }

    impl Protocol for Asking {
        fn connection_made(&mut self, transport: &Transport) {
            let reactor = transport.reactor().expect("it is in a callback");
            let shard = Shard::of(&reactor).expect("it is one of several").index();
            if shard == 0 {
                assert_eq!(transport.send_to(1), Err(SendToError::NoFactory));
                let (name, sender) = (self.name, self.sender.clone());
                let next = move |_: &Peer| Self { name, sender };
                transport.send_to_with(1, next).expect("it may move");
            } else {
                transport.write("?");
            }
        }
        fn data_received(&mut self, transport: &Transport, data: &[u8]) {
            let reactor = transport.reactor().expect("it is in a callback");
            let shard = Shard::of(&reactor).expect("it is one of several").index();
            let text = format!("{} {}", self.name, String::from_utf8_lossy(data));
            let _ = self.sender.send((shard, text));
            transport.lose_connection();
        }
    }

    for engine in Engine::available() {
        let server = serving(1).start().expect("it starts");
        let addr = super::kit::only_address(&server);
        let (sender, receiver) = mpsc::channel();
        let reactors = quiet(2)
            .reactor(move |_| Reactor::builder().engine(engine))
            .start()
            .expect("they start");
        let asked = reactors.call(0, move |shard| {
            let ann = move |_: &Peer| Asking { name: "ann", sender: sender.clone() };
            shard.reactor().connect_tcp(addr, ann).detach();
        });
        asked.expect("it runs");
        assert_eq!(receiver.recv(), Ok((1, "ann 0".to_owned())), "{engine}");
        wait_for_connections(&reactors, &[0, 0]);
    }
}

/// One that ends before it has moved gets its callbacks here.
#[test]
fn a_connection_that_ends_first_does_not_move() {
    struct Ends(mpsc::Sender<String>);

    impl Protocol for Ends {
        fn data_received(&mut self, transport: &Transport, _: &[u8]) {
            transport.send_to(1).expect("it may move");
            transport.abort();
        }
        fn connection_lost(&mut self, _: &Transport, reason: &ConnectionLost) {
            let _ = self.0.send(reason.to_string());
        }
    }

    let (sender, receiver) = mpsc::channel();
    let reactors = quiet(2)
        .distribution(Distribution::RoundRobin)
        .listen(any_port(), move |_: &Shard| {
            let sender = sender.clone();
            move |_: &Peer| Ends(sender.clone())
        })
        .start()
        .expect("they start");
    let mut client = Client::of(&reactors);
    client.send("x");
    assert_eq!(client.rest(), "");
    assert_eq!(receiver.recv(), Ok("aborted by this side".to_owned()));
    assert_eq!(connections(&reactors), [0, 0]);
}
