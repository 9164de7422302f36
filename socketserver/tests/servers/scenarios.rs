//! The table: what happens to a server, and what must come of it. How servers are stopped is in `stopping.rs`.

use super::{
    forks,
    harness::Scenario,
    process::{Mode, Process, ServerName},
    stopping,
};

/// How many clients come at once.
const CROWD: usize = 500;

const fn all(name: &'static str, run: fn(&ServerName)) -> Scenario {
    Scenario { name, applies: |_| true, run }
}

const fn some(
    name: &'static str,
    applies: fn(&ServerName) -> bool,
    run: fn(&ServerName),
) -> Scenario {
    Scenario { name, applies, run }
}

pub(crate) const SCENARIOS: &[Scenario] = &[
    all("dialogue", dialogue),
    all("any_engine", any_engine),
    all("handlers_that_fail", handlers_that_fail),
    all("timeout", timeout),
    all("service_actions", service_actions),
    all("five_hundred_clients", five_hundred_clients),
    all("a_client_that_never_sends", a_client_that_never_sends),
    all("queue_full", queue_full),
    all("fork_refused", fork_refused),
    all("one_request_after_the_other", one_request_after_the_other),
    some("children_of_others", |server| server.mode == Mode::Forking, children_of_others),
    some("children_end_with_a_killed_parent", forks_streams, forks::end_with_a_killed_parent),
    some(
        "children_end_with_a_parent_that_was_faster",
        forks_streams,
        forks::end_with_a_parent_that_was_faster,
    ),
    some("children_that_nobody_keeps", forks_streams, forks::that_nobody_keeps),
    some(
        "children_that_close_their_copy",
        |server| server.mode == Mode::Threading && server.is_stream(),
        forks::that_close_their_copy,
    ),
    some("names_of_threads", |server| server.mode == Mode::Threading, names_of_threads),
    all("shutdown_while_a_handler_runs", stopping::while_a_handler_runs),
    all("shutdown_from_a_handler", stopping::from_a_handler),
    all("stop_from_a_handler", stopping::stop_from_a_handler),
    all("shutdown_before_it_begins", stopping::before_it_begins),
    some(
        "shutdown_of_one_request",
        |server| server.mode != Mode::Forking,
        stopping::of_one_request,
    ),
    some(
        "shutdown_in_milliseconds",
        |server| server.mode != Mode::Forking,
        stopping::in_milliseconds,
    ),
    some("close_cuts_what_does_not_end", stopping::can_be_cut, stopping::close_cuts),
    some(
        "close_leaves_daemons",
        |server| server.mode == Mode::Threading,
        stopping::close_leaves_daemons,
    ),
    some("sigterm", |server| server.mode == Mode::InPlace, stopping::sigterm),
];

fn forks_streams(server: &ServerName) -> bool {
    server.mode == Mode::Forking && server.is_stream()
}

fn dialogue(server: &ServerName) {
    let process = Process::serve(server, "");
    for text in ["hello", "a b c", "x"] {
        process.ask(&format!("upper {text}"), &text.to_uppercase());
    }
    // What has been answered is closed, at once and in good order.
    let mut client = process.client();
    assert_eq!(client.ask("upper once"), "ONCE");
    client.expect_end();
    drop(client);
    process.finish();
}

/// The table goes over all servers; here all engines get their share.
fn any_engine(server: &ServerName) {
    for engine in ["poll", "select", "best"] {
        let process = Process::serve(server, &format!("engine={engine} max=2"));
        for number in 0..5 {
            process.ask(&format!("upper n{number}"), &format!("N{number}"));
        }
        process.finish();
    }
}

fn handlers_that_fail(server: &ServerName) {
    let process = Process::serve(server, "");
    for (command, error) in [
        ("panic", "error panicked: as told"),
        ("fail once", "error failed as told, once"),
        ("panic", "error panicked: as told"),
    ] {
        let mut client = process.client();
        client.send(command);
        assert_eq!(process.line(), error);
        client.expect_end();
        process.ask("upper still there", "STILL THERE");
    }
    process.finish();
}

fn timeout(server: &ServerName) {
    let process = Process::serve(server, "how=once timeout=20");
    process.expect("nobody came");
    process.expect("TimedOut");
    let mut client = process.client();
    client.send("upper hello");
    while process.line() != "Request" {}
    assert_eq!(client.answer(), "HELLO");
    process.expect("nobody came");
    process.expect("TimedOut");
    process.ended_well();
}

