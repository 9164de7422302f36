//! One pipe to a child process: [`ChildPipe`], a protocol that passes its callbacks on to the `ProcessProtocol`.

use std::rc::Rc;

use super::{ChildFd, lifecycle::Lifecycle};
use crate::{ConnectionLost, Protocol, Transport};

/// The protocol of a pipe to a child.
pub(super) struct ChildPipe {
    pub(super) lifecycle: Rc<Lifecycle>,
    pub(super) fd: ChildFd,
}

impl Protocol for ChildPipe {
    fn data_received(&mut self, _: &Transport, data: &[u8]) {
        self.lifecycle
            .with_protocol(|protocol, process| protocol.data_received(process, self.fd, data));
    }

    fn writing_paused(&mut self, _: &Transport) {
        self.lifecycle.with_protocol(|protocol, process| protocol.input_paused(process, self.fd));
    }

    fn writing_resumed(&mut self, _: &Transport) {
        self.lifecycle.with_protocol(|protocol, process| protocol.input_resumed(process, self.fd));
    }

    fn connection_lost(&mut self, transport: &Transport, _: &ConnectionLost) {
        // Counted first, since user code may panic.
        self.lifecycle.channel_closed(transport.reactor().as_ref(), self.fd);
        self.lifecycle.with_protocol(|protocol, process| protocol.channel_closed(process, self.fd));
    }
}
