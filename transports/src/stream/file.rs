//! A file as a producer, for `send_file`. The kernel moves the bytes from the file to the socket where it can (`sendfile(2)`,
//! zero-copy); else they are read and queued.

mod error;

pub use error::SendFileError;

use std::{
    fs::File,
    io::{self, Read, Seek, SeekFrom},
    ops::{Bound, RangeBounds},
};

use bytes::BytesMut;
use sinew_reactor::Reactor;

use crate::{
    Transport,
    producer::{Feed, FeedStatus},
};

/// Bytes per read.
const READ_SIZE: usize = 64 * 1024;

pub(crate) struct FileProducer {
    file: File,
    start: u64,
    /// Position of the next byte.
    at: u64,
    end: End,
    /// Whether to use `sendfile(2)`: it has not failed so far.
    #[cfg(any(target_os = "linux", target_os = "android"))]
    may_use_sendfile: bool,
}

/// Where the range ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    /// At this position, exclusive.
    At(u64),
    /// At the end of the file, which had this length when the producer was made.
    OfFile(u64),
    /// At the end of the file, which reported length 0: it is empty, or reports no length, like files of `/proc` and devices.
    Unknown,
}

impl FileProducer {
    pub(crate) fn new(mut file: File, range: impl RangeBounds<u64>) -> Result<Self, SendFileError> {
        let start = match range.start_bound() {
            Bound::Included(start) => *start,
            Bound::Excluded(start) => start.saturating_add(1),
            Bound::Unbounded => 0,
        };
        let len = file.metadata().map_err(SendFileError::NotSeekable)?.len();
        let end = match range.end_bound() {
            Bound::Included(end) => End::At(end.saturating_add(1)),
            Bound::Excluded(end) => End::At(*end),
            Bound::Unbounded if len > 0 => End::OfFile(len),
            Bound::Unbounded => End::Unknown,
        };
        match end {
            End::At(end) if end < start => return Err(SendFileError::InvertedRange { start, end }),
            _ if len > 0 && start > len => return Err(SendFileError::PastEnd { start }),
            _ => {}
        }
        file.seek(SeekFrom::Start(start)).map_err(SendFileError::NotSeekable)?;
        Ok(Self {
            file,
            start,
            at: start,
            end,
            #[cfg(any(target_os = "linux", target_os = "android"))]
            may_use_sendfile: end != End::Unknown,
        })
    }

    /// Upper bound of the bytes left.
    fn left(&self) -> u64 {
        match self.end {
            End::At(end) | End::OfFile(end) => end.saturating_sub(self.at),
            End::Unknown => u64::MAX,
        }
    }

    /// The file ended before the range did.
    fn ended(&mut self, transport: &Transport) -> FeedStatus {
        let (start, at) = (self.start, self.at);
        let is_past_end = at == start && start > 0 && !self.has_byte(start - 1);
        let error = match self.end {
            _ if is_past_end => SendFileError::PastEnd { start },
            End::Unknown => return FeedStatus::Done,
            // The reported length has not shrunk, so it was never the real one. Files of `/sys` report such a length.
            End::OfFile(len) if self.file.metadata().is_ok_and(|now| now.len() >= len) => {
                return FeedStatus::Done;
            }
            End::At(_) | End::OfFile(_) => SendFileError::TooShort { at, missing: self.left() },
        };
        transport.fail(error);
        FeedStatus::Done
    }

    fn has_byte(&mut self, at: u64) -> bool {
        self.read_at(at, &mut [0]).is_ok_and(|n| n > 0)
    }

    /// Seeks before each read: others may share the file's position through another descriptor.
    fn read_at(&mut self, at: u64, buffer: &mut [u8]) -> io::Result<usize> {
        self.file.seek(SeekFrom::Start(at))?;
        self.file.read(buffer)
    }

    fn read(&mut self, transport: &Transport) -> FeedStatus {
        let piece = usize::try_from(self.left()).map_or(READ_SIZE, |left| left.min(READ_SIZE));
        let mut buffer = BytesMut::zeroed(piece);
        let at = self.at;
        match self.read_at(at, &mut buffer) {
            Ok(0) => self.ended(transport),
            Ok(n) => {
                buffer.truncate(n);
                self.at += n as u64;
                transport.write_bytes(buffer.freeze());
                if self.left() == 0 { FeedStatus::Done } else { FeedStatus::More }
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => FeedStatus::More,
            Err(source) => {
                transport.fail(SendFileError::Read { at, source });
                FeedStatus::Done
            }
        }
    }
}

impl Feed for FileProducer {
    fn feed(&mut self, reactor: &Reactor, transport: &Transport) -> FeedStatus {
        if self.left() == 0 {
            return FeedStatus::Done;
        }
        #[cfg(any(target_os = "linux", target_os = "android"))]
        if let Some(fed) = self.kernel_send(reactor, transport) {
            return fed;
        }
        #[cfg(not(any(target_os = "linux", target_os = "android")))]
        let _ = reactor;
        self.read(transport)
    }
}

#[cfg(any(target_os = "linux", target_os = "android"))]
mod kernel_send {
    use std::io::ErrorKind::{
        BrokenPipe, ConnectionAborted, ConnectionReset, HostUnreachable, NetworkDown,
        NetworkUnreachable, NotConnected, TimedOut,
    };

    use rustix::fs::sendfile;

    use super::*;
    use crate::stream::direct::DirectWrite;

    /// Most bytes that one call moves, so that other connections are not starved.
    const SEND_MAX: usize = 256 * 1024;

    impl FileProducer {
        /// Has the kernel send the next bytes. Returns `None` if they have to be read instead.
        pub(super) fn kernel_send(
            &mut self,
            reactor: &Reactor,
            transport: &Transport,
        ) -> Option<FeedStatus> {
            if !self.may_use_sendfile {
                return None;
            }
            let max = usize::try_from(self.left()).map_or(SEND_MAX, |left| left.min(SEND_MAX));
            let (file, at) = (&self.file, self.at);
            let result = transport.write_now(reactor, |socket| {
                let socket = socket.kernel_fd().ok_or(io::ErrorKind::Unsupported)?;
                Ok(sendfile(socket, file, Some(&mut at.clone()), max)?)
            });
            match result {
                DirectWrite::Sent(n) if n > 0 => {
                    reactor.meter().bytes_moved.add(n as u64);
                    self.at += n as u64;
                    Some(FeedStatus::Sent)
                }
                DirectWrite::Full => Some(FeedStatus::Full),
                DirectWrite::Refused => None,
                DirectWrite::Failed(error) if is_connection_error(&error) => {
                    transport.output_failed(reactor, error);
                    Some(FeedStatus::Done)
                }
                // End of file, a file that the kernel cannot send (EINVAL and others), or a read error: a read will tell which.
                DirectWrite::Sent(_) | DirectWrite::Failed(_) => {
                    self.may_use_sendfile = false;
                    None
                }
            }
        }
    }

    /// Whether an error of `sendfile(2)` comes from the connection, not from the file.
    fn is_connection_error(error: &io::Error) -> bool {
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
