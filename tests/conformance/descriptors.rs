//! File-descriptor passing over Unix sockets (SCM_RIGHTS): in both directions, in order with the bytes, none lost,
//! none leaked.

use std::{
    cell::RefCell,
    io::{IoSlice, IoSliceMut, Read, Write},
    mem::MaybeUninit,
    os::{
        fd::{AsFd, BorrowedFd, OwnedFd},
        unix::net::UnixStream,
    },
    rc::Rc,
    sync::Mutex,
};

use rustix::net::{
    RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer,
    SendAncillaryMessage, SendFlags,
};
use sinew::{
    prelude::*,
    transports::{DescriptorRefused, Faults, ReactorUnix, UnixListenConfig},
};

use super::relaying::tie;
use crate::support::{
    Event, Lost, RemoteEnd, Script, Sink, TestConnection, World, noise, sockets::free_path, table,
};

table! {
    everywhere:
        streams_without_descriptor_passing_hand_it_back;
    ports:
        descriptors_arrive_with_their_bytes,
        descriptors_are_sent_with_the_next_byte,
        many_descriptors_go_both_ways_in_order,
        unclaimed_descriptors_are_closed_with_the_connection,
        too_many_unclaimed_descriptors_end_the_connection,
        unrequested_descriptors_are_closed_by_the_kernel,
        descriptors_do_not_end_input_that_takes_none,
        descriptors_do_not_end_a_relay,
        too_many_descriptors_to_send_are_returned,
        unsent_descriptors_are_closed,
        descriptors_are_not_passed_under_faults;
}

/// One end is kept, the other is sent; the kept end shows whether the sent one is still open.
fn pair() -> (UnixStream, OwnedFd) {
    let (kept, sent) = UnixStream::pair().unwrap();
    kept.set_nonblocking(true).unwrap();
    (kept, sent.into())
}

/// Whether all duplicates of the other end have been closed.
fn is_closed(mut kept: &UnixStream) -> bool {
    matches!(kept.read(&mut [0]), Ok(0))
}

/// A connection over a Unix socket that accepts this many descriptors.
fn join<P: Protocol>(world: &World, max: usize, protocol: P) -> TestConnection {
    let config = StreamConfig::default().receive_descriptors(max);
    let config = UnixListenConfig::default().stream(config);
    let (path, before) = (free_path(), world.traces.len());
    let (traces, mut protocol) = (world.traces.clone(), Some(protocol));
    let factory = move |_: &Peer| traces.watch(protocol.take().expect("one client"));
    let port = world.reactor().listen_unix_with(&path, config, factory).unwrap();
    let remote = RemoteEnd::unix(UnixStream::connect(path).unwrap());
    world.until("connection_made", || world.traces.len() > before);
    TestConnection { remote, trace: world.traces.last(), port: Some(port.into_any()) }
}

fn send(remote: &RemoteEnd, bytes: &[u8], descriptors: &[BorrowedFd<'_>]) {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(64))];
    let mut control = SendAncillaryBuffer::new(&mut space);
    assert!(control.push(SendAncillaryMessage::ScmRights(descriptors)));
    let (socket, slices) = (remote.as_unix().unwrap(), [IoSlice::new(bytes)]);
    let flags = SendFlags::empty();
    assert_eq!(rustix::net::sendmsg(socket, &slices, &mut control, flags).unwrap(), bytes.len());
}

/// One recvmsg(2) call, as any other program would receive it.
fn receive(remote: &RemoteEnd) -> Option<(Vec<u8>, Vec<OwnedFd>)> {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(64))];
    let mut control = RecvAncillaryBuffer::new(&mut space);
    let (mut buffer, flags) = ([0; 4096], RecvFlags::empty());
    let socket = remote.as_unix().unwrap();
    let received =
        rustix::net::recvmsg(socket, &mut [IoSliceMut::new(&mut buffer)], &mut control, flags);
    let received = received.ok()?;
    let mut descriptors = Vec::new();
    for message in control.drain() {
        if let RecvAncillaryMessage::ScmRights(rights) = message {
            descriptors.extend(rights);
        }
    }
    Some((buffer[..received.bytes].to_vec(), descriptors))
}

fn streams_without_descriptor_passing_hand_it_back(world: &World) {
    let line = world.join(Sink);
    let (kept, sent) = pair();
    let refused = line.transport().send_descriptor(sent);
    if line.remote.as_unix().is_some() {
        return refused.unwrap();
    }
    let error = refused.unwrap_err();
    assert_eq!(error.reason, DescriptorRefused::NotUnix);
    assert!(!is_closed(&kept));
    drop(error);
    assert!(is_closed(&kept));
    assert!(line.transport().take_descriptor().is_none());
}

/// Writes a word through each descriptor that has arrived with the bytes.
fn answers(transport: &Transport, what: Event<'_>) {
    if let Event::Data(data) = what {
        for byte in data.iter().filter(|byte| byte.is_ascii_uppercase()) {
            let descriptor = transport.take_descriptor().expect("it came with its byte");
            UnixStream::from(descriptor).write_all(&[*byte]).unwrap();
        }
    }
}

