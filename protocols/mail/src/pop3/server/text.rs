//! RETR and TOP: a message, read as the client receives it: [`TextProducer`].

use std::{cell::RefCell, rc::Rc};

use bytes::Bytes;
use sinew_protocols::basic::DotStuffing;
use sinew_transports::{Producer, Production, Transport, reactor::Canceller};

use super::{
    MaildropError,
    open_maildrop::OpenMaildrop,
    waiting::{Answer, Place},
};
use crate::pop3::codec::{Status, TopLines};

/// Bytes that are read at once.
const RETR_LEN: usize = 64 * 1024;
/// The same for TOP, which needs little in most cases.
const TOP_LEN: usize = 8 * 1024;

pub(super) struct TextProducer {
    maildrop: Rc<OpenMaildrop>,
    index: usize,
    size: u64,
    offset: u64,
    top: Option<TopLines>,
    text: DotStuffing,
    /// What was read.
    piece: Rc<RefCell<Option<Result<Bytes, MaildropError>>>>,
    reading: Option<Canceller<Bytes, MaildropError>>,
    /// The status line was written.
    is_begun: bool,
    place: Place,
}

impl TextProducer {
    pub(super) fn new(
        maildrop: Rc<OpenMaildrop>,
        index: usize,
        top: Option<TopLines>,
        place: Place,
    ) -> Self {
        let size = maildrop.maildrop.size(index);
        Self {
            maildrop,
            index,
            size,
            offset: 0,
            top,
            text: DotStuffing::normalizing(),
            piece: Rc::default(),
            reading: None,
            is_begun: false,
            place,
        }
    }

    /// Reads the next piece. Goes on when it is there.
    fn read(&mut self, transport: &Transport) -> Production {
        let Some(reactor) = transport.reactor() else { return Production::Done };
        let len = if self.top.is_some() { TOP_LEN } else { RETR_LEN };
        let read = self.maildrop.maildrop.read(&reactor, self.index, self.offset, len);
        self.reading = Some(read.canceller());
        let (piece, waking) = (Rc::clone(&self.piece), transport.clone());
        read.then(move |_, result| {
            piece.replace(Some(result));
            waking.resume_producing();
        });
        Production::Waiting
    }

    fn write(&mut self, transport: &Transport, piece: &[u8]) -> Production {
        let read = piece.len();
        self.offset = self.offset.saturating_add(read as u64);
        let mut out = Vec::with_capacity(piece.len() + 512);
        if !self.is_begun {
            self.is_begun = true;
            let status = match self.top {
                Some(_) => Status::ok("The top follows"),
                None => Status::ok(format!("{} octets", self.size)),
            };
            out.extend_from_slice(format!("{status}\r\n").as_bytes());
        }
        let piece = self.top.as_mut().map_or(piece, |top| top.take(piece));
        // Bare CRs and LFs become CRLF, so there are no errors.
        let _ = self.text.encode(piece, |piece| out.extend_from_slice(piece));
        let is_cut = self.top.as_ref().is_some_and(TopLines::is_complete);
        let is_over = is_cut || read == 0 || self.offset >= self.size;
        if is_over {
            let _ = self.text.finish(|piece| out.extend_from_slice(piece));
        }
        transport.write_bytes(out.into());
        if !is_over {
            return self.read(transport);
        }
        self.place.put(Answer::Sent, transport);
        Production::Done
    }
}

impl Producer for TextProducer {
    fn produce(&mut self, transport: &Transport) -> Production {
        let piece = self.piece.take();
        match piece {
            Some(Ok(piece)) => {
                self.reading = None;
                self.write(transport, &piece)
            }
            Some(Err(error)) if self.is_begun => {
                self.reading = None;
                // What was sent of the message must not look like all of it.
                tracing::error!(?error, "a message could not be read to its end");
                transport.abort();
                Production::Done
            }
            Some(Err(error)) => {
                self.reading = None;
                transport.write(format!("{}\r\n", error.status()));
                self.place.put(Answer::Sent, transport);
                Production::Done
            }
            None if self.reading.is_some() => Production::Waiting,
            None if self.size == 0 => self.write(transport, b""),
            None => self.read(transport),
        }
    }
}

impl Drop for TextProducer {
    fn drop(&mut self) {
        if let Some(reading) = self.reading.take() {
            reading.cancel();
        }
    }
}