/// At an interval, though nobody comes; and a hook may stop the server.
fn service_actions(server: &ServerName) {
    let process = Process::serve(server, "poll_interval=1");
    process.expect("actions");
    process.ended_well();
}

fn five_hundred_clients(server: &ServerName) {
    let process = Process::serve(server, "max=20 queued=20");
    let mut clients: Vec<_> = (0..CROWD).map(|_| process.client()).collect();
    if server.is_stream() {
        // All at once, and no order.
        clients.iter_mut().enumerate().for_each(|(n, client)| client.send(&format!("upper c{n}")));
        for (n, client) in clients.iter_mut().enumerate().rev() {
            assert_eq!(client.answer(), format!("C{n}"));
        }
    } else {
        // A kernel keeps ten datagrams or a few hundred, and drops what is more.
        for (n, client) in clients.iter_mut().enumerate() {
            assert_eq!(client.ask(&format!("upper c{n}")), format!("C{n}"));
        }
    }
    drop(clients);
    process.finish();
}

/// The handler's timeout ends it, and the next has its turn. Who sends no datagram is nobody.
fn a_client_that_never_sends(server: &ServerName) {
    let process = Process::serve(server, "handler_timeout=50");
    let mut silent = process.client();
    if server.is_stream() {
        process.expect("error timed out");
        silent.expect_end();
        let mut half = process.client();
        half.close_write();
        assert_eq!(half.answer(), "?");
    }
    process.ask("upper next", "NEXT");
    process.finish();
}

/// One in place, two threads with two in the queue, or two children: the others are not even accepted until there is room, and
/// all have their turn.
fn queue_full(server: &ServerName) {
    let process = Process::serve(server, "max=2 queued=2");
    let at_once = if server.mode == Mode::InPlace { 1 } else { 2 };
    let mut clients: Vec<_> = (0..8).map(|_| process.client()).collect();
    clients.iter_mut().for_each(|client| client.send("gate"));
    let mut inside: Vec<_> = (0..at_once).map(|_| process.gate.arrived()).collect();
    for _ in at_once..8 {
        assert!(!process.gate.has_more(), "more than {at_once} at once");
        inside.remove(0);
        inside.push(process.gate.arrived());
    }
    drop(inside);
    for client in &mut clients {
        assert_eq!(client.answer(), "passed");
    }
    if server.mode != Mode::Forking {
        // The one that asks is active itself; who was answered before may still be leaving.
        while process.client().ask("busy") != "1 active, 0 queued" {}
    }
    process.finish();
}

/// Each by a call of its own; with one child at a time, which has to be waited for in between.
fn one_request_after_the_other(server: &ServerName) {
    let process = Process::serve(server, "how=once requests=4 max=1");
    for number in 0..4 {
        process.ask(&format!("upper n{number}"), &format!("N{number}"));
        process.expect("Request");
    }
    process.ended_well();
}

/// A child that the program started by other means stays the program's to wait for.
fn children_of_others(server: &ServerName) {
    let process = Process::serve(server, "other_child=true max=1");
    for number in 0..5 {
        process.ask(&format!("upper n{number}"), &format!("N{number}"));
    }
    process.signal(rustix::process::Signal::INT);
    process.expect("other child true");
    process.ended_well();
}

fn names_of_threads(server: &ServerName) {
    let process = Process::serve(server, "");
    process.ask("thread", "Thread-1");
    let mut waiting = process.client();
    waiting.send("gate");
    let gate = process.gate.arrived();
    // One of the first two has had its request, and may or may not be there for another by now.
    let name = process.client().ask("thread");
    assert!(matches!(&*name, "Thread-1" | "Thread-2" | "Thread-3"), "{name}");
    drop(gate);
    assert_eq!(waiting.answer(), "passed");
    process.finish();
}

/// Only who forks minds other threads, whether they were there before or come later.
fn fork_refused(server: &ServerName) {
    if server.mode != Mode::Forking {
        for options in ["extra=early", "extra=late"] {
            let process = Process::serve(server, options);
            process.ask("upper hello", "HELLO");
            process.finish();
        }
        return;
    }
    let refused = "the process has 2 threads; a child of one of them could deadlock";
    let process = Process::start(server, "extra=early");
    process.expect("address ");
    process.expect(&format!("served Err({refused:?})"));
    process.expect("closed Ok(())");
    process.has_nothing_left();

    let process = Process::serve(server, "extra=late");
    let mut client = process.client();
    client.send("upper hello");
    process.expect(&format!("error {refused}"));
    client.expect_end();
    process.finish();
}
