//! Sends a body: bytes at once, files by the transport, sources piece by piece.

use std::{error::Error, fs::File, ops::Range, rc::Rc};

use sinew_transports::{Producer, Production, Transport, WriteStatus, reactor::error_debug};

use super::{Body, BodySource, BodyWaker, Kind, Produced};
use crate::codec::{Framing, last_chunk};

/// Bodies up to this length are copied after their head, into one buffer.
pub(crate) const INLINE_MAX: usize = 4 * 1024;

/// A longer file is given to the transport in pieces of this length, so that it is known how much of it is sent.
const SEGMENT: u64 = 4 << 20;

/// A source has produced less or more than the announced length.
#[derive(Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a body with an announced length of {announced} bytes has {made} bytes")]
struct WrongLength {
    announced: u64,
    /// At least.
    made: u64,
}

error_debug!(WrongLength);

/// A message that is being sent.
pub(crate) trait Sending: Sized + 'static {
    /// Not all of it is with the transport yet. The bytes of a file that wait are in no queue.
    fn begin_sending(&self, is_file: bool);

    /// This many bytes of the body are with the transport.
    fn set_sent(&self, bytes: u64);

    /// The rest is with the transport now. Called only after `begin_sending`.
    fn all_sent(&self);

    /// Sends head and body. `head` is the buffer with the head in it. If not everything is with the transport then, `begin_sending`
    /// was called. Returns whether the output queue is above the high watermark.
    fn send(
        self: &Rc<Self>,
        transport: &Transport,
        head: &mut Vec<u8>,
        body: Body,
        framing: Framing,
    ) -> WriteStatus {
        let kind = if framing == Framing::None { Kind::Empty } else { body.0 };
        match kind {
            Kind::Empty => transport.write(head),
            Kind::Bytes(bytes) => {
                self.set_sent(bytes.len() as u64);
                if bytes.len() <= INLINE_MAX {
                    head.extend_from_slice(&bytes);
                    transport.write(head)
                } else {
                    transport.write(head);
                    transport.write_bytes(bytes)
                }
            }
            Kind::File { file, range } => {
                let status = transport.write(head);
                self.begin_sending(true);
                let (start, message) = (range.start, Rc::clone(self));
                FileSegments { file, rest: range, start, message }.send_next(transport);
                status
            }
            Kind::Source { source, length } => {
                let status = transport.write(head);
                self.begin_sending(false);
                let message = Rc::clone(self);
                let announced = length.unwrap_or_default();
                let piece = Vec::new();
                transport.stream(Pieces { source, framing, announced, made: 0, piece, message });
                status
            }
        }
    }
}

/// A file of which a segment is with the transport, and the rest is not.
struct FileSegments<T> {
    file: File,
    rest: Range<u64>,
    /// Where the body begins in the file.
    start: u64,
    message: Rc<T>,
}

impl<T: Sending> FileSegments<T> {
    /// Gives the next segment to the transport, and to be called when that is sent, itself.
    fn send_next(mut self, transport: &Transport) {
        let Range { start, end } = self.rest;
        let next = end.min(start.saturating_add(SEGMENT)).max(start);
        let sent = self.file.try_clone().map_err(Box::<dyn Error>::from);
        match sent.and_then(|file| Ok(transport.send_file(file, start..next)?)) {
            Ok(_) => {
                self.rest.start = next;
                transport.stream(AfterSegment(Some(self)));
            }
            // The head has announced a body that cannot be sent.
            Err(error) => transport.fail(error),
        }
    }
}

/// Continues with a file when the segment before it in the queue of the transport is sent.
struct AfterSegment<T>(Option<FileSegments<T>>);

impl<T: Sending> Producer for AfterSegment<T> {
    fn produce(&mut self, transport: &Transport) -> Production {
        let Some(file) = self.0.take() else { return Production::Done };
        file.message.set_sent(file.rest.start - file.start);
        if file.rest.is_empty() {
            file.message.all_sent();
        } else {
            file.send_next(transport);
        }
        Production::Done
    }
}

/// A source with its framing.
struct Pieces<T> {
    source: Box<dyn BodySource>,
    framing: Framing,
    announced: u64,
    made: u64,
    piece: Vec<u8>,
    message: Rc<T>,
}

impl<T: Sending> Producer for Pieces<T> {
    fn produce(&mut self, transport: &Transport) -> Production {
        self.piece.clear();
        let produced = self.source.produce(&mut self.piece, &BodyWaker(transport.clone()));
        self.made += self.piece.len() as u64;
        if matches!(self.framing, Framing::Length(_)) && self.made > self.announced {
            return self.fail(transport, Box::new(self.wrong_length()));
        }
        self.message.set_sent(self.made);
        self.write_piece(transport);
        match produced {
            Produced::More => Production::More,
            Produced::Waiting => Production::Waiting,
            Produced::Done => self.finish(transport),
            Produced::Failed(error) => self.fail(transport, error),
        }
    }
}

impl<T: Sending> Pieces<T> {
    fn write_piece(&self, transport: &Transport) {
        if self.framing != Framing::Chunked {
            transport.write(&self.piece);
        } else if !self.piece.is_empty() {
            let size = format!("{:x}\r\n", self.piece.len());
            transport.write_vectored(&[size.as_bytes(), &self.piece, b"\r\n"]);
        }
    }

    fn finish(&mut self, transport: &Transport) -> Production {
        match self.framing {
            Framing::Chunked => {
                self.piece.clear();
                last_chunk(&mut self.piece, &self.source.trailers());
                transport.write(&self.piece);
            }
            Framing::Length(_) if self.made < self.announced => {
                return self.fail(transport, Box::new(self.wrong_length()));
            }
            _ => {}
        }
        self.message.all_sent();
        Production::Done
    }

    const fn wrong_length(&self) -> WrongLength {
        WrongLength { announced: self.announced, made: self.made }
    }

    /// Ends the connection so that the client notices the truncation: with a reset where the end of the connection is the end of
    /// the body.
    fn fail(&self, transport: &Transport, error: Box<dyn Error>) -> Production {
        tracing::error!(%error, "a body could not be finished");
        transport.fail(error);
        if self.framing == Framing::UntilClose {
            transport.abort();
        }
        Production::Done
    }
}
