//! PendingKind only a ring can do wrong. PendingKind it has in common with the other engines is tested through the reactor, on all of them.

use std::{
    io::{Read, Write},
    net::{TcpListener, TcpStream},
    os::{fd::AsRawFd, unix::net::UnixStream},
};

use super::*;
use crate::handler::Ready;

/// Why there is nothing to test, said once a test.
macro_rules! ring {
    ($($arg:expr),*) => {
        match UringPoller::with($($arg),*) {
            Ok(poller) => poller,
            Err(error) => return println!("skipped: {error}"),
        }
    };
}

/// A connection: the near end registered, and received for.
struct Line {
    near: UnixStream,
    far: UnixStream,
    token: Token,
}

impl Line {
    fn new(poller: &mut UringPoller, number: usize) -> Self {
        let (near, far) = UnixStream::pair().unwrap();
        near.set_nonblocking(true).unwrap();
        far.set_nonblocking(true).unwrap();
        let token = Token::new(number, 1);
        poller.register(near.as_raw_fd(), token, Interest::READ).unwrap();
        assert!(poller.set_delivery_mode(near.as_raw_fd(), token, DeliveryMode::Receive));
        Self { near, far, token }
    }

    fn want(&self, poller: &mut UringPoller, interest: Interest) {
        poller.set_interest(self.near.as_raw_fd(), self.token, interest);
    }

    fn take(&self, poller: &mut UringPoller) -> Option<Completion> {
        poller.take_completion(self.token)
    }

    /// PendingKind is held for it, if it is bytes.
    fn bytes(&self, poller: &mut UringPoller) -> Vec<u8> {
        match self.take(poller) {
            Some(Completion::Received(bytes)) => bytes.to_vec(),
            None => Vec::new(),
            Some(other) => panic!("{other:?}"),
        }
    }

    /// PendingKind comes in so many waits.
    fn bytes_in(&self, poller: &mut UringPoller, waits: usize) -> Vec<u8> {
        let mut all = Vec::new();
        for _ in 0..waits {
            wait(poller);
            all.extend(self.bytes(poller));
        }
        all
    }
}

/// A wait that finds what is there.
fn wait(poller: &mut UringPoller) -> Vec<Event> {
    let mut events = Vec::new();
    poller.wait(Some(Duration::ZERO), &mut events).unwrap();
    events
}

/// A listener, its token, and three clients, of which one was accepted and nobody has taken it.
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
    let mut line = Line::new(&mut poller, 3);
    assert_eq!(wait(&mut poller), []);
    for piece in [b"one", b"two", b"six"] {
        line.far.write_all(piece).unwrap();
        let events = wait(&mut poller);
        match piece {
            b"one" => assert_eq!(events, [Event { token: line.token, ready: Ready::READ }]),
            _ => assert_eq!(events, [], "nothing is received before the first was taken"),
        }
        assert_eq!(poller.ring.in_flight(), 1, "the pipe: nothing is asked for");
    }
    assert_eq!(line.bytes(&mut poller), b"one");
    assert!(line.take(&mut poller).is_none());
    assert_eq!(wait(&mut poller), [Event { token: line.token, ready: Ready::READ }]);
    assert_eq!(line.bytes(&mut poller), b"twosix");
}

#[test]
fn a_flood_is_received_a_buffer_a_wait_and_leaves_the_others_theirs() {
    let mut poller = ring!(8, 64, 4);
    let mut flood = Line::new(&mut poller, 3);
    let mut modest = Line::new(&mut poller, 4);
    let piece = vec![7; 1 << 20];
    for n in 0..50 {
        while flood.far.write(&piece).is_ok() {}
        modest.far.write_all(&[n]).unwrap();
        // Nobody takes what was received for the flood in every other round.
        wait(&mut poller);
        assert_eq!(modest.bytes(&mut poller), [n], "in wait {n}");
        if n % 2 == 1 {
            let came = flood.bytes(&mut poller).len();
            assert!(0 < came && came <= buffers::BUFFER_LEN, "{came} in wait {n}");
        }
    }
}

#[test]
fn the_end_is_handed_over_last_and_nothing_is_asked_after_it() {
    let mut poller = ring!(8, 64, 8);
    let mut line = Line::new(&mut poller, 3);
    line.far.write_all(b"last").unwrap();
    line.far.shutdown(std::net::Shutdown::Write).unwrap();
    assert_eq!(line.bytes_in(&mut poller, 1), b"last");
    assert_eq!(wait(&mut poller).len(), 1);
    assert!(matches!(line.take(&mut poller), Some(Completion::End)));
    wait(&mut poller);
    assert_eq!(poller.ring.in_flight(), 1, "the pipe");
    line.want(&mut poller, Interest::NONE);
    line.want(&mut poller, Interest::READ);
    wait(&mut poller);
    assert_eq!(poller.ring.in_flight(), 1, "what has ended is not begun again");
}

