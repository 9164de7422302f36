//! The rows of the table that are about children of fork(2), those of servers and others; and, below, what a process that serves
//! does for them.

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

/// Whether the system has a way to tell children of their parent's end.
const TELLS_OF_PARENT: bool =
    cfg!(any(target_os = "linux", target_os = "android", target_os = "freebsd"));

/// A server whose handler waits, and who waits for that.
fn waiting(server: &ServerName, options: &str) -> (Process, Client, TcpStream) {
    let process = Process::serve(server, options);
    let mut client = process.client();
    client.send("gate");
    let gate = process.gate.arrived();
    (process, client, gate)
}

/// The end of its parent is the end of a child, unless it is to be left alone.
pub(crate) fn end_with_a_killed_parent(server: &ServerName) {
    if TELLS_OF_PARENT {
        let (process, mut client, _gate) = waiting(server, "");
        process.signal(Signal::KILL);
        assert!(client.is_cut(), "the connection ends with its child");
    } else {
        println!("skipped: this system does not tell children of their parent's end");
    }
    let (process, mut client, gate) = waiting(server, "end_with_parent=false");
    process.signal(Signal::KILL);
    drop(gate);
    assert_eq!(client.answer(), "passed");
}

/// The parent is gone before the child could ask to be told of it.
pub(crate) fn end_with_a_parent_that_was_faster(server: &ServerName) {
    if !TELLS_OF_PARENT {
        return println!("skipped: this system does not tell children of their parent's end");
    }
    let process = Process::serve(server, "late_child=true");
    let mut client = process.client();
    client.send("gate");
    process.expect("a child is here");
    process.signal(Signal::KILL);
    assert!(client.is_cut());
    assert!(!process.gate.has_more(), "nothing is handled any more");
}

/// Where the system keeps no exit status, it is asked in another way, or the cause is named.
pub(crate) fn that_nobody_keeps(server: &ServerName) {
    let (process, mut client, gate) = waiting(server, "sigchld=ignored max=1");
    drop(gate);
    assert_eq!(client.answer(), "passed");
    let line = process.line();
    if line.starts_with("a child has ended") {
        assert!(line.contains("code=0"), "{line}");
    } else {
        println!("skipped: this kernel does not tell of those that are gone (Linux 6.15)");
        assert!(line.starts_with("the exit status of a child is lost"), "{line}");
        assert!(line.contains("this process ignores SIGCHLD"), "{line}");
    }
    // There is room for the next: it was taken off the list.
    process.ask("upper next", "NEXT");
    process.line();
    process.finish();
}

/// Whoever forks a process that serves, and closes the copy, closes nothing of the server's.
pub(crate) fn that_close_their_copy(server: &ServerName) {
    let mut process = Process::serve(server, "how=thread close_timeout=10");
    let mut client = process.client();
    client.send("gate");
    let gate = process.gate.arrived();
    process.tell("fork");
    process.expect("the child has ended: 0");
    drop(gate);
    assert_eq!(client.answer(), "passed");
    process.ask("upper still there", "STILL THERE");
    process.tell("shutdown");
    process.expect("shutdown Ok(())");
    process.ended_well();
}

// ---- in the process that serves ----

/// What the options ask of it.
pub(crate) fn set_up(options: &str) {
    if options.contains("late_child=true") {
        PARENT.store(getpid().as_raw_nonzero().get(), Ordering::Relaxed);
        // SAFETY: the function is async-signal-safe, and lives as long as the program.
        assert_eq!(unsafe { libc::pthread_atfork(None, None, Some(wait_for_orphanage)) }, 0);
    }
    if options.contains("sigchld=ignored") {
        // SAFETY: no handler is set.
        unsafe { libc::signal(libc::SIGCHLD, libc::SIG_IGN) };
        tracing::subscriber::set_global_default(Log).unwrap();
    }
}

static PARENT: AtomicI32 = AtomicI32::new(0);

/// A child does nothing before its parent is gone.
extern "C" fn wait_for_orphanage() {
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
    // SAFETY: the other threads of this process wait for connections, or for a gate: none is in the midst of anything that the
    // child needs.
    let child = unsafe { libc::fork() };
    assert!(child >= 0, "{}", io::Error::last_os_error());
    if child == 0 {
        let closed: Result<(), CloseError> = server.server_close();
        let is_right = closed.is_ok() && server.fileno().is_none();
        // SAFETY: _exit(2) can be called at any time, and does not come back.
        unsafe { libc::_exit(i32::from(!is_right)) }
    }
    let mut status = 0;
    // SAFETY: the pointer is to a live integer.
    unsafe { libc::waitpid(child, &raw mut status, 0) };
    say(&format!("the child has ended: {status}"));
}

/// Says what is logged of children.
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
