//! The wire format of WebSocket, pure: frames and messages (RFC 6455), permessage-deflate (RFC 7692), and the opening handshake of both
//! ends. Nothing here knows a transport or a clock.

mod close;
mod decoder;
mod deflate;
mod encoder;
mod error;
mod extensions;
mod frame;
mod handshake;
mod limits;
mod mask;
mod partial;

pub use close::{CloseCode, CloseReason};
pub use decoder::{Message, MessageDecoder};
pub use deflate::{DeflateConfig, DeflateParams};
pub use encoder::MessageEncoder;
pub use error::WebSocketError;
pub use frame::{Opcode, Role, encode_frame};
pub use handshake::HandshakeError;
pub use limits::MessageLimits;

pub(super) use deflate::{ContextPool, MessageDeflater};
pub(super) use encoder::compressed_frame;
pub(super) use extensions::{Extension, extensions};
pub(super) use handshake::{Agreement, ClientHandshake, accept_value, is_key};
pub(super) use partial::Partial;
