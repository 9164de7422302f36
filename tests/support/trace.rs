//! Records the callbacks of a protocol and checks them: [`Watched`] wraps a protocol, [`Trace`] is its record.
//!
//! At the end of every scenario, every trace must show `connection_made` once and first, `connection_lost` once and
//! last, no callback nested in another, and the protocol dropped.

use std::{
    cell::{Cell, RefCell},
    rc::Rc,
};

use sinew::{prelude::*, transports::TlsError};

/// A recorded callback, with what tests need to know of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Callback {
    Made,
    /// The number of bytes received in consecutive calls.
    Data(usize),
    ReadClosed,
    WritingPaused,
    WritingResumed,
    ReadingResumed,
    Timer(TimerId),
    Idle,
    Drain,
    TlsStarted,
    Lost(Lost),
}

/// A comparable [`ConnectionLost`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Lost {
    Done,
    Closed,
    Aborted,
    Reset,
    TimedOut,
    WriteLimit(usize),
    DescriptorLimit(usize),
    HandedOver,
    Panicked(String),
    Shutdown,
    Protocol(String),
    Truncated,
    Tls(TlsError),
    Io(String),
}

impl From<&ConnectionLost> for Lost {
    fn from(reason: &ConnectionLost) -> Self {
        match reason {
            ConnectionLost::Done => Self::Done,
            ConnectionLost::Closed => Self::Closed,
            ConnectionLost::Aborted => Self::Aborted,
            ConnectionLost::Reset => Self::Reset,
            ConnectionLost::TimedOut => Self::TimedOut,
            ConnectionLost::WriteLimit { limit } => Self::WriteLimit(*limit),
            ConnectionLost::DescriptorLimit { limit } => Self::DescriptorLimit(*limit),
            ConnectionLost::HandedOver => Self::HandedOver,
            ConnectionLost::Panicked(message) => Self::Panicked(message.clone()),
            ConnectionLost::Shutdown => Self::Shutdown,
            ConnectionLost::Protocol(error) => Self::Protocol(error.to_string()),
            ConnectionLost::Truncated => Self::Truncated,
            ConnectionLost::Tls(error) => Self::Tls(error.clone()),
            ConnectionLost::Io(error) => Self::Io(error.to_string()),
            other => panic!("unexpected reason: {other:?}"),
        }
    }
}

/// The callbacks of one protocol, in order.
#[derive(Default)]
pub(crate) struct Trace {
    callbacks: RefCell<Vec<Callback>>,
    calls: Cell<usize>,
    data: RefCell<Vec<u8>>,
    /// Number of received bytes that have been discarded.
    forgotten: Cell<usize>,
    transport: RefCell<Option<Transport>>,
    complaints: RefCell<Vec<String>>,
    dropped: Cell<bool>,
}

thread_local! {
    /// Number of nested callbacks running on this thread.
    static DEPTH: Cell<usize> = const { Cell::new(0) };
}

/// A guard for a running callback, also on panic.
pub(crate) struct Running(());

impl Running {
    /// `None` if another callback is already running.
    pub(crate) fn new() -> Option<Self> {
        let depth = DEPTH.replace(DEPTH.get() + 1);
        let running = Self(());
        (depth == 0).then_some(running)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        DEPTH.set(DEPTH.get() - 1);
    }
}

impl Trace {
    /// The callbacks so far; consecutive `Data` are merged.
    pub(crate) fn callbacks(&self) -> Vec<Callback> {
        self.callbacks.borrow().clone()
    }

    pub(crate) fn has(&self, callbacks: &Callback) -> bool {
        self.callbacks.borrow().contains(callbacks)
    }

    pub(crate) fn count(&self, callbacks: &Callback) -> usize {
        self.callbacks.borrow().iter().filter(|other| *other == callbacks).count()
    }

    pub(crate) fn is_made(&self) -> bool {
        self.has(&Callback::Made)
    }

    /// The reason of `connection_lost`, if it has been called.
    pub(crate) fn lost(&self) -> Option<Lost> {
        match self.callbacks.borrow().last() {
            Some(Callback::Lost(lost)) => Some(lost.clone()),
            _ => None,
        }
    }

    pub(crate) fn is_lost(&self) -> bool {
        self.lost().is_some()
    }

    /// All received data.
    pub(crate) fn data(&self) -> Vec<u8> {
        self.data.borrow().clone()
    }

    pub(crate) fn received(&self) -> usize {
        self.forgotten.get() + self.data.borrow().len()
    }

    /// Discards the received data; returns the total number of bytes received.
    pub(crate) fn forget(&self) -> usize {
        let received = self.received();
        self.forgotten.set(received);
        self.data.take();
        received
    }

    /// The number of callbacks.
    pub(crate) fn calls(&self) -> usize {
        self.calls.get()
    }

    /// The transport of the protocol, set in `connection_made`.
    pub(crate) fn transport(&self) -> Transport {
        self.transport.borrow().clone().expect("connection_made was called")
    }

    pub(crate) fn is_dropped(&self) -> bool {
        self.dropped.get()
    }

    /// Makes the test fail at its end; the event loop would catch a panic here.
    pub(crate) fn record_violation(&self, complaint: impl Into<String>) {
        self.complaints.borrow_mut().push(complaint.into());
    }

    fn enter(&self, callbacks: Callback, transport: &Transport) -> Running {
        self.calls.set(self.calls.get() + 1);
        self.transport.borrow_mut().get_or_insert_with(|| transport.clone());
        let mut list = self.callbacks.borrow_mut();
        match (list.last_mut(), &callbacks) {
            (Some(Callback::Data(sum)), Callback::Data(more)) => *sum += more,
            _ => list.push(callbacks),
        }
        drop(list);
        self.run()
    }