#[test]
fn with_fewer_buffers_than_floods_everybody_has_turns() {
    let mut poller = ring!(16, 64, 2);
    let mut floods: Vec<_> = (0..7).map(|n| Line::new(&mut poller, n)).collect();
    let piece = vec![7; 1 << 20];
    let mut turns = vec![0; floods.len()];
    for _ in 0..140 {
        for line in &mut floods {
            while line.far.write(&piece).is_ok() {}
        }
        for event in wait(&mut poller) {
            let n = event.token.slot();
            turns[n] += usize::from(!floods[n].bytes(&mut poller).is_empty());
        }
    }
    // 280 buffers for seven.
    assert!(turns.iter().all(|count| (20..=60).contains(count)), "{turns:?}");
    let mut modest = Line::new(&mut poller, 9);
    for n in 0..20 {
        modest.far.write_all(&[n]).unwrap();
        let mut waits = 0;
        while modest.bytes(&mut poller) != [n] {
            waits += 1;
            // Eight, two in a wait, and one in which the kernel hears of it.
            assert!(waits <= 5, "a neighbour was not received for in {waits} waits");
            for line in &mut floods {
                while line.far.write(&piece).is_ok() {}
                line.bytes(&mut poller);
            }
            wait(&mut poller);
        }
    }
}

#[test]
fn with_all_buffers_taken_the_rest_waits_for_one_to_come_back() {
    let mut poller = ring!(8, 64, 4);
    let mut greedy = Line::new(&mut poller, 3);
    let mut modest = Line::new(&mut poller, 4);
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
    let mut came = Vec::new();
    for _ in 0..4 {
        wait(&mut poller);
        came.extend(greedy.bytes(&mut poller));
        came.extend(modest.bytes(&mut poller));
    }
    came.sort_unstable();
    assert_eq!(came, b"gm");
    for (n, completed) in pending.iter().enumerate() {
        let Completion::Received(bytes) = completed else { panic!() };
        assert_eq!(**bytes, [n as u8], "what is held is not written over");
    }
}

#[test]
fn as_many_buffers_go_round_as_were_needed_at_once() {
    let mut poller = ring!(128, 512, 128);
    let mut lines: Vec<_> = (0..40).map(|n| Line::new(&mut poller, n)).collect();
    for _ in 0..100 {
        lines[0].far.write_all(b"x").unwrap();
        wait(&mut poller);
        assert_eq!(lines[0].bytes(&mut poller), b"x");
    }
    let at_first = poller.buffers.going();
    assert!(at_first < 40, "one after the other, few are enough");
    for _ in 0..10 {
        lines.iter_mut().for_each(|line| line.far.write_all(b"y").unwrap());
        let mut came = 0;
        while came < lines.len() {
            wait(&mut poller);
            came += lines.iter().map(|line| line.bytes(&mut poller).len()).sum::<usize>();
        }
    }
    // How much the kernel does in one go is its own affair.
    let going = poller.buffers.going();
    assert!(at_first < going && going <= 64, "{going} go round, and no more are needed");
}

#[test]
fn what_is_held_for_a_source_that_does_not_want_it_holds_no_buffer() {
    let mut poller = ring!(8, 64, 2);
    let mut paused: Vec<_> = (4..8).map(|n| Line::new(&mut poller, n)).collect();
    let mut other = Line::new(&mut poller, 3);
    for line in &mut paused {
        line.far.write_all(b"a").unwrap();
        wait(&mut poller);
        line.want(&mut poller, Interest::NONE);
    }
    wait(&mut poller);
    for _ in 0..20 {
        other.far.write_all(b"x").unwrap();
        wait(&mut poller);
        assert_eq!(other.bytes(&mut poller), b"x");
    }
    for line in &mut paused {
        line.far.write_all(b"b").unwrap();
        assert_eq!(wait(&mut poller), [], "receiving has ended");
        assert_eq!(line.bytes(&mut poller), b"a");
        line.want(&mut poller, Interest::READ);
        assert_eq!(wait(&mut poller).len(), 1);
        assert_eq!(line.bytes(&mut poller), b"b");
    }
}

#[test]
fn wanted_and_unwanted_again_between_two_waits_costs_nothing() {
    let mut poller = ring!(8, 64, 2);
    let line = Line::new(&mut poller, 3);
    wait(&mut poller);
    let before = poller.ring.in_flight();
    for _ in 0..100 {
        line.want(&mut poller, Interest::NONE);
        line.want(&mut poller, Interest::READ);
    }
    assert_eq!(wait(&mut poller), []);
    assert_eq!(poller.ring.in_flight(), before);
}

