//! Which reactor gets which connection, for each kind of endpoint and each distribution.

use std::collections::BTreeSet;
#[cfg(unix)]
use std::{net::TcpListener, os::fd::AsRawFd};

use sinew::{
    prelude::*,
    transports::{
        Address,
        endpoint::{ClientEndpoint, ServerEndpoint},
        reactors::{Distribution, Shard},
    },
};

#[cfg(unix)]
use super::kit::free_path;
use super::kit::{
    Client, actors, any_port, connections, only_address, quiet, serving, text, wait_for_connections,
};

/// The kernel chooses by a hash, so it takes some connections until both are seen; or none are lost, at least.
#[test]
fn the_default_serves_one_port_on_all_reactors() {
    let reactors = serving(2).start().expect("they start");
    let mut seen = BTreeSet::new();
    let mut clients = Vec::new();
    while seen.len() < 2 {
        let mut client = Client::of(&reactors);
        seen.insert(client.shard());
        clients.push(client);
        assert!(clients.len() < 500, "only {seen:?} after {} connections", clients.len());
    }
    assert_eq!(connections(&reactors).iter().sum::<u64>(), clients.len() as u64);
    let made = clients.len() as u64;
    drop(clients);
    reactors.stop().expect("they run");
    let stats = reactors.join().expect("none failed");
    assert_eq!(stats.connections_made, made);
}

#[test]
fn in_turn() {
    let reactors = serving(3).distribution(Distribution::RoundRobin).start().expect("they start");
    let mut clients: Vec<_> = (0..7).map(|_| Client::of(&reactors)).collect();
    let shards: Vec<_> = clients.iter_mut().map(Client::shard).collect();
    assert_eq!(shards, [0, 1, 2, 0, 1, 2, 0]);
    assert_eq!(connections(&reactors), [3, 2, 2]);
}

#[test]
fn the_one_with_the_fewest_connections() {
    let reactors = serving(3).distribution(Distribution::LeastLoaded).start().expect("they start");
    let mut connect = |expected: usize| {
        let mut client = Client::of(&reactors);
        assert_eq!(client.shard(), expected);
        client
    };
    let clients: Vec<_> = [0, 1, 2, 0, 1, 2].map(&mut connect).into();
    let mut on_shard_1 = clients;
    let others: Vec<_> = on_shard_1.extract_if(.., |client| client.shard() != 1).collect();
    drop(on_shard_1);
    wait_for_connections(&reactors, &[2, 0, 2]);
    let more = [1, 1].map(&mut connect);
    // Equal again: from where it had come to.
    let last = [2, 0, 1].map(&mut connect);
    assert_eq!(connections(&reactors), [3, 3, 3]);
    drop((others, more, last));
}

#[cfg(unix)]
#[test]
fn a_unix_socket_is_handed_over() {
    let path = free_path();
    let endpoint: ServerEndpoint = format!("unix:{}", path.display()).parse().expect("an endpoint");
    let reactors = quiet(2).listen(endpoint, actors).start().expect("they start");
    assert_eq!(reactors.addresses(), [Address::Unix(UnixAddr::from(path.clone()))]);
    let mut clients: Vec<_> = (0..4).map(|_| Client::at_path(&path)).collect();
    let shards: Vec<_> = clients.iter_mut().map(Client::shard).collect();
    assert_eq!(shards, [0, 1, 0, 1]);
    drop(reactors);
    assert!(!path.exists(), "the first one has removed its file");
    clients.into_iter().for_each(|client| assert_eq!(client.rest(), ""));
}

#[cfg(unix)]
#[test]
fn a_socket_opened_by_others_is_handed_over() {
    let theirs = TcpListener::bind("127.0.0.1:0").expect("a port");
    let addr = theirs.local_addr().expect("an address");
    let endpoint: ServerEndpoint = format!("fd:{}", theirs.as_raw_fd()).parse().expect("one");
    let reactors = quiet(2).listen(endpoint, actors).start().expect("they start");
    assert_eq!(only_address(&reactors), addr);
    let shards = [(); 4].map(|()| Client::at(addr).shard());
    assert_eq!(shards, [0, 1, 0, 1]);
}

