//! The trait for users of child processes: [`ProcessProtocol`], one object per process. Declarations only.

use super::{ChildFd, Process, ProcessStatus};

/// The callbacks for a child process.
///
/// # Contract
///
/// [`started`](Self::started) is called once and first, [`ended`](Self::ended) once and last; then the protocol is dropped.
/// [`exited`](Self::exited) is called once in between, when the child has been reaped: output left in its pipes, and output of
/// its own children, may arrive after that. Callbacks are made by the event loop only, never from within a call into
/// the library. A panic in a callback kills the child, and only `ended` is called after it.
///
/// For a process that is killed or left running when the reactor stops, see [`AtStop`](super::AtStop).
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
    /// The child runs; data may be written from here on.
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

    /// The child's standard input is closed: on request, or since the child has closed it. Data written to
    /// it is dropped.
    fn in_closed(&mut self, process: &Process) {
        let _ = process;
    }

    /// The child's standard output is closed by all processes that had it.
    fn out_closed(&mut self, process: &Process) {
        let _ = process;
    }

    /// The child's standard error is closed by all processes that had it.
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

    /// Backpressure: more than the high watermark is queued for this descriptor, since the child does not read. Stop writing until
    /// [`input_resumed`](Self::input_resumed). The child's output is still read, since a child that writes before it reads on would
    /// deadlock otherwise.
    fn input_paused(&mut self, process: &Process, fd: ChildFd) {
        let _ = (process, fd);
    }

    /// The queue for this descriptor has drained to the low watermark: continue writing.
    fn input_resumed(&mut self, process: &Process, fd: ChildFd) {
        let _ = (process, fd);
    }

    /// The child has exited and been reaped. Output may still arrive.
    fn exited(&mut self, process: &Process, status: &ProcessStatus) {
        let _ = (process, status);
    }

    /// The child has exited and all its pipes are closed; no other callback follows.
    fn ended(&mut self, process: &Process, status: &ProcessStatus) {
        let _ = (process, status);
    }
}
