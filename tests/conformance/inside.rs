//! Every request to a transport, made inside every callback: the callback contract holds afterwards, and the
//! connection ends as requested.

use std::{cell::Cell, rc::Rc, time::Duration};

use bytes::Bytes;
use sinew::prelude::*;

use crate::support::{
    Echo, Event, Lost, Pull, Script, Width, World,
    every_callback::{NAMES, number, trigger_callbacks},
    table,
};

table! {
    everywhere:
        nothing,
        write,
        write_much,
        lose_connection,
        abort,
        fail,
        close_write,
        pause_reading,
        pause_and_resume,
        stream,
        set_timers,
        cancel_timers,
        everything_at_once;
}

/// For each callback: a connection that runs `act` in its first call and in `connection_lost`, while every callback
/// is triggered, as far as `act` allows it.
fn each(world: &World, act: fn(&Transport), judge: fn(&str, Lost)) {
    let mut other = world.join(Echo);
    for (at, name) in NAMES.iter().enumerate() {
        if *name == "drain_requested" && !world.link.is_accepted() {
            continue;
        }
        let acted = Rc::new(Cell::new(false));
        let done = acted.clone();
        let protocol = Script(move |transport: &Transport, what: Event<'_>| {
            let ends = matches!(what, Event::ReadClosed | Event::Drain);
            match number(&what) {
                Some(number) if number == at && !done.replace(true) => act(transport),
                None => act(transport),
                _ => {}
            }
            if ends {
                transport.lose_connection();
            }
        });
        let config = StreamConfig::default().linger_timeout(Duration::from_secs(1000));
        let mut line = world.join_with(config, Width::Narrow, protocol);
        trigger_callbacks(world, &mut line, name);
        // The peer reads up to EOF and closes.
        let ended = world.receive_to_end(&mut line.remote).1;
        line.remote.close();
        let lost = world.lost(&line.trace);
        assert!(acted.get(), "{name} never came: {:?}", line.trace.callbacks());
        if matches!(lost, Lost::Aborted) {
            world.link.assert_aborted(ended, name);
        }
        judge(name, lost);
        other.remote.send(b"go on");
        assert_eq!(world.receive(&mut other.remote, 5), b"go on", "{name}");
    }
}

fn goes_on(name: &str, lost: Lost) {
    let by_peer = name != "drain_requested";
    assert_eq!(lost, if by_peer { Lost::Done } else { Lost::Closed }, "{name}");
}

fn nothing(world: &World) {
    each(world, |_| (), goes_on);
}

fn write(world: &World) {
    fn act(transport: &Transport) {
        transport.write_vectored(&[b"some", b"thing"]);
    }
    each(world, act, goes_on);
}

fn write_much(world: &World) {
    fn act(transport: &Transport) {
        transport.write(&[1; 100_000]);
        transport.write_bytes(Bytes::from(vec![2; 300_000]));
        transport.write(b"3");
    }
    each(world, act, goes_on);
}

fn lose_connection(world: &World) {
    each(world, Transport::lose_connection, |name, lost| {
        let by_peer = name == "read_closed";
        assert_eq!(lost, if by_peer { Lost::Done } else { Lost::Closed }, "{name}");
    });
}

fn abort(world: &World) {
    each(world, Transport::abort, |name, lost| assert_eq!(lost, Lost::Aborted, "{name}"));
}

fn fail(world: &World) {
    each(
        world,
        |transport| transport.fail("as it should"),
        |name, lost| assert_eq!(lost, Lost::Protocol("as it should".to_owned()), "{name}"),
    );
}

fn close_write(world: &World) {
    each(world, Transport::close_write, |name, lost| match name {
        // The remote end waits for EOF and then closes, so the drain did not end the connection.
        "drain_requested" => assert_eq!(lost, Lost::Closed, "{name}"),
        _ => assert_eq!(lost, Lost::Done, "{name}"),
    });
}

fn pause_reading(world: &World) {
    // `lead_through_life` resumes reading, except after a pause in the last callbacks.
    each(world, Transport::pause_reading, goes_on);
}

fn pause_and_resume(world: &World) {
    fn act(transport: &Transport) {
        transport.pause_reading();
        transport.resume_reading();
        transport.pause_reading();
        transport.resume_reading();
    }
    each(world, act, goes_on);
}

fn stream(world: &World) {
    fn act(transport: &Transport) {
        let mut left = 10;
        transport.stream(Pull(move |transport: &Transport| {
            transport.write(&[4; 40_000]);
            left -= 1;
            if left == 0 { Production::Done } else { Production::More }
        }));
        transport.resume_producing();
    }
    each(world, act, goes_on);
}

fn set_timers(world: &World) {
    fn act(transport: &Transport) {
        transport.call_later(Duration::ZERO);
        transport.call_later(Duration::from_secs(1000));
        transport.set_idle_timeout(Duration::from_secs(1000));
    }
    each(world, act, goes_on);
    assert_eq!(world.reactor().stats().timers, 0, "timers that are left");
}

fn cancel_timers(world: &World) {
    fn act(transport: &Transport) {
        if let Some(timer) = transport.call_later(Duration::ZERO) {
            assert!(transport.cancel_timer(timer));
        }
        transport.set_idle_timeout(None);
    }
    each(world, act, goes_on);
}

fn everything_at_once(world: &World) {
    fn act(transport: &Transport) {
        transport.set_no_delay(true).ok();
        transport.set_auto_pause(false);
        transport.set_auto_pause(true);
        transport.pause_reading();
        transport.write(&[1; 100_000]);
        transport.stream(Pull(|transport: &Transport| {
            transport.write(b"from a producer");
            Production::Done
        }));
        transport.call_later(Duration::ZERO);
        transport.close_write();
        transport.resume_reading();
        transport.lose_connection();
        transport.fail("first");
        transport.fail("second");
        transport.abort();
    }
    each(world, act, |name, lost| {
        assert_eq!(lost, Lost::Protocol("first".to_owned()), "{name}");
    });
}