fn descriptors_arrive_with_their_bytes(world: &World) {
    let mut line = join(world, 8, Script(answers));
    line.remote.send(b"first nothing, then ");
    let ((kept_a, a), (kept_b, b), (kept_c, c)) = (pair(), pair(), pair());
    send(&line.remote, b"A and ", &[a.as_fd()]);
    send(&line.remote, b"B and C", &[b.as_fd(), c.as_fd()]);
    line.remote.send(b", and nothing");
    drop((a, b, c));
    world.until("all of them", || [&kept_a, &kept_b, &kept_c].into_iter().all(has_come));
    for (kept, expected) in [(kept_a, b"A"), (kept_b, b"B"), (kept_c, b"C")] {
        assert_eq!(word(&kept), expected);
        assert!(is_closed(&kept), "its new owner has closed it");
    }
    let all = b"first nothing, then A and B and C, and nothing";
    world.until("the rest", || line.trace.data() == all);
}

/// A read ends at a descriptor, whether or not it is taken; edge-triggered engines do not report what comes after it
/// again.
fn descriptors_do_not_end_input_that_takes_none(world: &World) {
    let mut line = join(world, 0, Sink);
    let (kept, sent) = pair();
    send(&line.remote, b"abc", &[sent.as_fd()]);
    line.remote.send(b"def");
    send(&line.remote, b"gh", &[sent.as_fd()]);
    send(&line.remote, b"i", &[sent.as_fd()]);
    line.remote.send(b"j");
    drop(sent);
    world.until("all of it", || line.trace.data() == b"abcdefghij");
    assert!(is_closed(&kept));
    world.assert_asleep();
}

/// Whatever moves the data: copying, or the kernel.
fn descriptors_do_not_end_a_relay(world: &World) {
    for takes in [0, 8] {
        let (mut a, mut b) = (join(world, takes, Sink), join(world, 0, Sink));
        let _relayed = tie(&a, &b);
        let much = noise(300_000);
        for before in [&b""[..], &much] {
            let (kept, sent) = pair();
            let mut got = Vec::new();
            let mut to_send = before;
            world.until("what comes before", || {
                to_send = &to_send[a.remote.try_send(to_send)..];
                got.extend(b.remote.take());
                got.len() == before.len()
            });
            assert!(got == before);
            send(&a.remote, b"abc", &[sent.as_fd()]);
            a.remote.send(b"defgh");
            drop(sent);
            assert_eq!(world.receive(&mut b.remote, 8), b"abcdefgh");
            assert!(is_closed(&kept), "none is carried on");
        }
    }
}

fn has_come(kept: &UnixStream) -> bool {
    let mut buffer = [MaybeUninit::uninit(); 1];
    rustix::net::recv(kept, &mut buffer, RecvFlags::PEEK).is_ok_and(|(_, came)| came > 0)
}

fn word(mut kept: &UnixStream) -> Vec<u8> {
    let mut word = vec![0; 1];
    kept.read_exact(&mut word).unwrap();
    word
}

fn descriptors_are_sent_with_the_next_byte(world: &World) {
    let line = join(world, 0, Sink);
    let transport = line.transport();
    let ((kept_a, a), (kept_b, b)) = (pair(), pair());
    transport.write(b"before ");
    transport.send_descriptor(a).unwrap();
    world.settle();
    assert_eq!(
        receive(&line.remote).map(|(bytes, came)| (bytes, came.len())),
        Some((b"before ".to_vec(), 0))
    );
    transport.write(b"with a, ");
    transport.send_descriptor(b).unwrap();
    transport.write_bytes(vec![b'b'; 5000].into());
    let mut parts = Vec::new();
    let mut bytes = Vec::new();
    world.until("all of it", || {
        while let Some((part, came)) = receive(&line.remote) {
            parts.extend(came.into_iter().map(|descriptor| (bytes.len(), descriptor)));
            bytes.extend(part);
        }
        bytes.len() == 8 + 5000
    });
    let places: Vec<_> = parts.iter().map(|(place, _)| *place).collect();
    assert_eq!(places, [0, 8], "each with the byte that was written after it");
    for ((_, descriptor), word_sent) in parts.into_iter().zip([b"a", b"b"]) {
        UnixStream::from(descriptor).write_all(word_sent).unwrap();
    }
    assert_eq!((word(&kept_a), word(&kept_b)), (b"a".to_vec(), b"b".to_vec()));
    assert!(is_closed(&kept_a) && is_closed(&kept_b), "this process has kept none");
}

