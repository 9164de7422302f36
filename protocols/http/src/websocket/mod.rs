//! WebSocket (RFC 6455) with permessage-deflate (RFC 7692). `codec/` is the wire format, pure: [`MessageDecoder`] and [`MessageEncoder`].
//! [`WebSocketUpgrade`] upgrades a request to a connection, and [`WebSocketClient`] connects; a [`WebSocketHandler`] handles a connection at
//! either end, or it is used by `await`, as a [`WebSocketStream`].

mod client;
mod closing;
mod codec;
mod config;
mod connection;
mod handler;
mod link;
mod message_writer;
mod prepared;
mod sending;
mod shared;
mod socket;
mod stream;
mod upgrade;

pub use client::{ClientOpening, OpenError, UrlError, WebSocketClient, WebSocketUrl};
pub use codec::{
    CloseCode, CloseReason, DeflateConfig, DeflateParams, HandshakeError, Message, MessageDecoder,
    MessageEncoder, MessageLimits, Opcode, Role, WebSocketError, encode_frame,
};
pub use config::{Overflow, WebSocketConfig};
pub use connection::WebSocketConnection;
pub use handler::WebSocketHandler;
pub use message_writer::MessageWriter;
pub use prepared::PreparedMessage;
pub use socket::{SendStatus, WebSocket};
pub use stream::{ReceivedMessage, SendError, StreamHandler, WebSocketStream};
pub use upgrade::WebSocketUpgrade;
