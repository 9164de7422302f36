//! The table of scenarios. Scenarios of stopping are in `stopping.rs`.

use super::{
    forks,
    harness::Scenario,
    process::{Mode, Process, ServerName},
    stopping,
};

/// How many clients connect at once.
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
    all("one_request_per_call", one_request_per_call),
    some("children_of_others", |server| server.mode == Mode::Forking, children_of_others),
    some("children_end_with_a_killed_parent", forks_streams, forks::end_with_a_killed_parent),
    some(
        "children_end_with_a_parent_that_ended_first",
        forks_streams,
        forks::end_with_a_parent_that_ended_first,
    ),
    some(
        "children_whose_exit_status_is_not_kept",
        forks_streams,
        forks::whose_exit_status_is_not_kept,
    ),
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
    some(
        "close_shuts_down_what_does_not_end",
        stopping::can_be_shut_down,
        stopping::close_shuts_down,
    ),
    some(
        "close_abandons_daemon_threads",
        |server| server.mode == Mode::Threading,
        stopping::close_abandons_daemon_threads,
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
    // After the reply the connection is closed, in good order.
    let mut client = process.client();
    assert_eq!(client.ask("upper once"), "ONCE");
    client.expect_end();
    drop(client);
    process.finish();
}

/// The table covers all servers; this covers the other engines.
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
        ("panic", "error panicked: as requested"),
        ("fail once", "error failed as requested, once"),
        ("panic", "error panicked: as requested"),
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
    process.expect("no request");
    process.expect("TimedOut");
    let mut client = process.client();
    client.send("upper hello");
    while process.line() != "Request" {}
    assert_eq!(client.answer(), "HELLO");
    process.expect("no request");
    process.expect("TimedOut");
    process.ended_well();
}

/// At an interval, without requests; and a hook may stop the server.
fn service_actions(server: &ServerName) {
    let process = Process::serve(server, "poll_interval=1");
    process.expect("actions");
    process.ended_well();
}

fn five_hundred_clients(server: &ServerName) {
    let process = Process::serve(server, "max=20 queued=20");
    let mut clients: Vec<_> = (0..CROWD).map(|_| process.client()).collect();
    if server.is_stream() {
        // All at once, answered in any order.
        clients.iter_mut().enumerate().for_each(|(n, client)| client.send(&format!("upper c{n}")));
        for (n, client) in clients.iter_mut().enumerate().rev() {
            assert_eq!(client.answer(), format!("C{n}"));
        }
    } else {
        // A kernel queues ten datagrams or a few hundred, and drops the rest.
        for (n, client) in clients.iter_mut().enumerate() {
            assert_eq!(client.ask(&format!("upper c{n}")), format!("C{n}"));
        }
    }
    drop(clients);
    process.finish();
}

/// The handler's timeout ends it, and the next request is handled. Does not apply to datagrams.
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

/// One in place, two threads with two queued, or two children: further requests are not even accepted until there is
/// room, and all are handled in the end.
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
        // The asking request is active itself; an answered one may still be finishing.
        while process.client().ask("busy") != "1 active, 0 queued" {}
    }
    process.finish();
}

/// Each request by a call of its own; with one child at a time, which has to be reaped in between.
fn one_request_per_call(server: &ServerName) {
    let process = Process::serve(server, "how=once requests=4 max=1");
    for number in 0..4 {
        process.ask(&format!("upper n{number}"), &format!("N{number}"));
        process.expect("Request");
    }
    process.ended_well();
}

/// A child that the program started by other means is still the program's to wait for.
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
    // One of the first two threads has had its request, and may or may not be ready for another by now.
    let name = process.client().ask("thread");
    assert!(matches!(&*name, "Thread-1" | "Thread-2" | "Thread-3"), "{name}");
    drop(gate);
    assert_eq!(waiting.answer(), "passed");
    process.finish();
}

/// Only forking servers refuse other threads, whether those were started before or later.
fn fork_refused(server: &ServerName) {
    if server.mode != Mode::Forking {
        for options in ["extra=early", "extra=late"] {
            let process = Process::serve(server, options);
            process.ask("upper hello", "HELLO");
            process.finish();
        }
        return;
    }
    let refused = "cannot fork: the process has 2 threads, and the child could deadlock; serve from its only thread";
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