/// Everything sent is received, a thousand times over, under backpressure.
fn many_descriptors_go_both_ways_in_order(world: &World) {
    // So many that two such tests at once would leave none for select(2).
    static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());
    let _turn = ONE_AT_A_TIME.lock();
    const COUNT: usize = 300;
    let kept: Rc<RefCell<Vec<UnixStream>>> = Rc::default();
    let echoes = Script(|transport: &Transport, what: Event<'_>| {
        if let Event::Data(data) = what {
            for byte in data {
                if *byte == b'!' {
                    let descriptor = transport.take_descriptor().expect("it came with its byte");
                    transport.send_descriptor(descriptor).unwrap();
                }
                transport.write(&[*byte]);
            }
        }
    });
    let line = join(world, 64, echoes);
    let (mut sent, mut came) = (0, 0);
    world.until("all of them", || {
        // With the smallest number in flight.
        if sent < COUNT && sent - came < 50 {
            let (near, remote) = pair();
            kept.borrow_mut().push(near);
            send(&line.remote, b"..!", &[remote.as_fd()]);
            sent += 1;
        }
        while let Some((_, descriptors)) = receive(&line.remote) {
            for descriptor in descriptors {
                UnixStream::from(descriptor).write_all(b"x").unwrap();
                assert_eq!(word(&kept.borrow()[came]), b"x", "in order");
                came += 1;
            }
        }
        came == COUNT
    });
    assert!(kept.borrow().iter().all(is_closed));
}

fn unclaimed_descriptors_are_closed_with_the_connection(world: &World) {
    let line = join(world, 8, Sink);
    let ((kept_a, a), (kept_b, b)) = (pair(), pair());
    send(&line.remote, b"xy", &[a.as_fd(), b.as_fd()]);
    drop((a, b));
    world.until("the bytes", || line.trace.data().len() == 2);
    assert!(!is_closed(&kept_a) && !is_closed(&kept_b));
    let taken = line.transport().take_descriptor().unwrap();
    line.remote.close();
    assert_eq!(world.lost(&line.trace), Lost::Done);
    assert!(is_closed(&kept_b), "nobody has taken it");
    assert!(!is_closed(&kept_a), "somebody has taken it");
    drop(taken);
    assert!(is_closed(&kept_a));
    assert!(line.trace.transport().take_descriptor().is_none());
}

fn too_many_unclaimed_descriptors_end_the_connection(world: &World) {
    let line = join(world, 2, Sink);
    let kept: Vec<_> = (0..3)
        .map(|_| {
            let (kept, sent) = pair();
            send(&line.remote, b"x", &[sent.as_fd()]);
            kept
        })
        .collect();
    assert_eq!(world.lost(&line.trace), Lost::DescriptorLimit(2));
    assert!(kept.iter().all(is_closed));
}

fn unrequested_descriptors_are_closed_by_the_kernel(world: &World) {
    let line = join(world, 0, Sink);
    let (kept, sent) = pair();
    send(&line.remote, b"x", &[sent.as_fd()]);
    drop(sent);
    world.until("the byte", || line.trace.data() == b"x");
    assert!(is_closed(&kept));
    assert!(line.transport().take_descriptor().is_none());
}

fn too_many_descriptors_to_send_are_returned(world: &World) {
    let line = join(world, 0, Sink);
    let transport = line.transport();
    for _ in 0..64 {
        transport.send_descriptor(pair().1).unwrap();
    }
    let (kept, one_more) = pair();
    let error = transport.send_descriptor(one_more).unwrap_err();
    assert_eq!(error.reason, DescriptorRefused::TooMany { max: 64 });
    assert!(!is_closed(&kept));
    transport.write(b"x");
    let mut came = 0;
    world.until("all of them", || {
        came += receive(&line.remote).map_or(0, |(_, descriptors)| descriptors.len());
        came == 64
    });
    transport.send_descriptor(error.descriptor).unwrap();
    transport.abort();
    let (_, late) = pair();
    assert_eq!(transport.send_descriptor(late).unwrap_err().reason, DescriptorRefused::Closed);
}

fn unsent_descriptors_are_closed(world: &World) {
    type End = fn(&Transport);
    let ends: [End; 3] = [Transport::lose_connection, Transport::abort, |transport| {
        transport.fail("why");
    }];
    for end in ends {
        let mut line = join(world, 0, Sink);
        let (kept, sent) = pair();
        line.transport().send_descriptor(sent).unwrap();
        world.settle();
        assert!(!is_closed(&kept), "a byte may come yet");
        end(&line.transport());
        world.receive_to_end(&mut line.remote);
        line.remote.close();
        world.lost(&line.trace);
        assert!(is_closed(&kept));
    }
}

fn descriptors_are_not_passed_under_faults(world: &World) {
    let config = StreamConfig::default().receive_descriptors(8).faults(Faults::survivable(1));
    let (path, traces) = (free_path(), world.traces.clone());
    let config = UnixListenConfig::default().stream(config);
    let factory = move |_: &Peer| traces.watch(Sink);
    let port = world.reactor().listen_unix_with(&path, config, factory).unwrap();
    let _far = UnixStream::connect(path).unwrap();
    world.until("the connection", || port.connections() == 1);
    let transport = world.traces.last().transport();
    let error = transport.send_descriptor(pair().1).unwrap_err();
    assert_eq!(error.reason, DescriptorRefused::NotUnix);
}
