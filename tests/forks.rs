//! A child of fork(2) drops its copy of a reactor, on every engine: the parent's listeners, files, connections and
//! children are not affected. A binary of its own, since a child has only the thread that forked.

#![cfg(unix)]

#[path = "support/watchdog.rs"]
mod watchdog;

use std::{
    cell::RefCell,
    env, fs,
    io::{self, ErrorKind, Read, Write},
    net::TcpStream,
    os::unix::net::{UnixDatagram, UnixStream},
    panic::{AssertUnwindSafe, catch_unwind},
    path::PathBuf,
    process::Command,
    rc::Rc,
    time::Duration,
};

use sinew::{
    prelude::*,
    reactor::Signal,
    transports::{DatagramProtocol, DatagramTransport, SignalError, UnixAddr},
};
use watchdog::Watchdog;

/// Runs `f` in a child, which then reports that and waits until the connection is shut down; returns its process id.
fn fork(connection: &UnixStream, f: impl FnOnce()) -> libc::pid_t {
    // SAFETY: the child does what `f` says. Another test of this binary may be in the midst of something at this moment, but the
    // allocator is not, of which the C library takes care, and nothing else is shared between tests.
    let child = unsafe { libc::fork() };
    assert!(child >= 0, "{}", io::Error::last_os_error());
    if child > 0 {
        return child;
    }
    // SAFETY: alarm(2) takes any number.
    unsafe { libc::alarm(60) };
    let done = catch_unwind(AssertUnwindSafe(f));
    let _ = (&*connection).write_all(b"done");
    let _ = (&*connection).read(&mut [0]);
    // SAFETY: _exit(2) can be called at any time, and does not come back.
    unsafe { libc::_exit(if done.is_ok() { 0 } else { 101 }) }
}

fn wait_for(child: libc::pid_t) {
    let mut status = 0;
    // SAFETY: the pointer is to a live integer.
    assert_eq!(unsafe { libc::waitpid(child, &raw mut status, 0) }, child);
    assert_eq!(status, 0, "the child has exited with 0; its status is that of wait(2)");
}

type Callback = Rc<RefCell<Vec<&'static str>>>;

/// Echoes, and keeps its own transport, so that it is dropped only explicitly.
struct Echo {
    callbacks: Callback,
    own: Option<Transport>,
}

impl Protocol for Echo {
    fn connection_made(&mut self, transport: &Transport) {
        self.own = Some(transport.clone());
    }
    fn data_received(&mut self, transport: &Transport, data: &[u8]) {
        transport.write(data);
    }
    fn connection_lost(&mut self, _: &Transport, _: &ConnectionLost) {
        self.callbacks.borrow_mut().push("connection_lost");
    }
}

/// Sends back each datagram.
struct Back;

impl DatagramProtocol<UnixAddr> for Back {
    fn datagram_received(
        &mut self,
        transport: &DatagramTransport<UnixAddr>,
        data: &[u8],
        from: UnixAddr,
    ) {
        transport.send_to(data, from);
    }
}

/// A program that prints its input.
struct Cat(Rc<RefCell<Vec<u8>>>, Callback);

impl ProcessProtocol for Cat {
    fn out_received(&mut self, _: &Process, data: &[u8]) {
        self.0.borrow_mut().extend_from_slice(data);
    }
    fn ended(&mut self, _: &Process, _: &ProcessStatus) {
        self.1.borrow_mut().push("ended");
    }
}

/// A temporary folder, removed on drop.
struct Folder(PathBuf);

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn ask<S: Read + Write>(reactor: &Reactor, stream: &mut S, set_nonblocking: impl Fn(&S)) {
    set_nonblocking(stream);
    stream.write_all(b"ping").expect("it is connected");
    let mut answer = Vec::new();
    while answer.len() < 4 {
        reactor.turn(Some(Duration::from_millis(1))).expect("the loop turns");
        let mut buffer = [0; 16];
        match stream.read(&mut buffer) {
            Ok(0) => panic!("the end, after {answer:?}"),
            Ok(n) => answer.extend_from_slice(&buffer[..n]),
            Err(error) => assert_eq!(error.kind(), ErrorKind::WouldBlock, "{error}"),
        }
    }
    assert_eq!(answer, b"ping");
}

