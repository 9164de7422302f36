//! What happens to a stream in memory that no bytes on its wire can bring about: failures of the system's calls, and an end from
//! outside. For replays of recordings.

use std::io;

use super::Wire;
use crate::disconnect::ConnectionLost;

impl Wire {
    /// Has the stream take it that a read has failed like that: the connection is lost.
    pub fn fail_input(&self, error: io::Error) {
        if let Some(reactor) = self.reactor.upgrade() {
            self.transport.input_failed(&reactor, error);
        }
    }

    /// Has the stream take it that a write has failed like that: it sends nothing more, and what has arrived is still delivered.
    pub fn fail_output(&self, error: io::Error) {
        if let Some(reactor) = self.reactor.upgrade() {
            self.transport.output_failed(&reactor, error);
        }
    }

    /// Ends the connection for this reason, whatever state it is in; the protocol is told at the end of the loop's turn.
    pub fn lose(&self, reason: ConnectionLost) {
        if let Some(reactor) = self.reactor.upgrade() {
            self.transport.lose(&reactor, reason);
        }
    }

    /// Has the idle timeout count as if the system had just taken output.
    pub fn note_output_taken(&self) {
        if let Some(reactor) = self.reactor.upgrade() {
            self.transport.reset_idle_timer_sent(&reactor);
        }
    }
}
