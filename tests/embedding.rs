//! A reactor in the loop of another program, which waits for its descriptor with poll(2).
#![cfg(unix)]

#[path = "support/watchdog.rs"]
mod watchdog;

use std::{
    cell::Cell,
    io::{self, Read, Write},
    net::{SocketAddr, TcpStream},
    os::fd::AsFd,
    rc::Rc,
    thread,
    time::Duration,
};

use rustix::{
    event::{PollFd, PollFlags, Timespec, poll},
    io::Errno,
};
use sinew::{prelude::*, reactor::Embedded};

/// The other loop: waits for the descriptor until `is_done`. Returns how often it has waited.
fn run_outside(embedded: &Embedded, is_done: impl Fn() -> bool) -> usize {
    let mut waits = 0;
    while !is_done() {
        let wait = embedded.turn().unwrap();
        if is_done() {
            break;
        }
        let timeout = wait.map(|wait| Timespec::try_from(wait).unwrap());
        let fd = embedded.as_fd();
        match poll(&mut [PollFd::new(&fd, PollFlags::IN)], timeout.as_ref()) {
            Ok(_) | Err(Errno::INTR) => waits += 1,
            Err(error) => panic!("{error}"),
        }
    }
    waits
}

fn with_every_descriptor(test: impl Fn(Embedded)) {
    watchdog::watch_this_test();
    let mut count = 0;
    for engine in Engine::available() {
        let reactor = Reactor::builder().engine(engine).build().unwrap();
        match Embedded::new(&reactor) {
            Ok(embedded) => {
                test(embedded);
                count += 1;
            }
            Err(error) => {
                assert_eq!(error.kind(), io::ErrorKind::Unsupported, "{engine}: {error}");
                assert!(error.to_string().contains(engine.name()), "{error}");
                assert!(matches!(engine, Engine::Poll | Engine::Select));
            }
        }
    }
    assert!(count > 0, "mio has a descriptor");
}

struct Echo;

impl Protocol for Echo {
    fn data_received(&mut self, transport: &Transport, data: &[u8]) {
        transport.write(data);
    }
}

#[test]
fn connections_are_served() {
    with_every_descriptor(|embedded| {
        let port = embedded.reactor().listen_tcp("127.0.0.1:0", |_: &Peer| Echo).unwrap();
        let addr: SocketAddr = port.local();
        let (remote, done) = (embedded.reactor().remote(), Rc::new(Cell::new(false)));
        let (sender, receiver) = std::sync::mpsc::channel();
        let client = thread::spawn(move || {
            let mut stream = TcpStream::connect(addr).unwrap();
            let mut answer = vec![0; 100_000];
            for round in 0..10_u8 {
                stream.write_all(&vec![round; 100_000]).unwrap();
                stream.read_exact(&mut answer).unwrap();
                assert!(answer.iter().all(|byte| *byte == round));
            }
            drop(stream);
            remote.call(move |_| sender.send(()).unwrap()).unwrap();
        });
        let waits = run_outside(&embedded, || {
            done.set(done.get() || receiver.try_recv().is_ok());
            done.get() && port.connections() == 0
        });
        assert!(waits < 10_000, "{waits} waits: the loop is busy");
        client.join().unwrap();
    });
}

#[test]
fn timers_set_the_time_to_wait() {
    with_every_descriptor(|embedded| {
        let done = Rc::new(Cell::new(false));
        let is_done = done.clone();
        embedded.reactor().call_later(Duration::from_millis(20), move |_| is_done.set(true));
        let waits = run_outside(&embedded, || done.get());
        // One for each level of the timer wheel, and one for the timer.
        assert!((1..12).contains(&waits), "{waits} waits");
    });
}

#[test]
fn nothing_to_do_is_a_wait_without_limit() {
    with_every_descriptor(|embedded| {
        assert_eq!(embedded.turn().unwrap(), None);
        embedded.reactor().call_soon(|_| ());
        assert_eq!(embedded.turn().unwrap(), None, "it has been done");
    });
}

#[test]
fn other_threads_wake_the_other_loop() {
    with_every_descriptor(|embedded| {
        let remote = embedded.reactor().remote();
        let calls = Rc::new(Cell::new(0));
        // A task that a thread wakes, and calls of a thread, each sent once the last was made.
        let (sender, receiver) = std::sync::mpsc::channel();
        let (answer, answered) = std::sync::mpsc::channel::<()>();
        let thread = thread::spawn(move || {
            for n in 0..100 {
                let sender = sender.clone();
                remote.call(move |_| sender.send(n).unwrap()).unwrap();
                answered.recv().unwrap();
            }
        });
        let counter = calls.clone();
        let waits = run_outside(&embedded, move || {
            while let Ok(n) = receiver.try_recv() {
                assert_eq!(n, counter.get());
                counter.set(n + 1);
                answer.send(()).unwrap();
            }
            counter.get() == 100
        });
        thread.join().unwrap();
        assert!(waits < 500, "{waits} waits");
    });
}

#[test]
fn a_wakeup_between_a_turn_and_the_wait_is_not_lost() {
    with_every_descriptor(|embedded| {
        assert_eq!(embedded.turn().unwrap(), None);
        let remote = embedded.reactor().remote();
        let called = Rc::new(Cell::new(false));
        // From another thread, before the other loop waits.
        let (sender, receiver) = std::sync::mpsc::channel();
        thread::spawn(move || remote.call(move |_| sender.send(()).unwrap()).unwrap())
            .join()
            .unwrap();
        let fd = embedded.as_fd();
        let ready = poll(&mut [PollFd::new(&fd, PollFlags::IN)], None).unwrap();
        assert_eq!(ready, 1);
        embedded.turn().unwrap();
        called.set(receiver.try_recv().is_ok());
        assert!(called.get());
    });
}