/// A name in memory belongs to a reactor: each has its own server, for its own clients.
#[test]
fn a_name_in_memory_is_one_of_each_reactor() {
    struct Ask;

    impl Protocol for Ask {
        fn connection_made(&mut self, transport: &Transport) {
            transport.write("?");
        }
        fn data_received(&mut self, transport: &Transport, data: &[u8]) {
            let reactor = transport.reactor().expect("it is in a callback");
            let index = Shard::of(&reactor).expect("it is one of several").index();
            assert_eq!(data, index.to_string().as_bytes());
            reactor.local::<std::cell::Cell<u32>>().set(1);
        }
    }

    let endpoint: ServerEndpoint = "memory:here".parse().expect("an endpoint");
    let reactors = quiet(2)
        .listen(endpoint, actors)
        .setup(|shard: &Shard| -> Result<(), std::io::Error> {
            let here: ClientEndpoint = "memory:here".parse().expect("an endpoint");
            here.connect(shard.reactor(), |_: &Peer| Ask).detach();
            Ok(())
        })
        .start()
        .expect("they start");
    let answered = |shard: &Shard| shard.local::<std::cell::Cell<u32>>().get();
    while reactors.call_all(answered) != [Ok(1), Ok(1)] {
        std::thread::yield_now();
    }
    assert_eq!(connections(&reactors), [2, 2], "both ends on each");
}

#[test]
fn several_ports_each_with_its_factory() {
    struct Constant(&'static str);

    impl Protocol for Constant {
        fn connection_made(&mut self, transport: &Transport) {
            transport.write(self.0);
        }
        fn data_received(&mut self, _: &Transport, _: &[u8]) {}
    }

    let reactors = quiet(2)
        .distribution(Distribution::RoundRobin)
        .listen(any_port(), |_: &Shard| |_: &Peer| Constant("a"))
        .listen(any_port(), |_: &Shard| |_: &Peer| Constant("b"))
        .start()
        .expect("they start");
    let addrs = reactors.addresses();
    let addr = |port: usize| addrs[port].socket_addr().expect("an IP address");
    let clients: Vec<_> = [0, 1, 1, 0].map(|port| (port, Client::at(addr(port)))).into();
    for (port, mut client) in clients {
        assert_eq!(client.take(1), ["a", "b"][port]);
    }
}

/// The limit holds for each reactor. Where the first accepts, clients wait in the backlog until any reactor has room.
#[test]
fn limits_hold_for_each_reactor() {
    let config = ListenConfig::default().max_connections(1);
    let reactors = quiet(2)
        .distribution(Distribution::RoundRobin)
        .listen_with(any_port(), config, actors)
        .start()
        .expect("they start");
    let mut first = Client::of(&reactors);
    let mut second = Client::of(&reactors);
    assert_eq!((first.shard(), second.shard()), (0, 1));
    let mut third = Client::of(&reactors);
    third.send("?");
    assert_eq!(connections(&reactors), [1, 1]);
    // The other one, which has to tell the first that there is room.
    drop(second);
    assert_eq!(third.take(1), "1");
    let mut fourth = Client::of(&reactors);
    fourth.send("?");
    drop(first);
    assert_eq!(fourth.take(1), "0");
}

/// `SO_REUSEPORT` would let a second server have half of the connections.
#[test]
fn a_second_server_on_the_same_port_is_refused() {
    for distribution in [Distribution::System, Distribution::RoundRobin] {
        let reactors = serving(2).distribution(distribution).start().expect("they start");
        let addr = only_address(&reactors);
        let again = quiet(2).distribution(distribution).listen(addr.into(), actors).start();
        let refused = text(again);
        let expected = format!("reactor 0 failed: could not listen on {addr}: ");
        assert!(refused.starts_with(&expected), "{refused}");
        assert_eq!(Client::at(addr).take_bye_after(reactors), "bye");
    }
}

impl Client {
    /// What is received when the reactors are stopped.
    fn take_bye_after(mut self, reactors: sinew::transports::reactors::RunningReactors) -> String {
        self.shard();
        reactors.stop().expect("they run");
        let bye = self.rest();
        reactors.join().expect("none failed");
        bye
    }
}
