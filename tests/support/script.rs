//! Protocols for tests: [`Script`] is a closure that hears everything, [`Echo`] and [`Sink`] do as they are called.

use sinew::prelude::*;

/// A callback, as a value.
pub(crate) enum What<'a> {
    Made,
    Data(&'a [u8]),
    ReadClosed,
    WritingPaused,
    WritingResumed,
    ReadingResumed,
    Timer(TimerId),
    Idle,
    Drain,
    Lost(&'a ConnectionLost),
}

/// A protocol in one closure. Nothing is done by default: a peer's end does not close, an idle timeout does not either.
pub(crate) struct Script<F>(pub(crate) F);

impl<F: FnMut(&Transport, What<'_>) + 'static> Protocol for Script<F> {
    fn connection_made(&mut self, transport: &Transport) {
        (self.0)(transport, What::Made);
    }

    fn data_received(&mut self, transport: &Transport, data: &[u8]) {
        (self.0)(transport, What::Data(data));
    }

    fn read_closed(&mut self, transport: &Transport) {
        (self.0)(transport, What::ReadClosed);
    }

    fn writing_paused(&mut self, transport: &Transport) {
        (self.0)(transport, What::WritingPaused);
    }

    fn writing_resumed(&mut self, transport: &Transport) {
        (self.0)(transport, What::WritingResumed);
    }

    fn reading_resumed(&mut self, transport: &Transport) {
        (self.0)(transport, What::ReadingResumed);
    }

    fn timer_fired(&mut self, transport: &Transport, timer: TimerId) {
        (self.0)(transport, What::Timer(timer));
    }

    fn idle_timeout(&mut self, transport: &Transport) {
        (self.0)(transport, What::Idle);
    }

    fn drain_requested(&mut self, transport: &Transport) {
        (self.0)(transport, What::Drain);
    }

    fn connection_lost(&mut self, transport: &Transport, reason: &ConnectionLost) {
        (self.0)(transport, What::Lost(reason));
    }
}

/// Answers with what it receives.
pub(crate) struct Echo;

impl Protocol for Echo {
    fn data_received(&mut self, transport: &Transport, data: &[u8]) {
        transport.write(data);
    }
}

/// Takes everything and says nothing.
pub(crate) struct Sink;

impl Protocol for Sink {
    fn data_received(&mut self, _: &Transport, _: &[u8]) {}
}

/// A producer in one closure.
pub(crate) struct Pull<F>(pub(crate) F);

impl<F: FnMut(&Transport) -> Production + 'static> Producer for Pull<F> {
    fn produce(&mut self, transport: &Transport) -> Production {
        (self.0)(transport)
    }
}
