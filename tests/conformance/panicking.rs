//! Panics: in every callback, in the factory, in drops. That connection ends with `Panicked`; all others go on.

use std::{cell::Cell, rc::Rc, time::Duration};

use sinew::prelude::*;

use crate::support::{
    Echo, Fate, Line, Link, Lost, Script, Sink, TOO_MUCH, Told, What, Width, World, noise, table,
};

table! {
    everywhere:
        a_panic_in_any_callback_ends_that_connection_only,
        a_panic_in_connection_lost_is_the_last_word,
        a_panic_drops_what_was_written,
        a_panic_while_closing_ends_at_once,
        a_panic_with_a_payload_that_panics,
        a_panic_in_the_drop_of_the_protocol_is_contained,
        who_waits_for_the_end_hears_of_it_whatever_panics,
        a_panic_in_a_call_from_the_loop_ends_that_connection;
    ports:
        a_panic_in_the_factory_refuses_that_connection;
}

/// A callback to panic in, and what brings it about.
type Place = (&'static str, fn(&What<'_>) -> bool, fn(&World, &mut Line));

const PLACES: [Place; 8] = [
    ("connection_made", |what| matches!(what, What::Made), |_, _| ()),
    ("data_received", |what| matches!(what, What::Data(_)), |_, line| line.far.send(b"x")),
    ("read_closed", |what| matches!(what, What::ReadClosed), |_, line| line.far.end()),
    ("writing_paused", |what| matches!(what, What::WritingPaused), |_, line| fill(line)),
    (
        "writing_resumed",
        |what| matches!(what, What::WritingResumed),
        |world, line| {
            fill(line);
            world.until("writing_paused", || line.trace.has(&Told::WritingPaused));
            world.until("room", || {
                line.far.take();
                line.trace.has(&Told::WritingResumed)
            });
        },
    ),
    (
        "reading_resumed",
        |what| matches!(what, What::ReadingResumed),
        |_, line| {
            line.transport().pause_reading();
            line.transport().resume_reading();
        },
    ),
    (
        "timer_fired",
        |what| matches!(what, What::Timer(_)),
        |_, line| assert!(line.transport().call_later(Duration::ZERO).is_some()),
    ),
    (
        "idle_timeout",
        |what| matches!(what, What::Idle),
        |_, line| line.transport().set_idle_timeout(Duration::from_millis(1)),
    ),
];

fn fill(line: &Line) {
    line.transport().write(&noise(TOO_MUCH));
}

fn a_panic_in_any_callback_ends_that_connection_only(world: &World) {
    let mut other = world.join(Echo);
    for (name, is_it, bring_about) in PLACES {
        let mut line = world.join_with(
            StreamConfig::default(),
            Width::Narrow,
            Script(move |_: &Transport, what: What<'_>| {
                assert!(!is_it(&what), "in {name}");
            }),
        );
        bring_about(world, &mut line);
        assert_eq!(world.lost(&line.trace), Lost::Panicked(format!("in {name}")));
        world.link.assert_aborted(line.far.fate(), name);
        other.far.send(b"go on");
        assert_eq!(world.receive(&mut other.far, 5), b"go on", "{name}");
    }
    if world.link.is_accepted() {
        let line = world.join(Script(|_: &Transport, what: What<'_>| {
            assert!(!matches!(what, What::Drain), "in drain_requested");
        }));
        drop(line.port.as_ref().expect("it was accepted").drain(Duration::from_secs(1000)));
        let expected = Lost::Panicked("in drain_requested".to_owned());
        assert_eq!(world.lost(&line.trace), expected);
    }
}

fn a_panic_in_connection_lost_is_the_last_word(world: &World) {
    let mut other = world.join(Echo);
    let line = world.join(Script(|_: &Transport, what: What<'_>| {
        assert!(!matches!(what, What::Lost(_)), "in connection_lost");
    }));
    let before = world.reactor().stats().connections;
    line.transport().abort();
    assert_eq!(world.lost(&line.trace), Lost::Aborted);
    assert!(line.trace.is_dropped());
    assert_eq!(world.reactor().stats().connections, before - 1);
    other.far.send(b"go on");
    assert_eq!(world.receive(&mut other.far, 5), b"go on");
}

fn a_panic_drops_what_was_written(world: &World) {
    let mut line = world.join(Script(|transport: &Transport, what: What<'_>| {
        if let What::Data(_) = what {
            transport.write(b"half an answer");
            panic!("then this");
        }
    }));
    line.far.send(b"x");
    assert_eq!(world.lost(&line.trace), Lost::Panicked("then this".to_owned()));
    let (received, fate) = world.receive_to_end(&mut line.far);
    assert_eq!(received, b"");
    world.link.assert_aborted(fate, "by the panic");
}

fn a_panic_while_closing_ends_at_once(world: &World) {
    let mut line = world.join(Script(|transport: &Transport, what: What<'_>| {
        if let What::Data(_) = what {
            transport.fail("first");
            panic!("then this");
        }
    }));
    line.far.send(b"x");
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
    let mut line = world.join(Script(|_: &Transport, what: What<'_>| {
        if let What::Data(_) = what {
            std::panic::panic_any(Evil);
        }
    }));
    line.far.send(b"x");
    let lost = world.lost(&line.trace);
    assert!(matches!(lost, Lost::Panicked(_)));
    other.far.send(b"go on");
    assert_eq!(world.receive(&mut other.far, 5), b"go on");
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
    line.far.end();
    assert_eq!(world.lost(&line.trace), Lost::Done);
    world.receive_to_end(&mut line.far);
    other.far.send(b"go on");
    assert_eq!(world.receive(&mut other.far, 5), b"go on");
    assert_eq!(world.reactor().stats().connections, before);
}

fn who_waits_for_the_end_hears_of_it_whatever_panics(world: &World) {
    /// Panics when it is told of the end, when it is dropped, or both.
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
        line.far.end();
        world.receive_to_end(&mut line.far);
        world.until("when_lost", || heard.get());
    }
}

/// `Connection::call` runs a closure that has the protocol in its hands: if it panics, the protocol did.
fn a_panic_in_a_call_from_the_loop_ends_that_connection(world: &World) {
    let traces = world.traces.clone();
    let slot = Rc::new(Cell::new(None));
    let listener = crate::support::sockets::listener(Width::Wide);
    match world.link {
        // A port gives no typed handle.
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
        // Its handle is the same, and its far end would have to be led through the handshake.
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
    let dial =
        || crate::support::Far::socket(crate::support::sockets::dial(port.local(), Width::Wide));
    let (mut first, mut second) = (dial(), dial());
    assert_ne!(world.receive_to_end(&mut first).1, Fate::Open);
    second.send(b"welcome");
    assert_eq!(world.receive(&mut second, 7), b"welcome");
    assert_eq!(port.connections(), 1, "connections");
}
