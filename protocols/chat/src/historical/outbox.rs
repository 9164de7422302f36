//! What a server sends to one client: [`Outbox`], frames with their numbers.

use std::cell::Cell;

use sinew_transports::Transport;

use super::flap::{Channel, Flap};

/// Bytes that may wait for a client that does not read; it is disconnected past it.
const QUEUED_MAX: usize = 64 * 1024;

pub(super) struct Outbox {
    transport: Transport,
    sequence: Cell<u16>,
}

impl Outbox {
    pub(super) fn new(transport: &Transport) -> Self {
        Self { transport: transport.clone(), sequence: Cell::new(0) }
    }

    pub(super) fn transport(&self) -> &Transport {
        &self.transport
    }

    /// Sends a frame. What is too long for one is not sent, and ends the connection: the servers make none.
    pub(super) fn send(&self, channel: Channel, data: &[u8]) {
        if self.transport.is_closing() {
            return;
        }
        let sequence = self.sequence.get();
        self.sequence.set(sequence.wrapping_add(1));
        match (Flap { channel, sequence, data }).encode() {
            Some(frame) if self.transport.queued() + frame.len() <= QUEUED_MAX => {
                self.transport.write(&frame);
            }
            Some(_) => {
                tracing::info!(peer = %self.transport.peer(), "a client that does not read is disconnected");
                self.transport.abort();
            }
            None => {
                tracing::error!(len = data.len(), "a frame is too long");
                self.transport.abort();
            }
        }
    }
}
