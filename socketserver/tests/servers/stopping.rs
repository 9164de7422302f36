//! Scenarios of stopping: `shutdown`, `stop`, signals, `server_close`.

use rustix::process::Signal;

use super::process::{Mode, Process, ServerName};

/// Python checks for a shutdown every half second; this must be faster by far, on a busy machine too.
const SHUTDOWN_MICROS_MAX: u64 = 50_000;

/// Running handlers finish: in place before `serve_forever` returns, else before `server_close` does.
pub(crate) fn while_a_handler_runs(server: &ServerName) {
    let process = Process::serve(server, "");
    let mut client = process.client();
    client.send("gate");
    let gate = process.gate.arrived();
    process.signal(Signal::INT);
    if server.mode != Mode::InPlace {
        // The server does not serve any more, and the handler still waits.
        process.expect("served Ok(())");
        if server.is_stream() {
            // No process keeps the port open any more, not even the child.
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
        // Python: the child waits forever, or stops its own copy.
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

/// `shutdown` may come before the thread that is to serve; it is not lost.
pub(crate) fn before_it_begins(server: &ServerName) {
    Process::serve(server, "how=late").ended_well();
}

/// It ends a `handle_request` that waits, or is about to.
pub(crate) fn of_one_request(server: &ServerName) {
    let mut process = Process::serve(server, "how=once_in_a_thread");
    process.command("shutdown");
    process.expect("shutdown Ok(())");
    process.ended_well();
}

pub(crate) fn in_milliseconds(server: &ServerName) {
    let mut fastest = u64::MAX;
    for _ in 0..5 {
        let mut process = Process::serve(server, "how=thread");
        process.ask("upper hello", "HELLO");
        process.command("shutdown");
        let micros: u64 = process.expect("shutdown Ok(()) ").parse().unwrap();
        process.ended_well();
        fastest = fastest.min(micros);
    }
    assert!(fastest < SHUTDOWN_MICROS_MAX, "{fastest} microseconds");
}

pub(crate) fn can_be_shut_down(server: &ServerName) -> bool {
    match server.mode {
        Mode::InPlace => false,
        Mode::Threading => server.is_stream(),
        Mode::Forking => true,
    }
}

/// A handler that waits for a client that never sends does not block `server_close` forever: a thread's connection
/// is shut down, a child gets SIGTERM.
pub(crate) fn close_shuts_down(server: &ServerName) {
    let process = Process::serve(server, "close_timeout=100");
    let mut client = process.client();
    let gate = if server.mode == Mode::Forking {
        client.send("gate");
        Some(process.gate.arrived())
    } else {
        // Once this is answered, the silent client before it has a thread, too.
        process.ask("upper after you", "AFTER YOU");
        None
    };
    process.signal(Signal::INT);
    process.expect("served Ok(())");
    if server.mode == Mode::Threading {
        // The handler continues with empty input, and its reply fails.
        process.expect("error Broken pipe");
    }
    process.expect("closed Ok(())");
    process.has_nothing_left();
    drop((client, gate));
}

/// With `daemon_threads`, `server_close` does not wait.
pub(crate) fn close_abandons_daemon_threads(server: &ServerName) {
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
