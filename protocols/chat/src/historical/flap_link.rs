//! The connection of a client: [`FlapLink`] sends and receives frames.

use std::time::Duration;

use sinew_protocols::basic::Frames;
use sinew_transports::{AsyncStream, reactor::Reactor};

use super::{
    SessionError,
    flap::{Channel, DATA_MAX, Flap, Flaps},
};

/// How often a client says that it is there.
const KEEP_ALIVE_EVERY: Duration = Duration::from_secs(60);

pub(super) struct FlapLink {
    reactor: Reactor,
    stream: AsyncStream,
    frames: Frames<Flaps>,
    sequence: u16,
}

impl FlapLink {
    pub(super) fn new(reactor: &Reactor, stream: AsyncStream) -> Self {
        let frames = Frames::new(Flaps::default());
        Self { reactor: reactor.clone(), stream, frames, sequence: 0 }
    }

    /// Sends bytes that are no frame.
    pub(super) async fn send_raw(&mut self, bytes: &[u8]) -> Result<(), SessionError> {
        Ok(self.stream.write_all(bytes).await?)
    }

    pub(super) async fn send(&mut self, channel: Channel, data: &[u8]) -> Result<(), SessionError> {
        let flap = Flap { channel, sequence: self.sequence, data };
        let frame =
            flap.encode().ok_or(SessionError::TooLong { len: data.len(), max: DATA_MAX })?;
        self.sequence = self.sequence.wrapping_add(1);
        Ok(self.stream.write_all(&frame).await?)
    }

    /// Receives the next frame that is not a keep-alive, and sends keep-alives meanwhile. Cancel safe.
    pub(super) async fn receive(&mut self) -> Result<(Channel, Vec<u8>), SessionError> {
        loop {
            let reactor = self.reactor.clone();
            match reactor.timeout(KEEP_ALIVE_EVERY, self.receive_any()).await {
                Ok(Ok((Channel::KeepAlive, _))) => {}
                Ok(received) => return received,
                Err(_) => self.send(Channel::KeepAlive, b"").await?,
            }
        }
    }

    async fn receive_any(&mut self) -> Result<(Channel, Vec<u8>), SessionError> {
        loop {
            let input = self.stream.fill_buf().await?;
            if input.is_empty() {
                return Err(SessionError::Lost(std::io::ErrorKind::UnexpectedEof.into()));
            }
            let mut rest = input;
            // Nothing is awaited between the two: what was taken is not lost.
            let frame = self.frames.next(&mut rest)?;
            let flap = frame.and_then(Flap::parse).map(|flap| (flap.channel, flap.data.to_vec()));
            let used = input.len() - rest.len();
            self.stream.consume(used);
            if let Some(flap) = flap {
                return Ok(flap);
            }
        }
    }
}
