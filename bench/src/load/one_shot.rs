//! A connection for one message: opened, written to, checked, and closed when dropped.

use std::io::{self, ErrorKind, Read, Write};
use std::time::Instant;

use anyhow::{Context, Result, bail, ensure};
use mio::net::TcpStream;
use mio::{Interest, Poll, Token};

use crate::pattern::Pattern;

#[derive(Debug)]
pub(crate) struct OneShot {
    socket: TcpStream,
    began: Instant,
    sent: usize,
    received: usize,
}

impl OneShot {
    /// A connection that was dialled at `began`, registered with `poll` under its slot.
    pub(crate) fn begin(
        dialled: io::Result<TcpStream>,
        poll: &Poll,
        slot: usize,
        began: Instant,
    ) -> Result<Self> {
        let mut socket = dialled.context("cannot open a connection")?;
        let both = Interest::READABLE | Interest::WRITABLE;
        poll.registry().register(&mut socket, Token(slot), both)?;
        Ok(Self { socket, began, sent: 0, received: 0 })
    }

    pub(crate) fn began(&self) -> Instant {
        self.began
    }

    /// Continues as far as possible; `true` when the whole echo is back.
    pub(crate) fn step(
        &mut self,
        slot: usize,
        buffer: &mut [u8],
        size: usize,
        pattern: &Pattern,
    ) -> Result<bool> {
        while self.sent < size {
            let run = pattern.run(slot, self.sent as u64, size - self.sent);
            match self.socket.write(run) {
                Ok(len) => self.sent += len,
                Err(error)
                    if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::NotConnected) =>
                {
                    break;
                }
                Err(error) => return Err(error).context("cannot send on a new connection"),
            }
        }
        while self.received < self.sent {
            let len = match self.socket.read(buffer) {
                Ok(0) => bail!("the server closed a connection before its echo"),
                Ok(len) => len,
                Err(error)
                    if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::NotConnected) =>
                {
                    break;
                }
                Err(error) => return Err(error).context("cannot read from a new connection"),
            };
            ensure!(
                self.received + len <= self.sent
                    && pattern.matches(slot, self.received as u64, &buffer[..len]),
                "a new connection: bytes {}..+{len} are not what was sent",
                self.received,
            );
            self.received += len;
        }
        Ok(self.received == size)
    }
}
