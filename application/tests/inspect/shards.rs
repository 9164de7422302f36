//! Several reactors: summed and listed, and a connection of another one is found.

use std::{
    io::{Read, Write},
    net::TcpStream,
    os::unix::net::UnixStream,
    sync::mpsc,
    time::Duration,
};

use sinew_application::inspect;
use sinew_reactor::Reactor;
use sinew_transports::{
    Peer,
    reactors::{Reactors, Shard},
};

use super::client::{Echo, ask, folder};
use crate::watchdog::Watchdog;

#[test]
fn all_reactors_are_shown_by_one() {
    let _watchdog = Watchdog::new("several reactors");
    let folder = folder();
    let socket = folder.join("status.sock");
    let endpoint = format!("unix:{}", socket.display());
    let (sender, receiver) = mpsc::channel();
    let reactors = Reactors::new(3)
        .reactor(|_| Reactor::builder().inspection(true))
        .stop_signals(false)
        .drain(Duration::ZERO)
        .listen("127.0.0.1:0".parse().expect("an endpoint"), |_: &Shard| |_: &Peer| Echo)
        .setup(move |shard: &Shard| {
            if shard.index() == 0 {
                let endpoint = endpoint.parse().expect("an endpoint");
                inspect::serve_status(shard.reactor(), &endpoint).expect("a status socket");
            }
            sender.send(()).expect("the test waits");
            Ok::<(), std::io::Error>(())
        })
        .start()
        .expect("they start");
    (0..3).for_each(|_| receiver.recv().expect("they start"));
    let at = reactors.handle().addresses()[0].socket_addr().expect("a TCP address");
    let clients: Vec<_> = (0..24)
        .map(|_| {
            let mut client = TcpStream::connect(at).expect("it listens");
            client.write_all(b"x").expect("it is open");
            client.read_exact(&mut [0]).expect("it answers");
            client
        })
        .collect();
    let json = |path: &str| -> serde_json::Value {
        let stream = UnixStream::connect(&socket).expect("the socket is there");
        let answer = ask(stream, "GET", path, "Host: localhost\r\n");
        serde_json::from_str(&answer.body).expect("valid JSON")
    };
    let status = json("/status");
    let shards = status["shards"].as_array().expect("a list");
    assert_eq!((shards.len(), shards[2]["shard"].as_u64()), (3, Some(2)));
    let sum: u64 = shards.iter().filter_map(|shard| shard["connections"].as_u64()).sum();
    assert_eq!((Some(sum), sum >= 24), (status["total"]["connections"].as_u64(), true));
    let (mut path, mut found) = ("/connections?max=5".to_owned(), Vec::new());
    loop {
        let page = json(&path);
        found.extend(page["connections"].as_array().expect("a list").iter().cloned());
        let next = &page["next"];
        if next.is_null() {
            break;
        }
        path = format!("/connections?max=5&shard={}&first={}", next["shard"], next["first"]);
    }
    let tcp: Vec<_> = found.iter().filter(|one| one["kind"] == "tcp").collect();
    assert_eq!(tcp.len(), 24);
    let elsewhere = tcp.iter().find(|one| one["shard"] != 0).expect("the kernel distributes them");
    let id = elsewhere["id"].as_str().expect("an id");
    assert_eq!(json(&format!("/connections/{id}"))["peer"], elsewhere["peer"]);
    let stream = UnixStream::connect(&socket).expect("the socket is there");
    let path = format!("/connections/{id}/abort");
    assert_eq!(ask(stream, "POST", &path, "Host: localhost\r\n").status, 204);
    let peer = elsewhere["peer"].as_str().expect("an address");
    let is_it = |client: &&TcpStream| client.local_addr().expect("a socket").to_string() == peer;
    let mut client = clients.iter().find(is_it).expect("one of ours");
    assert!(client.read(&mut [0]).is_err());
    reactors.stop().expect("they run");
    reactors.join().expect("they end");
    let _ = std::fs::remove_dir_all(folder);
}
