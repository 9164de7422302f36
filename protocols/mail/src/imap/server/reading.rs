//! Reads messages from a store, a piece at a time: whole headers of bounded length, structures, ranges.

use std::{ops::Range, rc::Rc};

use bytes::Bytes;

use super::{
    answer::Done,
    session::{Closed, Session},
};
use crate::{
    imap::message::{Envelope, Part, Scanner},
    store::{Mailbox, MessageInfo, READ_LEN_MAX, StoreError, Uid},
};

/// Most bytes of a header that are read to tell of its fields.
pub(super) const HEADER_MAX: usize = 256 << 10;

/// Why a message could not be read.
#[derive(Debug)]
pub(super) enum ReadError {
    Closed,
    Store(StoreError),
    /// The store has given less than the size that it has told.
    Short,
}

impl From<Closed> for ReadError {
    fn from(_: Closed) -> Self {
        Self::Closed
    }
}

impl From<StoreError> for ReadError {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

impl From<ReadError> for Done {
    fn from(error: ReadError) -> Self {
        match error {
            ReadError::Closed => Closed.into(),
            ReadError::Store(error) => error.into(),
            ReadError::Short => Self::no("A message could not be read").code("UNAVAILABLE"),
        }
    }
}

/// A message that is read.
#[derive(Clone)]
pub(super) struct Reading {
    pub(super) mailbox: Rc<dyn Mailbox>,
    pub(super) uid: Uid,
    pub(super) size: u64,
    /// Its beginning, if that was read ahead.
    beginning: Option<Bytes>,
}

impl Reading {
    pub(super) fn new(mailbox: &Rc<dyn Mailbox>, info: &MessageInfo) -> Self {
        Self { mailbox: Rc::clone(mailbox), uid: info.uid, size: info.size, beginning: None }
    }

    /// The same with its beginning, or all of it.
    pub(super) fn with_beginning(self, beginning: Option<Bytes>) -> Self {
        Self { beginning, ..self }
    }

    /// The bytes from `at` on, some of them; none at the end.
    async fn piece(&self, at: u64, end: u64) -> Result<Bytes, StoreError> {
        let len = usize::try_from(end.saturating_sub(at))
            .map_or(READ_LEN_MAX, |len| len.min(READ_LEN_MAX));
        if len == 0 {
            return Ok(Bytes::new());
        }
        if let Some(bytes) = self.known(at, len) {
            return Ok(bytes);
        }
        let mut bytes = self.mailbox.read(self.uid, at, len).await?;
        bytes.truncate(len);
        Ok(bytes)
    }

    /// The bytes from `at` on, if they are in the beginning that is known.
    fn known(&self, at: u64, len: usize) -> Option<Bytes> {
        let beginning = self.beginning.as_ref()?;
        let at = usize::try_from(at).ok().filter(|at| *at < beginning.len())?;
        let range = at..beginning.len().min(at.saturating_add(len));
        // A small piece that waits to be sent must not keep all of it in memory.
        Some(match range.len() >= beginning.len() / 2 {
            true => beginning.slice(range),
            false => Bytes::copy_from_slice(&beginning[range]),
        })
    }

    /// Gives a range to `take`, piece by piece, until it has had enough.
    pub(super) async fn range(
        &self,
        session: &Session,
        range: Range<u64>,
        mut take: impl FnMut(Bytes) -> bool,
    ) -> Result<(), ReadError> {
        let mut at = range.start;
        while at < range.end {
            let piece = self.piece(at, range.end).await?;
            if piece.is_empty() {
                return Err(ReadError::Short);
            }
            at += piece.len() as u64;
            if !take(piece) {
                return Ok(());
            }
            // A store in memory answers at once.
            session.pause().await?;
        }
        Ok(())
    }

    /// The structure, and the envelope.
    pub(super) async fn structure(&self, session: &Session) -> Result<(Part, Envelope), ReadError> {
        let mut scanner = Scanner::new();
        self.range(session, 0..self.size, |piece| {
            scanner.push(&piece);
            true
        })
        .await?;
        Ok(scanner.finish_with_envelope())
    }

    /// The header as a message without a body, and the envelope: no more is read.
    pub(super) async fn header(&self, session: &Session) -> Result<(Part, Envelope), ReadError> {
        let mut scanner = Scanner::new();
        self.range(session, 0..self.size, |piece| {
            scanner.push(&piece);
            scanner.header_end().is_none()
        })
        .await?;
        let (mut part, envelope) = scanner.finish_with_envelope();
        part.body = part.body.start..self.size.max(part.body.start);
        Ok((part, envelope))
    }

    /// The beginning of a range, in memory.
    pub(super) async fn bytes(
        &self,
        session: &Session,
        range: Range<u64>,
        max: usize,
    ) -> Result<Vec<u8>, ReadError> {
        let end = range.end.min(range.start.saturating_add(max as u64));
        let mut bytes = Vec::new();
        self.range(session, range.start..end, |piece| {
            bytes.extend_from_slice(&piece);
            true
        })
        .await?;
        Ok(bytes)
    }
}
