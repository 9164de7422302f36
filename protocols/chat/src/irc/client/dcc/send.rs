//! Offering a file: [`IrcClient::offer_file`].

use std::{
    cell::Cell,
    fs::File,
    future::poll_fn,
    io,
    ops::Range,
    path::{Path, PathBuf},
    pin::pin,
    task::Poll,
};

use sinew_transports::{
    AsyncStream, ReadHalf, Transport, WriteHalf,
    reactor::{Deferred, Reactor},
};

use super::{
    DccError,
    meeting::{self, Subject},
    pace::Pace,
    task::{on_thread, run},
    transfers::Slot,
};
use crate::irc::{client::IrcClient, codec::safe_file_name};

/// Bytes that are handed to the kernel at once.
const PIECE: u64 = 16 * 1_024;

impl IrcClient {
    /// Offers a file to somebody: by a port that takes one connection, or, if the offers of the configuration are
    /// [passive](super::DccConfig::passive), by a connection to the other. The result is there when the other has said that it has all of the file. To
    /// drop it takes the offer back, or ends the transfer.
    ///
    /// DCC authenticates nobody: the first to connect to the port receives the file.
    ///
    /// # Errors
    ///
    /// [`DccError`].
    pub fn offer_file(
        &self,
        nick: impl AsRef<[u8]>,
        path: impl AsRef<Path>,
    ) -> Deferred<(), DccError> {
        let (irc, nick, path) = (self.clone(), nick.as_ref().to_vec(), path.as_ref().to_owned());
        run(self, |reactor| async move {
            let _slot = Slot::take(&irc)?;
            let name = path.file_name().map(|name| name.as_encoded_bytes());
            let name = name.and_then(safe_file_name).ok_or(DccError::NoName)?;
            let (file, size) = on_thread(&reactor, move || open(path)).await?;
            let subject = Subject { file: Some((name.as_bytes(), size)) };
            let (stream, position) = meeting::offer(&irc, &reactor, &nick, subject).await?;
            send(&irc, &reactor, stream, file, position, size).await
        })
    }
}

fn open(path: PathBuf) -> Result<(File, u64), DccError> {
    let failed = |source| DccError::File { action: "open", path: path.clone(), source };
    // A pipe would block when it is opened.
    if !path.metadata().map_err(failed)?.is_file() {
        return Err(DccError::NotAFile { path });
    }
    let file = File::open(&path).map_err(failed)?;
    let size = file.metadata().map_err(failed)?.len();
    Ok((file, size))
}

/// Sends the rest of a file, and waits until the other has it.
async fn send(
    irc: &IrcClient,
    reactor: &Reactor,
    stream: AsyncStream,
    file: File,
    position: u64,
    size: u64,
) -> Result<(), DccError> {
    let config = meeting::config(irc)?;
    let pace = Pace::new(config, reactor.now(), 0);
    let transport = stream.transport().clone();
    let (mut read, mut write) = stream.split();
    let (sent, taken) = (Cell::new(0), Cell::new(0));
    {
        let mut pacing = pin!(keep_pace(reactor, pace, || sent.get() + taken.get()));
        let mut acks = pin!(read_acks(&mut read, Acks::new(position, size), &taken));
        let mut sending = pin!(send_pieces(&transport, &mut write, &file, position..size, &sent));
        let mut is_sent = false;
        poll_fn(|context| {
            if let Poll::Ready(end) = acks.as_mut().poll(context) {
                return Poll::Ready(end);
            }
            if !is_sent && let Poll::Ready(end) = sending.as_mut().poll(context) {
                end?;
                is_sent = true;
            }
            let Poll::Ready(slow) = pacing.as_mut().poll(context) else { return Poll::Pending };
            Poll::Ready(Err(slow))
        })
        .await?;
    }
    // What the other does now is of no interest.
    let _ = reactor.timeout(config.idle_timeout, write.shutdown()).await;
    Ok(())
}

/// Sends the rest of a file in pieces, so that it is known how much the kernel has taken. Nothing is left to acknowledge of no bytes, so
/// then the output ends.
async fn send_pieces(
    transport: &Transport,
    write: &mut WriteHalf,
    file: &File,
    rest: Range<u64>,
    sent: &Cell<u64>,
) -> Result<(), DccError> {
    if rest.is_empty() {
        return write.shutdown().await.map_err(DccError::Lost);
    }
    let mut at = rest.start;
    while at < rest.end {
        let end = rest.end.min(at + PIECE);
        let file = file.try_clone().map_err(DccError::Lost)?;
        let queued = transport.send_file(file, at..end);
        queued.map_err(|error| DccError::Lost(io::Error::other(error.to_string())))?;
        write.flush().await.map_err(DccError::Lost)?;
        sent.set(sent.get() + (end - at));
        at = end;
    }
    Ok(())
}

