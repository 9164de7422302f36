//! Offering a file: [`IrcClient::offer_file`].

use std::{
    fs::File,
    path::{Path, PathBuf},
};

use sinew_transports::{
    AsyncStream,
    reactor::{Deferred, Reactor},
};

use super::{
    DccError,
    meeting::{self, Subject},
    task::{on_thread, run},
    transfers::Slot,
};
use crate::irc::{client::IrcClient, codec::safe_file_name};

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
    mut stream: AsyncStream,
    file: File,
    position: u64,
    size: u64,
) -> Result<(), DccError> {
    let after = meeting::config(irc)?.idle_timeout;
    let lost = |source: sinew_transports::SendFileError| {
        DccError::Lost(std::io::Error::other(source.to_string()))
    };
    if size > position {
        stream.transport().send_file(file, position..size).map_err(lost)?;
    } else {
        stream.shutdown().await.map_err(DccError::Lost)?;
    }
    let mut acks = Acks::new(position, size);
    let mut piece = [0; 4 * 1_024];
    while !acks.is_complete() {
        // The connection itself is closed when nothing is sent or received.
        let read = stream.read(&mut piece).await.map_err(DccError::Lost)?;
        if read == 0 {
            return acks.ended();
        }
        acks.push(&piece[..read]);
    }
    // What the other does now is of no interest.
    let _ = reactor.timeout(after, stream.shutdown()).await;
    Ok(())
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
