//! Restarts with real processes: a server (this test binary again, as a child) is replaced by its next version under load, and by versions
//! that fail in every way.

#![cfg(unix)]

use std::{net::UdpSocket, time::Duration};

use sinew_application::handover::Handover;
use sinew_reactor::{Engine, Reactor};
use sinew_transports::DatagramConfig;

#[path = "../../tests/support/watchdog.rs"]
mod watchdog;

#[path = "handover/child.rs"]
mod child;
#[path = "handover/load.rs"]
mod load;
#[path = "handover/server.rs"]
mod server;
#[path = "handover/shards.rs"]
mod shards;

use load::Load;
use server::Server;

/// Not a test: the server of the tests below, in a process of its own.
#[test]
#[ignore = "it is the program that the other tests start"]
fn child_process() {
    child::main();
}

#[test]
fn ten_upgrades_in_a_row_lose_nothing() {
    let _watchdog = watchdog::Watchdog::within(Duration::from_secs(180), "ten upgrades");
    let mut server = Server::start("ten");
    let load = Load::start(&server);
    for _ in 0..10 {
        load.wait_for_more();
        server.upgrade("serve");
        let pid = server.serving();
        assert_ne!(pid, server.first_pid());
    }
    load.wait_for_more();
    let counts = load.stop();
    eprintln!("ten upgrades: {counts:?}");
    server.stop();
}

/// A port that has another name in the next version, and back.
#[test]
fn a_renamed_port_is_found_by_its_address() {
    let _watchdog = watchdog::Watchdog::within(Duration::from_secs(180), "a renamed port");
    let mut server = Server::start("renamed");
    let load = Load::start(&server);
    let renamed = format!("renamed {}", server.addr.port());
    for version in [&renamed, "renamed 0", &renamed] {
        load.wait_for_more();
        server.upgrade(version);
        server.serving();
    }
    load.wait_for_more();
    eprintln!("a renamed port: {:?}", load.stop());
    server.stop();
}

#[test]
fn every_engine_hands_over() {
    let _watchdog = watchdog::Watchdog::within(Duration::from_secs(180), "upgrades on engines");
    for engine in ["poll", "select", "uring"] {
        if engine == "uring"
            && Reactor::builder()
                .engine(Engine::Uring)
                .build()
                .is_ok_and(|reactor| reactor.engine() != Engine::Uring)
        {
            eprintln!("skipped: this system has no io_uring");
            continue;
        }
        let mut server = Server::start_on(engine, engine);
        let load = Load::start(&server);
        let mut room = load::Room::enter(server.chat, 50);
        for _ in 0..4 {
            load.wait_for_more();
            server.upgrade("serve");
            server.serving();
            room.everybody_hears(engine);
        }
        load.wait_for_more();
        eprintln!("four upgrades on {engine}: {:?}", load.stop());
        room.leave();
        server.stop();
    }
}

/// On more and on fewer reactors than before: no socket is closed with connections in its queue.
#[test]
fn several_reactors_hand_over() {
    let _watchdog = watchdog::Watchdog::within(Duration::from_secs(180), "upgrades on reactors");
    let mut server = Server::start_version("shards 3", "reactors");
    let load = Load::start(&server);
    for version in ["shards 3", "shards 1", "shards 2", "serve", "shards 4"] {
        load.wait_for_more();
        server.upgrade(version);
        server.serving();
    }
    load.wait_for_more();
    server.upgrade("broken");
    server.line("failed the new process cannot start");
    load.wait_for_more();
    eprintln!("upgrades on several reactors: {:?}", load.stop());
    server.stop();
}

