//! The body of an answer on its way out: bytes at once, files by the transport, sources piece by piece.

use std::{error::Error, rc::Rc};

use sinew_transports::{Producer, Production, Transport, WriteStatus, reactor::error_debug};

use super::{
    Body, BodySource, BodyWaker, Produced,
    body::Kind,
    exchange::{Exchange, Stage},
};
use crate::codec::{Framing, last_chunk};

/// Bodies so short are copied behind their head, into one buffer.
pub(super) const INLINE_MAX: usize = 4 * 1024;

/// A source has made less of a body than it had announced, or more.
#[derive(Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a body of {announced} bytes came to {made}")]
struct WrongLength {
    announced: u64,
    /// At least.
    made: u64,
}

error_debug!(WrongLength);

impl Exchange {
    /// Sends head and body. `head` is the buffer with the head in it. The stage is `Sent` if all is with the transport by then, else
    /// `Sending`. Tells whether there is more queued now than should be.
    pub(super) fn send(
        self: &Rc<Self>,
        transport: &Transport,
        head: &mut Vec<u8>,
        body: Body,
        framing: Framing,
    ) -> WriteStatus {
        self.stage.set(Stage::Sent);
        let kind = if framing == Framing::None { Kind::Empty } else { body.0 };
        match kind {
            Kind::Empty => transport.write(head),
            Kind::Bytes(bytes) => {
                self.sent.set(bytes.len() as u64);
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
                self.stage.set(Stage::Sending);
                self.is_file.set(true);
                let len = range.end.saturating_sub(range.start);
                match transport.send_file(file, range) {
                    Ok(_) => {
                        self.sent.set(len);
                        transport.stream(Finish(Rc::clone(self)));
                    }
                    // The head has announced what cannot be sent.
                    Err(error) => transport.fail(error),
                }
                status
            }
            Kind::Source { source, length } => {
                let status = transport.write(head);
                self.stage.set(Stage::Sending);
                let exchange = Rc::clone(self);
                let announced = length.unwrap_or_default();
                let piece = Vec::new();
                transport.stream(Pieces { source, framing, announced, made: 0, piece, exchange });
                status
            }
        }
    }

    fn all_sent(&self) {
        if self.stage.get() == Stage::Sending {
            self.stage.set(Stage::Sent);
            self.wake();
        }
    }
}

/// Says that the producer before it is done.
struct Finish(Rc<Exchange>);

impl Producer for Finish {
    fn produce(&mut self, _: &Transport) -> Production {
        self.0.all_sent();
        Production::Done
    }
}

/// A source, framed.
struct Pieces {
    source: Box<dyn BodySource>,
    framing: Framing,
    announced: u64,
    made: u64,
    piece: Vec<u8>,
    exchange: Rc<Exchange>,
}

impl Producer for Pieces {
    fn produce(&mut self, transport: &Transport) -> Production {
        self.piece.clear();
        let produced = self.source.produce(&mut self.piece, &BodyWaker(transport.clone()));
        self.made += self.piece.len() as u64;
        if matches!(self.framing, Framing::Length(_)) && self.made > self.announced {
            return self.fail(transport, Box::new(self.wrong_length()));
        }
        self.exchange.sent.set(self.made);
        self.write_piece(transport);
        match produced {
            Produced::More => Production::More,
            Produced::Waiting => Production::Waiting,
            Produced::Done => self.finish(transport),
            Produced::Failed(error) => self.fail(transport, error),
        }
    }
}

impl Pieces {
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
        self.exchange.all_sent();
        Production::Done
    }

    const fn wrong_length(&self) -> WrongLength {
        WrongLength { announced: self.announced, made: self.made }
    }

    /// Ends the connection so that the client sees that the body is not whole: where its end is that of the connection, by a reset.
    fn fail(&self, transport: &Transport, error: Box<dyn Error>) -> Production {
        tracing::error!(%error, "the body of an answer failed");
        transport.fail(error);
        if self.framing == Framing::UntilClose {
            transport.abort();
        }
        Production::Done
    }
}
