//! What a decoder has of a frame or message that is not complete: [`Partial`].

use std::mem;

use super::{Opcode, frame::FrameHead};

/// Larger buffers are not kept for the next message.
const KEPT_MAX: usize = 64 * 1024;

/// The state of a decoder within a frame or message. A decoder between two messages has none; the connections of a server lend theirs from
/// one to the next.
#[derive(Debug)]
pub(in crate::websocket) struct Partial {
    /// A head that is not complete.
    pub(super) head: [u8; FrameHead::LEN_MAX],
    pub(super) head_len: usize,
    /// The frame whose payload is being received, and how much of it has been.
    pub(super) frame: Option<(FrameHead, u64)>,
    pub(super) kind: Option<Kind>,
    /// All frames of the message have been received.
    pub(super) is_ending: bool,
    pub(super) message: Vec<u8>,
    /// How much of the message is known to be UTF-8.
    pub(super) checked: usize,
    /// Received data to be inflated, from `inflated` on.
    pub(super) compressed: Vec<u8>,
    pub(super) inflated: usize,
    pub(super) control: Vec<u8>,
    pub(super) given: Given,
}

/// The message whose frames are being received.
#[derive(Clone, Copy, Debug)]
pub(super) struct Kind {
    pub(super) is_text: bool,
    pub(super) is_compressed: bool,
    pub(super) fragments: u32,
    /// Bytes that were received, as they were sent.
    pub(super) received: usize,
}

/// What the caller was given, to be removed at the next call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Given {
    Nothing,
    Control,
    Message,
    /// So many bytes of the message.
    Piece(usize),
}

impl Partial {
    pub(super) fn new() -> Box<Self> {
        Box::new(Self {
            head: [0; FrameHead::LEN_MAX],
            head_len: 0,
            frame: None,
            kind: None,
            is_ending: false,
            message: Vec::new(),
            checked: 0,
            compressed: Vec::new(),
            inflated: 0,
            control: Vec::new(),
            given: Given::Nothing,
        })
    }

    /// Whether nothing is in it that the next call needs.
    pub(super) fn is_idle(&self) -> bool {
        self.head_len == 0
            && self.frame.is_none()
            && self.kind.is_none()
            && self.given == Given::Nothing
    }

    /// Removes what the caller was given.
    pub(super) fn remove_given(&mut self) {
        match mem::replace(&mut self.given, Given::Nothing) {
            Given::Nothing => {}
            Given::Control => self.control.clear(),
            Given::Message => {
                (self.kind, self.is_ending, self.checked) = (None, false, 0);
                clear(&mut self.message);
                clear(&mut self.compressed);
            }
            Given::Piece(len) => {
                self.message.drain(..len);
                self.checked = self.checked.saturating_sub(len);
            }
        }
    }

    /// How much there is of a message to be given as a piece: whole characters of a text.
    pub(super) fn piece_len(&self) -> usize {
        if self.is_text() { self.checked } else { self.message.len() }
    }

    pub(super) fn is_compressed(&self) -> bool {
        self.kind.is_some_and(|kind| kind.is_compressed)
    }

    pub(super) fn is_text(&self) -> bool {
        self.kind.is_some_and(|kind| kind.is_text)
    }

    /// Where the payload of a frame goes.
    pub(super) fn target(&mut self, opcode: Opcode) -> &mut Vec<u8> {
        match () {
            () if opcode.is_control() => &mut self.control,
            () if self.is_compressed() => &mut self.compressed,
            () => &mut self.message,
        }
    }
}

fn clear(buffer: &mut Vec<u8>) {
    if buffer.capacity() > KEPT_MAX {
        *buffer = Vec::new();
    }
    buffer.clear();
}
