//! Receive rate limiting: [`RateLimit`], a token bucket around any protocol.

#[cfg(test)]
mod tests;

use std::{
    cell::RefCell,
    rc::Rc,
    time::{Duration, Instant},
};

use bytes::Bytes;
use sinew_transports::{ConnectionLost, Protocol, TimerId, Transport};

use super::forward_all_but_data;

const NANOSECONDS: u128 = 1_000_000_000;

/// A rate in bytes per second, with a burst size.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rate {
    per_second: u64,
    burst: u64,
}

impl Rate {
    /// `bytes` bytes per second on average, at least 1. The burst size is one second's worth.
    #[must_use]
    pub const fn bytes_per_second(bytes: u64) -> Self {
        let bytes = if bytes == 0 { 1 } else { bytes };
        Self { per_second: bytes, burst: bytes }
    }

    /// Maximum number of bytes received at once after an idle period. The data of one read (up to 64 KiB) are always
    /// delivered as a whole, so a smaller burst only makes the following pause longer.
    #[must_use]
    pub const fn burst(mut self, bytes: u64) -> Self {
        self.burst = bytes;
        self
    }

    /// How long `bytes` bytes take at this rate.
    fn time(self, bytes: u64) -> Duration {
        let nanoseconds = (u128::from(bytes) * NANOSECONDS).div_ceil(u128::from(self.per_second));
        Duration::from_nanos(u64::try_from(nanoseconds).unwrap_or(u64::MAX))
    }
}

/// A token bucket, stored as the time at which it will be full again. Pure: the time is an argument.
#[derive(Debug, Clone)]
struct Bucket {
    rate: Rate,
    full_at: Option<Instant>,
}

impl Bucket {
    const fn new(rate: Rate) -> Self {
        Self { rate, full_at: None }
    }

    /// Takes `bytes` bytes and returns how long the bucket will stay empty.
    fn take(&mut self, bytes: usize, now: Instant) -> Duration {
        let cost = self.rate.time(bytes as u64);
        let begin = self.full_at.map_or(now, |full_at| full_at.max(now));
        // Saturates: an instant that cannot be represented is never reached anyway.
        let full_at = begin.checked_add(cost).unwrap_or(begin);
        self.full_at = Some(full_at);
        (full_at - now).saturating_sub(self.rate.time(self.rate.burst))
    }
}

/// A rate shared by several connections, such as those of a port or of a user. Cheap to clone.
#[derive(Debug, Clone)]
pub struct SharedRate {
    bucket: Rc<RefCell<Bucket>>,
}

impl SharedRate {
    /// A shared bucket for `rate`, which applies to all its users together.
    #[must_use]
    pub fn new(rate: Rate) -> Self {
        Self { bucket: Rc::new(RefCell::new(Bucket::new(rate))) }
    }
}

/// A protocol whose peer is read at a limited rate. After too much input the connection is not read for a while:
/// backpressure reaches the peer through TCP, and nothing is buffered here.
///
/// Independent of the protocol's own pauses. A connection that is handed over, to a relay or with
/// [`set_protocol`](Transport::set_protocol), loses its limit; wrap the protocol that takes over as well.
///
/// # Examples
///
/// ```
/// use sinew_protocols::{policies::{Rate, RateLimit, SharedRate}, wire::Echo};
/// use sinew_transports::{Peer, Factory};
///
/// fn limited() -> impl Factory {
///     let each = Rate::bytes_per_second(64 * 1024).burst(256 * 1024);
///     let all = SharedRate::new(Rate::bytes_per_second(10 * 1024 * 1024));
///     move |_: &Peer| RateLimit::new(Echo, each).shared(&all)
/// }
/// # let _ = limited();
/// ```
#[derive(Debug)]
pub struct RateLimit<P> {
    protocol: P,
    own: Bucket,
    shared: Option<SharedRate>,
}

impl<P> RateLimit<P> {
    /// `protocol`, whose peer is read at `rate` at most.
    #[must_use]
    pub const fn new(protocol: P, rate: Rate) -> Self {
        Self { protocol, own: Bucket::new(rate), shared: None }
    }

    /// Also applies a rate shared with others.
    #[must_use]
    pub fn shared(mut self, rate: &SharedRate) -> Self {
        self.shared = Some(rate.clone());
        self
    }

    /// The protocol inside.
    pub const fn get_ref(&self) -> &P {
        &self.protocol
    }

    /// Mutable access to the protocol inside.
    pub const fn get_mut(&mut self) -> &mut P {
        &mut self.protocol
    }

    /// The protocol inside, without the limit.
    pub fn into_inner(self) -> P {
        self.protocol
    }

    /// How long reading has to pause after `bytes` bytes.
    fn take(&mut self, bytes: usize, now: Instant) -> Duration {
        let own = self.own.take(bytes, now);
        let shared = self.shared.as_ref().map(|rate| rate.bucket.borrow_mut().take(bytes, now));
        own.max(shared.unwrap_or_default())
    }
}

impl<P: Protocol> Protocol for RateLimit<P> {
    fn data_received(&mut self, transport: &Transport, data: &[u8]) {
        let now = transport.reactor().map(|reactor| reactor.now());
        let pause = now.map_or(Duration::ZERO, |now| self.take(data.len(), now));
        self.protocol.data_received(transport, data);
        if !pause.is_zero() {
            transport.hold_reading(pause);
        }
    }

    forward_all_but_data!(protocol);
}
