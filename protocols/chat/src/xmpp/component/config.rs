//! What a component is told: [`ComponentConfig`], with its limits.

use std::time::Duration;

use sinew_auth::Secret;

use crate::xmpp::codec::{Jid, XmlLimits};

/// Which domain a component has, and its limits.
///
/// | limit | default | when exceeded |
/// |---|---|---|
/// | [`handshake_timeout`](Self::handshake_timeout): from the connection until online | 60 s | [`ComponentError::TimedOut`](super::ComponentError::TimedOut) |
/// | [`ping_after`](Self::ping_after): silence, then a ping | 60 s | |
/// | [`pong_within`](Self::pong_within): silence after it | 60 s | [`ComponentError::Silent`](super::ComponentError::Silent) |
/// | what is received before the server has accepted it | 10 KiB | [`XmlError::StanzaTooLong`](crate::xmpp::codec::XmlError) |
/// | [`xml`](Self::xml): stanzas, and their parts | [`XmlLimits`] | [`XmlError`](crate::xmpp::codec::XmlError) |
/// | [`stanza_max`](Self::stanza_max): bytes of a stanza that is sent | 256 KiB | [`SendError::TooLong`](crate::xmpp::client::SendError::TooLong) |
/// | [`output_max`](Self::output_max): bytes that the connection has not taken | 16 MiB | [`SendError::QueueFull`](crate::xmpp::client::SendError::QueueFull) |
/// | [`requests_max`](Self::requests_max): questions that wait for answers | 1,000 | [`RequestError::TooMany`](crate::xmpp::client::RequestError::TooMany) |
/// | [`request_timeout`](Self::request_timeout): an answer | 30 s | [`RequestError::TimedOut`](crate::xmpp::client::RequestError::TimedOut) |
///
/// # Examples
///
/// ```
/// use sinew_chat::xmpp::component::ComponentConfig;
///
/// let config = ComponentConfig::new("echo.example.org".parse()?, "a long random secret");
/// # drop(config);
/// # Ok::<(), sinew_chat::xmpp::codec::JidError>(())
/// ```
#[derive(Clone, Debug)]
#[must_use]
pub struct ComponentConfig {
    pub(super) domain: Jid,
    pub(super) secret: Secret,
    pub(super) identity: (String, String, String),
    pub(super) features: Vec<String>,
    pub(super) handshake_timeout: Duration,
    pub(super) ping_after: Duration,
    pub(super) pong_within: Duration,
    pub(super) xml: XmlLimits,
    pub(super) stanza_max: usize,
    pub(super) output_max: usize,
    pub(super) requests_max: usize,
    pub(super) request_timeout: Duration,
}

impl ComponentConfig {
    /// A domain, and the secret that its server knows it by. Of the address only the domain counts.
    pub fn new(domain: Jid, secret: impl Into<Secret>) -> Self {
        Self {
            domain: domain.of_domain(),
            secret: secret.into(),
            identity: ("component".to_owned(), "generic".to_owned(), "sinew".to_owned()),
            features: Vec::new(),
            handshake_timeout: Duration::from_secs(60),
            ping_after: Duration::from_secs(60),
            pong_within: Duration::from_secs(60),
            xml: XmlLimits::default(),
            stanza_max: 256 * 1_024,
            output_max: 16 * 1_024 * 1_024,
            requests_max: 1_000,
            request_timeout: Duration::from_secs(30),
        }
    }

    /// What the component says that it is, to those who ask its domain (XEP-0030): a category and a type of the registry of identities,
    /// and a name for people. Default "component", "generic", "sinew".
    pub fn identity(
        mut self,
        category: impl Into<String>,
        kind: impl Into<String>,
        name: impl Into<String>,
    ) -> Self {
        self.identity = (category.into(), kind.into(), name.into());
        self
    }

    /// A feature that the handler has, to be named to those who ask the domain (XEP-0030).
    pub fn feature(mut self, feature: impl Into<String>) -> Self {
        self.features.push(feature.into());
        self
    }

    /// From the connection until the server has accepted the component. Default 60 s.
    pub const fn handshake_timeout(mut self, timeout: Duration) -> Self {
        self.handshake_timeout = timeout;
        self
    }

    /// Silence after which the component sends a ping to itself, which the server gives back to it. Default 60 s.
    pub const fn ping_after(mut self, silence: Duration) -> Self {
        self.ping_after = silence;
        self
    }

    /// Silence after that, with which the connection is given up. Default 60 s.
    pub const fn pong_within(mut self, silence: Duration) -> Self {
        self.pong_within = silence;
        self
    }

    /// The limits of what is received once the server has accepted the component.
    pub const fn xml(mut self, limits: XmlLimits) -> Self {
        self.xml = limits;
        self
    }

    /// Most bytes of a stanza that is sent. Default 256 KiB.
    pub const fn stanza_max(mut self, max: usize) -> Self {
        self.stanza_max = max;
        self
    }

    /// Most bytes that wait for the connection to take them. Default 16 MiB.
    pub const fn output_max(mut self, max: usize) -> Self {
        self.output_max = max;
        self
    }

    /// Most questions that wait for their answers. Default 1,000.
    pub const fn requests_max(mut self, max: usize) -> Self {
        self.requests_max = max;
        self
    }

    /// How long an answer may take. Default 30 s.
    pub const fn request_timeout(mut self, timeout: Duration) -> Self {
        self.request_timeout = timeout;
        self
    }
}
