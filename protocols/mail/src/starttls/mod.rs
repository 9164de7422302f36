//! TLS on request, for all protocols of mail: how a client starts it ([`ClientTls`]), and a server ([`ServerTls`]). Knows the words of none.

#[cfg(feature = "tls")]
mod client;
#[cfg(not(feature = "tls"))]
#[path = "client_missing.rs"]
mod client;
#[cfg(feature = "tls")]
mod server;
#[cfg(not(feature = "tls"))]
#[path = "server_missing.rs"]
mod server;

pub(crate) use {client::ClientTls, server::ServerTls};
