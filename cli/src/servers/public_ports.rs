//! Limits of the ports of servers that anyone can reach, by default: [`PublicPorts`]. A process that has no descriptors left serves nobody, and
//! can store no message that it has begun to receive; one client must not be able to bring that about.

use rustix::process::{Resource, getrlimit};
use sinew::prelude::ListenConfig;

/// Descriptors that are not for connections of clients: listening sockets, the queue, deliveries to other servers, logs.
const RESERVED: u64 = 128;

/// The most connections of a port, and the most of one client, where there are enough descriptors.
const CONNECTIONS_MAX: u64 = 10_000;
const PER_IP_MAX: u64 = 50;

/// The fewest, whatever the limit of the process is.
const CONNECTIONS_MIN: u64 = 4;
const PER_IP_MIN: u64 = 2;

/// The limits of each of the ports of a server, which `max_connections` and `max_per_ip` replace.
///
/// | limit | default |
/// |---|---|
/// | connections of a port | the descriptors that the process may open (`RLIMIT_NOFILE`), without 128; half of that, since a connection also opens files; shared equally by the ports; at most 10,000, at least 4 |
/// | connections of a client | a quarter of that; at most 50, at least 2 |
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct PublicPorts {
    connections: usize,
    per_ip: usize,
}

impl PublicPorts {
    /// The limits of so many ports in this process.
    pub(super) fn new(ports: usize) -> Self {
        Self::with(getrlimit(Resource::Nofile).current, ports)
    }

    /// `None`: there may be any number of descriptors.
    fn with(descriptors: Option<u64>, ports: usize) -> Self {
        let free = descriptors.unwrap_or(u64::MAX).saturating_sub(RESERVED);
        let connections = free / 2 / (ports as u64).max(1);
        let connections = connections.clamp(CONNECTIONS_MIN, CONNECTIONS_MAX);
        let per_ip = (connections / 4).clamp(PER_IP_MIN, PER_IP_MAX);
        // Both are small numbers.
        Self { connections: connections as usize, per_ip: per_ip as usize }
    }

    /// For a port that clients connect to.
    pub(super) fn config(self) -> ListenConfig {
        self.config_without_clients().max_per_ip(self.per_ip)
    }

    /// For a port that another server connects to for its clients, as a proxy does, or whose protocol counts clients itself.
    pub(super) fn config_without_clients(self) -> ListenConfig {
        ListenConfig::default().max_connections(self.connections)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_leave_descriptors() {
        for (descriptors, ports, connections, per_ip) in [
            (Some(0), 6, 4, 2),
            (Some(200), 5, 7, 2),
            (Some(200), 1, 36, 9),
            (Some(256), 1, 64, 16),
            (Some(1_024), 6, 74, 18),
            (Some(1_024), 1, 448, 50),
            (Some(20_000), 6, 1_656, 50),
            (Some(1 << 20), 1, 10_000, 50),
            (Some(1_024), 0, 448, 50),
            (None, 6, 10_000, 50),
        ] {
            let expected = PublicPorts { connections, per_ip };
            assert_eq!(PublicPorts::with(descriptors, ports), expected, "{descriptors:?} {ports}");
        }
    }
}
