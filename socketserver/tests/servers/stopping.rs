//! The rows of the table that are about the end: `shutdown`, `stop`, signals, `server_close`.

use rustix::process::Signal;

use super::process::{Mode, Process, ServerName};

/// Python looks every half second; this is to be faster by far, on a busy machine too.
const SHUTDOWN_MICROS_MAX: u64 = 50_000;

/// What runs is finished: in place before `serve_forever` returns, else before `server_close` does.
pub(crate) fn while_a_handler_runs(server: &ServerName) {
    let process = Process::serve(server, "");
    let mut client = process.client();
    client.send("gate");
    let gate = process.gate.arrived();
    process.signal(Signal::INT);
    if server.mode != Mode::InPlace {
        // It does not serve any more, and the handler still waits.
        process.expect("served Ok(())");
        if server.is_stream() {
            // Nobody holds the port any more, no child either.
            process.until_refused();
        }
        drop(gate);
        assert_eq!(client.answer(), "passed");
        process.expect("closed Ok(())");
        process.has_nothing_left();
    } else {
        drop(gate);
        assert_eq!(client.answer(), "passed");
        process.ended_well();
    }
}

pub(crate) fn from_a_handler(server: &ServerName) {
    let process = Process::serve(server, "");
    match server.mode {
        // Python: a deadlock.
        Mode::InPlace => {
            process
                .ask("shutdown", "Err(the serving thread cannot wait for itself to stop serving)");
            process.ask("serve", "Err(\"the server is being served already\")");
        }
        Mode::Threading => {
            process.ask("shutdown", "Ok(())");
            return process.ended_well();
        }
        // Python: the child waits for ever, or stops its own copy.
        Mode::Forking => {
            process.ask("shutdown", "Err(a child process cannot stop the server of its parent)")
        }
    }
    process.ask("upper still there", "STILL THERE");
    process.finish();
}

pub(crate) fn stop_from_a_handler(server: &ServerName) {
    let process = Process::serve(server, "");
    if server.mode == Mode::Forking {
        process.ask("stop", "Err(a child process cannot stop the server of its parent)");
        process.finish();
    } else {
        process.ask("stop", "Ok(())");
        process.ended_well();
    }
}

/// `shutdown` may be faster than the thread that is to serve; it is not lost.
pub(crate) fn before_it_begins(server: &ServerName) {
    Process::serve(server, "how=late").ended_well();
}

/// It ends a `handle_request` that waits, or is about to.
pub(crate) fn of_one_request(server: &ServerName) {
    let mut process = Process::serve(server, "how=once_in_a_thread");
    process.tell("shutdown");
    process.expect("shutdown Ok(())");
    process.ended_well();
}

pub(crate) fn in_milliseconds(server: &ServerName) {
    let mut fastest = u64::MAX;
    for _ in 0..5 {
        let mut process = Process::serve(server, "how=thread");
        process.ask("upper hello", "HELLO");
        process.tell("shutdown");
        let micros: u64 = process.expect("shutdown Ok(()) ").parse().unwrap();
        process.ended_well();
        fastest = fastest.min(micros);
    }
    assert!(fastest < SHUTDOWN_MICROS_MAX, "{fastest} microseconds");
}

pub(crate) fn can_be_cut(server: &ServerName) -> bool {
    match server.mode {
        Mode::InPlace => false,
        Mode::Threading => server.is_stream(),
        Mode::Forking => true,
    }
}

/// A handler that waits for a client that never sends does not keep `server_close` waiting for ever: a thread finds its
/// connection cut, a child gets SIGTERM.
pub(crate) fn close_cuts(server: &ServerName) {
    let process = Process::serve(server, "close_timeout=100");
    let mut client = process.client();
    let gate = if server.mode == Mode::Forking {
        client.send("gate");
        Some(process.gate.arrived())
    } else {
        // Once it is answered, the silent one before it has a thread, too.
        process.ask("upper after you", "AFTER YOU");
        None
    };
    process.signal(Signal::INT);
    process.expect("served Ok(())");
    if server.mode == Mode::Threading {
        // The handler goes on with what it has, which is nothing, and finds that nobody hears.
        process.expect("error Broken pipe");
    }
    process.expect("closed Ok(())");
    process.has_nothing_left();
    drop((client, gate));
}

/// With `daemon_threads`, nobody waits.
pub(crate) fn close_leaves_daemons(server: &ServerName) {
    let process = Process::serve(server, "daemon=true");
    let mut client = process.client();
    client.send("gate");
    let gate = process.gate.arrived();
    process.signal(Signal::INT);
    process.expect("served Ok(())");
    process.expect("closed Ok(())");
    drop(gate);
    assert_eq!(client.answer(), "passed");
    process.expect("left threads 0, children 0,");
}

pub(crate) fn sigterm(server: &ServerName) {
    let process = Process::serve(server, "");
    process.ask("upper hello", "HELLO");
    process.signal(Signal::TERM);
    process.ended_well();
}
