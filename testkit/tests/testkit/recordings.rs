//! Recording and replay of connections: on sockets with every engine, in memory and in a simulated network; and
//! stored recordings of past failures, in `recordings/`.

use crate::watchdog::watch_this_test;
use std::{
    cell::RefCell,
    fs::File,
    io::{Read, Write},
    net::{Shutdown, SocketAddr, TcpStream},
    path::{Path, PathBuf},
    process::Command,
    rc::Rc,
    thread,
    time::Duration,
};

use crate::echo::{echo, upper};
use sinew_testkit::{
    sim::Network,
    testing::{Recording, ReplayError, assert_clean, replay, tap},
};
use sinew_transports::{
    ConnectionLost, Factory, Peer, Protocol, ReactorTcp, StreamConfig, Transport, memory,
    reactor::{Engine, Reactor},
};

// ---- on sockets ----

/// Clients of an echo server, one after the other: one half-closes, one sends much, one resets.
fn record_on(engine: Engine) -> Recording {
    watch_this_test();
    let reactor = Reactor::builder().engine(engine).build().unwrap();
    let recording = Recording::new();
    let port = reactor.listen_tcp("127.0.0.1:0", tap(echo, &recording)).unwrap();
    let (addr, remote) = (port.local(), reactor.remote());
    let clients = thread::spawn(move || {
        // The loop ends even if a client panics.
        let _stop = scopeguard(move || {
            let _ = remote.stop();
        });
        run_client(addr, b"hello", false);
        run_client(addr, &vec![b'x'; 300_000], false);
        run_client(addr, b"and away", true);
    });
    reactor.run().unwrap();
    clients.join().unwrap();
    drop(port);
    recording
}

/// Calls a closure when it is dropped.
fn scopeguard(f: impl FnOnce()) -> impl Drop {
    struct Guard<F: FnOnce()>(Option<F>);
    impl<F: FnOnce()> Drop for Guard<F> {
        fn drop(&mut self) {
            if let Some(f) = self.0.take() {
                f();
            }
        }
    }
    Guard(Some(f))
}

/// Sends the text and reads it back; then half-closes and reads to the end, or resets.
fn run_client(addr: SocketAddr, text: &[u8], resets: bool) {
    let mut socket = TcpStream::connect(addr).unwrap();
    let mut sender = socket.try_clone().unwrap();
    let copy = text.to_vec();
    let sending = thread::spawn(move || sender.write_all(&copy).unwrap());
    let mut answer = vec![0; text.len()];
    socket.read_exact(&mut answer).unwrap();
    sending.join().unwrap();
    assert!(answer == text);
    if resets {
        // With a linger time of zero, closing resets the connection.
        socket2::SockRef::from(&socket).set_linger(Some(Duration::ZERO)).unwrap();
    } else {
        socket.shutdown(Shutdown::Write).unwrap();
        assert_eq!(socket.read(&mut [0]).unwrap(), 0);
    }
}

#[test]
fn recordings_of_sockets_replay() {
    for engine in Engine::available() {
        let recording = record_on(engine);
        let text = recording.to_string();
        assert!(text.contains("received \"hello\""), "{engine}: {text}");
        let replayed = recording.replay(echo).unwrap_or_else(|error| panic!("{engine}: {error}"));
        assert_eq!(replayed.connections(), 3, "{engine}");

        let error = recording.replay(upper).unwrap_err();
        let ReplayError::Sent { connection, offset, expected, got, .. } = &error else {
            panic!("{engine}: {error}")
        };
        assert_eq!((*connection, *offset), (1, 0), "{engine}");
        assert_eq!((&expected[..], &got[..]), ("\"hello\"", "\"HELLO\""), "{engine}");
    }
}

/// A wrapper around a kernel socket must not be treated as a stream without a kernel, which is always ready.
#[test]
fn tapped_client_on_a_socket() {
    watch_this_test();
    for engine in Engine::available() {
        let reactor = Reactor::builder().engine(engine).build().unwrap();
        let port = reactor.listen_tcp("127.0.0.1:0", echo).unwrap();
        let recording = Recording::new();
        let client = tap(|_: &Peer| Asks::default(), &recording);
        let connected = reactor.connect_tcp(port.local(), client);
        connected.detach();
        while !recording.to_string().contains(" closed\n") {
            reactor.turn(Some(Duration::from_secs(5))).unwrap();
        }
        let text = recording.to_string();
        let made = format!("#1 made to {} at 127.0.0.1:", port.local());
        assert!(text.contains(&made), "{engine}: {text}");
        recording
            .replay(|_: &Peer| Asks::default())
            .unwrap_or_else(|error| panic!("{error}\n{text}"));
        let turns = reactor.stats().turns;
        assert!(turns < 1_000, "{engine}: {turns} turns for one echo");
    }
}

