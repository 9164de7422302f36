//! What a client is told: [`XmppConfig`], with its limits.

use std::time::Duration;

use sinew_auth::{ClientLogin, Secret};
use sinew_transports::starttls::ClientTls;

use crate::xmpp::codec::{Jid, Presence, XmlLimits};

/// Whether a connection must be secured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Security {
    /// TLS from the start, or STARTTLS.
    Required,
    /// As it comes: STARTTLS is not asked for. For servers on the same machine.
    None,
}

/// Who a client is, and its limits.
///
/// | limit | default | when exceeded |
/// |---|---|---|
/// | [`login_timeout`](Self::login_timeout): from the connection until online | 60 s | [`XmppError::TimedOut`](super::XmppError::TimedOut) |
/// | [`ping_after`](Self::ping_after): silence, then a question to the server | 60 s | |
/// | [`pong_within`](Self::pong_within): silence after it | 60 s | [`XmppError::Silent`](super::XmppError::Silent) |
/// | an acknowledgement that the server owes: both together | 120 s | [`XmppError::Unacknowledged`](super::XmppError::Unacknowledged) |
/// | a stanza before the login | 10 KiB | [`XmlError::StanzaTooLong`](crate::xmpp::codec::XmlError) |
/// | [`xml`](Self::xml): stanzas after it, and their parts | [`XmlLimits`], 72 deep | [`XmlError`](crate::xmpp::codec::XmlError) |
/// | [`stanza_max`](Self::stanza_max): bytes of a stanza that is sent | 256 KiB | [`SendError::TooLong`](super::SendError::TooLong) |
/// | elements of it in each other, without the stream, fixed | 63 | [`EncodeError::TooDeep`](crate::xmpp::codec::EncodeError::TooDeep) |
/// | [`unacknowledged_max`](Self::unacknowledged_max): stanzas without an acknowledgement; messages that wait while away | 1,000 each | [`SendError::QueueFull`](super::SendError::QueueFull) |
/// | [`output_max`](Self::output_max): bytes that the connection has not taken | 4 MiB | [`SendError::QueueFull`](super::SendError::QueueFull) |
/// | [`resume_within`](Self::resume_within): a session without a connection | 5 min | a new session |
/// | [`requests_max`](Self::requests_max): questions that wait for answers | 256 | [`RequestError::TooMany`](super::RequestError::TooMany) |
/// | [`request_timeout`](Self::request_timeout): an answer | 30 s | [`RequestError::TimedOut`](super::RequestError::TimedOut) |
/// | [`roster_max`](Self::roster_max): contacts that are remembered | 2,000 | more are not listed |
/// | [`rooms_max`](Self::rooms_max): rooms | 50 | [`RequestError::TooMany`](super::RequestError::TooMany) |
///
/// # Examples
///
/// ```
/// use sinew_chat::xmpp::client::XmppConfig;
///
/// let config = XmppConfig::new("bot@example.org/sinew".parse()?, "secret");
/// # drop(config);
/// # Ok::<(), sinew_chat::xmpp::codec::JidError>(())
/// ```
#[derive(Clone, Debug)]
#[must_use]
pub struct XmppConfig {
    pub(super) jid: Jid,
    pub(super) login: ClientLogin,
    pub(super) security: Security,
    pub(super) tls: ClientTls,
    pub(super) presence: Option<Presence>,
    pub(super) fetches_roster: bool,
    pub(super) carbons: bool,
    pub(super) receipts: bool,
    pub(super) rejoins: bool,
    pub(super) waits_while_away: bool,
    pub(super) software: Option<String>,
    pub(super) features: Vec<String>,
    pub(super) login_timeout: Duration,
    pub(super) ping_after: Duration,
    pub(super) pong_within: Duration,
    pub(super) xml: XmlLimits,
    pub(super) stanza_max: usize,
    pub(super) unacknowledged_max: usize,
    pub(super) output_max: usize,
    pub(super) resume_within: Duration,
    pub(super) requests_max: usize,
    pub(super) request_timeout: Duration,
    pub(super) roster_max: usize,
    pub(super) rooms_max: usize,
    pub(super) uploads_without_tls: bool,
}

impl XmppConfig {
    /// An account and its password. A resource that the address has is asked for; without one the server chooses.
    pub fn new(jid: Jid, password: impl Into<Secret>) -> Self {
        let user = jid.local().unwrap_or_default().to_owned();
        Self::with_login(jid, ClientLogin::password(user, password))
    }

    /// An account, and what it logs in with.
    pub fn with_login(jid: Jid, login: ClientLogin) -> Self {
        Self {
            jid,
            login,
            security: Security::Required,
            tls: ClientTls::default(),
            presence: Some(Presence::available()),
            fetches_roster: true,
            carbons: false,
            receipts: true,
            rejoins: true,
            waits_while_away: true,
            software: Some("sinew".to_owned()),
            features: Vec::new(),
            login_timeout: Duration::from_secs(60),
            ping_after: Duration::from_secs(60),
            pong_within: Duration::from_secs(60),
            xml: XmlLimits::of_client(),
            stanza_max: 256 * 1_024,
            unacknowledged_max: 1_000,
            output_max: 4 * 1_024 * 1_024,
            resume_within: Duration::from_secs(300),
            requests_max: 256,
            request_timeout: Duration::from_secs(30),
            roster_max: 2_000,
            rooms_max: 50,
            uploads_without_tls: false,
        }
    }