#[test]
fn versions_that_fail_change_nothing() {
    let _watchdog = watchdog::Watchdog::within(Duration::from_secs(180), "failing versions");
    let mut server = Server::start("fail");
    let load = Load::start(&server);
    let cases = [
        ("crash", "the new process has ended before it was ready: killed by signal 6"),
        ("exit", "the new process has ended before it was ready: exit code 3"),
        ("broken", "the new process cannot start: the configuration is broken"),
        ("hang", "the new process was not ready within 500ms, and was killed"),
        (
            "garbage",
            "the new process has sent something that is not understood, and was killed: it does not begin as a message does",
        ),
        ("crash_committing", "the new process has ended before it was ready: killed by signal 6"),
        ("crash_taken", "the new process has ended before it was ready: killed by signal 6"),
        ("crash_settled", "the new process has ended before it was ready: killed by signal 6"),
        ("missing", "could not find the program \"/no/such/program\""),
        ("ignorant", "the new process was not ready within 500ms, and was killed"),
    ];
    for (version, error) in cases {
        load.wait_for_more();
        server.upgrade(version);
        let line = server.line("failed ");
        assert!(line.contains(error), "{version}: {line}");
        load.wait_for_more();
    }
    // And the next good one takes over.
    server.upgrade("serve");
    server.serving();
    load.wait_for_more();
    load.stop();
    server.stop();
}

#[test]
fn new_process_goes_on_alone_if_the_old_one_dies() {
    let _watchdog = watchdog::Watchdog::within(Duration::from_secs(100), "the old one dies");
    for version in ["slow", "slow_committing"] {
        let mut server = Server::start(version);
        let addr = server.addr;
        server.upgrade(version);
        let pid = server.line("waiting ");
        let old = server.first_pid();
        server::kill(old, libc::SIGKILL);
        server.send(&pid, libc::SIGUSR1);
        assert_eq!(server.serving().to_string(), pid);
        load::short_request(addr);
        server.stop();
    }
}

#[test]
fn old_process_that_stops_in_the_middle_takes_the_new_one_along() {
    let _watchdog = watchdog::Watchdog::within(Duration::from_secs(100), "the old one stops");
    let mut server = Server::start("stops");
    let addr = server.addr;
    server.upgrade("slow");
    server.line("waiting ");
    server::kill(server.first_pid(), libc::SIGTERM);
    assert!(server.line("failed ").contains("this program stops, so the new process was killed"));
    server.line("gone ");
    assert!(std::net::TcpStream::connect(addr).is_err(), "nobody listens any more");
}

#[test]
fn a_thousand_clients_stay_in_the_room() {
    let _watchdog = watchdog::Watchdog::within(Duration::from_secs(180), "the room");
    let mut server = Server::start("room");
    let mut room = load::Room::enter(server.chat, 1000);
    room.everybody_hears("before");
    for round in 0..3 {
        // A line that is not finished stays unfinished.
        room.begin_line(7, "half of");
        server.upgrade("serve");
        server.serving();
        server.line("gone ");
        room.end_line(7, " a line");
        room.everybody_hears(&format!("after {round}"));
    }
    room.leave();
    server.stop();
}

#[test]
fn a_service_that_starts_again_goes_on_with_its_datagrams() {
    let _watchdog = watchdog::Watchdog::within(Duration::from_secs(60), "datagrams");
    let reactor = Reactor::new().unwrap();
    let handover = Handover::inherit().unwrap();
    let (any, config) = (([127, 0, 0, 1], 0).into(), DatagramConfig::default());
    let first = handover.listen_udp(&reactor, "udp", any, config.clone(), child::Echo).unwrap();
    let (addr, socket) = (first.local(), first.to_hand_over().unwrap());
    let again = socket.try_clone().unwrap();
    let refused = handover.adopt_udp(&reactor, "udp", again, config.clone(), child::Echo);
    assert!(refused.unwrap_err().to_string().contains("already a socket named"));
    first.stop();
    // It arrives while nobody receives.
    let client = UdpSocket::bind("127.0.0.1:0").unwrap();
    client.send_to(b"waiting", addr).unwrap();
    let second = handover.adopt_udp(&reactor, "udp", socket, config, child::Echo).unwrap();
    assert_eq!(second.local(), addr);
    let received = reactor.defer_to_thread(move || {
        let mut buffer = [0; 64];
        let len = client.recv(&mut buffer).unwrap();
        buffer[..len].to_vec()
    });
    assert_eq!(reactor.run_until(received).unwrap().unwrap(), b"waiting");
}
