//! A message that is read from the spool: [`Reader`]. The last piece is given out only if all of it is as it was written.

use std::{fmt, io};

use super::SpoolFile;
use crate::queue::record::{Hash, Trailer};

pub(crate) struct Reader {
    file: Box<dyn SpoolFile>,
    at: u64,
    end: u64,
    hash: Hash,
    expected: Hash,
}

impl Reader {
    pub(super) fn new(file: Box<dyn SpoolFile>, offset: u64, trailer: Trailer) -> Self {
        let end = offset + trailer.facts.len();
        Self { file, at: offset, end, hash: Hash::default(), expected: trailer.hash }
    }

    /// The next piece, of at most so many bytes; `None` behind the last.
    pub(crate) fn next(&mut self, len_max: usize) -> io::Result<Option<Vec<u8>>> {
        let left = self.end - self.at;
        if left == 0 {
            return Ok(None);
        }
        let mut piece = vec![0; usize::try_from(left).map_or(len_max, |left| left.min(len_max))];
        if self.file.read_at(self.at, &mut piece)? != piece.len() {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        self.at += piece.len() as u64;
        self.hash.feed(&piece);
        if self.at == self.end && self.hash != self.expected {
            let damaged = "a message of the queue was changed on disk";
            return Err(io::Error::new(io::ErrorKind::InvalidData, damaged));
        }
        Ok(Some(piece))
    }
}

impl fmt::Debug for Reader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reader")
            .field("at", &self.at)
            .field("end", &self.end)
            .finish_non_exhaustive()
    }
}