/// Reads acknowledgements until the last one, or the end of the connection. The connection itself is closed when nothing is sent or
/// received.
async fn read_acks(read: &mut ReadHalf, mut acks: Acks, taken: &Cell<u64>) -> Result<(), DccError> {
    let mut piece = [0; 4 * 1_024];
    while !acks.is_complete() {
        let len = read.read(&mut piece).await.map_err(DccError::Lost)?;
        if len == 0 {
            return acks.ended();
        }
        acks.push(&piece[..len]);
        taken.set(acks.done - acks.position);
    }
    Ok(())
}

/// Ends when the transfer has become too slow.
async fn keep_pace(reactor: &Reactor, mut pace: Pace, done: impl Fn() -> u64) -> DccError {
    loop {
        let now = reactor.now();
        if let Err(slow) = pace.check(now, done()) {
            return slow;
        }
        reactor.sleep(pace.end().saturating_duration_since(now)).await;
    }
}

/// Acknowledgements: each the low 32 bits of what the other has.
#[derive(Debug)]
struct Acks {
    position: u64,
    size: u64,
    done: u64,
    last: u32,
    pending: Vec<u8>,
}

impl Acks {
    const fn new(position: u64, size: u64) -> Self {
        Self { position, size, done: position, last: 0, pending: Vec::new() }
    }

    const fn is_complete(&self) -> bool {
        self.done == self.size && self.size > self.position
    }

    fn push(&mut self, bytes: &[u8]) {
        self.pending.extend_from_slice(bytes);
        let (acks, rest) = self.pending.as_chunks();
        for ack in acks {
            self.last = u32::from_be_bytes(*ack);
            // It only grows, and each step is shorter than 4 GiB.
            #[allow(clippy::cast_possible_truncation, reason = "that is the protocol")]
            let step = u64::from(self.last.wrapping_sub(self.done as u32));
            if step <= self.size - self.done {
                self.done += step;
            }
        }
        self.pending = rest.to_vec();
    }

    /// The other has closed the connection.
    fn ended(&self) -> Result<(), DccError> {
        // Some count from where the file was resumed; nobody acknowledges nothing.
        #[allow(clippy::cast_possible_truncation, reason = "that is the protocol")]
        let of_rest = (self.size - self.position) as u32;
        match self.done == self.size || self.position > 0 && self.last == of_rest {
            true => Ok(()),
            false => Err(DccError::Ended { done: self.done, size: self.size }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GIB: u64 = 1 << 30;

    #[test]
    fn acknowledgements_wrap() {
        let mut acks = Acks::new(0, 9 * GIB + 7);
        // After 1 GiB and 7 bytes the low bits are those of the end.
        for at in [GIB + 7, 3 * GIB, 5 * GIB + 7, 8 * GIB, 9 * GIB] {
            #[allow(clippy::cast_possible_truncation, reason = "that is the protocol")]
            acks.push(&(at as u32).to_be_bytes());
            assert_eq!((acks.done, acks.is_complete()), (at, false));
        }
        let last = u32::try_from(GIB + 7).unwrap().to_be_bytes();
        acks.push(&last[..1]);
        assert!(!acks.is_complete());
        acks.push(&last[1..]);
        assert!(acks.is_complete() && acks.ended().is_ok());
    }

    #[test]
    fn acknowledgements_of_strange_clients() {
        for (position, size, acks, done, is_ok) in [
            (0, 100, &[50, 100][..], 100, true),
            (0, 100, &[50], 50, false),
            (0, 100, &[], 0, false),
            // More than there is, and less than before.
            (0, 100, &[200, u32::MAX, 40, 30], 40, false),
            (0, 0, &[], 0, true),
            (60, 100, &[100], 100, true),
            // Counted from where it was resumed.
            (60, 100, &[10, 40], 60, true),
            (60, 100, &[10, 39], 60, false),
        ] {
            let mut found = Acks::new(position, size);
            acks.iter().for_each(|ack: &u32| found.push(&ack.to_be_bytes()));
            assert_eq!((found.done, found.ended().is_ok()), (done, is_ok), "{acks:?}");
        }
    }
}
