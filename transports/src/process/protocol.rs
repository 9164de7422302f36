//! What a user writes: [`ProcessProtocol`], one object a process. Nothing here does anything; the process calls it.

use super::{ChildFd, Process, ProcessStatus};

/// A child process, as its parent hears of it.
///
/// # Contract
///
/// [`started`](Self::started) comes first and once, [`ended`](Self::ended) comes last and once; then the protocol is dropped.
/// [`exited`](Self::exited) comes once in between, when the child has been reaped: output that it has left in its pipes, and what
/// its own children still write there, may come after that. Callbacks are made by the loop only, never from inside a call into
/// the library. A panic in a callback kills the child, and `ended` is all that is told after it.
///
/// Of a process that is killed or left running because the reactor stops, see [`AtStop`](super::AtStop).
///
/// # Examples
///
/// See `examples/subprocess.rs`.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a protocol for a child process",
    label = "not a `ProcessProtocol`",
    note = "implement `ProcessProtocol` for a type; it has no method that must be written",
    note = "the object is passed itself, without a factory; to talk to a program by a `Protocol`, use `connect_process`"
)]
pub trait ProcessProtocol: 'static {
    /// The child runs; writing is allowed from here on.
    fn started(&mut self, process: &Process) {
        let _ = process;
    }

    /// The child wrote to its standard output, or to its terminal.
    fn out_received(&mut self, process: &Process, data: &[u8]) {
        let _ = (process, data);
    }

    /// The child wrote to its standard error.
    fn err_received(&mut self, process: &Process, data: &[u8]) {
        let _ = (process, data);
    }

    /// The child wrote to one of its descriptors. By default this calls [`out_received`](Self::out_received) and
    /// [`err_received`](Self::err_received); override it for further descriptors.
    fn data_received(&mut self, process: &Process, fd: ChildFd, data: &[u8]) {
        match fd {
            ChildFd::STDOUT => self.out_received(process, data),
            ChildFd::STDERR => self.err_received(process, data),
            _ => {}
        }
    }

    /// The child's standard input is closed: because it was asked for, or because nobody reads it any more. What is written to
    /// it goes nowhere.
    fn in_closed(&mut self, process: &Process) {
        let _ = process;
    }

    /// Nobody has the child's standard output open any more.
    fn out_closed(&mut self, process: &Process) {
        let _ = process;
    }

    /// Nobody has the child's standard error open any more.
    fn err_closed(&mut self, process: &Process) {
        let _ = process;
    }

    /// One of the pipes is closed. By default this calls [`in_closed`](Self::in_closed), [`out_closed`](Self::out_closed) and
    /// [`err_closed`](Self::err_closed); override it for further descriptors.
    fn channel_closed(&mut self, process: &Process, fd: ChildFd) {
        match fd {
            ChildFd::STDIN => self.in_closed(process),
            ChildFd::STDOUT => self.out_closed(process),
            ChildFd::STDERR => self.err_closed(process),
            _ => {}
        }
    }

    /// More than the high watermark is queued for this descriptor, and the child does not read: stop producing until
    /// [`input_resumed`](Self::input_resumed). Its output is read all the same, or a child that writes before it reads on would
    /// wait for ever.
    fn input_paused(&mut self, process: &Process, fd: ChildFd) {
        let _ = (process, fd);
    }

    /// What is queued for this descriptor has sunk to the low watermark: produce again.
    fn input_resumed(&mut self, process: &Process, fd: ChildFd) {
        let _ = (process, fd);
    }

    /// The child is no more: it has been reaped. Some of its output may still come.
    fn exited(&mut self, process: &Process, status: &ProcessStatus) {
        let _ = (process, status);
    }

    /// The child is no more and all its pipes are closed; no other callback follows.
    fn ended(&mut self, process: &Process, status: &ProcessStatus) {
        let _ = (process, status);
    }
}
