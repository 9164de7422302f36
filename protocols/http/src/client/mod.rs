//! A client of HTTP/1.1: [`ClientConnection`] is one connection, which sends a request at a time, and [`Pool`] keeps connections for
//! the next request.

mod config;
mod connection;
mod error;
mod exchange;
mod link;
mod outgoing;
mod pool;
mod protocol;
mod response;

pub use config::ConnectionConfig;
pub use connection::{ClientConnection, ClientFactory};
pub use error::{Phase, RequestError};
pub use outgoing::Outgoing;
pub use pool::{Pool, PoolConfig, PooledConnection};
pub use protocol::ClientProtocol;
pub use response::{Response, Upgraded};