    /// Whether a connection must be secured. Default [`Security::Required`].
    pub const fn security(mut self, security: Security) -> Self {
        self.security = security;
        self
    }

    /// What is said of the client when a session begins; `None`: nothing, so that no messages come. Default: available.
    pub fn presence(mut self, presence: Option<Presence>) -> Self {
        self.presence = presence;
        self
    }

    /// Whether the roster is fetched when a session begins. Default `true`.
    pub const fn fetches_roster(mut self, fetches: bool) -> Self {
        self.fetches_roster = fetches;
        self
    }

    /// Whether the messages of the account's other clients are wanted (XEP-0280). Default `false`.
    pub const fn carbons(mut self, carbons: bool) -> Self {
        self.carbons = carbons;
        self
    }

    /// Whether receipts are sent when they are asked for (XEP-0184): to those only who may see the presence of the account, by the
    /// roster. Default `true`.
    pub const fn receipts(mut self, receipts: bool) -> Self {
        self.receipts = receipts;
        self
    }

    /// Whether the client joins its rooms again in a new session. Default `true`.
    pub const fn rejoins(mut self, rejoins: bool) -> Self {
        self.rejoins = rejoins;
        self
    }

    /// Whether messages wait while the client is not online. Default `true`; otherwise they are an error then.
    pub const fn waits_while_away(mut self, waits: bool) -> Self {
        self.waits_while_away = waits;
        self
    }

    /// What the client calls itself when it is asked what it is (XEP-0030); `None`: nothing. Default "sinew".
    pub fn software(mut self, name: Option<&str>) -> Self {
        self.software = name.map(str::to_owned);
        self
    }

    /// A feature that the handler has, to be named to those who ask (XEP-0030).
    pub fn feature(mut self, feature: impl Into<String>) -> Self {
        self.features.push(feature.into());
        self
    }

    /// From the connection until the client is online. Default 60 s.
    pub const fn login_timeout(mut self, timeout: Duration) -> Self {
        self.login_timeout = timeout;
        self
    }

    /// Silence after which the server is asked whether it is there. Default 60 s; less if the server says that it ends connections
    /// that are silent for longer (XEP-0478).
    pub const fn ping_after(mut self, silence: Duration) -> Self {
        self.ping_after = silence;
        self
    }

    /// Silence after that, with which the connection is given up. Default 60 s.
    pub const fn pong_within(mut self, silence: Duration) -> Self {
        self.pong_within = silence;
        self
    }

    /// The limits of what is received after the login. Default: those of [`XmlLimits`], but 72 deep, since a server puts elements around what
    /// others have sent.
    pub const fn xml(mut self, limits: XmlLimits) -> Self {
        self.xml = limits;
        self
    }

    /// Most bytes of a stanza that is sent. Default 256 KiB, as Prosody accepts; less if the server says so (XEP-0478).
    pub const fn stanza_max(mut self, max: usize) -> Self {
        self.stanza_max = max;
        self
    }

    /// Most stanzas that the server has not acknowledged; and most messages that wait while the client is not online. Default 1,000.
    pub const fn unacknowledged_max(mut self, max: usize) -> Self {
        self.unacknowledged_max = max;
        self
    }

    /// Most bytes that wait for the connection to take them. Default 4 MiB.
    pub const fn output_max(mut self, max: usize) -> Self {
        self.output_max = max;
        self
    }

    /// How long a session without a connection can be resumed, if the server does not say less. Zero: not at all. Default 5 minutes,
    /// at most 366 days.
    pub const fn resume_within(mut self, time: Duration) -> Self {
        self.resume_within = time;
        self
    }

    /// Most questions that wait for their answers. Default 256.
    pub const fn requests_max(mut self, max: usize) -> Self {
        self.requests_max = max;
        self
    }

    /// How long an answer may take. Default 30 s.
    pub const fn request_timeout(mut self, timeout: Duration) -> Self {
        self.request_timeout = timeout;
        self
    }

    /// Most contacts that are remembered. Default 2,000.
    pub const fn roster_max(mut self, max: usize) -> Self {
        self.roster_max = max;
        self
    }

    /// Whether slots of uploads may be at addresses of HTTP without TLS. Default `false`. For servers on the same machine.
    pub const fn uploads_without_tls(mut self, allowed: bool) -> Self {
        self.uploads_without_tls = allowed;
        self
    }

    /// Most rooms. Default 50.
    pub const fn rooms_max(mut self, max: usize) -> Self {
        self.rooms_max = max;
        self
    }
}
