//! Tests of the io_uring engine alone. Behaviour shared with the other engines is tested through the reactor, on all of
//! them.

use std::{
    io::{Read, Write},
    net::{TcpListener, TcpStream},
    os::{fd::AsRawFd, unix::net::UnixStream},
};

use super::*;
use crate::handler::Ready;

/// Returns from the test, with the reason printed, where io_uring is not available.
macro_rules! ring {
    ($($arg:expr),*) => {
        match UringPoller::with($($arg),*) {
            Ok(poller) => poller,
            Err(error) => return println!("skipped: {error}"),
        }
    };
}

/// A connection, with its near end registered in the receive mode.
struct Connection {
    near: UnixStream,
    far: UnixStream,
    token: Token,
}

impl Connection {
    fn new(poller: &mut UringPoller, number: usize) -> Self {
        let (near, far) = UnixStream::pair().unwrap();
        near.set_nonblocking(true).unwrap();
        far.set_nonblocking(true).unwrap();
        let token = Token::new(number, 1);
        poller.register(near.as_raw_fd(), token, Interest::READ).unwrap();
        assert!(poller.set_delivery_mode(near.as_raw_fd(), token, DeliveryMode::Receive));
        Self { near, far, token }
    }

    fn set_interest(&self, poller: &mut UringPoller, interest: Interest) {
        poller.set_interest(self.near.as_raw_fd(), self.token, interest);
    }

    fn take(&self, poller: &mut UringPoller) -> Option<Completion> {
        poller.take_completion(self.token)
    }

    /// The received bytes that are pending.
    fn bytes(&self, poller: &mut UringPoller) -> Vec<u8> {
        match self.take(poller) {
            Some(Completion::Received(bytes)) => bytes.to_vec(),
            None => Vec::new(),
            Some(other) => panic!("{other:?}"),
        }
    }

    /// The bytes received in `waits` waits.
    fn bytes_in(&self, poller: &mut UringPoller, waits: usize) -> Vec<u8> {
        let mut all = Vec::new();
        for _ in 0..waits {
            wait(poller);
            all.extend(self.bytes(poller));
        }
        all
    }
}

/// A wait that does not block.
fn wait(poller: &mut UringPoller) -> Vec<Event> {
    let mut events = Vec::new();
    poller.wait(Some(Duration::ZERO), &mut events).unwrap();
    events
}

/// A listener, its token, and three clients, of which one is accepted and pending.
fn one_accepted(poller: &mut UringPoller) -> (TcpListener, Token, Vec<TcpStream>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let (id, token) = (listener.as_raw_fd(), Token::new(1, 1));
    poller.register(id, token, Interest::READ).unwrap();
    poller.set_delivery_mode(id, token, DeliveryMode::Accept);
    wait(poller);
    let address = listener.local_addr().unwrap();
    let clients = (0..3).map(|_| TcpStream::connect(address).unwrap()).collect();
    assert_eq!(wait(poller).len(), 1);
    (listener, token, clients)
}

#[test]
fn a_source_has_credit_for_one_buffer() {
    let mut poller = ring!(8, 64, 8);
    let mut connection = Connection::new(&mut poller, 3);
    assert_eq!(wait(&mut poller), []);
    for piece in [b"one", b"two", b"six"] {
        connection.far.write_all(piece).unwrap();
        let events = wait(&mut poller);
        match piece {
            b"one" => assert_eq!(events, [Event { token: connection.token, ready: Ready::READ }]),
            _ => assert_eq!(events, [], "nothing is received before the first was collected"),
        }
        assert_eq!(poller.ring.in_flight(), 1, "only the pipe is polled");
    }
    assert_eq!(connection.bytes(&mut poller), b"one");
    assert!(connection.take(&mut poller).is_none());
    assert_eq!(wait(&mut poller), [Event { token: connection.token, ready: Ready::READ }]);
    assert_eq!(connection.bytes(&mut poller), b"twosix");
}

#[test]
fn a_flood_receives_one_buffer_a_wait_and_does_not_starve_others() {
    let mut poller = ring!(8, 64, 4);
    let mut flood = Connection::new(&mut poller, 3);
    let mut modest = Connection::new(&mut poller, 4);
    let piece = vec![7; 1 << 20];
    for n in 0..50 {
        while flood.far.write(&piece).is_ok() {}
        modest.far.write_all(&[n]).unwrap();
        // In every other round what was received for the flood is not collected.
        wait(&mut poller);
        assert_eq!(modest.bytes(&mut poller), [n], "in wait {n}");
        if n % 2 == 1 {
            let received = flood.bytes(&mut poller).len();
            assert!(0 < received && received <= buffers::BUFFER_LEN, "{received} in wait {n}");
        }
    }
}

