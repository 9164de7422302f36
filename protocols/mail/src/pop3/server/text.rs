//! RETR and TOP: a message, read as the client receives it: [`TextProducer`].

use std::{cell::RefCell, rc::Rc};

use bytes::Bytes;
use sinew_protocols::basic::DotStuffing;
use sinew_transports::{
    Producer, Production, Transport,
    reactor::{Deferred, Reactor},
};

use super::{
    MaildropError,
    open_maildrop::OpenMaildrop,
    read_together::{TOP_LEN, choose},
    waiting::{Answer, Place},
};
use crate::{
    pop3::codec::{Status, TopLines},
    store::READ_LEN_MAX,
};

/// Bytes that are read at once.
const RETR_LEN: usize = READ_LEN_MAX;

/// How much may wait to be sent before a message is sent only as the client receives it, also if it is in memory.
const QUEUE_MAX: usize = 32 * 1024;

pub(super) struct TextProducer {
    maildrop: Rc<OpenMaildrop>,
    index: usize,
    size: u64,
    offset: u64,
    top: Option<TopLines>,
    text: DotStuffing,
    /// Messages whose commands wait, and that are read with this one.
    next: Vec<usize>,
    /// What was read.
    read: Rc<RefCell<Option<Read>>>,
    /// Ends the reading, if it goes on.
    reading: Option<Box<dyn FnOnce()>>,
    /// The status line was written.
    is_begun: bool,
    place: Place,
}

enum Read {
    Piece(Result<Bytes, MaildropError>),
    /// Others may have been read, and this message was left out.
    LeftOut,
}

impl TextProducer {
    /// `following` is what was received behind the command.
    pub(super) fn new(
        maildrop: Rc<OpenMaildrop>,
        index: usize,
        top: Option<TopLines>,
        place: Place,
        following: &[u8],
    ) -> Self {
        let size = maildrop.maildrop.size(index);
        let read = maildrop.ahead.take(index).map(|piece| Read::Piece(Ok(piece)));
        let next = match read {
            None if maildrop.ahead.is_used_up() => {
                choose(&maildrop, index, top.is_some(), following)
            }
            _ => Vec::new(),
        };
        Self {
            maildrop,
            index,
            size,
            offset: 0,
            top,
            text: DotStuffing::keeping_bare_crs(),
            next,
            read: Rc::new(RefCell::new(read)),
            reading: None,
            is_begun: false,
            place,
        }
    }

    /// Reads the next piece. Goes on when it is there.
    fn read(&mut self, transport: &Transport) -> Production {
        let Some(reactor) = transport.reactor() else { return Production::Done };
        let len = if self.top.is_some() { TOP_LEN } else { RETR_LEN };
        if !self.next.is_empty() && self.read_many(&reactor, transport, len) {
            return Production::Waiting;
        }
        let read = self.maildrop.maildrop.read(&reactor, self.index, self.offset, len);
        self.wait(transport, read, Read::Piece);
        Production::Waiting
    }

    /// Reads this message and the next ones. Whether the maildrop does this.
    fn read_many(&mut self, reactor: &Reactor, transport: &Transport, len: usize) -> bool {
        let mut messages = std::mem::take(&mut self.next);
        messages.insert(0, self.index);
        let read = self.maildrop.maildrop.read_many(reactor, &messages, len);
        let Some(read) = read else { return false };
        self.maildrop.ahead.expect(messages.len() - 1);
        let (maildrop, index) = (Rc::clone(&self.maildrop), self.index);
        self.wait(transport, read, move |texts| {
            // Which message an error is of is told when it is read by itself.
            let text = maildrop.ahead.put(index, texts.unwrap_or_default());
            text.map_or(Read::LeftOut, |text| Read::Piece(Ok(text)))
        });
        true
    }

    /// Goes on when it is there.
    fn wait<T: 'static>(
        &mut self,
        transport: &Transport,
        deferred: Deferred<T, MaildropError>,
        read: impl FnOnce(Result<T, MaildropError>) -> Read + 'static,
    ) {
        let canceller = deferred.canceller();
        self.reading = Some(Box::new(move || canceller.cancel()));
        let (place, waking) = (Rc::clone(&self.read), transport.clone());
        deferred.then(move |_, result| {
            place.replace(Some(read(result)));
            waking.resume_producing();
        });
    }

    /// Writes the message if it was read ahead. Whether nothing of it is left to be sent: if so, there is nothing to wait for.
    pub(super) fn write_known(&mut self, transport: &Transport) -> bool {
        if transport.queued() > QUEUE_MAX {
            return false;
        }
        let read = self.read.take();
        match read {
            Some(Read::Piece(Ok(piece))) => self.write(transport, &piece),
            other => {
                self.read.replace(other);
                false
            }
        }
    }

    /// Writes what is sent of the next piece, and returns whether that is the end.
    fn write(&mut self, transport: &Transport, piece: &[u8]) -> bool {
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
        // Nothing is an error. Bare CRs stay, as they are counted in the size.
        let _ = self.text.encode(piece, |piece| out.extend_from_slice(piece));
        let is_cut = self.top.as_ref().is_some_and(TopLines::is_complete);
        let is_over = is_cut || read == 0 || self.offset >= self.size;
        if is_over {
            let _ = self.text.finish(|piece| out.extend_from_slice(piece));
        }
        transport.write_bytes(out.into());
        is_over
    }

    /// Goes on behind a piece, as the client receives it.
    fn pass_on(&mut self, transport: &Transport, piece: &[u8]) -> Production {
        if !self.write(transport, piece) {
            return self.read(transport);
        }
        self.place.put(Answer::Sent, transport);
        Production::Done
    }
}

impl Producer for TextProducer {
    fn produce(&mut self, transport: &Transport) -> Production {
        let Some(read) = self.read.take() else {
            return match self.reading {
                Some(_) => Production::Waiting,
                None if self.size == 0 => self.pass_on(transport, b""),
                None => self.read(transport),
            };
        };
        self.reading = None;
        match read {
            Read::Piece(Ok(piece)) => self.pass_on(transport, &piece),
            Read::Piece(Err(error)) if self.is_begun => {
                // What was sent of the message must not look like all of it.
                tracing::error!(?error, "a message could not be read to its end");
                transport.abort();
                Production::Done
            }
            Read::Piece(Err(error)) => {
                transport.write(format!("{}\r\n", error.status()));
                self.place.put(Answer::Sent, transport);
                Production::Done
            }
            Read::LeftOut => self.read(transport),
        }
    }
}

impl Drop for TextProducer {
    fn drop(&mut self) {
        if let Some(reading) = self.reading.take() {
            reading();
        }
    }
}
