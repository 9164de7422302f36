//! A running script: [`Running`], its protocol, and the state shared by the request, the reply and the script.

use std::{
    cell::{Cell, RefCell},
    path::PathBuf,
    rc::Rc,
    time::{Duration, Instant},
};

use http::{Method, StatusCode};
use sinew_transports::{
    ChildFd, Process, ProcessProtocol, ProcessStatus, WriteStatus,
    reactor::{Excerpt, Reactor},
};

use crate::{
    body::{Body, BodyControl, BodyReceiver, BodyWriter},
    codec::{BodyError, CgiHead, CgiHeadReader, FieldError, Fields},
    server::{Reply, Request, Response},
};

/// How long a script may take to end after SIGTERM.
const GRACE: Duration = Duration::from_secs(2);

/// Longest line of standard error that is logged, and how many of them.
const LINE_MAX: usize = 1_024;
const LINES_MAX: u32 = 100;

/// State shared by the parts of one run.
pub(super) struct Run {
    script: PathBuf,
    timeout: Duration,
    is_head: bool,
    process: RefCell<Option<Process>>,
    reply: Cell<Option<Reply>>,
    writer: RefCell<Option<BodyWriter>>,
    /// The body of the request, before the script reads it.
    held_back: RefCell<Option<BodyControl>>,
    /// When the script last wrote or read.
    last: Cell<Option<Instant>>,
    is_paused: Cell<bool>,
    is_over: Cell<bool>,
    /// The number of running scripts, including this one.
    running: Rc<Cell<usize>>,
}

impl Run {
    pub(super) fn new(
        request: &Request,
        reply: Reply,
        script: PathBuf,
        timeout: Duration,
        running: &Rc<Cell<usize>>,
    ) -> Rc<Self> {
        running.set(running.get() + 1);
        Rc::new(Self {
            script,
            timeout,
            is_head: *request.method() == Method::HEAD,
            process: RefCell::default(),
            reply: Cell::new(Some(reply)),
            writer: RefCell::default(),
            held_back: RefCell::default(),
            last: Cell::new(Some(request.reactor().now())),
            is_paused: Cell::default(),
            is_over: Cell::default(),
            running: Rc::clone(running),
        })
    }

    /// The script runs.
    pub(super) fn begin(self: &Rc<Self>, reactor: &Reactor, process: Process) {
        *self.process.borrow_mut() = Some(process);
        self.watch(reactor, self.timeout);
    }

    pub(super) fn fail(&self, status: StatusCode) {
        if let Some(reply) = self.reply.take() {
            reply.send(status);
        }
        // A body that has begun ends such that the client notices the truncation.
        drop(self.writer.borrow_mut().take());
        self.end();
    }

    /// Terminates the script, if it is running.
    pub(super) fn end(&self) {
        self.is_over.set(true);
        if let Some(process) = &*self.process.borrow() {
            // It may have exited by itself.
            let _ = process.terminate(GRACE);
        }
    }

    /// Checks after a while whether the script is still active.
    fn watch(self: &Rc<Self>, reactor: &Reactor, after: Duration) {
        let run = Rc::downgrade(self);
        reactor.call_later(after, move |reactor| {
            let Some(run) = run.upgrade().filter(|run| !run.is_over.get()) else { return };
            let last = run.last.get().unwrap_or_else(|| reactor.now());
            let silent = reactor.now().saturating_duration_since(last);
            // While the client reads nothing, the script cannot write.
            if run.is_paused.get() || silent < run.timeout {
                let left = run.timeout.saturating_sub(silent);
                return run.watch(reactor, if left.is_zero() { run.timeout } else { left });
            }
            tracing::warn!(script = %Excerpt::path(&run.script), after = ?run.timeout, "a script was silent for too long");
            run.fail(StatusCode::GATEWAY_TIMEOUT);
        });
    }

    fn heard(&self, process: &Process) {
        self.last.set(process.reactor().map(|reactor| reactor.now()));
    }

    fn answer(&self, head: CgiHead) {
        let Some(reply) = self.reply.take() else { return };
        let (writer, body) = Body::writer();
        // A response to HEAD has the length of the body, but no body.
        *self.writer.borrow_mut() = Some(writer).filter(|_| !self.is_head);
        let body = match head.length {
            Some(length) => body.with_length(length),
            None => body,
        };
        reply.send(with_fields(head.status, &head.fields).map(|made| made.with_body(body)));
    }

    /// Passes output to the client, and pauses the script when the client does not read.
    fn write(self: &Rc<Self>, process: &Process, data: &[u8]) {
        let writer = self.writer.borrow();
        let Some(writer) = &*writer else { return };
        match writer.write(data) {
            WriteStatus::Closed => self.end(),
            WriteStatus::AboveHighWatermark if !self.is_paused.replace(true) => {
                process.pause_reading(ChildFd::STDOUT);
                let Some(reactor) = process.reactor() else { return };
                let (run, process) = (Rc::clone(self), process.clone());
                writer.room(&reactor).then(move |_, _| {
                    run.is_paused.set(false);
                    run.heard(&process);
                    process.resume_reading(ChildFd::STDOUT);
                });
            }
            _ => {}
        }
    }
}