#[test]
fn the_end_of_input_comes_last_and_nothing_is_submitted_after_it() {
    let mut poller = ring!(8, 64, 8);
    let mut connection = Connection::new(&mut poller, 3);
    connection.far.write_all(b"last").unwrap();
    connection.far.shutdown(std::net::Shutdown::Write).unwrap();
    assert_eq!(connection.bytes_in(&mut poller, 1), b"last");
    assert_eq!(wait(&mut poller).len(), 1);
    assert!(matches!(connection.take(&mut poller), Some(Completion::End)));
    wait(&mut poller);
    assert_eq!(poller.ring.in_flight(), 1, "only the pipe is polled");
    connection.set_interest(&mut poller, Interest::NONE);
    connection.set_interest(&mut poller, Interest::READ);
    wait(&mut poller);
    assert_eq!(poller.ring.in_flight(), 1, "an input that has ended is not resubmitted");
}

#[test]
fn with_fewer_buffers_than_floods_every_source_gets_its_turn() {
    let mut poller = ring!(16, 64, 2);
    let mut floods: Vec<_> = (0..7).map(|n| Connection::new(&mut poller, n)).collect();
    let piece = vec![7; 1 << 20];
    let mut turns = vec![0; floods.len()];
    for _ in 0..140 {
        for connection in &mut floods {
            while connection.far.write(&piece).is_ok() {}
        }
        for event in wait(&mut poller) {
            let n = event.token.slot();
            turns[n] += usize::from(!floods[n].bytes(&mut poller).is_empty());
        }
    }
    // 280 buffers for seven.
    assert!(turns.iter().all(|count| (20..=60).contains(count)), "{turns:?}");
    let mut modest = Connection::new(&mut poller, 9);
    for n in 0..20 {
        modest.far.write_all(&[n]).unwrap();
        let mut waits = 0;
        while modest.bytes(&mut poller) != [n] {
            waits += 1;
            // Eight sources, two buffers in a wait, and one wait to submit.
            assert!(waits <= 5, "a neighbour received nothing in {waits} waits");
            for connection in &mut floods {
                while connection.far.write(&piece).is_ok() {}
                connection.bytes(&mut poller);
            }
            wait(&mut poller);
        }
    }
}

#[test]
fn with_all_buffers_taken_nothing_is_received_until_one_is_recycled() {
    let mut poller = ring!(8, 64, 4);
    let mut greedy = Connection::new(&mut poller, 3);
    let mut modest = Connection::new(&mut poller, 4);
    let mut pending = Vec::new();
    for n in 0..4 {
        greedy.far.write_all(&[n]).unwrap();
        wait(&mut poller);
        pending.extend(greedy.take(&mut poller));
    }
    assert_eq!(pending.len(), 4);
    greedy.far.write_all(b"g").unwrap();
    modest.far.write_all(b"m").unwrap();
    for _ in 0..3 {
        assert_eq!(wait(&mut poller), [], "no buffer, no bytes, and no error");
    }
    pending.pop();
    let mut received = Vec::new();
    for _ in 0..4 {
        wait(&mut poller);
        received.extend(greedy.bytes(&mut poller));
        received.extend(modest.bytes(&mut poller));
    }
    received.sort_unstable();
    assert_eq!(received, b"gm");
    for (n, completed) in pending.iter().enumerate() {
        let Completion::Received(bytes) = completed else { panic!() };
        assert_eq!(**bytes, [n as u8], "a buffer in use is not overwritten");
    }
}

#[test]
fn only_as_many_buffers_are_provided_as_were_needed_at_once() {
    let mut poller = ring!(128, 512, 128);
    let mut connections: Vec<_> = (0..40).map(|n| Connection::new(&mut poller, n)).collect();
    for _ in 0..100 {
        connections[0].far.write_all(b"x").unwrap();
        wait(&mut poller);
        assert_eq!(connections[0].bytes(&mut poller), b"x");
    }
    let at_first = poller.buffers.provided();
    assert!(at_first < 40, "one after the other, few are enough");
    for _ in 0..10 {
        connections.iter_mut().for_each(|connection| connection.far.write_all(b"y").unwrap());
        let mut received = 0;
        while received < connections.len() {
            wait(&mut poller);
            received += connections
                .iter()
                .map(|connection| connection.bytes(&mut poller).len())
                .sum::<usize>();
        }
    }
    // How many operations the kernel completes at once is not specified.
    let provided = poller.buffers.provided();
    assert!(
        at_first < provided && provided <= 64,
        "{provided} are provided, and no more are needed"
    );
}

