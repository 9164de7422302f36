//! What a stream keeps of a handover, or of a move to another reactor, that is not complete: [`Handover`]. Data only.

use std::cell::Cell;
#[cfg(unix)]
use std::rc::Rc;

use bytes::Bytes;
#[cfg(unix)]
use sinew_reactor::Reactor;

#[cfg(unix)]
use super::handed::HandedConnection;
use super::on_demand::is_some;
use crate::{Peer, dyn_protocol::DynProtocol};

/// Handover state of a stream.
#[derive(Default)]
pub(super) struct Handover {
    /// The new protocol, until it takes over.
    pub(super) successor: Cell<Option<DynProtocol>>,
    /// The move to another reactor, until all output is sent.
    pub(super) moving: Cell<Option<Box<Move>>>,
    /// Unread input that the old protocol returned and that is not delivered yet.
    pub(super) unread: Cell<Bytes>,
    /// The old protocol's `read_closed` was called, so the new one's has to be called as well.
    pub(super) eof_pending: Cell<bool>,
}

impl Handover {
    /// Whether a handover to another protocol, or a move to another reactor, is pending.
    pub(super) fn is_pending(&self) -> bool {
        is_some(&self.successor) || is_some(&self.moving)
    }

    /// Whether there is unread input.
    pub(super) fn is_unread(&self) -> bool {
        let unread = self.unread.take();
        let is_unread = !unread.is_empty();
        self.unread.set(unread);
        is_unread
    }

    /// Whether nothing is left to be done.
    pub(super) fn is_unused(&self) -> bool {
        !self.is_pending() && !self.is_unread() && !self.eof_pending.get()
    }

    /// Drops the unread input.
    pub(super) fn clear(&self) {
        self.unread.take();
    }
}

/// A requested move.
pub(super) enum Move {
    /// To another reactor.
    ToReactor {
        shard: usize,
        /// Makes the next protocol; `None` leaves that to the factory of the port there.
        make: Option<MakeProtocol>,
    },
    /// To another process: the closure sends it there.
    #[cfg(unix)]
    Away(SendAway),
}

/// Sends a connection to another process.
#[cfg(unix)]
pub(crate) type SendAway = Rc<dyn Fn(&Reactor, HandedConnection)>;

/// Makes the next protocol of a connection, on the reactor that it moves to.
pub(super) type MakeProtocol = Box<dyn FnOnce(&Peer) -> DynProtocol + Send>;

/// What a connection takes along to another reactor.
pub(super) struct Moved {
    /// Received, and not used by its protocol.
    pub(super) unread: Bytes,
    /// Makes its next protocol; `None` leaves that to the factory of the port.
    pub(super) make: Option<MakeProtocol>,
}
