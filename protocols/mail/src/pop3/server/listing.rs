//! LIST and UIDL of all messages, made as the client receives them: [`ListingProducer`].

use std::{fmt::Write, rc::Rc};

use sinew_transports::{Producer, Production, Transport};

use super::{
    open_maildrop::OpenMaildrop,
    waiting::{Answer, Place},
};

/// Bytes that are written at once, about.
const PIECE_LEN: usize = 8 * 1024;

pub(super) struct ListingProducer {
    pub(super) maildrop: Rc<OpenMaildrop>,
    pub(super) kind: ListingKind,
    /// The number of the next message.
    pub(super) next: u32,
    pub(super) place: Place,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ListingKind {
    Sizes,
    UniqueIds,
}

impl ListingKind {
    /// What is said of a message.
    pub(super) fn line(self, maildrop: &OpenMaildrop, number: u32, index: usize) -> String {
        match self {
            Self::Sizes => format!("{number} {}", maildrop.maildrop.size(index)),
            Self::UniqueIds => format!("{number} {}", maildrop.maildrop.unique_id(index)),
        }
    }
}

impl Producer for ListingProducer {
    fn produce(&mut self, transport: &Transport) -> Production {
        let mut out = String::with_capacity(PIECE_LEN + 128);
        while out.len() < PIECE_LEN {
            let Some((number, index)) = self.maildrop.next(self.next) else {
                out.push_str(".\r\n");
                transport.write_bytes(out.into());
                self.place.put(Answer::Sent, transport);
                return Production::Done;
            };
            let line = self.kind.line(&self.maildrop, number, index);
            let _ = write!(out, "{line}\r\n");
            // There is no message with the highest number.
            self.next = number + 1;
        }
        transport.write_bytes(out.into());
        Production::More
    }
}