#[test]
fn a_paused_source_holds_no_shared_buffer() {
    let mut poller = ring!(8, 64, 2);
    let mut paused: Vec<_> = (4..8).map(|n| Connection::new(&mut poller, n)).collect();
    let mut other = Connection::new(&mut poller, 3);
    for connection in &mut paused {
        connection.far.write_all(b"a").unwrap();
        wait(&mut poller);
        connection.set_interest(&mut poller, Interest::NONE);
    }
    wait(&mut poller);
    for _ in 0..20 {
        other.far.write_all(b"x").unwrap();
        wait(&mut poller);
        assert_eq!(other.bytes(&mut poller), b"x");
    }
    for connection in &mut paused {
        connection.far.write_all(b"b").unwrap();
        assert_eq!(wait(&mut poller), [], "receiving has ended");
        assert_eq!(connection.bytes(&mut poller), b"a");
        connection.set_interest(&mut poller, Interest::READ);
        assert_eq!(wait(&mut poller).len(), 1);
        assert_eq!(connection.bytes(&mut poller), b"b");
    }
}

#[test]
fn an_interest_set_and_cleared_between_two_waits_costs_nothing() {
    let mut poller = ring!(8, 64, 2);
    let connection = Connection::new(&mut poller, 3);
    wait(&mut poller);
    let before = poller.ring.in_flight();
    for _ in 0..100 {
        connection.set_interest(&mut poller, Interest::NONE);
        connection.set_interest(&mut poller, Interest::READ);
    }
    assert_eq!(wait(&mut poller), []);
    assert_eq!(poller.ring.in_flight(), before);
}

#[test]
fn an_interest_set_again_during_a_cancellation_is_honoured() {
    let mut poller = ring!(8, 64, 4);
    let mut connection = Connection::new(&mut poller, 3);
    for n in 0..50_u8 {
        wait(&mut poller);
        connection.set_interest(&mut poller, Interest::NONE);
        // The operation is being cancelled; its final completion may arrive before or after the interest is set again.
        poller.submit();
        connection.set_interest(&mut poller, Interest::READ);
        connection.far.write_all(&[n]).unwrap();
        let mut received = Vec::new();
        while received.is_empty() {
            wait(&mut poller);
            received = connection.bytes(&mut poller);
        }
        assert_eq!(received, [n]);
    }
}

#[test]
fn more_operations_and_completions_than_the_queues_hold() {
    let mut poller = ring!(2, 4, 128);
    let mut connections: Vec<_> = (0..100).map(|n| Connection::new(&mut poller, n)).collect();
    wait(&mut poller);
    for (n, connection) in connections.iter_mut().enumerate() {
        connection.far.write_all(&[n as u8]).unwrap();
    }
    let mut received = vec![0; connections.len()];
    while received.contains(&0) {
        for event in wait(&mut poller) {
            let n = event.token.slot();
            assert_eq!(connections[n].bytes(&mut poller), [n as u8]);
            received[n] += 1;
        }
    }
    assert!(received.iter().all(|count| *count == 1));
}

#[test]
fn closing_a_source_closes_its_socket_at_once() {
    let mut poller = ring!(8, 64, 4);
    let connection = Connection::new(&mut poller, 3);
    wait(&mut poller);
    let Connection { near, mut far, token } = connection;
    poller.deregister(near.as_raw_fd(), token, true).unwrap();
    drop(near);
    assert_eq!(far.read(&mut [0; 8]).unwrap(), 0, "the engine does not keep the socket open");
}

#[test]
fn a_late_completion_of_a_deregistered_source_matches_nothing() {
    let mut poller = ring!(8, 64, 4);
    for round in 0..20 {
        let mut connection = Connection::new(&mut poller, round);
        wait(&mut poller);
        connection.far.write_all(b"late").unwrap();
        // The kernel receives the bytes before the operation is cancelled, and reports them afterwards.
        poller.deregister(connection.near.as_raw_fd(), connection.token, false).unwrap();
        let next = Connection { token: Token::new(round, 2), ..connection };
        poller.register(next.near.as_raw_fd(), next.token, Interest::READ).unwrap();
        for event in wait(&mut poller) {
            assert_eq!(event.token, next.token);
        }
        assert!(next.take(&mut poller).is_none(), "the bytes are not for this registration");
        poller.deregister(next.near.as_raw_fd(), next.token, true).unwrap();
    }
    wait(&mut poller);
    assert_eq!(poller.ring.in_flight(), 1, "only the pipe is polled");
}

