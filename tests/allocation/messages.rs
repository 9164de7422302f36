//! The path of a message after warm-up: no allocation, with any engine and any protocol of the project.

use std::{cell::Cell, rc::Rc, sync::PoisonError, time::Duration};

use sinew::{
    prelude::*,
    protocols::basic::{LineHandler, LineReceiver, LineTransport},
};

use super::{idle::MANY_DESCRIPTORS, sys::allocations};
use crate::support::{
    Echo, Link, RemoteEnd, Watchdog, Width, World, sockets::any_port, sockets::dial,
};

/// Messages for the warm-up, and messages that are counted.
const WARM: usize = 100;
const COUNTED: usize = 1_000;

/// One client at a time; many clients whose messages arrive in one batch; several messages at once.
fn exchange(world: &World, clients: &mut [RemoteEnd], message: &[u8], buffer: &mut [u8]) -> u64 {
    let mut before = 0;
    for round in 0..WARM + COUNTED {
        if round == WARM {
            before = allocations();
        }
        clients.iter_mut().for_each(|client| client.send(message));
        for client in clients.iter_mut() {
            let mut got = 0;
            while got < message.len() {
                let n = client.take_into(&mut buffer[got..]);
                got += n;
                if n == 0 {
                    world.turn();
                }
            }
            assert_eq!(buffer[..got], *message);
        }
    }
    allocations() - before
}

fn count<F: Factory>(engine: Engine, config: StreamConfig, message: &[u8], factory: F) {
    let _watchdog = Watchdog::new(format!("counting allocations on {engine}"));
    let world = World::new(engine, Link::Accepted);
    let config = ListenConfig::default().stream(config);
    let port = world.reactor().listen_tcp_with(any_port(), config, factory).unwrap();
    let mut buffer = vec![0; message.len()];
    for crowd in [1, 10] {
        let mut clients: Vec<_> =
            (0..crowd).map(|_| RemoteEnd::socket(dial(port.local(), Width::Wide))).collect();
        let made = exchange(&world, &mut clients, message, &mut buffer);
        assert_eq!(made, 0, "{made} allocations for {COUNTED} messages of {crowd} clients");
    }
    world.end();
}

#[test]
fn an_echo_on_mio() {
    count(Engine::Mio, StreamConfig::default(), &[7; 64], |_: &Peer| Echo);
}

#[cfg(unix)]
#[test]
fn an_echo_on_poll() {
    count(Engine::Poll, StreamConfig::default(), &[7; 64], |_: &Peer| Echo);
}

#[cfg(unix)]
#[test]
fn an_echo_on_select() {
    let _alone = MANY_DESCRIPTORS.lock().unwrap_or_else(PoisonError::into_inner);
    count(Engine::Select, StreamConfig::default(), &[7; 64], |_: &Peer| Echo);
}

#[test]
fn a_large_echo() {
    count(Engine::Mio, StreamConfig::default(), &[7; 30_000], |_: &Peer| Echo);
}

#[test]
fn an_echo_with_an_idle_timeout() {
    let config = StreamConfig::default().idle_timeout(Duration::from_secs(1000));
    count(Engine::Mio, config, &[7; 64], |_: &Peer| Echo);
}

/// A timer for each message, created and cancelled.
#[test]
fn an_echo_with_a_timer_for_each_message() {
    struct Timed(Option<TimerId>);
    impl Protocol for Timed {
        fn data_received(&mut self, transport: &Transport, data: &[u8]) {
            if let Some(timer) = self.0.take() {
                transport.cancel_timer(timer);
            }
            self.0 = transport.call_later(Duration::from_secs(1000));
            transport.write(data);
        }
    }
    count(Engine::Mio, StreamConfig::default(), &[7; 64], |_: &Peer| Timed(None));
}

/// Output to another connection is sent in the flush phase of the next turn.
#[test]
fn a_message_for_another_connection() {
    #[derive(Default)]
    struct Relay(Rc<Cell<Option<Transport>>>);
    impl Protocol for Relay {
        fn connection_made(&mut self, transport: &Transport) {
            self.0.set(Some(transport.clone()));
        }
        fn data_received(&mut self, _: &Transport, data: &[u8]) {
            let last = self.0.take();
            if let Some(last) = &last {
                last.write(data);
            }
            self.0.set(last);
        }
    }
    let last = Rc::new(Cell::new(None));
    // With one client the last one is itself.
    let _watchdog = Watchdog::new("a relay");
    let world = World::new(Engine::Mio, Link::Accepted);
    let port = world.reactor().listen_tcp(any_port(), move |_: &Peer| Relay(last.clone())).unwrap();
    let mut from = RemoteEnd::socket(dial(port.local(), Width::Wide));
    world.until("the first", || port.connections() == 1);
    let mut to = RemoteEnd::socket(dial(port.local(), Width::Wide));
    world.until("the second", || port.connections() == 2);
    let mut before = 0;
    let mut buffer = [0; 64];
    for round in 0..WARM + COUNTED {
        if round == WARM {
            before = allocations();
        }
        from.send(b"to another");
        let mut got = 0;
        while got < 10 {
            let n = to.take_into(&mut buffer[got..]);
            got += n;
            if n == 0 {
                world.turn();
            }
        }
    }
    assert_eq!(allocations() - before, 0);
}

#[test]
fn a_line() {
    struct Lines;
    impl LineHandler for Lines {
        fn line_received(&mut self, transport: &mut LineTransport<'_>, line: &[u8]) {
            transport.write_vectored(&[line, b"\r\n"]);
        }
    }
    let mut message = vec![b'x'; 62];
    message.extend(b"\r\n");
    let factory = |_: &Peer| LineReceiver::new(Lines);
    count(Engine::Mio, StreamConfig::default(), &message, factory);
}
