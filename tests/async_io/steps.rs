//! Fixture: a stream in memory whose far end the test holds, and futures that are polled step by step.

use std::{
    future::Future,
    pin::pin,
    task::{Context, Poll, Waker},
};

use sinew::{
    prelude::*,
    transports::{
        AsyncStream, ConnectionLost,
        memory::{self, Wire},
    },
};

/// A stream over a wire, on a simulated reactor.
pub(crate) struct Steps {
    pub(crate) reactor: Reactor,
    pub(crate) wire: Wire,
    pub(crate) stream: AsyncStream,
}

struct Before;

impl Protocol for Before {
    fn data_received(&mut self, _: &Transport, _: &[u8]) {}
    fn connection_lost(&mut self, _: &Transport, reason: &ConnectionLost) {
        assert!(matches!(reason, ConnectionLost::HandedOver));
    }
}

impl Steps {
    pub(crate) fn new() -> Self {
        Self::with(StreamConfig::default())
    }

    pub(crate) fn with(config: StreamConfig) -> Self {
        let reactor = Reactor::simulated(0);
        let (connection, wire) = memory::connect(&reactor, config, Before).unwrap();
        let stream = AsyncStream::take_over(connection.transport()).unwrap();
        let steps = Self { reactor, wire, stream };
        steps.turn();
        steps
    }

    pub(crate) fn turn(&self) {
        self.reactor.advance(std::time::Duration::ZERO).unwrap();
    }

    /// Delivers bytes.
    pub(crate) fn receive(&self, data: &[u8]) {
        self.wire.receive(data);
        self.turn();
    }
}

/// Polls a future once and drops it.
pub(crate) fn once<F: Future>(future: F) -> Option<F::Output> {
    let future = pin!(future);
    match future.poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(value) => Some(value),
        Poll::Pending => None,
    }
}
