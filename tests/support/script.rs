//! Protocols for tests: [`Script`] calls a closure for every callback; [`Echo`] and [`Sink`].

use sinew::prelude::*;

/// A callback with its arguments.
pub(crate) enum Event<'a> {
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

/// A protocol implemented by one closure. Nothing happens by default: neither EOF nor an idle timeout closes the
/// connection.
pub(crate) struct Script<F>(pub(crate) F);

impl<F: FnMut(&Transport, Event<'_>) + 'static> Protocol for Script<F> {
    fn connection_made(&mut self, transport: &Transport) {
        (self.0)(transport, Event::Made);
    }

    fn data_received(&mut self, transport: &Transport, data: &[u8]) {
        (self.0)(transport, Event::Data(data));
    }

    fn read_closed(&mut self, transport: &Transport) {
        (self.0)(transport, Event::ReadClosed);
    }

    fn writing_paused(&mut self, transport: &Transport) {
        (self.0)(transport, Event::WritingPaused);
    }

    fn writing_resumed(&mut self, transport: &Transport) {
        (self.0)(transport, Event::WritingResumed);
    }

    fn reading_resumed(&mut self, transport: &Transport) {
        (self.0)(transport, Event::ReadingResumed);
    }

    fn timer_fired(&mut self, transport: &Transport, timer: TimerId) {
        (self.0)(transport, Event::Timer(timer));
    }

    fn idle_timeout(&mut self, transport: &Transport) {
        (self.0)(transport, Event::Idle);
    }

    fn drain_requested(&mut self, transport: &Transport) {
        (self.0)(transport, Event::Drain);
    }

    fn connection_lost(&mut self, transport: &Transport, reason: &ConnectionLost) {
        (self.0)(transport, Event::Lost(reason));
    }
}

/// Sends back what it receives.
pub(crate) struct Echo;

impl Protocol for Echo {
    fn data_received(&mut self, transport: &Transport, data: &[u8]) {
        transport.write(data);
    }
}

/// Discards what it receives.
pub(crate) struct Sink;

impl Protocol for Sink {
    fn data_received(&mut self, _: &Transport, _: &[u8]) {}
}

/// A producer implemented by one closure.
pub(crate) struct Pull<F>(pub(crate) F);

impl<F: FnMut(&Transport) -> Production + 'static> Producer for Pull<F> {
    fn produce(&mut self, transport: &Transport) -> Production {
        (self.0)(transport)
    }
}
