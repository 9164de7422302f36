//! Public error type of moving a connection to another reactor ([`Transport::send_to`](crate::Transport::send_to)). The move
//! itself is in `stream/moving.rs`.

/// Why a connection does not move to another reactor. Nothing about it has changed.
#[derive(Clone, Copy, PartialEq, Eq, Hash, thiserror::Error)]
#[non_exhaustive]
pub enum SendToError {
    /// The connection is closing or over.
    #[error("the connection cannot move to another reactor: it is closing or over")]
    Closed,
    /// One direction has ended: the peer's end was received, or `close_write` was called.
    #[error("the connection cannot move to another reactor: one direction has ended")]
    HalfClosed,
    /// The connection uses TLS, whose session stays on its thread.
    #[error("a connection with TLS cannot move to another reactor")]
    Tls,
    /// The connection is not a plain TCP or Unix socket of the kernel: it is in memory, simulated, a pipe, or wrapped by an
    /// observer or by fault injection.
    #[error("only a plain TCP or Unix socket can move to another reactor")]
    NotASocket,
    /// The connection is relayed to another, which stays.
    #[error("a relayed connection cannot move to another reactor")]
    Relayed,
    /// A handover to another protocol, or a move, is pending already.
    #[error("the connection cannot move to another reactor: a handover is pending")]
    Pending,
    /// Received file descriptors wait for `take_descriptor`.
    #[error("the connection cannot move to another reactor: received descriptors wait to be taken")]
    ReceivedDescriptors,
    /// This system cannot move a socket from one event queue to another (Windows).
    #[error("this system cannot move an open connection to another reactor")]
    Unsupported,
    /// The connection's reactor is not one of [`Reactors`](crate::reactors::Reactors).
    #[error("the connection's reactor runs alone: start it by Reactors")]
    NoReactors,
    /// There is no reactor with this index.
    #[error("there is no reactor {shard} among {shards}")]
    NoSuchShard {
        /// The index.
        shard: usize,
        /// The number of reactors.
        shards: usize,
    },
    /// The connection is on this reactor already.
    #[error("the connection is on reactor {shard} already")]
    AlreadyThere {
        /// The index.
        shard: usize,
    },
    /// That reactor has stopped, or its port does not accept connections now.
    #[error(
        "reactor {shard} does not accept connections: it has stopped, or its port is closed or paused"
    )]
    Stopped {
        /// The index.
        shard: usize,
    },
    /// Too many connections are on their way to that reactor.
    #[error("too many connections are on their way to reactor {shard}")]
    Full {
        /// The index.
        shard: usize,
    },
    /// No factory of that reactor could build its next protocol: the connection was not accepted by a port that all reactors
    /// share. Use [`send_to_with`](crate::Transport::send_to_with).
    #[error(
        "the connection is not of a port that the reactors share, so there is no factory for its next protocol; use send_to_with"
    )]
    NoFactory,
}

sinew_reactor::error_debug!(SendToError);
