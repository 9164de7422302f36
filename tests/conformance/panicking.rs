//! Panics in every callback, in the factory, and in drops. That connection ends with `Panicked`; all others continue.

use std::{cell::Cell, rc::Rc, time::Duration};

use sinew::prelude::*;

use crate::support::{
    Callback, Echo, EndState, Event, Link, Lost, Script, Sink, TOO_MUCH, TestConnection, Width,
    World, noise, table,
};

table! {
    everywhere:
        a_panic_in_any_callback_ends_that_connection_only,
        a_panic_in_connection_lost_ends_the_callbacks,
        a_panic_drops_what_was_written,
        a_panic_while_closing_ends_at_once,
        a_panic_with_a_payload_that_panics,
        a_panic_in_the_drop_of_the_protocol_is_contained,
        closed_resolves_even_if_callbacks_panic,
        a_panic_in_a_call_from_the_loop_ends_that_connection;
    ports:
        a_panic_in_the_factory_refuses_that_connection;
}

/// A callback to panic in, and what triggers it.
type Place = (&'static str, fn(&Event<'_>) -> bool, fn(&World, &mut TestConnection));

const PLACES: [Place; 8] = [
    ("connection_made", |what| matches!(what, Event::Made), |_, _| ()),
    ("data_received", |what| matches!(what, Event::Data(_)), |_, line| line.remote.send(b"x")),
    ("read_closed", |what| matches!(what, Event::ReadClosed), |_, line| line.remote.end()),
    ("writing_paused", |what| matches!(what, Event::WritingPaused), |_, line| fill(line)),
    (
        "writing_resumed",
        |what| matches!(what, Event::WritingResumed),
        |world, line| {
            fill(line);
            world.until("writing_paused", || line.trace.has(&Callback::WritingPaused));
            world.until("room", || {
                line.remote.take();
                line.trace.has(&Callback::WritingResumed)
            });
        },
    ),
    (
        "reading_resumed",
        |what| matches!(what, Event::ReadingResumed),
        |_, line| {
            line.transport().pause_reading();
            line.transport().resume_reading();
        },
    ),
    (
        "timer_fired",
        |what| matches!(what, Event::Timer(_)),
        |_, line| assert!(line.transport().call_later(Duration::ZERO).is_some()),
    ),
    (
        "idle_timeout",
        |what| matches!(what, Event::Idle),
        |_, line| line.transport().set_idle_timeout(Duration::from_millis(1)),
    ),
];

fn fill(line: &TestConnection) {
    line.transport().write(&noise(TOO_MUCH));
}

fn a_panic_in_any_callback_ends_that_connection_only(world: &World) {
    let mut other = world.join(Echo);
    for (name, is_it, bring_about) in PLACES {
        let mut line = world.join_with(
            StreamConfig::default(),
            Width::Narrow,
            Script(move |_: &Transport, what: Event<'_>| {
                assert!(!is_it(&what), "in {name}");
            }),
        );
        bring_about(world, &mut line);
        assert_eq!(world.lost(&line.trace), Lost::Panicked(format!("in {name}")));
        world.link.assert_aborted(line.remote.end_state(), name);
        other.remote.send(b"go on");
        assert_eq!(world.receive(&mut other.remote, 5), b"go on", "{name}");
    }
    if world.link.is_accepted() {
        let line = world.join(Script(|_: &Transport, what: Event<'_>| {
            assert!(!matches!(what, Event::Drain), "in drain_requested");
        }));
        line.port.as_ref().expect("it was accepted").drain(Duration::from_secs(1000)).detach();
        let expected = Lost::Panicked("in drain_requested".to_owned());
        assert_eq!(world.lost(&line.trace), expected);
    }
}

fn a_panic_in_connection_lost_ends_the_callbacks(world: &World) {
    let mut other = world.join(Echo);
    let line = world.join(Script(|_: &Transport, what: Event<'_>| {
        assert!(!matches!(what, Event::Lost(_)), "in connection_lost");
    }));
    let before = world.reactor().stats().connections;
    line.transport().abort();
    assert_eq!(world.lost(&line.trace), Lost::Aborted);
    assert!(line.trace.is_dropped());
    assert_eq!(world.reactor().stats().connections, before - 1);
    other.remote.send(b"go on");
    assert_eq!(world.receive(&mut other.remote, 5), b"go on");
}

fn a_panic_drops_what_was_written(world: &World) {
    let mut line = world.join(Script(|transport: &Transport, what: Event<'_>| {
        if let Event::Data(_) = what {
            transport.write(b"half an answer");
            panic!("then this");
        }
    }));
    line.remote.send(b"x");
    assert_eq!(world.lost(&line.trace), Lost::Panicked("then this".to_owned()));
    let (received, end_state) = world.receive_to_end(&mut line.remote);
    assert_eq!(received, b"");
    world.link.assert_aborted(end_state, "by the panic");
}

