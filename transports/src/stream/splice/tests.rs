//! Tests of the pipe pool: no more pipes than in use, plus a bounded number of spare ones.

use std::{
    cell::RefCell,
    io::{ErrorKind, Read, Write},
    net::{Shutdown, TcpListener, TcpStream},
    time::Duration,
};

use super::*;
use crate::stream::{socket::Socket, wrapper::Wrapper};
use crate::{Peer, Protocol, ReactorTcp};

/// Stores its transport for the test.
struct Kept(Rc<RefCell<Vec<Transport>>>);

impl Protocol for Kept {
    fn connection_made(&mut self, transport: &Transport) {
        self.0.borrow_mut().push(transport.clone());
    }

    fn data_received(&mut self, _: &Transport, _: &[u8]) {}
}

fn turn(reactor: &Reactor) {
    reactor.turn(Some(Duration::from_millis(1))).expect("the loop turns");
}

/// Opens connections on a reactor; returns their transports and their far ends.
fn join(reactor: &Reactor, count: usize) -> (Vec<Transport>, Vec<TcpStream>) {
    let kept = Rc::new(RefCell::new(Vec::new()));
    let ends = kept.clone();
    let port = reactor.listen_tcp("127.0.0.1:0", move |_: &Peer| Kept(ends.clone()));
    let port = port.expect("a free port");
    let mut far = Vec::new();
    while far.len() < count {
        let socket = TcpStream::connect(port.local()).expect("a listener");
        socket.set_nonblocking(true).expect("it can be");
        far.push(socket);
        while kept.borrow().len() < far.len() {
            turn(reactor);
        }
    }
    (kept.take(), far)
}

/// Sends bytes into one far end and reads them from the other.
fn carry(reactor: &Reactor, from: &mut TcpStream, to: &mut TcpStream, bytes: &[u8]) {
    let (mut sent, mut got) = (0, Vec::new());
    while got.len() < bytes.len() {
        match from.write(&bytes[sent..]) {
            Ok(n) => sent += n,
            Err(error) => assert_eq!(error.kind(), ErrorKind::WouldBlock),
        }
        turn(reactor);
        if let Err(error) = to.read_to_end(&mut got) {
            assert_eq!(error.kind(), ErrorKind::WouldBlock);
        }
    }
    assert!(got == bytes);
}

fn noise(len: usize) -> Vec<u8> {
    let mut random = fastrand::Rng::with_seed(7);
    (0..len).map(|_| random.u8(..)).collect()
}

#[test]
fn idle_relays_own_no_pipe() {
    let reactor = Reactor::new().expect("a reactor");
    let pipes = reactor.local::<PipePool>();
    let (ends, mut far) = join(&reactor, 2 * (POOLED_MAX + 2));
    for pair in ends.chunks(2) {
        pair[0].relay(&pair[1]).expect("both are open").detach();
    }
    let bytes = noise(2 << 20);
    for pair in far.chunks_mut(2) {
        let [one, other] = pair else { unreachable!("there is an even number of them") };
        carry(&reactor, one, other, &bytes);
        carry(&reactor, other, one, &bytes);
    }
    assert!(reactor.stats().bytes_moved > 0, "something was moved");
    assert_eq!(pipes.spare.borrow().len(), 1, "the relays used the same pipe in turn");
}

/// While the peers do not read, each direction has a pipe; when the connections end, the pipes are closed, except for pooled
/// ones.
#[test]
fn pipes_in_use_are_closed_with_their_connections() {
    let reactor = Reactor::new().expect("a reactor");
    let pipes = reactor.local::<PipePool>();
    let (ends, mut far) = join(&reactor, 2);
    ends[0].relay(&ends[1]).expect("both are open").detach();
    let bytes = noise(1 << 20);
    let mut idle = 0;
    while idle < 50 {
        idle = if far[0].write(&bytes).is_ok() { 0 } else { idle + 1 };
        turn(&reactor);
    }
    assert!(pipes.spare.borrow().is_empty(), "the pipe is in use");
    let moved = reactor.stats().bytes_moved;
    assert!(moved > 0 && reactor.stats().bytes_received > moved, "something is in it");
    drop(far);
    while reactor.stats().connections > 0 {
        turn(&reactor);
    }
    assert!(pipes.spare.borrow().is_empty(), "a pipe with data is not pooled");
}

/// As when a layer is put on top of the socket meanwhile.
#[test]
fn data_in_a_pipe_is_queued_if_the_socket_was_wrapped() {
    let reactor = Reactor::new().expect("a reactor");
    let (ends, mut far) = join(&reactor, 1);
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let mut source = TcpStream::connect(listener.local_addr().expect("it has one")).expect("open");
    let (from, _) = listener.accept().expect("a connection");
    let bytes = noise(30_000);
    source.write_all(&bytes).expect("there is room");
    source.shutdown(Shutdown::Write).expect("it is open");
    let (from, splice) = (Socket::from(from), SplicePipe::new(&reactor));
    splice.enable();
    let mut filled = 0;
    let (end, other) = (&ends[0], Socket::from(far[0].try_clone().expect("a descriptor")));
    while filled < bytes.len() {
        filled += splice.fill(&*from, &*other).expect("it begins").expect("bytes");
        splice.enable();
        end.inner().wrap_socket(|socket| Socket::Other(Box::new(Wrapped(socket))));
        assert!(splice.drain(&reactor, end) && splice.is_empty());
    }
    assert_eq!(end.queued(), bytes.len());
    end.lose_connection();
    let mut got = Vec::new();
    while got.len() < bytes.len() {
        turn(&reactor);
        let _ = far[0].read_to_end(&mut got);
    }
    assert!(got == bytes);
}

/// A wrapper around a socket.
struct Wrapped(Socket);

impl Wrapper for Wrapped {
    fn inner(&self) -> &Socket {
        &self.0
    }
}
