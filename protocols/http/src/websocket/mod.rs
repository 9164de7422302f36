//! WebSocket (RFC 6455), without extensions: [`MessageDecoder`] and [`encode_frame`] are the wire format, pure;
//! [`WebSocketUpgrade`] upgrades a request to a connection, which a [`WebSocketHandler`] handles.

mod close;
mod config;
mod connection;
mod decoder;
mod frame;
mod handler;
mod socket;
mod upgrade;

pub use close::{CloseCode, CloseReason};
pub use config::WebSocketConfig;
pub use connection::WebSocketConnection;
pub use decoder::{Message, MessageDecoder, MessageLimits, WebSocketError};
pub use frame::{Opcode, Role, encode_frame};
pub use handler::WebSocketHandler;
pub use socket::{PreparedMessage, WebSocket};
pub use upgrade::WebSocketUpgrade;
