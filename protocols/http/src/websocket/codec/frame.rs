//! Frames (RFC 6455 5.2): encoding and decoding of heads. Knows nothing of messages.

use super::{WebSocketError, mask::apply_mask};

/// The first of the three reserved bits.
const RSV1: u8 = 0x40;

/// The opcode of a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Opcode {
    /// Continuation of a message.
    Continuation,
    /// Text, or its first fragment.
    Text,
    /// Binary data, or their first fragment.
    Binary,
    /// Close.
    Close,
    /// Ping.
    Ping,
    /// Pong.
    Pong,
}

impl Opcode {
    const fn number(self) -> u8 {
        match self {
            Self::Continuation => 0,
            Self::Text => 1,
            Self::Binary => 2,
            Self::Close => 8,
            Self::Ping => 9,
            Self::Pong => 10,
        }
    }

    const fn from_number(number: u8) -> Option<Self> {
        Some(match number {
            0 => Self::Continuation,
            1 => Self::Text,
            2 => Self::Binary,
            8 => Self::Close,
            9 => Self::Ping,
            10 => Self::Pong,
            _ => return None,
        })
    }

    pub(crate) const fn is_control(self) -> bool {
        self.number() >= 8
    }
}

/// The role of an end of a connection: clients mask what they send, servers do not (RFC 6455 5.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Role {
    /// The end that accepted the connection.
    Server,
    /// The end that initiated the connection.
    Client,
}

/// The head of a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct FrameHead {
    pub(super) is_final: bool,
    /// RSV1: the message is compressed (RFC 7692 6).
    pub(super) is_compressed: bool,
    pub(super) opcode: Opcode,
    pub(super) len: u64,
    pub(super) mask: Option<[u8; 4]>,
}

impl FrameHead {
    /// The longest head: two bytes, eight of length, four of mask.
    pub(super) const LEN_MAX: usize = 14;

    /// Decodes a head that `role` has received, and returns it with its length; `None` if it is incomplete.
    pub(super) fn decode(
        bytes: &[u8],
        role: Role,
        has_deflate: bool,
    ) -> Result<Option<(Self, usize)>, WebSocketError> {
        let broken = |what| Err(WebSocketError::Protocol { what });
        let [first, rest @ ..] = bytes else { return Ok(None) };
        let Some(opcode) = Opcode::from_number(first & 15) else {
            return broken("unknown opcode");
        };
        let is_compressed = first & RSV1 != 0;
        if first & 0x30 != 0 || (is_compressed && !has_deflate) {
            return broken("reserved bits without an extension");
        }
        if is_compressed && !matches!(opcode, Opcode::Text | Opcode::Binary) {
            return broken("a compressed frame that is not the first of a message");
        }
        let is_final = first & 0x80 != 0;
        if opcode.is_control() && !is_final {
            return broken("a control frame in pieces");
        }
        let [second, rest @ ..] = rest else { return Ok(None) };
        let is_masked = second & 0x80 != 0;
        match (role, is_masked) {
            (Role::Server, false) => return broken("a frame without a mask"),
            (Role::Client, true) => return broken("a frame with a mask"),
            _ => {}
        }
        let (len, len_bytes) = match second & 0x7f {
            126 => match rest {
                [a, b, ..] => (u64::from(u16::from_be_bytes([*a, *b])), 2),
                _ => return Ok(None),
            },
            127 => match rest.first_chunk() {
                Some(bytes) => (u64::from_be_bytes(*bytes), 8),
                None => return Ok(None),
            },
            len => (u64::from(len), 0),
        };
        let is_minimal = match len_bytes {
            2 => len >= 126,
            8 => u16::try_from(len).is_err(),
            _ => true,
        };
        if !is_minimal || len > i64::MAX as u64 {
            return broken("a length that is not minimal, or past 2^63-1");
        }
        if opcode.is_control() && len > 125 {
            return broken("a control frame longer than 125 bytes");
        }
        let rest = &rest[len_bytes..];
        let mask = match (is_masked, rest.first_chunk()) {
            (false, _) => None,
            (true, Some(mask)) => Some(*mask),
            (true, None) => return Ok(None),
        };
        let head_len = 2 + len_bytes + if is_masked { 4 } else { 0 };
        Ok(Some((Self { is_final, is_compressed, opcode, len, mask }, head_len)))
    }
}

/// Appends a frame. Clients have to pass a mask: a new, unpredictable one for each frame.
///
/// # Examples
///
/// ```
/// use sinew_http::websocket::{Opcode, encode_frame};
///
/// let mut out = Vec::new();
/// encode_frame(&mut out, Opcode::Text, true, b"Hello", None);
/// assert_eq!(out, [0x81, 0x05, b'H', b'e', b'l', b'l', b'o']); // RFC 6455 5.7
/// ```
pub fn encode_frame(
    out: &mut Vec<u8>,
    opcode: Opcode,
    is_final: bool,
    payload: &[u8],
    mask: Option<[u8; 4]>,
) {
    push_frame(out, first_byte(opcode, is_final, false), payload, mask);
}

/// The first byte of a frame: what it is.
pub(super) const fn first_byte(opcode: Opcode, is_final: bool, is_compressed: bool) -> u8 {
    let fin = if is_final { 0x80 } else { 0 };
    let rsv1 = if is_compressed { RSV1 } else { 0 };
    fin | rsv1 | opcode.number()
}

/// Appends a frame with that first byte.
pub(super) fn push_frame(out: &mut Vec<u8>, first: u8, payload: &[u8], mask: Option<[u8; 4]>) {
    push_head(out, first, payload.len(), mask);
    let start = out.len();
    out.extend_from_slice(payload);
    if let Some(mask) = mask {
        apply_mask(&mut out[start..], mask, 0);
    }
}

/// Appends the head of a frame with that first byte, for a payload of that length.
pub(crate) fn push_head(out: &mut Vec<u8>, first: u8, len: usize, mask: Option<[u8; 4]>) {
    let mask_bit = if mask.is_some() { 0x80 } else { 0 };
    match (u8::try_from(len), u16::try_from(len)) {
        (Ok(len @ ..126), _) => out.extend_from_slice(&[first, mask_bit | len]),
        (_, Ok(len)) => {
            let [high, low] = len.to_be_bytes();
            out.extend_from_slice(&[first, mask_bit | 126, high, low]);
        }
        _ => {
            out.extend_from_slice(&[first, mask_bit | 127]);
            out.extend_from_slice(&(len as u64).to_be_bytes());
        }
    }
    if let Some(mask) = mask {
        out.extend_from_slice(&mask);
    }
}
