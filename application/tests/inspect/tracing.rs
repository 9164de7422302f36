//! What a subscriber of `tracing` hears: the span of a connection, and slow callbacks by name.

use std::{
    cell::Cell,
    io::Write,
    net::TcpStream,
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use sinew_reactor::Reactor;
use sinew_transports::{
    Connection, ConnectionLost, Peer, Protocol, ReactorTcp, StreamConfig, Transport,
    inspect::ReactorInspect, memory,
};
use tracing::Level;

#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Write for Log {
    fn write(&mut self, line: &[u8]) -> std::io::Result<usize> {
        self.0.lock().expect("nobody panics with it").write(line)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// Runs `f` while lines of this level and above are logged, and returns them.
fn logged(level: Level, f: impl FnOnce()) -> Vec<String> {
    let log = Log::default();
    let writer = log.clone();
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(level)
        .with_ansi(false)
        .with_writer(move || writer.clone())
        .finish();
    tracing::subscriber::with_default(subscriber, f);
    let bytes = log.0.lock().expect("nobody panics with it");
    String::from_utf8_lossy(&bytes).lines().map(str::to_owned).collect()
}

/// Says what is called.
#[derive(Default)]
struct Says(Cell<u32>);

impl Protocol for Says {
    fn connection_made(&mut self, _: &Transport) {
        tracing::warn!("made");
    }

    fn data_received(&mut self, _: &Transport, data: &[u8]) {
        self.0.set(self.0.get() + 1);
        tracing::warn!("received {}", data.len());
    }

    fn connection_lost(&mut self, _: &Transport, _: &ConnectionLost) {
        tracing::warn!("lost");
    }
}

fn lines_of_a_connection(level: Level) -> Vec<String> {
    logged(level, || {
        let reactor = Reactor::new().expect("a reactor");
        let turn = || reactor.turn(Some(Duration::ZERO)).expect("a turn");
        let (connection, wire): (Connection<Says>, _) =
            memory::connect(&reactor, StreamConfig::default(), Says::default())
                .expect("there is room");
        turn();
        wire.receive(b"hello");
        turn();
        // The span hides neither the type nor its name.
        assert_eq!(connection.with(|says, _| says.0.get()), Some(1));
        let report = reactor.connection_report(connection.transport().id()).expect("it is there");
        assert_eq!(report.protocol, Some(std::any::type_name::<Says>()));
        connection.transport().abort();
        turn();
    })
}

#[test]
fn callbacks_run_in_the_span_of_their_connection_at_debug_level() {
    let debug = lines_of_a_connection(Level::DEBUG);
    for said in ["made", "received 5", "lost"] {
        let line = debug.iter().find(|line| line.contains(said)).expect("it is logged");
        assert!(line.contains("connection{peer=memory id="), "{line}");
        assert!(line.contains("protocol=\"inspect::inspect::tracing::Says\""), "{line}");
    }
    let info = lines_of_a_connection(Level::INFO);
    assert_eq!(info.iter().filter(|line| line.contains("WARN")).count(), 3);
    assert!(info.iter().all(|line| !line.contains("connection{")), "{info:?}");
}

#[test]
fn a_slow_callback_is_named_with_its_peer_and_how_long_it_took() {
    const SLOW: Duration = Duration::from_millis(4);
    struct Slow;
    impl Protocol for Slow {
        fn data_received(&mut self, transport: &Transport, data: &[u8]) {
            let began = Instant::now();
            while data == b"slow" && began.elapsed() < 2 * SLOW {}
            transport.write(data);
        }
    }
    let (sender, receiver) = std::sync::mpsc::channel();
    let lines = logged(Level::WARN, || {
        let reactor = Reactor::builder().inspection(true).slow_callback(SLOW).build();
        let reactor = reactor.expect("a reactor");
        let port = reactor.listen_tcp("127.0.0.1:0", |_: &Peer| Slow).expect("a port");
        let connect = || TcpStream::connect(port.local()).expect("it listens");
        let (mut quick, mut slow) = (connect(), connect());
        while port.connections() < 2 {
            reactor.turn(None).expect("a turn");
        }
        // Both have their events in one turn.
        quick.write_all(b"quick").expect("it is open");
        slow.write_all(b"slow").expect("it is open");
        let received = || reactor.stats().bytes_received;
        while received() < 9 {
            reactor.turn(None).expect("a turn");
        }
        let report = reactor.loop_report();
        assert!(report.longest.iter().any(|long| long.name.ends_with("::Slow")), "{report:?}");
        sender.send(slow.local_addr().expect("it is open")).expect("the test waits");
    });
    let peer = receiver.recv().expect("it was sent").to_string();
    let named = format!("Slow with {peer}");
    let line =
        lines.iter().find(|line| line.contains(&named)).unwrap_or_else(|| panic!("{lines:?}"));
    assert!(line.contains("took=") && line.contains("slow callback"), "{line}");
}
