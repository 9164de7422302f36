//! A server over TCP or TLS: [`DnsConnection`], a thin handler of frames around the engine. Queries are read while others wait for their
//! answers, which are sent as they are ready, in any order (RFC 7766, section 7).
//!
//! Two clocks: a connection is closed after the idle timeout without a byte in either direction, and when it has sent no whole query for
//! as long while nothing is sent to it. Neither counts while answers are being made.

use std::{cell::Cell, fmt, net::IpAddr, rc::Rc};

use sinew_protocols::basic::{FrameHandler, FrameTransport, Framed, Int16};
use sinew_transports::{ConnectionLost, TimerId, Transport};

use super::{
    engine::{Engine, Outcome},
    query::Client,
    transfer::Sending,
};

/// The protocol of a connection of a [`DnsServer`](super::DnsServer).
pub type DnsProtocol = Framed<Int16, DnsConnection>;

/// One connection to a [`DnsServer`](super::DnsServer).
pub struct DnsConnection {
    engine: Rc<Engine>,
    /// The address that the connection is counted for.
    addr: Option<IpAddr>,
    flight: Rc<Flight>,
    /// Whether a whole query was received since the last tick.
    is_active: bool,
    /// Bytes that were queued at the last tick.
    queued: usize,
}

/// The queries of a connection that wait for their answers.
#[derive(Default)]
struct Flight {
    count: Cell<usize>,
    is_paused: Cell<bool>,
    /// The connection closes with the last answer.
    closes: Cell<bool>,
}

/// A query that waits for its answer. It counts until this is dropped, also when making the answer has panicked.
struct InFlight {
    flight: Rc<Flight>,
    transport: Transport,
    max: usize,
}

impl InFlight {
    /// Reading pauses with the last one of `max`.
    fn new(flight: &Rc<Flight>, transport: &Transport, max: usize) -> Self {
        flight.count.set(flight.count.get() + 1);
        if flight.count.get() >= max {
            flight.is_paused.set(true);
            transport.pause_reading();
        }
        Self { flight: flight.clone(), transport: transport.clone(), max }
    }
}

impl Drop for InFlight {
    fn drop(&mut self) {
        let Self { flight, transport, max } = self;
        flight.count.set(flight.count.get() - 1);
        if flight.closes.get() && flight.count.get() == 0 {
            return transport.lose_connection();
        }
        if flight.is_paused.get() && flight.count.get() < *max {
            flight.is_paused.set(false);
            transport.resume_reading();
        }
    }
}

impl DnsConnection {
    /// `None` if the address has too many connections.
    pub(super) fn new(engine: &Rc<Engine>, addr: Option<IpAddr>) -> Option<Self> {
        if let Some(addr) = addr {
            let mut connections = engine.connections.borrow_mut();
            let count = connections.entry(addr).or_default();
            if *count >= engine.config.connections_per_address_max {
                super::stats::count(&engine.counters.connections_refused);
                if *count == 0 {
                    connections.remove(&addr);
                }
                return None;
            }
            *count += 1;
        }
        super::stats::count(&engine.counters.connections);
        let engine = Rc::clone(engine);
        Some(Self { engine, addr, flight: Rc::default(), is_active: false, queued: 0 })
    }
}

impl DnsConnection {
    fn close_behind_answers(&self, transport: &Transport) {
        if self.flight.count.get() == 0 {
            transport.lose_connection();
        } else {
            // Reading is not resumed for further queries.
            self.flight.is_paused.set(false);
            self.flight.closes.set(true);
        }
    }
}

impl Drop for DnsConnection {
    fn drop(&mut self) {
        let Some(addr) = self.addr else { return };
        let mut connections = self.engine.connections.borrow_mut();
        if let Some(count) = connections.get_mut(&addr) {
            *count -= 1;
            if *count == 0 {
                connections.remove(&addr);
            }
        }
    }
}

impl FrameHandler<Int16> for DnsConnection {
    fn connection_made(&mut self, transport: &mut FrameTransport<'_, Int16>) {
        let timeout = self.engine.config.idle_timeout;
        transport.set_idle_timeout(timeout);
        transport.call_later(timeout);
    }

    fn frame_received(&mut self, transport: &mut FrameTransport<'_, Int16>, frame: &[u8]) {
        let Some(reactor) = transport.reactor() else { return };
        self.is_active = true;
        let client = Client { addr: transport.peer().socket_addr(), is_stream: true };
        match self.engine.receive(&reactor, frame, client) {
            Outcome::Nothing => {}
            Outcome::Respond(head, ready) => {
                self.engine.write(&reactor, &head, ready, |bytes| {
                    transport.write(bytes);
                });
            }
            Outcome::Later(head, deferred) => {
                let max = self.engine.config.in_flight_max;
                let in_flight = InFlight::new(&self.flight, transport, max);
                self.engine.wait(&reactor, deferred, move |engine, reactor, ready| {
                    engine.write(reactor, &head, ready, |bytes| {
                        in_flight.transport.write(bytes);
                    });
                });
            }
            Outcome::Transfer(head, changes) => {
                transport.stream(Sending::new(head, changes));
            }
        }
    }

    fn timer_fired(&mut self, transport: &mut FrameTransport<'_, Int16>, _: TimerId) {
        let queued = transport.queued();
        let is_idle = !self.is_active && self.flight.count.get() == 0 && queued == self.queued;
        if is_idle {
            return close(transport);
        }
        (self.is_active, self.queued) = (false, queued);
        transport.call_later(self.engine.config.idle_timeout);
    }

    fn idle_timeout(&mut self, transport: &mut FrameTransport<'_, Int16>) {
        if self.flight.count.get() == 0 {
            close(transport);
        }
    }

    /// The client has sent all its queries: the answers that are being made are still sent.
    fn read_closed(&mut self, transport: &mut FrameTransport<'_, Int16>) {
        self.close_behind_answers(transport);
    }

    fn drain_requested(&mut self, transport: &mut FrameTransport<'_, Int16>) {
        transport.pause_reading();
        self.close_behind_answers(transport);
    }

    fn connection_lost(
        &mut self,
        transport: &mut FrameTransport<'_, Int16>,
        reason: &ConnectionLost,
    ) {
        tracing::debug!(peer = %transport.peer(), %reason, "DNS connection closed");
    }
}

/// Closes a connection that is idle: a peer that does not read gets no more time.
fn close(transport: &Transport) {
    if transport.queued() > 0 {
        transport.abort();
    } else {
        transport.lose_connection();
    }
}

impl fmt::Debug for DnsConnection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DnsConnection")
            .field("in_flight", &self.flight.count.get())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::panic::{AssertUnwindSafe, catch_unwind};

    use super::*;

    #[test]
    fn a_query_whose_answer_panics_is_no_longer_in_flight() {
        let (transport, wire) = Transport::memory();
        let flight = Rc::<Flight>::default();
        let in_flight = InFlight::new(&flight, &transport, 1);
        assert!(flight.is_paused.get());
        flight.closes.set(true);
        let answer = AssertUnwindSafe(move || {
            let _in_flight = in_flight;
            panic!("while an answer is made");
        });
        assert!(catch_unwind(answer).is_err());
        assert_eq!(flight.count.get(), 0);
        assert!(wire.is_closing(), "it was the last answer");
    }
}