#[test]
fn a_wish_that_comes_back_while_receiving_ends_is_heard() {
    let mut poller = ring!(8, 64, 4);
    let mut line = Line::new(&mut poller, 3);
    for n in 0..50_u8 {
        wait(&mut poller);
        line.want(&mut poller, Interest::NONE);
        // The end of the operation is asked for, and its last word may come before or after the next wish.
        poller.ask();
        line.want(&mut poller, Interest::READ);
        line.far.write_all(&[n]).unwrap();
        let mut came = Vec::new();
        while came.is_empty() {
            wait(&mut poller);
            came = line.bytes(&mut poller);
        }
        assert_eq!(came, [n]);
    }
}

#[test]
fn more_operations_and_completions_than_there_is_room_for() {
    let mut poller = ring!(2, 4, 128);
    let mut lines: Vec<_> = (0..100).map(|n| Line::new(&mut poller, n)).collect();
    wait(&mut poller);
    for (n, line) in lines.iter_mut().enumerate() {
        line.far.write_all(&[n as u8]).unwrap();
    }
    let mut came = vec![0; lines.len()];
    while came.contains(&0) {
        for event in wait(&mut poller) {
            let n = event.token.slot();
            assert_eq!(lines[n].bytes(&mut poller), [n as u8]);
            came[n] += 1;
        }
    }
    assert!(came.iter().all(|count| *count == 1));
}

#[test]
fn a_source_that_is_closed_is_closed_at_once() {
    let mut poller = ring!(8, 64, 4);
    let line = Line::new(&mut poller, 3);
    wait(&mut poller);
    let Line { near, mut far, token } = line;
    poller.deregister(near.as_raw_fd(), token, true).unwrap();
    drop(near);
    assert_eq!(far.read(&mut [0; 8]).unwrap(), 0, "nothing of ours holds the socket");
}

#[test]
fn what_comes_late_for_a_source_that_is_gone_finds_nobody() {
    let mut poller = ring!(8, 64, 4);
    for round in 0..20 {
        let mut line = Line::new(&mut poller, round);
        wait(&mut poller);
        line.far.write_all(b"late").unwrap();
        // The bytes are taken by the kernel before the end of the operation is asked for, and told after it.
        poller.deregister(line.near.as_raw_fd(), line.token, false).unwrap();
        let next = Line { token: Token::new(round, 2), ..line };
        poller.register(next.near.as_raw_fd(), next.token, Interest::READ).unwrap();
        for event in wait(&mut poller) {
            assert_eq!(event.token, next.token);
        }
        assert!(next.take(&mut poller).is_none(), "these bytes are not for this one");
        poller.deregister(next.near.as_raw_fd(), next.token, true).unwrap();
    }
    wait(&mut poller);
    assert_eq!(poller.ring.in_flight(), 1, "the pipe");
}

