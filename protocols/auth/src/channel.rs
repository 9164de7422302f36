//! What is known of a connection before the login: [`Channel`].

use std::net::IpAddr;

use sinew_transports::{Peer, Transport};

use crate::ChannelBinding;

/// The connection of a login, as authentication sees it: whether it is encrypted, what it can be bound to, who is at the other end.
/// Made anew after STARTTLS.
///
/// # Examples
///
/// ```
/// use sinew_auth::Channel;
///
/// // A connection whose other end has shown a certificate in the name of `ann`.
/// let channel = Channel::new().encrypted(true).external("ann");
/// assert!(channel.is_encrypted());
/// ```
#[derive(Clone, Debug, Default)]
#[must_use]
pub struct Channel {
    is_encrypted: bool,
    bindings: Vec<ChannelBinding>,
    peer: Option<IpAddr>,
    external: Option<String>,
    service: Option<&'static str>,
    mechanism: Option<&'static str>,
}

impl Channel {
    /// A connection that everybody can read, with an unknown peer.
    pub fn new() -> Self {
        Self::default()
    }

    /// The channel of a connection: its peer; with TLS (feature `tls`), that it is encrypted, and the binding to the server's
    /// certificate (`tls-server-end-point`). A Unix socket counts as encrypted, since nobody else can read it.
    pub fn of(transport: &Transport) -> Self {
        let peer = transport.peer();
        let mut channel = Self::new().peer(&peer).encrypted(is_on_this_machine(&peer));
        if let Some(certificate) = server_certificate(transport) {
            channel.is_encrypted = true;
            channel.bindings.extend(ChannelBinding::server_end_point(&certificate));
        }
        channel
    }

    /// Whether nobody between the ends can read it: TLS, or a socket that does not leave the machine. Default `false`.
    pub fn encrypted(mut self, is_encrypted: bool) -> Self {
        self.is_encrypted = is_encrypted;
        self
    }

    /// Adds something that the login can be bound to. The first is the one that a client uses. Default: none.
    pub fn binding(mut self, binding: ChannelBinding) -> Self {
        self.bindings.push(binding);
        self
    }

    /// Sets the address by which failures are counted. Default: none.
    pub fn peer(mut self, peer: &Peer) -> Self {
        self.peer = peer.ip();
        self
    }

    /// The name that the layer below has established for the client, for the mechanism EXTERNAL: from its certificate, or from the
    /// credentials of a Unix socket. Default: none.
    pub fn external(mut self, name: impl Into<String>) -> Self {
        self.external = Some(name.into());
        self
    }

    /// The name of the protocol, such as `imap`, for the [log](crate#log). Default: none.
    pub const fn service(mut self, name: &'static str) -> Self {
        self.service = Some(name);
        self
    }

    /// The name of the way to log in, such as `APOP`, for the [log](crate#log), if it is none of SASL. Default: that of SASL, or
    /// `password`.
    pub const fn mechanism(mut self, name: &'static str) -> Self {
        self.mechanism = Some(name);
        self
    }

    /// Whether it is encrypted.
    #[must_use]
    pub const fn is_encrypted(&self) -> bool {
        self.is_encrypted
    }

    pub(crate) fn bindings(&self) -> &[ChannelBinding] {
        &self.bindings
    }

    pub(crate) const fn address(&self) -> Option<IpAddr> {
        self.peer
    }

    pub(crate) const fn service_name(&self) -> Option<&'static str> {
        self.service
    }

    pub(crate) const fn mechanism_name(&self) -> Option<&'static str> {
        self.mechanism
    }

    pub(crate) fn external_name(&self) -> Option<&str> {
        self.external.as_deref()
    }
}

#[cfg(unix)]
const fn is_on_this_machine(peer: &Peer) -> bool {
    matches!(peer, Peer::Unix(_))
}

#[cfg(not(unix))]
const fn is_on_this_machine(_: &Peer) -> bool {
    false
}

/// The certificate of the server of a TLS connection, empty if it is unknown; `None` without TLS.
#[cfg(feature = "tls")]
fn server_certificate(transport: &Transport) -> Option<Vec<u8>> {
    transport.tls_info().map(|info| info.server_certificate.unwrap_or_default())
}

#[cfg(not(feature = "tls"))]
const fn server_certificate(_: &Transport) -> Option<Vec<u8>> {
    None
}
