//! A file as a producer, for `send_file`. It knows files, not sockets.

use std::{
    fs::File,
    io::{self, Read, Seek, SeekFrom},
    ops::{Bound, RangeBounds},
};

use bytes::BytesMut;

use crate::{Producer, Production, Transport};

/// How much is read at once.
const PIECE: usize = 64 * 1024;

pub(crate) struct FileProducer {
    file: File,
    left: u64,
}

impl FileProducer {
    pub(crate) fn new(mut file: File, range: impl RangeBounds<u64>) -> io::Result<Self> {
        let start = match range.start_bound() {
            Bound::Included(start) => *start,
            Bound::Excluded(start) => start.saturating_add(1),
            Bound::Unbounded => 0,
        };
        let end = match range.end_bound() {
            Bound::Included(end) => end.saturating_add(1),
            Bound::Excluded(end) => *end,
            Bound::Unbounded => file.metadata()?.len(),
        };
        file.seek(SeekFrom::Start(start))?;
        Ok(Self { file, left: end.saturating_sub(start) })
    }
}

impl Producer for FileProducer {
    fn produce(&mut self, transport: &Transport) -> Production {
        let piece = usize::try_from(self.left).map_or(PIECE, |left| left.min(PIECE));
        if piece == 0 {
            return Production::Done;
        }
        let mut buffer = BytesMut::zeroed(piece);
        match self.file.read(&mut buffer) {
            Ok(0) => {
                let short = format!("the file ended {} bytes before the range did", self.left);
                transport.fail(io::Error::new(io::ErrorKind::UnexpectedEof, short));
                Production::Done
            }
            Ok(n) => {
                buffer.truncate(n);
                self.left -= n as u64;
                transport.write_bytes(buffer.freeze());
                if self.left == 0 { Production::Done } else { Production::More }
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => Production::More,
            Err(error) => {
                transport.fail(error);
                Production::Done
            }
        }
    }
}
