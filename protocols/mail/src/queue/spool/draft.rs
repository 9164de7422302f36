//! A message that is being written to the spool: [`Draft`]. Dropped before it is committed, it was never there.

use std::{fmt, io, sync::Arc};

use super::{MAIL, SpoolFile, SpoolFiles, Stored, TMP, name};
use crate::{
    queue::{
        MessageId,
        record::{EnvelopeRecord, Hash, Trailer},
    },
    smtp::codec::{LineEnds, MessageFacts},
};

pub(crate) struct Draft {
    files: Arc<dyn SpoolFiles>,
    file: Option<Box<dyn SpoolFile>>,
    id: MessageId,
    record: EnvelopeRecord,
    offset: u64,
    facts: MessageFacts,
    hash: Hash,
    line_ends: LineEnds,
    ends_in_lf: bool,
}

/// Why a message cannot be written.
#[derive(Debug)]
pub(crate) enum DraftError {
    Io(io::Error),
    /// A message whose lines do not end in CRLF could not be sent on.
    BareLineEnd,
}

impl From<io::Error> for DraftError {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

impl fmt::Display for DraftError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Io(error) => write!(f, "{error}"),
            Self::BareLineEnd => f.write_str("a bare CR or LF"),
        }
    }
}

impl Draft {
    pub(super) fn begin(
        files: &Arc<dyn SpoolFiles>,
        id: &MessageId,
        record: &EnvelopeRecord,
    ) -> io::Result<Self> {
        let mut file = files.create(&name(id, TMP))?;
        let bytes = record.encode();
        // What cannot be read again must not be acknowledged.
        let is_readable = EnvelopeRecord::decode(&bytes).is_ok_and(|(read, _)| read == *record);
        let written = match is_readable {
            true => file.append(&bytes),
            false => {
                Err(io::Error::new(io::ErrorKind::InvalidInput, "the envelope cannot be stored"))
            }
        };
        let draft = Self {
            files: Arc::clone(files),
            file: Some(file),
            id: id.clone(),
            record: record.clone(),
            offset: bytes.len() as u64,
            facts: MessageFacts::default(),
            hash: Hash::default(),
            line_ends: LineEnds::default(),
            ends_in_lf: true,
        };
        written.map(|()| draft)
    }

    /// Appends a piece of the message.
    pub(crate) fn append(&mut self, piece: &[u8]) -> Result<(), DraftError> {
        if !self.line_ends.are_whole(piece) {
            return Err(DraftError::BareLineEnd);
        }
        self.append_checked(piece)?;
        Ok(())
    }

    fn append_checked(&mut self, piece: &[u8]) -> io::Result<()> {
        let Some(last) = piece.last() else { return Ok(()) };
        self.ends_in_lf = *last == b'\n';
        self.facts.feed(piece);
        self.hash.feed(piece);
        self.file()?.append(piece)
    }

    /// Ends the message, and returns once it is safe.
    pub(crate) fn commit(mut self) -> Result<Stored, DraftError> {
        if !self.line_ends.may_end() {
            return Err(DraftError::BareLineEnd);
        }
        if !self.ends_in_lf {
            self.append_checked(b"\r\n")?;
        }
        let trailer = Trailer { facts: self.facts, hash: self.hash };
        let file = self.file()?;
        file.append(&trailer.encode())?;
        file.sync()?;
        self.files.rename(&name(&self.id, TMP), &name(&self.id, MAIL))?;
        // From here on it must not be removed as unfinished.
        self.file = None;
        if let Err(error) = self.files.sync_names() {
            // It will not be acknowledged. If it can be removed, it is not sent either.
            let _ = self.files.remove(&name(&self.id, MAIL));
            return Err(error.into());
        }
        let EnvelopeRecord { arrived, envelope } = self.record.clone();
        Ok(Stored { id: self.id.clone(), arrived, envelope, offset: self.offset, trailer })
    }

    fn file(&mut self) -> io::Result<&mut Box<dyn SpoolFile>> {
        self.file.as_mut().ok_or_else(|| io::Error::other("the message is committed"))
    }
}

impl Drop for Draft {
    fn drop(&mut self) {
        if self.file.take().is_some() {
            let _ = self.files.remove(&name(&self.id, TMP));
        }
    }
}
