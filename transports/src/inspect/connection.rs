//! What a connection is and does: [`ConnectionReport`]. `stream/report.rs` makes it.

use std::{fmt, net::SocketAddr, time::Duration};

use crate::{ConnectionId, Peer};

/// A connection at one moment.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct ConnectionReport {
    /// Its id.
    pub id: ConnectionId,
    /// The kind of stream.
    pub kind: StreamKind,
    /// The other end.
    pub peer: Peer,
    /// The address of this end, if it has one.
    pub local: Option<SocketAddr>,
    /// The address of the port that accepted it; `None` for a connection that this side has opened.
    pub port: Option<String>,
    /// Where it is in its life.
    pub state: ConnectionState,
    /// What keeps its input from being delivered; nothing if that is empty.
    pub paused: Vec<PausedBy>,
    /// Bytes that wait to be sent.
    pub queued: usize,
    /// Timers that run for it: the user's, the idle timeout and that of its close.
    pub timers: usize,
    /// The name of its protocol's type; `None` while it has none, or a callback of it runs.
    pub protocol: Option<&'static str>,
    /// What TLS has negotiated; `None` without TLS and before its handshake is done.
    pub tls: Option<TlsReport>,
    /// What was counted; `None` without [inspection](sinew_reactor::Builder::inspection).
    pub counts: Option<ConnectionCounts>,
}

/// What was counted for a connection.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct ConnectionCounts {
    /// Its age. A connection that was moved from another reactor begins anew.
    pub age: Duration,
    /// The time since something was last done for it.
    pub quiet: Duration,
    /// Bytes received, after TLS.
    pub received: u64,
    /// Bytes sent, before TLS.
    pub sent: u64,
    /// How often the loop has called it.
    pub calls: u64,
    /// How long the last call took, with all callbacks of the protocol in it.
    pub last: Duration,
    /// How long the longest call took.
    pub longest: Duration,
}

/// What TLS has negotiated for a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct TlsReport {
    /// The version of the protocol: `TLS 1.3`.
    pub version: &'static str,
    /// The cipher suite, by its IANA name.
    pub cipher: &'static str,
}

macro_rules! words {
    ($(#[$doc:meta])* $name:ident { $($(#[$item_doc:meta])* $item:ident = $word:literal,)* }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[non_exhaustive]
        pub enum $name {
            $($(#[$item_doc])* $item,)*
        }

        impl $name {
            /// The word for it, which reports and metrics use. Words do not change.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$item => $word,)*
                }
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(self.as_str())
            }
        }
    };
}
pub(super) use words;

words! {
    /// The kind of a stream, below TLS.
    StreamKind {
        /// TCP, and what a network of your own puts in its place.
        Tcp = "tcp",
        /// A Unix socket.
        Unix = "unix",
        /// In memory.
        Memory = "memory",
        /// Standard input and output.
        Stdio = "stdio",
        /// Pipes, as to a child process.
        Pipe = "pipe",
        /// Anything else.
        Other = "other",
    }
}

words! {
    /// Where a connection is in its life.
    ConnectionState {
        /// `connection_made` was not called yet.
        Starting = "starting",
        /// The handshake of TLS is not done.
        Handshaking = "handshaking",
        /// Open in both directions.
        Open = "open",
        /// The peer has ended its output.
        InputEnded = "input ended",
        /// This side has ended its output.
        OutputEnded = "output ended",
        /// Nothing can be sent any more; what was received is delivered.
        OutputFailed = "output failed",
        /// This side closes: what is queued is sent.
        Closing = "closing",
        /// This side has closed, and waits for the peer.
        Lingering = "lingering",
        /// Over; `connection_lost` is due or was called.
        Over = "over",
    }
}

words! {
    /// What keeps the input of a connection from being delivered.
    PausedBy {
        /// The protocol: [`Transport::pause_reading`](crate::Transport::pause_reading).
        User = "user",
        /// The queue is above its high watermark.
        Watermark = "watermark",
        /// A policy, such as a rate limit ([`Transport::hold_reading`](crate::Transport::hold_reading)) or a share of a turn
        /// ([`Transport::yield_turn`](crate::Transport::yield_turn)).
        Limit = "limit",
        /// The other end of its relay has no room.
        Relay = "relay",
        /// It is being handed over to another protocol or reactor.
        Handover = "handover",
        /// The handshake of TLS.
        Handshake = "handshake",
    }
}
