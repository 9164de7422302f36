//! The protocol behind a stream of tasks: [`TaskProtocol`]. It stores what happens in the [`Core`]; tasks take it from there.

use std::rc::Rc;

use bytes::Bytes;

use super::{
    AsyncStream,
    core::{Core, ENDED, TLS_STARTED},
};
use crate::{ConnectionLost, Protocol, Transport};

/// Where a stream goes when its connection is ready.
pub(super) trait StreamReceiver {
    fn stream_made(&self, stream: AsyncStream);
}

/// The protocol of a connection that belongs to tasks.
pub(super) enum TaskProtocol {
    /// The connection is not ready yet.
    New(Rc<dyn StreamReceiver>),
    /// The connection is open.
    Open(Rc<Core>),
}

impl TaskProtocol {
    fn core(&self) -> Option<&Core> {
        match self {
            Self::New(_) => None,
            Self::Open(core) => Some(core),
        }
    }
}

impl Protocol for TaskProtocol {
    fn connection_made(&mut self, transport: &Transport) {
        // Tasks read as they need to: one half reads while the other waits for room.
        transport.set_auto_pause(false);
        if let Self::New(receiver) = self {
            let receiver = receiver.clone();
            let core = Rc::new(Core::new(transport.clone(), 0));
            *self = Self::Open(core.clone());
            receiver.stream_made(AsyncStream::new(core));
        }
    }

    fn data_received(&mut self, _: &Transport, data: &[u8]) {
        if let Some(core) = self.core() {
            core.received(data);
        }
    }

    fn read_closed(&mut self, _: &Transport) {
        if let Some(core) = self.core() {
            core.set(ENDED);
            core.wake_reader();
        }
    }

    fn tls_started(&mut self, _: &Transport) {
        if let Some(core) = self.core() {
            core.set(TLS_STARTED);
            core.wake_reader();
        }
    }

    fn idle_timeout(&mut self, transport: &Transport) {
        if let Some(core) = self.core() {
            core.ended(&ConnectionLost::TimedOut);
        }
        transport.lose_connection();
    }

    /// Only the task knows whether a request is open, so the connection stays open until the task or the deadline ends it.
    fn drain_requested(&mut self, _: &Transport) {
        if let Some(core) = self.core() {
            core.drain_requested();
        }
    }

    fn take_unread(&mut self, _: &Transport) -> Bytes {
        let unread = self.core().and_then(Core::take_unread);
        unread.map(|unread| unread.into_vec().into()).unwrap_or_default()
    }

    fn connection_lost(&mut self, _: &Transport, reason: &ConnectionLost) {
        if let Some(core) = self.core() {
            core.ended(reason);
        }
    }
}
