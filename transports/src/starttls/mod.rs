//! TLS that starts on an open connection once both ends have agreed in plaintext, as with STARTTLS: how a client does it ([`ClientTls`]), and a
//! server ([`ServerTls`]). For protocols: it knows the words of none, and exists without the feature `tls`, where a client fails and a server
//! offers nothing.
//!
//! Nothing that was received before TLS may count after it (RFC 3207 section 4.2): somebody on the path may have put it there. What a transport or
//! stream has received and not delivered is taken for a part of the handshake, and makes it fail. What was delivered already, the protocol has to
//! refuse or to drop. What the peer has said of itself before, it has to forget.

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

pub use {client::ClientTls, server::ServerTls};