impl Drop for Run {
    fn drop(&mut self) {
        self.running.set(self.running.get().saturating_sub(1));
    }
}

fn with_fields(status: StatusCode, fields: &Fields) -> Result<Response, FieldError> {
    let mut response = Response::new(status);
    for (name, value) in fields.iter() {
        response.append(name, value)?;
    }
    Ok(response)
}

/// The protocol of the script.
pub(super) struct Running {
    run: Rc<Run>,
    /// `None` once the head is complete.
    head: Option<CgiHeadReader>,
    is_out_closed: bool,
    status: Option<ProcessStatus>,
    /// An incomplete line of standard error.
    line: Vec<u8>,
    lines: u32,
}

impl Running {
    pub(super) fn new(run: &Rc<Run>) -> Self {
        Self {
            run: Rc::clone(run),
            head: Some(CgiHeadReader::default()),
            is_out_closed: false,
            status: None,
            line: Vec::new(),
            lines: 0,
        }
    }

    /// All output has arrived, and it has exited.
    fn finish_if_over(&mut self) {
        let Some(status) = self.status.filter(|_| self.is_out_closed && !self.run.is_over.get())
        else {
            return;
        };
        let script = Excerpt::path(&self.run.script);
        if !status.is_success() {
            tracing::warn!(%script, %status, "a script has failed");
        }
        if self.head.is_some() {
            tracing::error!(%script, "a script has ended without an answer");
            return self.run.fail(StatusCode::BAD_GATEWAY);
        }
        let writer = self.run.writer.borrow_mut().take();
        match writer {
            // It was killed: its output is incomplete.
            Some(writer) if status.signal().is_some() => drop(writer),
            Some(writer) => writer.finish(),
            None => {}
        }
        self.run.end();
    }

    fn log(&mut self) {
        self.lines += 1;
        let script = Excerpt::path(&self.run.script);
        match self.lines {
            ..=LINES_MAX => {
                let line = self.line.trim_ascii_end();
                tracing::warn!(%script, "{}", Excerpt::new(line).len_max(LINE_MAX));
            }
            n if n == LINES_MAX + 1 => tracing::warn!(%script, "and more, which is not logged"),
            _ => {}
        }
        self.line.clear();
    }
}

impl ProcessProtocol for Running {
    fn out_received(&mut self, process: &Process, data: &[u8]) {
        self.run.heard(process);
        let Some(reader) = &mut self.head else { return self.run.write(process, data) };
        match reader.push(data) {
            Ok(None) => {}
            Ok(Some((head, at))) => {
                self.head = None;
                self.run.answer(head);
                if at < data.len() {
                    self.run.write(process, &data[at..]);
                }
            }
            Err(error) => {
                let script = Excerpt::path(&self.run.script);
                tracing::error!(%script, %error, "the output of a script is no answer");
                self.head = None;
                self.run.fail(StatusCode::BAD_GATEWAY);
            }
        }
    }

    fn err_received(&mut self, _: &Process, data: &[u8]) {
        for piece in data.split_inclusive(|byte| *byte == b'\n') {
            let room = LINE_MAX.saturating_sub(self.line.len());
            self.line.extend_from_slice(&piece[..piece.len().min(room)]);
            if piece.ends_with(b"\n") {
                self.log();
            }
        }
    }

    fn input_paused(&mut self, _: &Process, _: ChildFd) {
        if let Some(body) = &*self.run.held_back.borrow() {
            body.pause();
        }
    }

    fn input_resumed(&mut self, process: &Process, _: ChildFd) {
        self.run.heard(process);
        if let Some(body) = &*self.run.held_back.borrow() {
            body.resume();
        }
    }

    fn in_closed(&mut self, _: &Process) {
        // Input that it does not read is dropped.
        if let Some(body) = self.run.held_back.borrow_mut().take() {
            body.resume();
        }
    }

    fn out_closed(&mut self, _: &Process) {
        self.is_out_closed = true;
        self.finish_if_over();
    }

    fn exited(&mut self, _: &Process, status: &ProcessStatus) {
        self.status = Some(*status);
        self.finish_if_over();
    }

    fn ended(&mut self, _: &Process, status: &ProcessStatus) {
        if !self.line.is_empty() {
            self.log();
        }
        (self.is_out_closed, self.status) = (true, Some(*status));
        self.finish_if_over();
        // The run owns the process, which owns this.
        self.run.process.borrow_mut().take();
    }
}

/// Passes the body of the request to the script.
pub(super) struct Feed {
    pub(super) run: Rc<Run>,
    pub(super) process: Process,
}

impl BodyReceiver for Feed {
    fn data_received(&mut self, body: &BodyControl, data: &[u8]) {
        self.run.heard(&self.process);
        if self.process.write(data) != WriteStatus::Closed {
            self.run.held_back.borrow_mut().get_or_insert_with(|| body.clone());
        }
    }

    fn body_ended(self: Box<Self>, end: Result<Fields, BodyError>) {
        self.run.held_back.borrow_mut().take();
        match end {
            Ok(_) => self.process.close_stdin(),
            // The response was sent first, and nothing reads the rest.
            Err(BodyError::Taken) => self.process.close_stdin(),
            // The server responds; a script must not take a truncated body for a complete one.
            Err(_) => self.run.end(),
        }
    }
}
