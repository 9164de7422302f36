//! Scenarios with children of fork(2), of servers and others; and, below, the code that runs for them in the serving
//! process.

use std::{
    fmt, io,
    net::TcpStream,
    sync::atomic::{AtomicI32, Ordering},
    thread,
};

use rustix::process::{Signal, getpid, getppid};
use sinew_socketserver::{CloseError, Server};
use tracing::{Event, Level, Metadata, Subscriber, field::Visit, span};

use super::{
    client::Client,
    process::{Process, ServerName},
    served::say,
};

/// Whether the system can send children a signal at their parent's end.
const HAS_PARENT_DEATH_SIGNAL: bool =
    cfg!(any(target_os = "linux", target_os = "android", target_os = "freebsd"));

/// A server with a handler that waits at the gate.
fn waiting(server: &ServerName, options: &str) -> (Process, Client, TcpStream) {
    let process = Process::serve(server, options);
    let mut client = process.client();
    client.send("gate");
    let gate = process.gate.arrived();
    (process, client, gate)
}

/// A child ends with its parent, unless configured otherwise.
pub(crate) fn end_with_a_killed_parent(server: &ServerName) {
    if HAS_PARENT_DEATH_SIGNAL {
        let (process, mut client, _gate) = waiting(server, "");
        process.signal(Signal::KILL);
        assert!(client.is_cut(), "the connection ends with its child");
    } else {
        println!("skipped: this system has no signal at the end of the parent");
    }
    let (process, mut client, gate) = waiting(server, "end_with_parent=false");
    process.signal(Signal::KILL);
    drop(gate);
    assert_eq!(client.answer(), "passed");
}

/// The parent ends before the child could request the signal.
pub(crate) fn end_with_a_parent_that_ended_first(server: &ServerName) {
    if !HAS_PARENT_DEATH_SIGNAL {
        return println!("skipped: this system has no signal at the end of the parent");
    }
    let process = Process::serve(server, "late_child=true");
    let mut client = process.client();
    client.send("gate");
    process.expect("a child is here");
    process.signal(Signal::KILL);
    assert!(client.is_cut());
    assert!(!process.gate.has_more(), "the child handles nothing");
}

/// Where the system keeps no exit status, it is read in another way, or the cause is logged.
pub(crate) fn whose_exit_status_is_not_kept(server: &ServerName) {
    let (process, mut client, gate) = waiting(server, "sigchld=ignored max=1");
    drop(gate);
    assert_eq!(client.answer(), "passed");
    let line = process.line();
    if line.starts_with("a child has ended") {
        assert!(line.contains("code=0"), "{line}");
    } else {
        println!("skipped: this kernel does not report exited processes by pidfd (Linux 6.15)");
        assert!(line.starts_with("the exit status of a child is lost"), "{line}");
        assert!(line.contains("this process ignores SIGCHLD"), "{line}");
    }
    // There is room for the next request: the child was removed from the table.
    process.ask("upper next", "NEXT");
    process.line();
    process.finish();
}

/// A child that the serving process has forked, and that closes its copy of the server, closes nothing of the parent's.
pub(crate) fn that_close_their_copy(server: &ServerName) {
    let mut process = Process::serve(server, "how=thread close_timeout=10");
    let mut client = process.client();
    client.send("gate");
    let gate = process.gate.arrived();
    process.command("fork");
    process.expect("the child has ended: 0");
    drop(gate);
    assert_eq!(client.answer(), "passed");
    process.ask("upper still there", "STILL THERE");
    process.command("shutdown");
    process.expect("shutdown Ok(())");
    process.ended_well();
}

// ---- in the serving process ----

/// Applies the options that concern children.
pub(crate) fn set_up(options: &str) {
    if options.contains("late_child=true") {
        PARENT.store(getpid().as_raw_nonzero().get(), Ordering::Relaxed);
        // SAFETY: the function is async-signal-safe, and lives as long as the program.
        assert_eq!(unsafe { libc::pthread_atfork(None, None, Some(wait_for_parent_exit)) }, 0);
    }
    if options.contains("sigchld=ignored") {
        // SAFETY: no handler is set.
        unsafe { libc::signal(libc::SIGCHLD, libc::SIG_IGN) };
        tracing::subscriber::set_global_default(Log).unwrap();
    }
}

static PARENT: AtomicI32 = AtomicI32::new(0);

/// Has a child do nothing before its parent has ended.
extern "C" fn wait_for_parent_exit() {
    let text = b"a child is here\n";
    // SAFETY: the buffer is live; write(2) is async-signal-safe.
    unsafe { libc::write(1, text.as_ptr().cast(), text.len()) };
    let parent = PARENT.load(Ordering::Relaxed);
    while getppid().is_some_and(|now| now.as_raw_nonzero().get() == parent) {
        thread::yield_now();
    }
}

/// Has a child close its copy of the server.
pub(crate) fn fork_and_close<F, H, M>(server: &Server<F, H, M>) {
    // SAFETY: the other threads of this process wait for connections or at a gate: none holds a lock that the
    // child needs.
    let child = unsafe { libc::fork() };
    assert!(child >= 0, "{}", io::Error::last_os_error());
    if child == 0 {
        let closed: Result<(), CloseError> = server.server_close();
        let is_right = closed.is_ok() && server.fileno().is_none();
        // SAFETY: _exit(2) can be called at any time, and does not return.
        unsafe { libc::_exit(i32::from(!is_right)) }
    }
    let mut status = 0;
    // SAFETY: the pointer is to a live integer.
    unsafe { libc::waitpid(child, &raw mut status, 0) };
    say(&format!("the child has ended: {status}"));
}

/// Prints what is logged about children.
struct Log;

impl Subscriber for Log {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        *metadata.level() <= Level::DEBUG && metadata.target().contains("::run::children")
    }
    fn new_span(&self, _: &span::Attributes<'_>) -> span::Id {
        span::Id::from_u64(1)
    }
    fn record(&self, _: &span::Id, _: &span::Record<'_>) {}
    fn record_follows_from(&self, _: &span::Id, _: &span::Id) {}
    fn event(&self, event: &Event<'_>) {
        let mut line = Line::default();
        event.record(&mut line);
        if line.message.contains("ended") || line.message.contains("lost") {
            say(&format!("{}:{}", line.message, line.fields));
        }
    }
    fn enter(&self, _: &span::Id) {}
    fn exit(&self, _: &span::Id) {}
}

#[derive(Default)]
struct Line {
    message: String,
    fields: String,
}

impl Visit for Line {
    fn record_debug(&mut self, field: &tracing::field::Field, value: &dyn fmt::Debug) {
        match field.name() {
            "message" => self.message = format!("{value:?}"),
            name => self.fields += &format!(" {name}={value:?}"),
        }
    }
}
