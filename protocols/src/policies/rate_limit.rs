//! A bound on how fast a peer is read: [`RateLimit`], a token bucket around any protocol.

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

/// How fast: so many bytes a second, and so many at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rate {
    per_second: u64,
    burst: u64,
}

impl Rate {
    /// So many bytes a second on average, at least 1; at once, as many as come in a second.
    #[must_use]
    pub const fn bytes_per_second(bytes: u64) -> Self {
        let bytes = if bytes == 0 { 1 } else { bytes };
        Self { per_second: bytes, burst: bytes }
    }

    /// How many bytes may come at once after a rest. What one read brings, 64 KiB at most, is delivered as a whole: less than that only
    /// makes the wait after it longer.
    #[must_use]
    pub const fn burst(mut self, bytes: u64) -> Self {
        self.burst = bytes;
        self
    }

    /// How long so many bytes take.
    fn time(self, bytes: u64) -> Duration {
        let nanoseconds = (u128::from(bytes) * NANOSECONDS).div_ceil(u128::from(self.per_second));
        Duration::from_nanos(u64::try_from(nanoseconds).unwrap_or(u64::MAX))
    }
}

/// A token bucket, kept as the time at which it will be full again. Pure: the time is told.
#[derive(Debug, Clone)]
struct Bucket {
    rate: Rate,
    full_at: Option<Instant>,
}

impl Bucket {
    const fn new(rate: Rate) -> Self {
        Self { rate, full_at: None }
    }

    /// Takes so many bytes out of it; how long it is empty after that.
    fn take(&mut self, bytes: usize, now: Instant) -> Duration {
        let cost = self.rate.time(bytes as u64);
        let begin = self.full_at.map_or(now, |full_at| full_at.max(now));
        // A time so far away that there is no such instant is far enough.
        let full_at = begin.checked_add(cost).unwrap_or(begin);
        self.full_at = Some(full_at);
        (full_at - now).saturating_sub(self.rate.time(self.rate.burst))
    }
}

/// A rate that several connections share: those of a port, or of a user. Cheap to clone.
#[derive(Debug, Clone)]
pub struct SharedRate {
    bucket: Rc<RefCell<Bucket>>,
}

impl SharedRate {
    /// As fast as this, all of them together.
    #[must_use]
    pub fn new(rate: Rate) -> Self {
        Self { bucket: Rc::new(RefCell::new(Bucket::new(rate))) }
    }
}

/// A protocol whose peer is read at a bounded rate. When more has come, the connection is not read until it has made up for that: the
/// peer's own sends block in the end, and nothing is kept here.
///
/// What the protocol pauses and resumes by itself is a thing apart. A connection that is given on, by a relay or
/// [`set_protocol`](Transport::set_protocol), leaves its limit behind; wrap the protocol that takes over as well.
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
    /// `protocol`, whose peer is read as fast as this.
    #[must_use]
    pub const fn new(protocol: P, rate: Rate) -> Self {
        Self { protocol, own: Bucket::new(rate), shared: None }
    }

    /// Keeps to a rate that others share, too.
    #[must_use]
    pub fn shared(mut self, rate: &SharedRate) -> Self {
        self.shared = Some(rate.clone());
        self
    }

    /// The protocol inside.
    pub const fn get_ref(&self) -> &P {
        &self.protocol
    }

    /// The protocol inside, to be changed.
    pub const fn get_mut(&mut self) -> &mut P {
        &mut self.protocol
    }

    /// The protocol inside, without the limit.
    pub fn into_inner(self) -> P {
        self.protocol
    }

    /// How long the connection has to rest for what has come.
    fn take(&mut self, bytes: usize, now: Instant) -> Duration {
        let own = self.own.take(bytes, now);
        let shared = self.shared.as_ref().map(|rate| rate.bucket.borrow_mut().take(bytes, now));
        own.max(shared.unwrap_or_default())
    }
}

impl<P: Protocol> Protocol for RateLimit<P> {
    fn data_received(&mut self, transport: &Transport, data: &[u8]) {
        let now = transport.reactor().map(|reactor| reactor.now());
        let rest = now.map_or(Duration::ZERO, |now| self.take(data.len(), now));
        self.protocol.data_received(transport, data);
        if !rest.is_zero() {
            transport.hold_reading(rest);
        }
    }

    forward_all_but_data!(protocol);
}
