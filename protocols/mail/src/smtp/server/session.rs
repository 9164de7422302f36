//! What is known about a connection and its current message: [`Session`].

use std::{fmt, net::SocketAddr};

use sinew_auth::Identity;
use sinew_protocols::basic::Word;
use sinew_transports::{Peer, Transport};

use crate::smtp::codec::{Recipient, Sender};

/// A connection of a client, as a handler sees it.
pub struct Session {
    transport: Transport,
    pub(super) is_lmtp: bool,
    pub(super) greeting: Greeting,
    pub(super) identity: Option<Identity>,
    pub(super) sender: Option<Sender>,
    pub(super) recipients: Vec<Recipient>,
}

/// How the client has introduced itself.
#[derive(Clone, Debug, Default)]
pub(super) enum Greeting {
    /// Not yet, or not since TLS was started.
    #[default]
    None,
    /// By HELO.
    Helo(Word),
    /// By EHLO or LHLO.
    Extended(Word),
}

impl Session {
    pub(super) fn new(transport: &Transport, is_lmtp: bool) -> Self {
        Self {
            transport: transport.clone(),
            is_lmtp,
            greeting: Greeting::None,
            identity: None,
            sender: None,
            recipients: Vec::new(),
        }
    }

    /// The client.
    #[must_use]
    pub fn peer(&self) -> Peer {
        self.transport.peer()
    }

    /// The address that the client has connected to.
    #[must_use]
    pub fn local(&self) -> Option<SocketAddr> {
        self.transport.local()
    }

    /// The connection, for its reactor, its TLS, or to end it.
    #[must_use]
    pub fn transport(&self) -> &Transport {
        &self.transport
    }

    /// The name by which the client has introduced itself. Anyone can say any name.
    #[must_use]
    pub fn helo(&self) -> Option<&str> {
        match &self.greeting {
            Greeting::None => None,
            Greeting::Helo(name) | Greeting::Extended(name) => name.as_str(),
        }
    }

    /// Whether it did so by EHLO or LHLO, and so knows extensions.
    #[must_use]
    pub fn is_extended(&self) -> bool {
        matches!(self.greeting, Greeting::Extended(_))
    }

    /// Whether the server speaks LMTP, so that each recipient has a reply of its own.
    #[must_use]
    pub fn is_lmtp(&self) -> bool {
        self.is_lmtp
    }

    /// Whether TLS is on.
    #[must_use]
    pub fn is_tls(&self) -> bool {
        self.transport.is_tls()
    }

    /// Who has logged in.
    #[must_use]
    pub fn identity(&self) -> Option<&Identity> {
        self.identity.as_ref()
    }

    /// The sender of the current message; inside, `None` for the null path.
    #[must_use]
    pub fn sender(&self) -> Option<&Sender> {
        self.sender.as_ref()
    }

    /// The recipients of the current message that were accepted so far.
    #[must_use]
    pub fn recipients(&self) -> &[Recipient] {
        &self.recipients
    }

    /// The protocol as a `Received` line calls it (RFC 3848, RFC 6531 4.3).
    pub(super) fn protocol(&self) -> String {
        let has_utf8 = self.sender.as_ref().is_some_and(Sender::has_utf8);
        let name = match (&self.greeting, self.is_lmtp, has_utf8) {
            (Greeting::Extended(_), true, false) => "LMTP",
            (Greeting::Extended(_), true, true) => "UTF8LMTP",
            (Greeting::Extended(_), false, false) => "ESMTP",
            (Greeting::Extended(_), false, true) => "UTF8SMTP",
            _ => return "SMTP".to_owned(),
        };
        let tls = if self.is_tls() { "S" } else { "" };
        let login = if self.identity.is_some() { "A" } else { "" };
        format!("{name}{tls}{login}")
    }
}

impl fmt::Debug for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Session")
            .field("peer", &self.peer())
            .field("greeting", &self.greeting)
            .field("identity", &self.identity)
            .field("sender", &self.sender)
            .field("recipients", &self.recipients.len())
            .finish_non_exhaustive()
    }
}