/// Sends three requests, one after the other, then closes.
#[derive(Default)]
struct Asks {
    answers: usize,
}

impl Protocol for Asks {
    fn connection_made(&mut self, transport: &Transport) {
        transport.set_no_delay(true).unwrap();
        transport.write(b"?");
    }

    fn data_received(&mut self, transport: &Transport, _: &[u8]) {
        self.answers += 1;
        if self.answers == 3 {
            transport.lose_connection();
        } else {
            transport.write(b"?");
        }
    }
}

// ---- without a kernel ----

#[test]
fn both_ends_in_a_simulated_network() {
    let network = Network::new(3);
    let (server, client) = (network.host("server"), network.host("client"));
    let recordings = [Recording::new(), Recording::new()];
    let [served, asked] = recordings.clone();
    server.boot(move |reactor| {
        reactor.listen_tcp("0.0.0.0:7", tap(echo, &served)).unwrap();
    });
    client.boot(move |reactor| {
        let client = tap(|_: &Peer| Asks::default(), &asked);
        reactor.connect_tcp("server:7", client).then(|_, connected| drop(connected.unwrap()));
    });
    network.run_for(Duration::from_secs(60)).unwrap();
    let [served, asked] = recordings;
    assert!(served.to_string().contains("lost \"closed by the peer\""), "{served}");
    assert!(asked.to_string().contains("lost \"closed by this side\""), "{asked}");
    assert_eq!(served.replay(echo).unwrap().connections(), 1);
    asked.replay(|_: &Peer| Asks::default()).unwrap();
    // This protocol answers the same, but closes first.
    let error = served.replay(|_: &Peer| Asks::default()).unwrap_err().to_string();
    assert!(error.ends_with("expected nothing, got write_closed"), "{error}");
}

/// The drain comes from the port, which does not exist in a replay.
#[test]
fn drain_is_replayed() {
    struct WritesOnDrain;
    impl Protocol for WritesOnDrain {
        fn data_received(&mut self, _: &Transport, _: &[u8]) {}
        fn drain_requested(&mut self, transport: &Transport) {
            transport.write(b"bye");
            transport.lose_connection();
        }
    }
    let network = Network::new(2);
    let (server, client) = (network.host("server"), network.host("client"));
    let recording = Recording::new();
    let tapped = recording.clone();
    server.boot(move |reactor| {
        let port = reactor.listen_tcp("0.0.0.0:7", tap(|_: &Peer| WritesOnDrain, &tapped)).unwrap();
        reactor.call_later(Duration::from_secs(5), move |_| {
            port.drain(Duration::from_secs(5)).detach()
        });
    });
    client.boot(|reactor| {
        let client = |_: &Peer| Asks::default();
        reactor.connect_tcp("server:7", client).then(|_, connected| drop(connected.unwrap()));
    });
    network.run_for(Duration::from_secs(60)).unwrap();
    let text = recording.to_string();
    assert!(text.contains("drain_requested") && text.contains("sent \"bye\""), "{text}");
    recording.replay(|_: &Peer| WritesOnDrain).unwrap();
    let error = recording.replay(|_: &Peer| Asks { answers: 10 }).unwrap_err().to_string();
    assert!(error.contains("at 0.0") && error.ends_with("expected \"bye\", got \"??\""), "{error}");
}

/// Ends its connection in the way given, and logs the reason.
struct Ends {
    what: &'static str,
    log: Rc<RefCell<Vec<String>>>,
}

impl Protocol for Ends {
    fn data_received(&mut self, transport: &Transport, data: &[u8]) {
        transport.write(data);
        match self.what {
            "panics" => panic!("it's said on purpose"),
            "fails" => transport.fail("no \"such\" thing"),
            "aborts" => transport.abort(),
            "closes" => transport.lose_connection(),
            _ => {}
        }
    }

    fn connection_lost(&mut self, transport: &Transport, reason: &ConnectionLost) {
        let local = transport.peer();
        self.log.borrow_mut().push(format!("{local}: {reason}"));
    }
}

