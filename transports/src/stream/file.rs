//! A file as a producer, for `send_file`. Where the kernel can, it moves the bytes from the file to the socket by itself
//! (`sendfile(2)`); else they are read and queued.

use std::{
    fs::File,
    io::{self, Read, Seek, SeekFrom},
    ops::{Bound, RangeBounds},
};

use bytes::BytesMut;
use sinew_reactor::Reactor;

use crate::{
    Transport,
    producer::{Fed, Feed},
};

/// How much is read at once.
const PIECE: usize = 64 * 1024;

pub(crate) struct FileProducer {
    file: File,
    /// Where the next byte lies.
    at: u64,
    left: u64,
    /// The kernel has not refused to move it.
    #[cfg(any(target_os = "linux", target_os = "android"))]
    may_move: bool,
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
        Ok(Self {
            file,
            at: start,
            left: end.saturating_sub(start),
            #[cfg(any(target_os = "linux", target_os = "android"))]
            may_move: true,
        })
    }

    /// So many bytes are on their way.
    fn took(&mut self, len: usize) {
        self.at += len as u64;
        self.left -= len as u64;
    }

    fn is_too_short(&self, transport: &Transport) -> Fed {
        let short = format!("the file ended {} bytes before the range did", self.left);
        transport.fail(io::Error::new(io::ErrorKind::UnexpectedEof, short));
        Fed::Done
    }

    fn read(&mut self, transport: &Transport) -> Fed {
        let piece = usize::try_from(self.left).map_or(PIECE, |left| left.min(PIECE));
        let mut buffer = BytesMut::zeroed(piece);
        // Others may have a descriptor of the same file, and its position would be theirs, too.
        let sought = self.file.seek(SeekFrom::Start(self.at));
        match sought.and_then(|_| self.file.read(&mut buffer)) {
            Ok(0) => self.is_too_short(transport),
            Ok(n) => {
                buffer.truncate(n);
                self.took(n);
                transport.write_bytes(buffer.freeze());
                if self.left == 0 { Fed::Done } else { Fed::More }
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => Fed::More,
            Err(error) => {
                transport.fail(error);
                Fed::Done
            }
        }
    }
}

impl Feed for FileProducer {
    fn feed(&mut self, reactor: &Reactor, transport: &Transport) -> Fed {
        if self.left == 0 {
            return Fed::Done;
        }
        #[cfg(any(target_os = "linux", target_os = "android"))]
        if let Some(fed) = self.moved(reactor, transport) {
            return fed;
        }
        #[cfg(not(any(target_os = "linux", target_os = "android")))]
        let _ = reactor;
        self.read(transport)
    }
}

#[cfg(any(target_os = "linux", target_os = "android"))]
mod moved {
    use std::io::ErrorKind::{
        BrokenPipe, ConnectionAborted, ConnectionReset, HostUnreachable, NetworkDown,
        NetworkUnreachable, NotConnected, TimedOut,
    };

    use rustix::fs::sendfile;

    use super::*;
    use crate::stream::direct::Put;

    /// How much one call moves at most, so that others have their turn.
    const SHARE: usize = 256 * 1024;

    impl FileProducer {
        /// Has the kernel move a share of it. `None` if this piece has to be read.
        pub(super) fn moved(&mut self, reactor: &Reactor, transport: &Transport) -> Option<Fed> {
            if !self.may_move {
                return None;
            }
            let share = usize::try_from(self.left).map_or(SHARE, |left| left.min(SHARE));
            let (file, at) = (&self.file, self.at);
            let put = transport.put(reactor, |socket| {
                let socket = socket.kernels().ok_or(io::ErrorKind::Unsupported)?;
                Ok(sendfile(socket, file, Some(&mut at.clone()), share)?)
            });
            match put {
                Put::Sent(0) => Some(self.is_too_short(transport)),
                Put::Sent(n) => {
                    reactor.meter().bytes_moved.add(n as u64);
                    self.took(n);
                    Some(Fed::Sent)
                }
                Put::Full => Some(Fed::Full),
                Put::Refused => None,
                Put::Failed(error) if is_connections(&error) => {
                    transport.output_failed(reactor, error);
                    Some(Fed::Done)
                }
                // Not such a file (EINVAL and others), or it cannot be read at all: then reading will say so.
                Put::Failed(_) => {
                    self.may_move = false;
                    None
                }
            }
        }
    }

    /// Whether an error of `sendfile(2)` is the connection's, and not the file's.
    fn is_connections(error: &io::Error) -> bool {
        matches!(
            error.kind(),
            BrokenPipe
                | ConnectionReset
                | ConnectionAborted
                | NotConnected
                | TimedOut
                | HostUnreachable
                | NetworkUnreachable
                | NetworkDown
        )
    }
}
