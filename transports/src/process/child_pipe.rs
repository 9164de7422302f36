//! One pipe to a child: [`ChildPipe`], the protocol of its connection, which passes on to the protocol of the process.

use std::rc::Rc;

use super::{ChildFd, lifecycle::Life};
use crate::{ConnectionLost, Protocol, Transport};

/// See the head of this file.
pub(super) struct ChildPipe {
    pub(super) life: Rc<Life>,
    pub(super) fd: ChildFd,
}

impl Protocol for ChildPipe {
    fn data_received(&mut self, _: &Transport, data: &[u8]) {
        self.life.tell(|protocol, process| protocol.data_received(process, self.fd, data));
    }

    fn writing_paused(&mut self, _: &Transport) {
        self.life.tell(|protocol, process| protocol.input_paused(process, self.fd));
    }

    fn writing_resumed(&mut self, _: &Transport) {
        self.life.tell(|protocol, process| protocol.input_resumed(process, self.fd));
    }

    fn connection_lost(&mut self, transport: &Transport, _: &ConnectionLost) {
        // First of all it is counted: what follows is user code, which may panic.
        self.life.channel_closed(transport.reactor().as_ref(), self.fd);
        self.life.tell(|protocol, process| protocol.channel_closed(process, self.fd));
    }
}