fn ask_tcp(reactor: &Reactor, stream: &mut TcpStream) {
    ask(reactor, stream, |stream| stream.set_nonblocking(true).expect("it is open"));
}

#[test]
fn objects_dropped_by_a_child_stay_alive_in_the_parent() {
    for engine in Engine::available() {
        let _watchdog = Watchdog::new(format!("a fork on {engine}"));
        let folder = env::temp_dir().join(format!("sinew-forks-{engine}-{}", std::process::id()));
        fs::create_dir_all(&folder).expect("a folder for temporary files");
        let folder = Folder(folder);
        let in_folder = |name: &str| folder.0.join(name);
        let files = ["stream", "stream.lock", "datagrams", "datagrams.lock"].map(in_folder);
        let callbacks = Callback::default();
        let reactor = Reactor::builder().engine(engine).build().expect("it is available");

        let echo = |callbacks: &Callback| {
            let callbacks = callbacks.clone();
            move |_: &Peer| Echo { callbacks: callbacks.clone(), own: None }
        };
        let tcp = reactor.listen_tcp("127.0.0.1:0", echo(&callbacks)).expect("a port");
        reactor.listen_unix(&*files[0], echo(&callbacks)).expect("a file");
        reactor.listen_unix_datagram(&*files[2], Back).expect("a file");
        let said = Rc::<RefCell<Vec<u8>>>::default();
        let cat = reactor
            .spawn_process(Cat(said.clone(), callbacks.clone()), Command::new("cat"))
            .expect("there is a cat");
        let mut open = TcpStream::connect(tcp.local()).expect("somebody listens");
        ask_tcp(&reactor, &mut open);
        // In flight at the time of the fork: both processes have it in their queues.
        cat.write(b"once");

        let (mut here, there) = UnixStream::pair().expect("two descriptors");
        let mut reactor = Some(reactor);
        let child = fork(&there, || {
            assert!(matches!(cat.signal(Signal::TERM), Err(SignalError::InChild)));
            drop(reactor.take());
            assert!(callbacks.borrow().is_empty(), "{:?}", callbacks.borrow());
        });
        here.read_exact(&mut [0; 4]).expect("the child says that it is done");
        let reactor = reactor.expect("it was the child that took it");

        for file in &files {
            assert!(file.exists(), "{} is gone on {engine}", file.display());
        }
        ask_tcp(&reactor, &mut open);
        let mut new = TcpStream::connect(tcp.local()).expect("somebody listens");
        ask_tcp(&reactor, &mut new);
        let mut unix = UnixStream::connect(&files[0]).expect("somebody listens");
        ask(&reactor, &mut unix, |stream| stream.set_nonblocking(true).expect("it is open"));
        let datagrams = UnixDatagram::bind(in_folder("client")).expect("a name");
        datagrams.set_nonblocking(true).expect("it is open");
        datagrams.send_to(b"ping", &files[2]).expect("somebody is there");
        while datagrams.recv(&mut [0; 16]).is_err() {
            reactor.turn(Some(Duration::from_millis(1))).expect("the loop turns");
        }
        cat.write(b", and no more");
        while !said.borrow().ends_with(b"more") {
            reactor.turn(Some(Duration::from_millis(1))).expect("the loop turns");
        }
        assert_eq!(said.borrow().as_slice(), b"once, and no more", "on {engine}");
        assert_eq!(cat.status(), None);
        assert!(callbacks.borrow().is_empty(), "{:?}", callbacks.borrow());

        // The child lives, and has closed its descriptors: the peer gets EOF when the parent closes its own.
        drop(reactor);
        open.set_nonblocking(false).expect("it is open");
        let ended = open.read(&mut [0]);
        assert!(matches!(ended, Ok(0) | Err(_)), "{ended:?} on {engine}");
        assert!(files.iter().all(|file| !file.exists()), "what the parent drops is gone");
        // The child has a copy of this end, too.
        here.shutdown(std::net::Shutdown::Both).expect("it is open");
        wait_for(child);
    }
}
