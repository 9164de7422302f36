//! How often connections may come: [`Throttle`]. How fast commands may come is in `bucket.rs`. Pure: time is an argument.

use std::{
    collections::HashMap,
    net::IpAddr,
    time::{Duration, Instant},
};

use sinew_transports::client_network;

/// Networks whose connections are counted. More are not, until old ones are forgotten.
const NETWORKS_MAX: usize = 65_536;
/// How often old ones are looked for, since that takes time.
const SWEEP: Duration = Duration::from_secs(1);

/// Counts connections by network.
#[derive(Debug, Default)]
pub(super) struct Throttle {
    networks: HashMap<IpAddr, Counts>,
    swept: Option<Instant>,
}

#[derive(Debug)]
struct Counts {
    clients: usize,
    connects: u32,
    since: Instant,
}

/// Why a connection is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Throttled {
    TooMany,
    TooFast,
}

impl Throttle {
    /// A connection has come. If it is let in, it has to [leave](Self::leave) later.
    pub(super) fn enter(
        &mut self,
        now: Instant,
        ip: IpAddr,
        clients_max: usize,
        (connects, within): (u32, Duration),
    ) -> Result<(), Throttled> {
        let network = client_network(ip, 64);
        if self.networks.len() >= NETWORKS_MAX && !self.networks.contains_key(&network) {
            self.sweep(now, within);
            if self.networks.len() >= NETWORKS_MAX {
                return Ok(());
            }
        }
        let counts = self.networks.entry(network);
        let counts = counts.or_insert(Counts { clients: 0, connects: 0, since: now });
        if now.saturating_duration_since(counts.since) >= within {
            (counts.connects, counts.since) = (0, now);
        }
        counts.connects = counts.connects.saturating_add(1);
        if counts.connects > connects {
            return Err(Throttled::TooFast);
        }
        if counts.clients >= clients_max {
            return Err(Throttled::TooMany);
        }
        counts.clients += 1;
        Ok(())
    }

    /// Forgets networks without clients that have not connected lately.
    fn sweep(&mut self, now: Instant, within: Duration) {
        let is_due = self.swept.is_none_or(|swept| now.saturating_duration_since(swept) >= SWEEP);
        if is_due {
            self.swept = Some(now);
            self.networks.retain(|_, counts| {
                counts.clients > 0 || now.saturating_duration_since(counts.since) < within
            });
        }
    }

    pub(super) fn leave(&mut self, ip: IpAddr) {
        if let Some(counts) = self.networks.get_mut(&client_network(ip, 64)) {
            counts.clients = counts.clients.saturating_sub(1);
        }
    }
}

#[cfg(test)]
mod tests {
    use sinew_transports::reactor::Reactor;

    use super::*;

    #[test]
    fn connections_of_a_network() {
        let start = Reactor::simulated(0).now();
        let second = |seconds| start + Duration::from_secs(seconds);
        let mut throttle = Throttle::default();
        let mut enter =
            |at, ip: &str| throttle.enter(at, ip.parse().unwrap(), 2, (3, Duration::from_secs(10)));
        // One network of 64 bits.
        assert_eq!(enter(second(0), "2001:db8::1"), Ok(()));
        assert_eq!(enter(second(0), "2001:db8::2"), Ok(()));
        assert_eq!(enter(second(0), "2001:db8:0:1::2"), Ok(()));
        assert_eq!(enter(second(0), "2001:db8::3"), Err(Throttled::TooMany));
        assert_eq!(enter(second(0), "2001:db8::3"), Err(Throttled::TooFast));
        assert_eq!(enter(second(10), "2001:db8::3"), Err(Throttled::TooMany));
        throttle.leave("2001:db8::7".parse().unwrap());
        let mut enter =
            |at, ip: &str| throttle.enter(at, ip.parse().unwrap(), 2, (3, Duration::from_secs(10)));
        assert_eq!(enter(second(10), "2001:db8::3"), Ok(()));
        assert_eq!(enter(second(10), "192.0.2.1"), Ok(()));
    }

    /// Networks that nobody counts do not take memory, nor time to look for room.
    #[test]
    fn networks_are_bounded() {
        let start = Reactor::simulated(0).now();
        let mut throttle = Throttle::default();
        let within = Duration::from_secs(60);
        let network = |number: u32| IpAddr::from(number.to_be_bytes());
        for number in 0..NETWORKS_MAX as u32 + 100 {
            assert_eq!(throttle.enter(start, network(number), 1, (1, within)), Ok(()));
        }
        assert_eq!(throttle.networks.len(), NETWORKS_MAX);
        // The known ones are counted still, and the others have room when those are gone.
        assert_eq!(throttle.enter(start, network(0), 1, (1, within)), Err(Throttled::TooFast));
        throttle.leave(network(0));
        let later = start + within;
        assert_eq!(throttle.enter(later, network(u32::MAX), 1, (1, within)), Ok(()));
        assert_eq!(
            throttle.enter(later, network(u32::MAX), 1, (1, within)),
            Err(Throttled::TooFast)
        );
    }
}
