//! A message for many WebSockets, encoded and compressed once: [`PreparedMessage`].

use std::{cell::RefCell, fmt, rc::Rc};

use bytes::Bytes;

use super::{
    Opcode,
    codec::{MessageDeflater, compressed_frame},
    encode_frame,
};

/// A message that is encoded once and sent to many peers. From 4 KiB on it is not copied, however many receive it. It is compressed when
/// the first peer needs that, once for each size of window.
///
/// Compressed, it refers to no earlier message, also on connections with context takeover.
///
/// # Examples
///
/// ```
/// use sinew_http::websocket::{PreparedMessage, WebSocket};
///
/// fn tell_all(sockets: &[WebSocket], news: &str) {
///     let message = PreparedMessage::text(news);
///     for socket in sockets {
///         socket.send(&message);
///     }
/// }
/// ```
#[derive(Clone)]
pub struct PreparedMessage(Rc<Inner>);

struct Inner {
    opcode: Opcode,
    /// The frame of a server, without compression.
    plain: Bytes,
    payload_len: usize,
    /// Compressed, by window bits; `None` if that does not make it shorter.
    compressed: RefCell<Vec<(u8, Option<Bytes>)>>,
}

impl PreparedMessage {
    /// A text message.
    #[must_use]
    pub fn text(text: &str) -> Self {
        Self::new(Opcode::Text, text.as_bytes())
    }

    /// A binary message.
    #[must_use]
    pub fn binary(data: &[u8]) -> Self {
        Self::new(Opcode::Binary, data)
    }

    fn new(opcode: Opcode, payload: &[u8]) -> Self {
        let mut frame = Vec::with_capacity(payload.len() + 10);
        encode_frame(&mut frame, opcode, true, payload, None);
        let (plain, payload_len) = (frame.into(), payload.len());
        Self(Rc::new(Inner { opcode, plain, payload_len, compressed: RefCell::default() }))
    }

    pub(super) fn opcode(&self) -> Opcode {
        self.0.opcode
    }

    pub(super) fn payload(&self) -> Bytes {
        self.0.plain.slice(self.0.plain.len() - self.0.payload_len..)
    }

    /// The frame for a connection of a server that compresses nothing.
    pub(super) fn plain(&self) -> Bytes {
        self.0.plain.clone()
    }

    /// The frame for a connection of a server.
    pub(super) fn frame(&self, deflater: Option<&mut MessageDeflater>) -> Bytes {
        let Some(deflater) = deflater.filter(|it| self.0.payload_len >= it.compress_from) else {
            return self.plain();
        };
        let Some(frame) = self.compressed(deflater) else { return self.0.plain.clone() };
        deflater.forget();
        frame
    }

    fn compressed(&self, deflater: &MessageDeflater) -> Option<Bytes> {
        let bits = deflater.window_bits;
        let mut compressed = self.0.compressed.borrow_mut();
        if let Some((_, frame)) = compressed.iter().find(|(made, _)| *made == bits) {
            return frame.clone();
        }
        let frame = compressed_frame(self.0.opcode, &self.payload(), deflater).map(Bytes::from);
        compressed.push((bits, frame.clone()));
        frame
    }
}

impl fmt::Debug for PreparedMessage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PreparedMessage")
            .field("opcode", &self.0.opcode)
            .field("len", &self.0.payload_len)
            .finish()
    }
}