    fn run(&self) -> Running {
        Running::new().unwrap_or_else(|| {
            self.record_violation("nested callbacks");
            Running(())
        })
    }

    /// Violations of the callback contract, at the end of the test.
    pub(crate) fn faults(&self) -> Vec<String> {
        let callbacks = self.callbacks.borrow();
        let mut faults = self.complaints.borrow().clone();
        let mut must = |holds: bool, fault: &str| {
            if !holds {
                faults.push(format!("{fault}: {callbacks:?}"));
            }
        };
        let is_lost = |callbacks: &Callback| matches!(callbacks, Callback::Lost(_));
        must(callbacks.first() == Some(&Callback::Made), "connection_made was not first");
        must(
            callbacks.iter().filter(|callbacks| **callbacks == Callback::Made).count() == 1,
            "made, but not once",
        );
        must(callbacks.last().is_some_and(is_lost), "connection_lost was not last");
        must(
            callbacks.iter().filter(|callbacks| is_lost(callbacks)).count() == 1,
            "lost, but not once",
        );
        must(self.dropped.get(), "the protocol was not dropped");
        let paused =
            callbacks.iter().filter(|callbacks| **callbacks == Callback::WritingPaused).count();
        let resumed =
            callbacks.iter().filter(|callbacks| **callbacks == Callback::WritingResumed).count();
        must(
            paused == resumed || paused == resumed + 1,
            "writing_paused and writing_resumed do not match",
        );
        faults
    }
}

/// All traces of a test, as a handle for use in factories.
#[derive(Clone, Default)]
pub(crate) struct Traces(Rc<RefCell<Vec<Rc<Trace>>>>);

impl Traces {
    /// Wraps a protocol so that its trace is checked at the end. Call it when the protocol is built, not before.
    pub(crate) fn watch<P: Protocol>(&self, protocol: P) -> Watched<P> {
        let trace = Rc::new(Trace::default());
        self.0.borrow_mut().push(trace.clone());
        Watched { trace, inner: protocol }
    }

    pub(crate) fn all(&self) -> Vec<Rc<Trace>> {
        self.0.borrow().clone()
    }

    pub(crate) fn len(&self) -> usize {
        self.0.borrow().len()
    }

    /// The trace of the most recently built protocol.
    pub(crate) fn last(&self) -> Rc<Trace> {
        self.0.borrow().last().expect("a protocol was built").clone()
    }

    pub(crate) fn faults(&self) -> Vec<String> {
        self.all().iter().flat_map(|trace| trace.faults()).collect()
    }
}

/// A protocol whose callbacks are recorded before they are forwarded.
pub(crate) struct Watched<P> {
    trace: Rc<Trace>,
    inner: P,
}

impl<P> Watched<P> {
    pub(crate) fn trace(&self) -> &Rc<Trace> {
        &self.trace
    }
}

impl<P> Drop for Watched<P> {
    fn drop(&mut self) {
        self.trace.dropped.set(true);
        if !self.trace.is_lost() {
            self.trace.record_violation("dropped before connection_lost");
        }
    }
}

impl<P: Protocol> Protocol for Watched<P> {
    fn connection_made(&mut self, transport: &Transport) {
        let _running = self.trace.enter(Callback::Made, transport);
        self.inner.connection_made(transport);
    }

    fn data_received(&mut self, transport: &Transport, data: &[u8]) {
        let _running = self.trace.enter(Callback::Data(data.len()), transport);
        self.trace.data.borrow_mut().extend_from_slice(data);
        self.inner.data_received(transport, data);
    }

    fn read_closed(&mut self, transport: &Transport) {
        let _running = self.trace.enter(Callback::ReadClosed, transport);
        self.inner.read_closed(transport);
    }

    fn writing_paused(&mut self, transport: &Transport) {
        let _running = self.trace.enter(Callback::WritingPaused, transport);
        self.inner.writing_paused(transport);
    }

    fn writing_resumed(&mut self, transport: &Transport) {
        let _running = self.trace.enter(Callback::WritingResumed, transport);
        self.inner.writing_resumed(transport);
    }

    fn reading_resumed(&mut self, transport: &Transport) {
        let _running = self.trace.enter(Callback::ReadingResumed, transport);
        self.inner.reading_resumed(transport);
    }

    fn timer_fired(&mut self, transport: &Transport, timer: TimerId) {
        let _running = self.trace.enter(Callback::Timer(timer), transport);
        self.inner.timer_fired(transport, timer);
    }

    fn idle_timeout(&mut self, transport: &Transport) {
        let _running = self.trace.enter(Callback::Idle, transport);
        self.inner.idle_timeout(transport);
    }

    fn drain_requested(&mut self, transport: &Transport) {
        let _running = self.trace.enter(Callback::Drain, transport);
        self.inner.drain_requested(transport);
    }

    fn tls_started(&mut self, transport: &Transport) {
        let _running = self.trace.enter(Callback::TlsStarted, transport);
        self.inner.tls_started(transport);
    }

    fn take_unread(&mut self, transport: &Transport) -> bytes::Bytes {
        let _running = self.trace.run();
        self.inner.take_unread(transport)
    }

    fn connection_lost(&mut self, transport: &Transport, reason: &ConnectionLost) {
        let _running = self.trace.enter(Callback::Lost(reason.into()), transport);
        self.inner.connection_lost(transport, reason);
    }
}
