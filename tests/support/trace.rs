//! What a protocol was told, written down and judged: [`Watched`] wraps a protocol, [`Trace`] is its record.
//!
//! Whatever a scenario is about, at its end every trace has to show that `connection_made` came once and first,
//! `connection_lost` once and last, that no callback ran inside another, and that the protocol was dropped.

use std::{
    cell::{Cell, RefCell},
    rc::Rc,
};

use sinew::{prelude::*, transports::TlsError};

/// One callback, with what a test wants to know of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Told {
    Made,
    /// So many bytes, in however many calls one after the other.
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

/// A [`ConnectionLost`] that can be compared.
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
            other => panic!("a reason that the tests do not know: {other:?}"),
        }
    }
}

/// What one protocol was told, in order.
#[derive(Default)]
pub(crate) struct Trace {
    told: RefCell<Vec<Told>>,
    calls: Cell<usize>,
    data: RefCell<Vec<u8>>,
    /// Bytes that were received and are kept no longer.
    forgotten: Cell<usize>,
    transport: RefCell<Option<Transport>>,
    complaints: RefCell<Vec<String>>,
    dropped: Cell<bool>,
}

thread_local! {
    /// How many callbacks run on this thread now, one inside the other.
    static DEPTH: Cell<usize> = const { Cell::new(0) };
}

/// A callback that runs, to the end of its block: also if it panics.
pub(crate) struct Running(());

impl Running {
    /// `None` if another callback runs already.
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
    /// What was told so far; `Data` that came in a row is one.
    pub(crate) fn told(&self) -> Vec<Told> {
        self.told.borrow().clone()
    }

    pub(crate) fn has(&self, told: &Told) -> bool {
        self.told.borrow().contains(told)
    }

    pub(crate) fn count(&self, told: &Told) -> usize {
        self.told.borrow().iter().filter(|other| *other == told).count()
    }

    pub(crate) fn is_made(&self) -> bool {
        self.has(&Told::Made)
    }

    /// Why the connection was lost, once it was.
    pub(crate) fn lost(&self) -> Option<Lost> {
        match self.told.borrow().last() {
            Some(Told::Lost(lost)) => Some(lost.clone()),
            _ => None,
        }
    }

    pub(crate) fn is_lost(&self) -> bool {
        self.lost().is_some()
    }

    /// All that was received.
    pub(crate) fn data(&self) -> Vec<u8> {
        self.data.borrow().clone()
    }

    pub(crate) fn received(&self) -> usize {
        self.forgotten.get() + self.data.borrow().len()
    }

    /// Keeps nothing of what was received so far, and says how much that was in all.
    pub(crate) fn forget(&self) -> usize {
        let received = self.received();
        self.forgotten.set(received);
        self.data.take();
        received
    }

    /// How many callbacks there were.
    pub(crate) fn calls(&self) -> usize {
        self.calls.get()
    }

    /// The transport of the protocol, from `connection_made` on.
    pub(crate) fn transport(&self) -> Transport {
        self.transport.borrow().clone().expect("connection_made was told")
    }

    pub(crate) fn is_dropped(&self) -> bool {
        self.dropped.get()
    }

    /// Has the test fail at its end: a panic here would be contained by the loop.
    pub(crate) fn complain(&self, complaint: impl Into<String>) {
        self.complaints.borrow_mut().push(complaint.into());
    }

    fn enter(&self, told: Told, transport: &Transport) -> Running {
        self.calls.set(self.calls.get() + 1);
        self.transport.borrow_mut().get_or_insert_with(|| transport.clone());
        let mut list = self.told.borrow_mut();
        match (list.last_mut(), &told) {
            (Some(Told::Data(sum)), Told::Data(more)) => *sum += more,
            _ => list.push(told),
        }
        drop(list);
        self.run()
    }

    fn run(&self) -> Running {
        Running::new().unwrap_or_else(|| {
            self.complain("a callback inside a callback");
            Running(())
        })
    }

