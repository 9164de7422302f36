//! What a stream keeps of a handover that is not complete: [`Handover`]. Data only.

use std::cell::Cell;

use bytes::Bytes;

use crate::dyn_protocol::DynProtocol;

/// Handover state of a stream.
#[derive(Default)]
pub(super) struct Handover {
    /// The new protocol, until it takes over.
    pub(super) successor: Cell<Option<DynProtocol>>,
    /// Unread input that the old protocol returned and that is not delivered yet.
    pub(super) unread: Cell<Bytes>,
    /// The old protocol's `read_closed` was called, so the new one's has to be called as well.
    pub(super) eof_pending: Cell<bool>,
}
