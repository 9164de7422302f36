//! What a client says: [`Output`], compressed or not.

use std::time::Duration;

use sinew_transports::{WriteHalf, reactor::Reactor};

use super::{ConnectionEnd, compression::Deflating};

pub(super) struct Output {
    pub(super) reactor: Reactor,
    pub(super) write: WriteHalf,
    pub(super) deflating: Option<Deflating>,
    /// How long the server may take nothing.
    pub(super) timeout: Duration,
}

impl Output {
    /// Sends bytes.
    pub(super) async fn write(&mut self, bytes: &[u8]) -> Result<(), ConnectionEnd> {
        let deflated;
        let bytes = match &mut self.deflating {
            Some(deflating) => {
                deflated = deflating.deflate(bytes);
                &deflated
            }
            None => bytes,
        };
        for piece in bytes.chunks(64 * 1024) {
            let after = self.timeout;
            match self.reactor.timeout(after, self.write.write_all(piece)).await {
                Ok(written) => written?,
                Err(_) => return Err(ConnectionEnd::Silent { after }),
            }
        }
        Ok(())
    }
}
