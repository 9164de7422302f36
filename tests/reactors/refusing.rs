//! Connections that cannot move, each with its reason.

use std::sync::mpsc;

use sinew::{
    prelude::*,
    transports::{
        Faults, WriteStatus,
        endpoint::{ClientEndpoint, ServerEndpoint},
        memory,
        reactors::{Distribution, SendToError, Shard},
    },
};

use super::kit::{Client, any_port, only_address, quiet, serving};

/// Does something, tries to move, and sends the result.
struct Tries {
    prepare: fn(&Transport),
    to: usize,
    results: mpsc::Sender<Result<(), SendToError>>,
}

impl Protocol for Tries {
    fn data_received(&mut self, transport: &Transport, _: &[u8]) {
        (self.prepare)(transport);
        let _ = self.results.send(transport.send_to(self.to));
    }

    fn read_closed(&mut self, transport: &Transport) {
        let _ = self.results.send(transport.send_to(self.to));
        transport.lose_connection();
    }
}

/// The result of a move on the first of two reactors, after `prepare`.
fn tried(
    prepare: fn(&Transport),
    to: usize,
    config: ListenConfig,
    client: impl FnOnce(&mut Client),
) -> Result<(), SendToError> {
    let (results, result) = mpsc::channel();
    let reactors = quiet(2)
        .distribution(Distribution::RoundRobin)
        .listen_with(any_port(), config, move |_: &Shard| {
            let results = results.clone();
            move |_: &Peer| Tries { prepare, to, results: results.clone() }
        })
        .start()
        .expect("they start");
    let mut peer = Client::of(&reactors);
    client(&mut peer);
    result.recv().expect("it was tried")
}

#[test]
fn what_cannot_move() {
    let usual = ListenConfig::default;
    let send = |client: &mut Client| client.send("x");
    type Case = (&'static str, fn(&Transport), usize, SendToError);
    let cases: [Case; 6] = [
        ("closing", |transport| transport.lose_connection(), 1, SendToError::Closed),
        ("output has ended", |transport| transport.close_write(), 1, SendToError::HalfClosed),
        (
            "pending handover",
            |transport| {
                let other = sinew::protocols::wire::Echo;
                assert!(transport.set_protocol(other).is_ok());
            },
            1,
            SendToError::Pending,
        ),
        (
            "pending move",
            |transport| assert_eq!(transport.send_to(1), Ok(())),
            1,
            SendToError::Pending,
        ),
        ("itself", |_| (), 0, SendToError::AlreadyThere { shard: 0 }),
        ("nowhere", |_| (), 2, SendToError::NoSuchShard { shard: 2, shards: 2 }),
    ];
    for (what, prepare, to, expected) in cases {
        assert_eq!(tried(prepare, to, usual(), send), Err(expected), "{what}");
    }
    let end = |client: &mut Client| {
        client.0.shutdown(std::net::Shutdown::Write).expect("it is open");
    };
    assert_eq!(tried(|_| (), 1, usual(), end), Err(SendToError::HalfClosed), "input has ended");
    let stream = StreamConfig::default().faults(Faults::survivable(7));
    let wrapped = usual().stream(stream);
    assert_eq!(tried(|_| (), 1, wrapped, send), Err(SendToError::NotASocket), "wrapped");
}

/// Nor can another protocol take over what is about to move.
#[test]
fn a_connection_that_moves_is_not_handed_over() {
    let moved = tried(
        |transport| {
            transport.send_to(1).expect("it may move");
            let refused = transport.set_protocol(sinew::protocols::wire::Echo);
            assert!(refused.is_err());
            // And it takes no input, though it may write.
            assert!(!transport.is_reading());
            assert_eq!(transport.write("last words"), WriteStatus::Ok);
        },
        1,
        ListenConfig::default(),
        |client| {
            client.send("x");
            assert_eq!(client.take(10), "last words");
        },
    );
    assert_eq!(moved, Err(SendToError::Pending));
}

#[test]
fn a_reactor_that_runs_alone_has_no_others() -> Result<(), Box<dyn std::error::Error>> {
    let server = serving(1).start()?;
    let reactor = Reactor::new()?;
    let connecting =
        reactor.connect_tcp(only_address(&server), |_: &Peer| sinew::protocols::wire::Echo);
    let connection = reactor.run_until(connecting)??;
    // The run is over, and with it the connection.
    assert_eq!(connection.transport().send_to(0), Err(SendToError::Closed));
    let (connection, _wire) =
        memory::connect(&reactor, StreamConfig::default(), sinew::protocols::wire::Echo)?;
    assert_eq!(connection.transport().send_to(0), Err(SendToError::NotASocket));
    let port = reactor.listen_tcp("127.0.0.1:0", |_: &Peer| sinew::protocols::wire::Echo)?;
    let handle = reactor.clone();
    let refused = reactor.run_until(async move {
        let connecting = handle.connect_tcp(port.local(), |_: &Peer| sinew::protocols::wire::Echo);
        connecting.await.map(|connection| connection.transport().send_to(0))
    })??;
    assert_eq!(refused, Err(SendToError::NoReactors));
    Ok(())
}

#[test]
fn a_connection_in_memory_and_a_relayed_one_stay() {
    let (results, result) = mpsc::channel();
    let endpoint: ServerEndpoint = "memory:here".parse().expect("an endpoint");
    let reactors = quiet(2)
        .listen(endpoint, move |_: &Shard| {
            let results = results.clone();
            move |_: &Peer| Tries { prepare: |_| (), to: 1, results: results.clone() }
        })
        .listen(any_port(), |_: &Shard| |_: &Peer| sinew::protocols::wire::Echo)
        .start()
        .expect("they start");
    let in_memory = reactors.call(0, |shard| {
        let here: ClientEndpoint = "memory:here".parse().expect("an endpoint");
        let connecting = here.connect(shard.reactor(), |_: &Peer| sinew::protocols::wire::Echo);
        connecting.then(|_, connection| {
            connection.expect("it listens").transport().write("x");
        });
    });
    in_memory.expect("it runs");
    assert_eq!(result.recv(), Ok(Err(SendToError::NotASocket)));

    let (sender, relayed) = mpsc::channel();
    let addr = reactors.addresses()[1].socket_addr().expect("an IP address");
    let asked = reactors.call(0, move |shard| {
        let handle = shard.reactor().clone();
        let task = shard.reactor().spawn(async move {
            let connect = || handle.connect_tcp(addr, |_: &Peer| sinew::protocols::wire::Discard);
            let (one, other) =
                (connect().await.expect("it listens"), connect().await.expect("it listens"));
            let relay = one.transport().relay(other.transport()).expect("both are open");
            let _ = sender.send(one.transport().send_to_with(1, |_| sinew::protocols::wire::Echo));
            drop(relay);
        });
        task.detach();
    });
    asked.expect("it runs");
    assert_eq!(relayed.recv(), Ok(Err(SendToError::Relayed)));
}