    /// What is wrong with the life of this protocol, at the end of all.
    pub(crate) fn faults(&self) -> Vec<String> {
        let told = self.told.borrow();
        let mut faults = self.complaints.borrow().clone();
        let mut must = |holds: bool, fault: &str| {
            if !holds {
                faults.push(format!("{fault}: {told:?}"));
            }
        };
        let is_lost = |told: &Told| matches!(told, Told::Lost(_));
        must(told.first() == Some(&Told::Made), "connection_made was not first");
        must(told.iter().filter(|told| **told == Told::Made).count() == 1, "made, but not once");
        must(told.last().is_some_and(is_lost), "connection_lost was not last");
        must(told.iter().filter(|told| is_lost(told)).count() == 1, "lost, but not once");
        must(self.dropped.get(), "the protocol was not dropped");
        let paused = told.iter().filter(|told| **told == Told::WritingPaused).count();
        let resumed = told.iter().filter(|told| **told == Told::WritingResumed).count();
        must(
            paused == resumed || paused == resumed + 1,
            "writing_paused and writing_resumed do not match",
        );
        faults
    }
}

/// All traces of a world, as a handle that may be moved into a factory.
#[derive(Clone, Default)]
pub(crate) struct Traces(Rc<RefCell<Vec<Rc<Trace>>>>);

impl Traces {
    /// Wraps a protocol so that its trace is judged at the end. Call it when the protocol is built, not before.
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

    /// The trace of the protocol that was built last.
    pub(crate) fn last(&self) -> Rc<Trace> {
        self.0.borrow().last().expect("a protocol was built").clone()
    }

    pub(crate) fn faults(&self) -> Vec<String> {
        self.all().iter().flat_map(|trace| trace.faults()).collect()
    }
}

/// A protocol whose callbacks are written down before it gets them.
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
            self.trace.complain("dropped before connection_lost");
        }
    }
}

impl<P: Protocol> Protocol for Watched<P> {
    fn connection_made(&mut self, transport: &Transport) {
        let _running = self.trace.enter(Told::Made, transport);
        self.inner.connection_made(transport);
    }

    fn data_received(&mut self, transport: &Transport, data: &[u8]) {
        let _running = self.trace.enter(Told::Data(data.len()), transport);
        self.trace.data.borrow_mut().extend_from_slice(data);
        self.inner.data_received(transport, data);
    }

    fn read_closed(&mut self, transport: &Transport) {
        let _running = self.trace.enter(Told::ReadClosed, transport);
        self.inner.read_closed(transport);
    }

    fn writing_paused(&mut self, transport: &Transport) {
        let _running = self.trace.enter(Told::WritingPaused, transport);
        self.inner.writing_paused(transport);
    }

    fn writing_resumed(&mut self, transport: &Transport) {
        let _running = self.trace.enter(Told::WritingResumed, transport);
        self.inner.writing_resumed(transport);
    }

    fn reading_resumed(&mut self, transport: &Transport) {
        let _running = self.trace.enter(Told::ReadingResumed, transport);
        self.inner.reading_resumed(transport);
    }

    fn timer_fired(&mut self, transport: &Transport, timer: TimerId) {
        let _running = self.trace.enter(Told::Timer(timer), transport);
        self.inner.timer_fired(transport, timer);
    }

    fn idle_timeout(&mut self, transport: &Transport) {
        let _running = self.trace.enter(Told::Idle, transport);
        self.inner.idle_timeout(transport);
    }

    fn drain_requested(&mut self, transport: &Transport) {
        let _running = self.trace.enter(Told::Drain, transport);
        self.inner.drain_requested(transport);
    }

    fn tls_started(&mut self, transport: &Transport) {
        let _running = self.trace.enter(Told::TlsStarted, transport);
        self.inner.tls_started(transport);
    }

    fn take_unread(&mut self, transport: &Transport) -> bytes::Bytes {
        let _running = self.trace.run();
        self.inner.take_unread(transport)
    }

    fn connection_lost(&mut self, transport: &Transport, reason: &ConnectionLost) {
        let _running = self.trace.enter(Told::Lost(reason.into()), transport);
        self.inner.connection_lost(transport, reason);
    }
}
