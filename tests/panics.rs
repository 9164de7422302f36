//! Panics caused by wrong arguments report the caller's location. One test, since the panic hook is per process.

use std::{
    panic::{self, AssertUnwindSafe, catch_unwind},
    sync::Mutex,
    time::Duration,
};

use sinew::{
    prelude::*,
    protocols::basic::{Fixed, Line},
    testing::Draw,
    transports::memory,
};

static AT: Mutex<String> = Mutex::new(String::new());

struct Quiet;

impl Protocol for Quiet {
    fn data_received(&mut self, _: &Transport, _: &[u8]) {}
}

#[test]
fn wrong_arguments_are_blamed_on_the_caller() {
    type Wrong = fn();
    let wrongs: &[(&str, Wrong)] = &[
        ("an interval of nothing", || {
            Reactor::simulated(0).call_every(Duration::ZERO, |_| ());
        }),
        ("an empty delimiter", || drop(Line::new(b""))),
        ("frames of no bytes", || _ = Fixed::new(0)),
        ("bytes behind the end", || {
            let reactor = Reactor::simulated(0);
            let config = StreamConfig::default();
            let (_, wire) = memory::connect(&reactor, config, Quiet).expect("a wire");
            wire.close();
            wire.receive(b"late");
        }),
        ("one of none", || _ = Draw::new(0).pick::<u8>(&[])),
        ("a number of none", || _ = Draw::new(0).number(..0)),
    ];
    let before = panic::take_hook();
    panic::set_hook(Box::new(|info| {
        let at = info.location().map_or(String::new(), |at| at.file().to_owned());
        *AT.lock().expect("nobody panics with it") = at;
    }));
    let blamed: Vec<_> = wrongs
        .iter()
        .map(|(what, wrong)| {
            let panicked = catch_unwind(AssertUnwindSafe(wrong)).is_err();
            (*what, panicked, AT.lock().expect("nobody panics with it").clone())
        })
        .collect();
    panic::set_hook(before);
    for (what, panicked, at) in blamed {
        assert!(panicked && at == file!(), "{what}: panicked: {panicked}, at {at:?}");
    }
}

#[test]
fn a_transport_without_reactor_returns_none() {
    let reactor = Reactor::simulated(0);
    let config = StreamConfig::default();
    let (connection, _wire) = memory::connect(&reactor, config, Quiet).expect("a wire");
    assert!(connection.transport().reactor().is_some_and(|its| its.now() == reactor.now()));
    drop(reactor);
    assert!(connection.transport().reactor().is_none());
}
