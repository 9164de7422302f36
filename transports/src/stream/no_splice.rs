//! Replaces `splice.rs` on systems without `splice(2)`: moves nothing, so relays always copy.

use std::io;

use sinew_reactor::Reactor;

use super::socket::StreamSocket;
use crate::Transport;

/// A pipe that is always empty.
pub(super) struct SplicePipe;

impl SplicePipe {
    pub(super) const fn new(_: &Reactor) -> Self {
        Self
    }

    pub(super) const fn enable(&self) {}

    pub(super) const fn is_empty(&self) -> bool {
        true
    }

    pub(super) fn fill(
        &self,
        _: &dyn StreamSocket,
        _: &dyn StreamSocket,
    ) -> Option<io::Result<usize>> {
        None
    }

    pub(super) const fn drain(&self, _: &Reactor, _: &Transport) -> bool {
        true
    }

    pub(super) const fn discard(&self) {}
}
