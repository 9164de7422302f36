//! Receiving a file: [`IrcClient::receive_file`].

use std::path::{Path, PathBuf};

use sinew_transports::{
    AsyncStream,
    reactor::{Deferred, Reactor, with_causes},
};

use super::{
    DccError, DccOffer, Existing, meeting,
    offer::{OfferedFile, Place},
    pace::Pace,
    part_file::{self, PartFile},
    task::{on_thread, run},
    transfers::{Slot, Writing},
};
use crate::irc::{client::IrcClient, codec::DccPart};

/// Bytes that are read and written at once.
const PIECE: usize = 64 * 1_024;
/// How many acknowledgements may wait for a sender that does not read them.
const ACKS_MAX: usize = 4 * 1_024;

impl IrcClient {
    /// Accepts a file that somebody offers: it comes to lie in the folder, by the [name that is left of the one that was
    /// sent](DccOffer::file_name). While it is not whole, it is `NAME.part`. The result is its path. It is written on threads of the
    /// pool, as fast as the disk is. To drop the result ends the transfer.
    ///
    /// # Errors
    ///
    /// [`DccError`].
    pub fn receive_file(
        &self,
        offer: &DccOffer,
        folder: impl AsRef<Path>,
        existing: Existing,
    ) -> Deferred<PathBuf, DccError> {
        let (irc, offer, folder) = (self.clone(), offer.clone(), folder.as_ref().to_owned());
        run(self, |reactor| async move {
            let _slot = Slot::take(&irc)?;
            let file = offer.file.as_ref().ok_or(DccError::OtherKind)?;
            let max = meeting::config(&irc)?.size_max;
            if file.size > max {
                return Err(DccError::TooLarge { size: file.size, max });
            }
            receive(&irc, &reactor, &offer, file, folder, existing).await
        })
    }
}

async fn receive(
    irc: &IrcClient,
    reactor: &Reactor,
    offer: &DccOffer,
    file: &OfferedFile,
    folder: PathBuf,
    existing: Existing,
) -> Result<PathBuf, DccError> {
    let (_, path) = part_file::paths(&folder, &file.name);
    let _writing = Writing::begin(irc, path)?;
    let (name, size) = (file.name.clone(), file.size);
    let part = on_thread(reactor, move || PartFile::open(&folder, &name, size, existing)).await?;
    let mut held = Held { reactor: reactor.clone(), part: Some(part) };
    if held.len() > 0 {
        resume(irc, offer, file, &mut held).await?;
    }
    let stream = meeting::take(irc, reactor, offer).await?;
    transfer(irc, reactor, stream, &mut held, size).await?;
    let part = held.take();
    on_thread(reactor, move || part.complete()).await
}

/// Asks for the rest of a file of which a part is here.
async fn resume(
    irc: &IrcClient,
    offer: &DccOffer,
    file: &OfferedFile,
    part: &mut Held,
) -> Result<(), DccError> {
    let asked = match &offer.place {
        Place::At(at) => DccPart::new(&file.sent_name, at.port(), part.len()),
        Place::Passive(token) => DccPart::new(&file.sent_name, 0, part.len()).token(token),
    };
    let position = irc.resume_dcc(&offer.from().nick(), &asked).await?;
    if position > part.len() {
        return Err(DccError::Ended { done: part.len(), size: file.size });
    }
    part.work(move |part| part.shorten(position)).await
}

/// Writes what comes, and acknowledges it.
async fn transfer(
    irc: &IrcClient,
    reactor: &Reactor,
    mut stream: AsyncStream,
    part: &mut Held,
    size: u64,
) -> Result<(), DccError> {
    let config = meeting::config(irc)?;
    let after = config.idle_timeout;
    let mut pace = Pace::new(config, reactor.now(), part.len());
    let mut heard = reactor.now();
    let mut piece = vec![0; PIECE];
    while part.len() < size {
        let (done, now) = (part.len(), reactor.now());
        if now.saturating_duration_since(heard) >= after {
            return Err(DccError::Silent { after });
        }
        pace.check(now, done)?;
        let wait = (heard + after).min(pace.end()).saturating_duration_since(now);
        let Ok(read) = reactor.timeout(wait, stream.read(&mut piece)).await else { continue };
        let read = read.map_err(DccError::Lost)?;
        if read == 0 {
            return Err(DccError::Ended { done, size });
        }
        if done + read as u64 > size {
            return Err(DccError::TooMuch { size });
        }
        let received = reactor.now();
        piece = part.work(move |part| part.write(&piece[..read]).map(|()| piece)).await?;
        heard = reactor.now();
        pace.extend(heard.saturating_duration_since(received));
        // The low 32 bits of what is there, from its beginning.
        #[allow(clippy::cast_possible_truncation, reason = "that is the protocol")]
        let ack = part.len() as u32;
        // Some senders read no acknowledgements.
        if stream.transport().queued() < ACKS_MAX {
            stream.write_now(&[&ack.to_be_bytes()]).map_err(DccError::Lost)?;
        }
    }
    // The file is here, whatever becomes of the last acknowledgement.
    if let Err(error) = stream.shutdown().await {
        tracing::debug!(error = %with_causes(&error), "the sender of a file by DCC has closed first");
    }
    Ok(())
}

/// The part between the jobs that work on it. If the transfer is dropped, it is deleted by a thread, too.
struct Held {
    reactor: Reactor,
    part: Option<PartFile>,
}

impl Held {
    const THERE: &str = "each job gives it back, or else the transfer has ended";

    fn len(&self) -> u64 {
        self.part.as_ref().expect(Self::THERE).len()
    }

    fn take(&mut self) -> PartFile {
        self.part.take().expect(Self::THERE)
    }

    async fn work<T: Send + 'static>(
        &mut self,
        f: impl FnOnce(&mut PartFile) -> Result<T, DccError> + Send + 'static,
    ) -> Result<T, DccError> {
        let mut part = self.take();
        let worked = on_thread(&self.reactor, move || f(&mut part).map(|done| (part, done)));
        let (part, done) = worked.await?;
        self.part = Some(part);
        Ok(done)
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        if let Some(part) = self.part.take() {
            // A job that nobody waits for would not run.
            self.reactor.defer_to_thread(move || drop(part)).then(|_, _| {});
        }
    }
}
