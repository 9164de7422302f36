//! The lifecycle of a connection: the callbacks, their order, and what is left afterwards.

use std::{cell::RefCell, rc::Rc, time::Duration};

use sinew::prelude::*;

use crate::support::{Callback, Echo, Event, Lost, Script, Sink, World, noise, table};

table! {
    everywhere:
        callbacks_come_in_order,
        connection_made_may_write,
        one_byte_at_a_time,
        bulk_is_echoed_intact_both_ways,
        the_transport_is_inert_after_the_end,
        closed_reports_the_end_at_any_time,
        a_protocol_that_keeps_its_transport_is_dropped,
        a_boxed_protocol_gets_all_callbacks,
        both_addresses_are_known;
}

fn callbacks_come_in_order(world: &World) {
    let mut line = world.join(Echo);
    line.remote.send(b"hello");
    assert_eq!(world.receive(&mut line.remote, 5), b"hello");
    line.remote.end();
    assert_eq!(world.lost(&line.trace), Lost::Done);
    let expected =
        [Callback::Made, Callback::Data(5), Callback::ReadClosed, Callback::Lost(Lost::Done)];
    assert_eq!(line.trace.callbacks(), expected);
}

fn connection_made_may_write(world: &World) {
    let mut line = world.join(Script(|transport: &Transport, what: Event<'_>| {
        if let Event::Made = what {
            transport.write(b"220 ready\r\n");
            transport.lose_connection();
        }
    }));
    assert_eq!(world.receive_to_end(&mut line.remote).0, b"220 ready\r\n");
    line.remote.close();
    assert_eq!(world.lost(&line.trace), Lost::Closed);
    assert_eq!(line.trace.callbacks(), [Callback::Made, Callback::Lost(Lost::Closed)]);
}

fn one_byte_at_a_time(world: &World) {
    let mut line = world.join(Echo);
    let bytes = noise(300);
    let mut echoed = Vec::new();
    for byte in &bytes {
        line.remote.send(&[*byte]);
        world.turn();
        echoed.extend(line.remote.take());
    }
    world.until("every byte", || {
        echoed.extend(line.remote.take());
        echoed.len() == bytes.len()
    });
    assert!(echoed == bytes && line.trace.data() == bytes);
}

fn bulk_is_echoed_intact_both_ways(world: &World) {
    let len = if world.link.is_accepted() { 50 << 20 } else { 8 << 20 };
    let mut line = world.join(Echo);
    let bytes = noise(len);
    let (mut sent, mut echoed) = (0, 0);
    world.until("all of it", || {
        // An in-memory connection accepts everything at once; a socket what fits.
        let end = bytes.len().min(sent + (1 << 20));
        sent += line.remote.try_send(&bytes[sent..end]);
        let back = line.remote.take();
        assert!(back == bytes[echoed..echoed + back.len()], "wrong bytes after {echoed}");
        echoed += back.len();
        echoed == bytes.len()
    });
    assert!(line.trace.data() == bytes);
}

fn closed_reports_the_end_at_any_time(world: &World) {
    let own = Rc::<RefCell<Option<Transport>>>::default();
    let keep = own.clone();
    let line = world.join(Script(move |transport: &Transport, what: Event<'_>| {
        if let Event::Made = what {
            keep.replace(Some(transport.clone()));
        }
    }));
    world.until("the start", || own.borrow().is_some());
    let transport = own.take().expect("it has begun");
    let callbacks = Rc::<RefCell<Vec<&str>>>::default();
    let note = |when: &'static str| {
        let callbacks = callbacks.clone();
        transport.when_lost().then(move |_, _| callbacks.borrow_mut().push(when));
    };
    note("before");
    transport.abort();
    assert_eq!(world.lost(&line.trace), Lost::Aborted);
    world.until("the first", || callbacks.borrow().len() == 1);
    note("after");
    world.until("the second", || callbacks.borrow().len() == 2);
    assert_eq!(*callbacks.borrow(), ["before", "after"]);
}