/// Panics, failures, aborts and a stop of the reactor are replayed like other ends.
#[test]
fn every_end_is_replayed() {
    for (what, reason) in [
        ("panics", "the protocol panicked: it's said on purpose"),
        ("fails", "no \"such\" thing"),
        ("aborts", "aborted by this side"),
        ("closes", "closed by this side"),
        ("waits", "the reactor was shut down"),
    ] {
        let log = Rc::default();
        let ends = |log: &Rc<RefCell<Vec<String>>>| {
            let log = Rc::clone(log);
            move |_: &Peer| Ends { what, log: log.clone() }
        };
        let network = Network::new(1);
        let (server, client) = (network.host("server"), network.host("client"));
        let recording = Recording::new();
        let (tapped, factory) = (recording.clone(), Rc::new(ends(&log)));
        server.boot(move |reactor| {
            let factory = factory.clone();
            let factory = tap(move |peer: &Peer| factory(peer), &tapped);
            reactor.listen_tcp("0.0.0.0:7", factory).unwrap();
            let stopped = reactor.clone();
            reactor.call_later(Duration::from_secs(30), move |_| {
                let _ = stopped.stop();
            });
        });
        client.boot(|reactor| {
            let client = |_: &Peer| Asks { answers: 1 };
            reactor.connect_tcp("server:7", client).then(|_, connected| drop(connected.unwrap()));
        });
        // A panic ends the run of the network; events before it are recorded.
        let _ = network.run_for(Duration::from_secs(60));
        let text = recording.to_string();
        if what == "waits" {
            assert!(text.contains("closed by the peer") || text.contains(reason), "{text}");
        }
        let again = Rc::default();
        let replayed = recording.replay(ends(&again));
        replayed.unwrap_or_else(|error| panic!("{what}: {error}\n{text}"));
        assert_eq!(*again.borrow(), *log.borrow(), "{what}: {text}");
    }
}

// ---- stored recordings ----

fn recordings() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/recordings")
}

#[test]
fn stored_recordings_replay() {
    let replayed = replay(recordings().join("echo.txt"), echo).unwrap();
    assert_eq!(replayed.connections(), 2);
    let error = replay(recordings().join("echo.txt"), upper).unwrap_err();
    assert!(error.to_string().starts_with("connection #1 at 0.000412 s: "), "{error}");
    let error = replay(recordings().join("none.txt"), echo).unwrap_err();
    assert!(error.to_string().contains("none.txt: "), "{error}");
}

#[test]
fn tapping_leaks_nothing() {
    let reactor = Reactor::simulated(0);
    let recording = Recording::new();
    let echo = tap(echo, &recording).build_protocol(&Peer::Memory).unwrap();
    let (_, wire) = memory::connect(&reactor, StreamConfig::default(), echo).unwrap();
    wire.close();
    reactor.advance(Duration::ZERO).unwrap();
    assert_clean(&reactor);
}

/// tshark parses the exported pcapng files without complaints.
#[test]
fn tshark_parses_exported_files() {
    if Command::new("tshark").arg("--version").output().is_err() {
        return eprintln!("skipped: tshark is not installed");
    }
    let folder = std::env::temp_dir().join(format!("sinew-recordings-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let _removed = scopeguard({
        let folder = folder.clone();
        move || drop(std::fs::remove_dir_all(folder))
    });
    let on_socket = record_on(Engine::default());
    let kept = Recording::load(recordings().join("echo.txt")).unwrap();
    let clock = Recording::load(recordings().join("clock.txt")).unwrap();
    for (name, recording) in [("socket", on_socket), ("clock", clock), ("kept", kept)] {
        let path = folder.join(name).with_extension("pcapng");
        recording.write_pcapng(File::create(&path).unwrap()).unwrap();
        let output = Command::new("tshark")
            .args(["-o", "tcp.check_checksum:TRUE", "-o", "ip.check_checksum:TRUE"])
            .args(["-T", "fields", "-E", "separator=|"])
            .args(["-e", "tcp.checksum.status", "-e", "ip.checksum.status"])
            .args(["-e", "_ws.malformed", "-e", "tcp.analysis.flags", "-e", "frame.comment", "-r"])
            .arg(&path)
            .output()
            .unwrap();
        assert!(output.status.success(), "{name}: {}", String::from_utf8_lossy(&output.stderr));
        let packets = String::from_utf8(output.stdout).unwrap();
        for packet in packets.lines() {
            // Valid checksums (IPv6 has only one), nothing malformed, no analysis flags.
            let is_fine = packet.starts_with("1|1|||") || packet.starts_with("1||||");
            assert!(is_fine, "{name}: {packet}");
        }
        assert!(packets.contains(" made ") && packets.contains(" lost "), "{name}: {packets}");
    }
    let kept = folder.join("kept.pcapng");
    let mut follow = Command::new("tshark");
    let follow = follow.args(["-q", "-z", "follow,tcp,raw,0", "-r"]).arg(kept).output().unwrap();
    let text = String::from_utf8(follow.stdout).unwrap();
    // "hello" and its echo.
    assert!(text.contains("\n68656c6c6f\n\t68656c6c6f\n"), "{text}");
}
