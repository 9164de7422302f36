//! Multiple ranges of a file in one body, `multipart/byteranges` (RFC 9110 14.6): [`Parts`].

use std::{
    collections::VecDeque,
    fs::File,
    io::{self, Read, Seek, SeekFrom},
};

use crate::{
    codec::ByteRange,
    server::{BodySource, BodyWaker, Produced},
};

/// Bytes read at a time.
const PIECE: u64 = 64 * 1024;

pub(super) struct Parts {
    file: File,
    /// What is still to be sent: heads of parts, and ranges of the file.
    left: VecDeque<Piece>,
}

enum Piece {
    Text(String),
    Range { start: u64, len: u64 },
}

impl Parts {
    pub(super) fn new(
        file: File,
        len: u64,
        content_type: &str,
        boundary: &str,
        ranges: &[ByteRange],
    ) -> Self {
        let mut left = VecDeque::new();
        let mut line_end = "";
        for range in ranges {
            let ByteRange { start, last } = *range;
            left.push_back(Piece::Text(format!(
                "{line_end}--{boundary}\r\nContent-Type: {content_type}\r\nContent-Range: bytes {start}-{last}/{len}\r\n\r\n"
            )));
            left.push_back(Piece::Range { start, len: range.len() });
            line_end = "\r\n";
        }
        left.push_back(Piece::Text(format!("\r\n--{boundary}--\r\n")));
        Self { file, left }
    }

    /// The total length.
    pub(super) fn length(&self) -> u64 {
        let lengths = self.left.iter().map(|piece| match piece {
            Piece::Text(text) => text.len() as u64,
            Piece::Range { len, .. } => *len,
        });
        lengths.sum()
    }

    fn read(&mut self, start: u64, len: u64, out: &mut Vec<u8>) -> io::Result<()> {
        self.file.seek(SeekFrom::Start(start))?;
        let read = (&self.file).take(len).read_to_end(out)?;
        if (read as u64) < len {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        Ok(())
    }
}

impl BodySource for Parts {
    fn produce(&mut self, out: &mut Vec<u8>, _: &BodyWaker) -> Produced {
        match self.left.pop_front() {
            None => return Produced::Done,
            Some(Piece::Text(text)) => out.extend_from_slice(text.as_bytes()),
            Some(Piece::Range { start, len }) => {
                let now = len.min(PIECE);
                if len > now {
                    self.left.push_front(Piece::Range { start: start + now, len: len - now });
                }
                if let Err(error) = self.read(start, now, out) {
                    return Produced::Failed(Box::new(error));
                }
            }
        }
        if self.left.is_empty() { Produced::Done } else { Produced::More }
    }
}