#[test]
fn a_listener_has_credit_for_one_connection_and_who_is_not_taken_is_turned_away() {
    let mut poller = ring!(8, 64, 4);
    let (listener, token, mut clients) = one_accepted(&mut poller);
    let id = listener.as_raw_fd();
    assert_eq!(wait(&mut poller), [], "no more than one is accepted before that was taken");
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
fn a_listener_that_does_not_want_it_is_not_accepted_for() {
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
    listener.accept().expect("it waits in the backlog");
}

#[test]
fn a_ring_that_is_dropped_ends_everything_first() {
    let mut poller = ring!(8, 64, 4);
    let mut lines: Vec<_> = (0..10).map(|n| Line::new(&mut poller, n)).collect();
    wait(&mut poller);
    lines[0].far.write_all(b"kept").unwrap();
    wait(&mut poller);
    let kept = lines[0].take(&mut poller);
    lines[1].far.write_all(b"in flight").unwrap();
    drop(poller);
    let Some(Completion::Received(bytes)) = &kept else { panic!() };
    assert_eq!(&**bytes, b"kept", "what was handed over stays");
    for Line { near, mut far, .. } in lines {
        drop(near);
        let mut rest = Vec::new();
        // A reset, where bytes were never read.
        let _ = far.read_to_end(&mut rest);
        assert_eq!(rest, b"");
    }
}

#[test]
fn what_is_held_keeps_its_place_through_a_pause_and_the_end_comes_last() {
    let mut poller = ring!(8, 64, 8);
    let mut line = Line::new(&mut poller, 3);
    wait(&mut poller);
    line.far.write_all(b"a").unwrap();
    wait(&mut poller);
    line.want(&mut poller, Interest::NONE);
    line.far.write_all(b"b").unwrap();
    assert_eq!(wait(&mut poller), [], "what is paused is not received for");
    line.want(&mut poller, Interest::READ);
    line.far.write_all(b"c").unwrap();
    line.far.shutdown(std::net::Shutdown::Write).unwrap();
    let (mut came, mut has_ended) = (Vec::new(), false);
    while !has_ended {
        match line.take(&mut poller) {
            Some(Completion::Received(bytes)) => came.extend_from_slice(&bytes),
            Some(Completion::End) => has_ended = true,
            Some(other) => panic!("{other:?}"),
            None => drop(wait(&mut poller)),
        }
    }
    assert_eq!(came, b"abc");
    assert!(line.take(&mut poller).is_none());
}

#[test]
fn a_pause_holds_at_most_what_was_received_before_it() {
    let mut poller = ring!(8, 64, 2);
    let mut lines: Vec<_> = (0..8).map(|n| Line::new(&mut poller, n)).collect();
    wait(&mut poller);
    let piece = vec![7; 1 << 20];
    lines.iter_mut().for_each(|line| while line.far.write(&piece).is_ok() {});
    // Some are received for, others not yet.
    wait(&mut poller);
    lines.iter().for_each(|line| line.want(&mut poller, Interest::NONE));
    for _ in 0..20 {
        wait(&mut poller);
    }
    assert_eq!(poller.ring.in_flight(), 1, "the pipe: nobody is received for");
    for line in &lines {
        assert!(line.bytes(&mut poller).len() <= buffers::BUFFER_LEN);
        assert!(line.take(&mut poller).is_none(), "more than its credit");
    }
}

#[test]
fn what_was_held_for_a_source_that_is_gone_holds_no_buffer() {
    let mut poller = ring!(8, 64, 4);
    let mut other = Line::new(&mut poller, 1);
    for round in 2..20 {
        let mut line = Line::new(&mut poller, round);
        wait(&mut poller);
        line.far.write_all(b"a").unwrap();
        wait(&mut poller);
        poller.deregister(line.near.as_raw_fd(), line.token, true).unwrap();
        drop(line);
        other.far.write_all(b"x").unwrap();
        assert_eq!(other.bytes_in(&mut poller, 2), b"x");
    }
}

#[test]
fn a_source_that_is_gone_but_not_closed_is_not_received_for() {
    let mut poller = ring!(8, 64, 4);
    let mut line = Line::new(&mut poller, 3);
    wait(&mut poller);
    poller.deregister(line.near.as_raw_fd(), line.token, false).unwrap();
    line.far.write_all(b"for whoever has it now").unwrap();
    wait(&mut poller);
    let mut read = [0; 64];
    assert_eq!(line.near.read(&mut read).unwrap(), 22, "nothing of it was lost");
}

#[test]
fn a_descriptor_that_is_registered_again_in_the_same_turn_finds_nothing_of_before() {
    let mut poller = ring!(8, 64, 4);
    let mut line = Line::new(&mut poller, 3);
    wait(&mut poller);
    line.far.write_all(b"a").unwrap();
    wait(&mut poller);
    let pending = line.take(&mut poller);
    line.far.write_all(b"b").unwrap();
    wait(&mut poller);
    let id = line.near.as_raw_fd();
    poller.deregister(id, line.token, false).unwrap();
    line.token = Token::new(3, 2);
    poller.register(id, line.token, Interest::READ).unwrap();
    poller.set_delivery_mode(id, line.token, DeliveryMode::Receive);
    assert!(line.take(&mut poller).is_none(), "these bytes were not for this one");
    line.far.write_all(b"c").unwrap();
    let mut came = Vec::new();
    while came.is_empty() {
        for event in wait(&mut poller) {
            assert_eq!(event.token, line.token);
        }
        came = line.bytes(&mut poller);
    }
    assert_eq!(came, b"c");
    let Some(Completion::Received(bytes)) = &pending else { panic!() };
    assert_eq!(&**bytes, b"a", "what is held is not written over");
}

#[test]
fn an_error_is_handed_over_behind_what_came_before_it() {
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
    assert_eq!(poller.ring.in_flight(), 1, "the pipe: what has failed is not asked again");
}

#[test]
fn what_was_accepted_and_not_taken_is_closed_with_the_ring() {
    let mut poller = ring!(8, 64, 4);
    let (_listener, _, mut clients) = one_accepted(&mut poller);
    drop(poller);
    assert!(matches!(clients[0].read(&mut [0; 8]), Ok(0) | Err(_)), "nobody holds it");
}

#[test]
fn why_there_is_no_ring_is_said() {
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