#[test]
fn a_listener_has_credit_for_one_connection_which_is_reset_if_not_collected() {
    let mut poller = ring!(8, 64, 4);
    let (listener, token, mut clients) = one_accepted(&mut poller);
    let id = listener.as_raw_fd();
    assert_eq!(wait(&mut poller), [], "no more than one is accepted before it was collected");
    for client in &mut clients[..2] {
        let Some(Completion::Accepted(socket)) = poller.take_completion(token) else { panic!() };
        assert!(poller.take_completion(token).is_none());
        TcpStream::from(socket).write_all(b"hello").unwrap();
        let mut greeting = [0; 5];
        client.read_exact(&mut greeting).unwrap();
        assert_eq!(wait(&mut poller).len(), 1);
    }
    poller.deregister(id, token, true).unwrap();
    let error = clients[2].read(&mut [0; 8]).unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::ConnectionReset);
}

#[test]
fn a_listener_without_interest_accepts_nothing() {
    let mut poller = ring!(8, 64, 4);
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.set_nonblocking(true).unwrap();
    let (id, token) = (listener.as_raw_fd(), Token::new(1, 1));
    poller.register(id, token, Interest::READ).unwrap();
    poller.set_delivery_mode(id, token, DeliveryMode::Accept);
    wait(&mut poller);
    poller.set_interest(id, token, Interest::NONE);
    let _client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    assert_eq!(wait(&mut poller), []);
    assert!(poller.take_completion(token).is_none());
    listener.accept().expect("the connection is in the backlog");
}

#[test]
fn dropping_the_engine_cancels_all_operations_first() {
    let mut poller = ring!(8, 64, 4);
    let mut connections: Vec<_> = (0..10).map(|n| Connection::new(&mut poller, n)).collect();
    wait(&mut poller);
    connections[0].far.write_all(b"kept").unwrap();
    wait(&mut poller);
    let kept = connections[0].take(&mut poller);
    connections[1].far.write_all(b"in flight").unwrap();
    drop(poller);
    let Some(Completion::Received(bytes)) = &kept else { panic!() };
    assert_eq!(&**bytes, b"kept", "a collected completion stays valid");
    for Connection { near, mut far, .. } in connections {
        drop(near);
        let mut rest = Vec::new();
        // A reset, if bytes were never read.
        let _ = far.read_to_end(&mut rest);
        assert_eq!(rest, b"");
    }
}

#[test]
fn pending_data_keeps_its_order_across_a_pause_and_the_end_comes_last() {
    let mut poller = ring!(8, 64, 8);
    let mut connection = Connection::new(&mut poller, 3);
    wait(&mut poller);
    connection.far.write_all(b"a").unwrap();
    wait(&mut poller);
    connection.set_interest(&mut poller, Interest::NONE);
    connection.far.write_all(b"b").unwrap();
    assert_eq!(wait(&mut poller), [], "a paused source receives nothing");
    connection.set_interest(&mut poller, Interest::READ);
    connection.far.write_all(b"c").unwrap();
    connection.far.shutdown(std::net::Shutdown::Write).unwrap();
    let (mut received, mut has_ended) = (Vec::new(), false);
    while !has_ended {
        match connection.take(&mut poller) {
            Some(Completion::Received(bytes)) => received.extend_from_slice(&bytes),
            Some(Completion::End) => has_ended = true,
            Some(other) => panic!("{other:?}"),
            None => drop(wait(&mut poller)),
        }
    }
    assert_eq!(received, b"abc");
    assert!(connection.take(&mut poller).is_none());
}

#[test]
fn a_paused_source_holds_at_most_what_was_received_before() {
    let mut poller = ring!(8, 64, 2);
    let mut connections: Vec<_> = (0..8).map(|n| Connection::new(&mut poller, n)).collect();
    wait(&mut poller);
    let piece = vec![7; 1 << 20];
    connections.iter_mut().for_each(|connection| while connection.far.write(&piece).is_ok() {});
    // Some have received, others not yet.
    wait(&mut poller);
    connections.iter().for_each(|connection| connection.set_interest(&mut poller, Interest::NONE));
    for _ in 0..20 {
        wait(&mut poller);
    }
    assert_eq!(poller.ring.in_flight(), 1, "only the pipe is polled: no source receives");
    for connection in &connections {
        assert!(connection.bytes(&mut poller).len() <= buffers::BUFFER_LEN);
        assert!(connection.take(&mut poller).is_none(), "more than its credit");
    }
}

