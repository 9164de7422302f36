//! Messages into frames (RFC 6455 5.4 to 6.1, RFC 7692 7.2.1): [`MessageEncoder`].

use super::{
    DeflateParams, Opcode, Role,
    deflate::{ContextPool, MessageDeflater},
    frame::{first_byte, push_frame},
};

/// Encodes messages for a peer, which [`MessageDecoder`](super::MessageDecoder) decodes.
///
/// # Examples
///
/// ```
/// use sinew_http::websocket::{MessageEncoder, Opcode, Role};
///
/// let mut encoder = MessageEncoder::new(Role::Server);
/// let mut out = Vec::new();
/// encoder.encode(&mut out, Opcode::Text, b"Hello", &mut || [0; 4]);
/// assert_eq!(out, b"\x81\x05Hello");
/// ```
#[derive(Debug)]
pub struct MessageEncoder {
    role: Role,
    /// Longest payload of a frame.
    fragment_len: usize,
    deflater: Option<MessageDeflater>,
    part: Part,
}

/// Which part of a message comes next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Part {
    /// None: the next message is encoded as a whole.
    None,
    First,
    Next {
        is_compressed: bool,
    },
}

impl MessageEncoder {
    /// An encoder for this end of a connection.
    #[must_use]
    pub const fn new(role: Role) -> Self {
        Self { role, fragment_len: usize::MAX, deflater: None, part: Part::None }
    }

    /// Compresses as agreed.
    #[must_use]
    pub fn deflate(self, params: &DeflateParams) -> Self {
        self.deflate_in(params, &ContextPool::default())
    }

    #[must_use]
    pub(in crate::websocket) fn deflate_in(
        mut self,
        params: &DeflateParams,
        pool: &ContextPool,
    ) -> Self {
        self.deflater = Some(MessageDeflater::new(params, pool));
        self
    }

    /// Sends messages in frames of at most this payload, in bytes. Default: one frame for each message.
    #[must_use]
    pub fn fragment_len(mut self, bytes: impl Into<Option<usize>>) -> Self {
        self.fragment_len = bytes.into().map_or(usize::MAX, |bytes: usize| bytes.max(1));
        self
    }

    /// Appends a message, [text](Opcode::Text) or [binary](Opcode::Binary), or a control frame. A client takes a mask for each frame from
    /// `masks`: new ones that nobody can predict (RFC 6455 5.3).
    pub fn encode(
        &mut self,
        out: &mut Vec<u8>,
        opcode: Opcode,
        payload: &[u8],
        masks: &mut dyn FnMut() -> [u8; 4],
    ) {
        self.encode_frames(out, opcode, payload, masks, &mut |_| {});
    }

    /// The same; tells the end of each frame in `out`.
    pub(in crate::websocket) fn encode_frames(
        &mut self,
        out: &mut Vec<u8>,
        opcode: Opcode,
        payload: &[u8],
        masks: &mut dyn FnMut() -> [u8; 4],
        ends: &mut dyn FnMut(usize),
    ) {
        let is_control = opcode.is_control();
        let mut scratch = Vec::new();
        let compressed = match &mut self.deflater {
            Some(deflater) if !is_control && payload.len() >= deflater.compress_from => {
                deflater.deflate(payload, &mut scratch).then_some(&*scratch)
            }
            _ => None,
        };
        let mut rest = compressed.unwrap_or(payload);
        let len = if is_control { usize::MAX } else { self.fragment_len };
        let (mut opcode, mut is_compressed) = (opcode, compressed.is_some());
        loop {
            let (fragment, more) = rest.split_at(len.min(rest.len()));
            let first = first_byte(opcode, more.is_empty(), is_compressed);
            push_frame(out, first, fragment, mask(self.role, masks));
            ends(out.len());
            rest = more;
            if rest.is_empty() {
                break;
            }
            (opcode, is_compressed) = (Opcode::Continuation, false);
        }
    }

    /// Appends the next part of a message, in a frame of its own, so that the peer can have it before the rest is there. Control frames
    /// may be encoded between two parts, and nothing else.
    pub fn encode_part(
        &mut self,
        out: &mut Vec<u8>,
        opcode: Opcode,
        part: &[u8],
        is_last: bool,
        masks: &mut dyn FnMut() -> [u8; 4],
    ) {
        let (is_first, is_compressed) = match self.part {
            Part::None | Part::First => (true, self.deflater.is_some()),
            Part::Next { is_compressed } => (false, is_compressed),
        };
        let mut scratch = Vec::new();
        let part = match &mut self.deflater {
            Some(deflater) if is_compressed => {
                deflater.deflate_part(part, is_last, &mut scratch);
                &*scratch
            }
            _ => part,
        };
        let opcode = if is_first { opcode } else { Opcode::Continuation };
        let first = first_byte(opcode, is_last, is_compressed && is_first);
        push_frame(out, first, part, mask(self.role, masks));
        self.part = if is_last { Part::None } else { Part::Next { is_compressed } };
    }

    /// The next message will be encoded in parts.
    pub(in crate::websocket) const fn begin(&mut self) {
        self.part = Part::First;
    }

    /// Undoes [`begin`](Self::begin), if no part has been encoded. Whether that was so.
    pub(in crate::websocket) fn cancel(&mut self) -> bool {
        let is_first = self.part == Part::First;
        if is_first {
            self.part = Part::None;
        }
        is_first
    }

    /// Whether a message has begun and not ended.
    #[must_use]
    pub const fn is_in_message(&self) -> bool {
        !matches!(self.part, Part::None)
    }

    /// Whether a new one would go on in the same way.
    pub(in crate::websocket) fn is_unused(&self) -> bool {
        let is_deflating = self.deflater.as_ref().is_some_and(MessageDeflater::has_context);
        !self.is_in_message() && !is_deflating
    }

    pub(in crate::websocket) const fn deflater(&mut self) -> Option<&mut MessageDeflater> {
        self.deflater.as_mut()
    }
}

fn mask(role: Role, masks: &mut dyn FnMut() -> [u8; 4]) -> Option<[u8; 4]> {
    match role {
        Role::Server => None,
        Role::Client => Some(masks()),
    }
}

/// A message in one frame of a server, compressed by itself. `None` if that does not make it shorter.
pub(in crate::websocket) fn compressed_frame(
    opcode: Opcode,
    payload: &[u8],
    deflater: &MessageDeflater,
) -> Option<Vec<u8>> {
    let mut compressed = Vec::new();
    if !deflater.deflate_alone(payload, &mut compressed) {
        return None;
    }
    let mut frame = Vec::with_capacity(compressed.len() + 10);
    push_frame(&mut frame, first_byte(opcode, true, true), &compressed, None);
    Some(frame)
}
