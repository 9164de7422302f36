//! Counters of a server: [`ServerStats`].

use std::cell::Cell;

macro_rules! counters {
    ($($(#[$doc:meta])+ $name:ident,)+) => {
        /// What a server has done since it was made. Read by [`DnsServer::stats`](super::DnsServer::stats).
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
        #[non_exhaustive]
        pub struct ServerStats {
            $($(#[$doc])+ pub $name: u64,)+
        }

        /// The same, while it counts.
        #[derive(Debug, Default)]
        pub(super) struct Counters {
            $(pub(super) $name: Cell<u64>,)+
        }

        impl Counters {
            pub(super) fn read(&self) -> ServerStats {
                ServerStats { $($name: self.$name.get(),)+ }
            }
        }
    };
}

counters! {
    /// Messages that were received over UDP.
    udp_messages,
    /// Messages that were received over TCP or TLS.
    stream_messages,
    /// Responses that were sent.
    responses,
    /// Messages that are no queries, or too short to be answered.
    dropped,
    /// Queries that could not be decoded (FORMERR).
    malformed,
    /// Queries that were refused (REFUSED), by an ACL or since no zone is here.
    refused,
    /// Responses that a name does not exist (NXDOMAIN).
    no_such_name,
    /// Responses that an answer could not be made (SERVFAIL).
    failed,
    /// Responses over UDP that did not fit (TC).
    truncated,
    /// Responses that were replaced by "ask over TCP", by response rate limiting.
    rate_truncated,
    /// Responses that were dropped, by response rate limiting.
    rate_dropped,
    /// Queries with a cookie of this server that is valid.
    valid_cookies,
    /// Signed queries with a signature that is wrong.
    bad_signatures,
    /// Zone transfers that were begun.
    transfers,
    /// Notifications that were received.
    notifications,
    /// Connections that were accepted.
    connections,
    /// Connections that were refused, since the address has too many.
    connections_refused,
}

/// Adds one.
pub(super) fn count(counter: &Cell<u64>) {
    counter.set(counter.get().wrapping_add(1));
}
