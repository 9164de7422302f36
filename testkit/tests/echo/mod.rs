//! The protocol of the recordings: an echo whose answers can be made wrong.

use sinew_transports::{Peer, Protocol, Transport};

/// Echoes data, in upper case if set.
#[derive(Clone, Copy, Default)]
pub(crate) struct Echo {
    upper: bool,
}

impl Protocol for Echo {
    fn data_received(&mut self, transport: &Transport, data: &[u8]) {
        match self.upper {
            true => transport.write(&data.to_ascii_uppercase()),
            false => transport.write(data),
        };
    }
}

pub(crate) fn echo(_: &Peer) -> Echo {
    Echo::default()
}

pub(crate) fn upper(_: &Peer) -> Echo {
    Echo { upper: true }
}
