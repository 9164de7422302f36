//! A message that is being received: [`Message`]. Finds its end, counts, and passes its pieces to a sink. Knows no transport.

use sinew_protocols::basic::{DotStuffed, FrameError, Unstuffed};

use super::{MessageSink, ServerConfig, Verdict};
use crate::smtp::codec::{HopCounter, LineEnds, Reply};

pub(super) struct Message {
    sink: Option<Box<dyn MessageSink>>,
    /// Why it is refused: the rest is dropped.
    refusal: Option<Reply>,
    size: u64,
    hops: HopCounter,
    transfer: Transfer,
}

/// How the text arrives.
pub(super) enum Transfer {
    /// By DATA.
    Dots(DotStuffed),
    /// By BDAT.
    Chunk {
        /// Bytes of the current chunk that are missing.
        left: u64,
        is_last: bool,
        line_ends: LineEnds,
    },
}

/// What was found in the input.
pub(super) enum Found<'a> {
    Piece(&'a [u8]),
    /// The input is used up.
    Incomplete,
    /// The end of the text, or of a chunk.
    End,
}

impl Message {
    pub(super) fn dots() -> Self {
        Self::new(Transfer::Dots(DotStuffed::strict()))
    }

    pub(super) fn chunks() -> Self {
        Self::new(Transfer::Chunk { left: 0, is_last: false, line_ends: LineEnds::default() })
    }

    fn new(transfer: Transfer) -> Self {
        Self { sink: None, refusal: None, size: 0, hops: HopCounter::default(), transfer }
    }

    pub(super) fn set_sink(&mut self, sink: Box<dyn MessageSink>) {
        self.sink = Some(sink);
    }

    /// Refuses the message, unless it is refused already.
    pub(super) fn refuse(&mut self, reply: Reply) {
        self.sink = None;
        self.refusal.get_or_insert(reply);
    }

    pub(super) fn refusal(&self) -> Option<&Reply> {
        self.refusal.as_ref()
    }

    /// The sink, once all of the message has been passed to it.
    pub(super) fn into_sink(self) -> Option<Box<dyn MessageSink>> {
        self.sink
    }

    /// The next chunk has this length.
    pub(super) fn begin_chunk(&mut self, len: u64, last: bool, config: &ServerConfig) {
        if let Transfer::Chunk { left, is_last, .. } = &mut self.transfer {
            (*left, *is_last) = (len, last);
        }
        if self.size.saturating_add(len) > config.size_max {
            self.refuse(too_large());
        }
    }

    /// Whether it arrives by BDAT.
    pub(super) fn is_chunked(&self) -> bool {
        matches!(self.transfer, Transfer::Chunk { .. })
    }

    /// Whether nothing is missing: no byte of the chunk, and no chunk if this was the last.
    pub(super) fn chunk_is_whole(&self) -> bool {
        matches!(self.transfer, Transfer::Chunk { left: 0, .. })
    }

    /// Whether this is the last part of the message. Refuses one that ends in a CR.
    pub(super) fn is_last(&mut self) -> bool {
        match &self.transfer {
            Transfer::Dots(_) => true,
            Transfer::Chunk { is_last: false, .. } => false,
            Transfer::Chunk { line_ends, .. } => {
                if !line_ends.may_end() {
                    self.refuse(bare_line_end());
                }
                true
            }
        }
    }

    /// Finds the next piece at the front of the input.
    pub(super) fn find<'a>(&mut self, input: &mut &'a [u8]) -> Result<Found<'a>, FrameError> {
        match &mut self.transfer {
            Transfer::Dots(dots) => Ok(match dots.decode(input)? {
                Unstuffed::Text(text) => Found::Piece(text),
                Unstuffed::Incomplete => Found::Incomplete,
                Unstuffed::End => Found::End,
            }),
            Transfer::Chunk { left: 0, .. } => Ok(Found::End),
            Transfer::Chunk { .. } if input.is_empty() => Ok(Found::Incomplete),
            Transfer::Chunk { left, .. } => {
                let len = usize::try_from(*left).map_or(input.len(), |left| left.min(input.len()));
                let (piece, rest) = input.split_at(len);
                *input = rest;
                *left -= len as u64;
                Ok(Found::Piece(piece))
            }
        }
    }

    /// Takes a piece that was found.
    pub(super) fn take(&mut self, piece: &[u8], config: &ServerConfig) -> Verdict {
        if self.refusal.is_some() {
            return Verdict::accept();
        }
        self.size += piece.len() as u64;
        if self.size > config.size_max {
            self.refuse(too_large());
            return Verdict::accept();
        }
        if let Transfer::Chunk { line_ends, .. } = &mut self.transfer
            && !line_ends.are_whole(piece)
        {
            self.refuse(bare_line_end());
            return Verdict::accept();
        }
        self.hops.feed(piece);
        if self.hops.hops() > config.hops_max {
            self.refuse(Reply::fixed(554, "5.4.6 Too many hops: the message is in a loop"));
            return Verdict::accept();
        }
        self.write(piece)
    }

    /// Passes bytes of this server to the sink.
    pub(super) fn write(&mut self, bytes: &[u8]) -> Verdict {
        match &mut self.sink {
            Some(sink) => sink.write(bytes),
            None => Verdict::accept(),
        }
    }
}

pub(super) fn too_large() -> Reply {
    Reply::fixed(552, "5.3.4 The message is too large")
}

fn bare_line_end() -> Reply {
    // RFC 3030 4.2 would allow it to BINARYMIME, which is not offered.
    Reply::fixed(554, "5.6.0 The message has a bare CR or LF")
}