fn a_panic_while_closing_ends_at_once(world: &World) {
    let mut line = world.join(Script(|transport: &Transport, what: Event<'_>| {
        if let Event::Data(_) = what {
            transport.fail("first");
            panic!("then this");
        }
    }));
    line.remote.send(b"x");
    assert_eq!(world.lost(&line.trace), Lost::Panicked("then this".to_owned()));
}

fn a_panic_with_a_payload_that_panics(world: &World) {
    struct Evil;
    impl Drop for Evil {
        fn drop(&mut self) {
            panic!("in the drop of the payload");
        }
    }
    let mut other = world.join(Echo);
    let mut line = world.join(Script(|_: &Transport, what: Event<'_>| {
        if let Event::Data(_) = what {
            std::panic::panic_any(Evil);
        }
    }));
    line.remote.send(b"x");
    let lost = world.lost(&line.trace);
    assert!(matches!(lost, Lost::Panicked(_)));
    other.remote.send(b"go on");
    assert_eq!(world.receive(&mut other.remote, 5), b"go on");
}

fn a_panic_in_the_drop_of_the_protocol_is_contained(world: &World) {
    struct Evil;
    impl Protocol for Evil {
        fn data_received(&mut self, _: &Transport, _: &[u8]) {}
    }
    impl Drop for Evil {
        fn drop(&mut self) {
            panic!("in the drop of the protocol");
        }
    }
    let mut other = world.join(Echo);
    let before = world.reactor().stats().connections;
    let mut line = world.join(Evil);
    line.remote.end();
    assert_eq!(world.lost(&line.trace), Lost::Done);
    world.receive_to_end(&mut line.remote);
    other.remote.send(b"go on");
    assert_eq!(world.receive(&mut other.remote, 5), b"go on");
    assert_eq!(world.reactor().stats().connections, before);
}

fn closed_resolves_even_if_callbacks_panic(world: &World) {
    /// Panics in connection_lost, on drop, or both.
    struct Evil(bool, bool);
    impl Protocol for Evil {
        fn data_received(&mut self, _: &Transport, _: &[u8]) {}
        fn connection_lost(&mut self, _: &Transport, _: &ConnectionLost) {
            assert!(!self.0, "in connection_lost");
        }
    }
    impl Drop for Evil {
        fn drop(&mut self) {
            if self.1 {
                panic!("in the drop of the protocol");
            }
        }
    }
    for evil in [Evil(true, false), Evil(false, true), Evil(true, true)] {
        let mut line = world.join(evil);
        let heard = Rc::new(Cell::new(false));
        let tells = heard.clone();
        line.transport().when_lost().then(move |_, lost| tells.set(lost.is_ok()));
        line.remote.end();
        world.receive_to_end(&mut line.remote);
        world.until("when_lost", || heard.get());
    }
}

/// A panic in the closure of `Connection::call` counts as a panic of the protocol.
fn a_panic_in_a_call_from_the_loop_ends_that_connection(world: &World) {
    let traces = world.traces.clone();
    let slot = Rc::new(Cell::new(None));
    let listener = crate::support::sockets::listener(Width::Wide);
    match world.link {
        // A listener has no typed handle.
        Link::Accepted | Link::TlsAccepted => return,
        #[cfg(unix)]
        Link::UnixAccepted | Link::UnixConnected | Link::Adopted | Link::AdoptedPair => return,
        Link::Connected => {
            let addr = listener.local_addr().unwrap();
            let result = slot.clone();
            world
                .reactor()
                .connect_tcp(addr, move |_: &Peer| traces.watch(Sink))
                .then(move |_, connection| result.set(connection.ok()));
        }
        // Its handle is the same, but its remote end would have to complete the handshake.
        Link::TlsConnected => return,
        Link::Memory => {
            let protocol = traces.watch(Sink);
            let config = StreamConfig::default();
            let joined = sinew::transports::memory::connect(world.reactor(), config, protocol);
            slot.set(Some(joined.unwrap().0));
        }
    }
    let mut connection = None;
    world.until("the connection", || {
        connection = connection.take().or_else(|| slot.take());
        connection.is_some()
    });
    let connection = connection.unwrap();
    connection.call(|_, _| panic!("in a call"));
    let trace = world.traces.last();
    assert_eq!(world.lost(&trace), Lost::Panicked("in a call".to_owned()));
    assert!(connection.with(|_, _| ()).is_none());
}

fn a_panic_in_the_factory_refuses_that_connection(world: &World) {
    let traces = world.traces.clone();
    let mut built = 0;
    let port = world
        .reactor()
        .listen_tcp("127.0.0.1:0", move |_: &Peer| {
            built += 1;
            assert!(built != 1, "the first is not welcome");
            traces.watch(Echo)
        })
        .unwrap();
    let dial = || {
        crate::support::RemoteEnd::socket(crate::support::sockets::dial(port.local(), Width::Wide))
    };
    let (mut first, mut second) = (dial(), dial());
    assert_ne!(world.receive_to_end(&mut first).1, EndState::Open);
    second.send(b"welcome");
    assert_eq!(world.receive(&mut second, 7), b"welcome");
    assert_eq!(port.connections(), 1, "connections");
}