#[test]
fn deregistering_a_source_recycles_its_buffer() {
    let mut poller = ring!(8, 64, 4);
    let mut other = Connection::new(&mut poller, 1);
    for round in 2..20 {
        let mut connection = Connection::new(&mut poller, round);
        wait(&mut poller);
        connection.far.write_all(b"a").unwrap();
        wait(&mut poller);
        poller.deregister(connection.near.as_raw_fd(), connection.token, true).unwrap();
        drop(connection);
        other.far.write_all(b"x").unwrap();
        assert_eq!(other.bytes_in(&mut poller, 2), b"x");
    }
}

#[test]
fn a_deregistered_source_that_stays_open_receives_nothing() {
    let mut poller = ring!(8, 64, 4);
    let mut connection = Connection::new(&mut poller, 3);
    wait(&mut poller);
    poller.deregister(connection.near.as_raw_fd(), connection.token, false).unwrap();
    connection.far.write_all(b"for the next reader...").unwrap();
    wait(&mut poller);
    let mut read = [0; 64];
    assert_eq!(connection.near.read(&mut read).unwrap(), 22, "no byte was lost");
}

#[test]
fn a_descriptor_registered_again_in_the_same_turn_gets_nothing_of_before() {
    let mut poller = ring!(8, 64, 4);
    let mut connection = Connection::new(&mut poller, 3);
    wait(&mut poller);
    connection.far.write_all(b"a").unwrap();
    wait(&mut poller);
    let pending = connection.take(&mut poller);
    connection.far.write_all(b"b").unwrap();
    wait(&mut poller);
    let id = connection.near.as_raw_fd();
    poller.deregister(id, connection.token, false).unwrap();
    connection.token = Token::new(3, 2);
    poller.register(id, connection.token, Interest::READ).unwrap();
    poller.set_delivery_mode(id, connection.token, DeliveryMode::Receive);
    assert!(connection.take(&mut poller).is_none(), "the bytes are not for this registration");
    connection.far.write_all(b"c").unwrap();
    let mut received = Vec::new();
    while received.is_empty() {
        for event in wait(&mut poller) {
            assert_eq!(event.token, connection.token);
        }
        received = connection.bytes(&mut poller);
    }
    assert_eq!(received, b"c");
    let Some(Completion::Received(bytes)) = &pending else { panic!() };
    assert_eq!(&**bytes, b"a", "a buffer in use is not overwritten");
}

#[test]
fn an_error_comes_after_the_data_received_before_it() {
    let mut poller = ring!(8, 64, 4);
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let mut far = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    let (near, _) = listener.accept().unwrap();
    let (id, token) = (near.as_raw_fd(), Token::new(1, 1));
    poller.register(id, token, Interest::READ).unwrap();
    poller.set_delivery_mode(id, token, DeliveryMode::Receive);
    wait(&mut poller);
    far.write_all(b"last").unwrap();
    while wait(&mut poller).is_empty() {}
    rustix::net::sockopt::set_socket_linger(&far, Some(Duration::ZERO)).unwrap();
    drop(far);
    wait(&mut poller);
    let Some(Completion::Received(bytes)) = poller.take_completion(token) else { panic!() };
    assert_eq!(&*bytes, b"last");
    let error = loop {
        match poller.take_completion(token) {
            Some(Completion::Failed(error)) => break error,
            Some(other) => panic!("{other:?}"),
            None => drop(wait(&mut poller)),
        }
    };
    assert_eq!(error.kind(), io::ErrorKind::ConnectionReset);
    wait(&mut poller);
    assert_eq!(poller.ring.in_flight(), 1, "only the pipe: a failed input is not resubmitted");
}

#[test]
fn an_accepted_connection_not_collected_is_closed_with_the_engine() {
    let mut poller = ring!(8, 64, 4);
    let (_listener, _, mut clients) = one_accepted(&mut poller);
    drop(poller);
    assert!(matches!(clients[0].read(&mut [0; 8]), Ok(0) | Err(_)), "the socket is closed");
}

#[test]
fn the_reason_why_io_uring_is_unavailable_is_explained() {
    for (code, word) in [
        (libc::ENOSYS, "no io_uring"),
        (libc::EPERM, "seccomp"),
        (libc::EINVAL, "6.1"),
        (libc::ENOMEM, "ulimit"),
    ] {
        let text = explain(io::Error::from_raw_os_error(code)).to_string();
        assert!(text.contains(word), "{text}");
    }
}