fn the_transport_is_inert_after_the_end(world: &World) {
    let line = world.join(Script(|transport: &Transport, what: Event<'_>| {
        if let Event::Lost(_) = what {
            assert_eq!(transport.write(b"too late"), WriteStatus::Closed);
            assert!(transport.call_later(Duration::ZERO).is_none());
        }
    }));
    let transport = line.transport();
    let timer = transport.call_later(Duration::from_secs(1)).expect("it is open");
    transport.abort();
    assert_eq!(world.lost(&line.trace), Lost::Aborted);
    assert!(transport.is_closing() && !transport.is_reading());
    assert_eq!(transport.write(b"x"), WriteStatus::Closed);
    assert_eq!(transport.write_vectored(&[b"x", b"y"]), WriteStatus::Closed);
    assert_eq!(transport.write_bytes(noise(10_000).into()), WriteStatus::Closed);
    assert_eq!((transport.queued(), transport.local()), (0, None));
    assert!(transport.call_later(Duration::ZERO).is_none() && !transport.cancel_timer(timer));
    assert!(transport.set_no_delay(true).is_err() && transport.set_keepalive(None).is_err());
    transport.set_idle_timeout(Duration::ZERO);
    transport.pause_reading();
    transport.resume_reading();
    transport.set_auto_pause(false);
    transport.close_write();
    transport.lose_connection();
    transport.fail("too late");
    transport.abort();
    transport.resume_producing();
    world.settle();
    assert_eq!(world.reactor().stats().timers, 0, "timers that are left");
    assert_eq!(line.trace.callbacks().len(), 2, "made and lost, nothing else");
}

fn a_protocol_that_keeps_its_transport_is_dropped(world: &World) {
    struct Keeps(Option<Transport>);
    impl Protocol for Keeps {
        fn connection_made(&mut self, transport: &Transport) {
            self.0 = Some(transport.clone());
        }
        fn data_received(&mut self, _: &Transport, _: &[u8]) {}
    }
    let line = world.join(Keeps(None));
    let transport = line.transport();
    line.remote.close();
    world.lost(&line.trace);
    assert!(
        line.trace.is_dropped(),
        "right after connection_lost even if the transport is held elsewhere"
    );
    assert!(transport.is_closing());
}

fn a_boxed_protocol_gets_all_callbacks(world: &World) {
    let boxed: Box<dyn Protocol> = Box::new(Echo);
    let mut line = world.join(boxed);
    line.remote.send(b"boxed");
    assert_eq!(world.receive(&mut line.remote, 5), b"boxed");
    line.remote.end();
    assert_eq!(
        world.lost(&line.trace),
        Lost::Done,
        "the default of read_closed goes through the box"
    );
}

fn both_addresses_are_known(world: &World) {
    let ids = Rc::new(RefCell::new(Vec::new()));
    let lines: Vec<_> = (0..3).map(|_| world.join(Sink)).collect();
    for line in &lines {
        let transport = line.transport();
        ids.borrow_mut().push(transport.id());
        if let Some(remote) = line.remote.as_socket() {
            assert_eq!(transport.peer(), Peer::Inet(remote.local_addr().unwrap()));
            assert_eq!(transport.local(), Some(remote.peer_addr().unwrap()));
        } else if line.remote.as_wire().is_some() {
            assert_eq!((transport.peer(), transport.local()), (Peer::Memory, None));
        } else {
            assert_eq!((transport.peer().ip(), transport.local()), (None, None));
        }
        transport.set_no_delay(false).unwrap();
        transport.set_keepalive(Duration::from_secs(60)).unwrap();
        transport.set_keepalive(None).unwrap();
        assert!(transport.reactor().unwrap().engine() == world.reactor().engine());
    }
    let ids = ids.borrow();
    assert!(ids[0] != ids[1] && ids[1] != ids[2] && ids[0] != ids[2]);
}
