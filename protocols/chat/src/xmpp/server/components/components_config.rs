//! Which components a server has, and their limits: [`ComponentsConfig`].

use std::time::Duration;

use sinew_auth::{Authenticator, AuthenticatorConfig, FailureLimiter, Secret, Users};

use crate::xmpp::codec::{Jid, JidError, XmlLimits};

/// Components by their domains, and the limits.
///
/// | limit | default | when exceeded |
/// |---|---|---|
/// | [`connections_max`](Self::connections_max): connections, also before the handshake | 64 | refused |
/// | [`handshake_timeout`](Self::handshake_timeout) | 60 s | `connection-timeout`, closed |
/// | [`limiter`](Self::limiter): wrong handshakes of an address, for a domain | [`FailureLimiter`]: answered late, 20, 100 within 15 min | `policy-violation`, closed |
/// | an element before the handshake, fixed | 10 KiB | `policy-violation`, closed |
/// | [`xml`](Self::xml): stanzas, and their parts | [`XmlLimits`] | `policy-violation`, closed |
/// | [`rate`](Self::rate): stanzas at once; between those that follow | 1,000; 1 ms | reading pauses |
/// | [`send_queue_max`](Self::send_queue_max): bytes that a component has not taken | 16 MiB | `resource-constraint` |
/// | [`ping_after`](Self::ping_after), [`pong_within`](Self::pong_within): silence | 60 s; 60 s | `connection-timeout`, closed |
///
/// # Examples
///
/// ```
/// use sinew_chat::xmpp::server::components::ComponentsConfig;
///
/// let config = ComponentsConfig::default().component("echo.example.org", "a long random secret")?;
/// # drop(config);
/// # Ok::<(), sinew_chat::xmpp::codec::JidError>(())
/// ```
#[derive(Clone, Debug)]
#[must_use]
pub struct ComponentsConfig {
    pub(super) components: Vec<(Jid, Secret)>,
    /// Counts wrong handshakes. Its users are none: the secrets are compared here.
    pub(super) judge: Authenticator,
    pub(super) connections_max: usize,
    pub(super) handshake_timeout: Duration,
    pub(super) xml: XmlLimits,
    pub(super) burst: u32,
    pub(super) interval: Duration,
    pub(super) send_queue_max: usize,
    pub(super) ping_after: Duration,
    pub(super) pong_within: Duration,
}

impl Default for ComponentsConfig {
    fn default() -> Self {
        Self {
            components: Vec::new(),
            judge: judge(FailureLimiter::default()),
            connections_max: 64,
            handshake_timeout: Duration::from_secs(60),
            xml: XmlLimits::default(),
            burst: 1_000,
            interval: Duration::from_millis(1),
            send_queue_max: 16 * 1_024 * 1_024,
            ping_after: Duration::from_secs(60),
            pong_within: Duration::from_secs(60),
        }
    }
}

impl ComponentsConfig {
    /// A component: its domain, and the secret that it must know. A second one of the same domain takes its place. One of
    /// the domain of the server itself is never let in: it could speak for all accounts.
    ///
    /// # Errors
    ///
    /// [`JidError`]: it is not a domain.
    pub fn component(mut self, domain: &str, secret: impl Into<Secret>) -> Result<Self, JidError> {
        let jid: Jid = domain.parse()?;
        if jid != jid.of_domain() {
            return Err(JidError::Character { part: "domain" });
        }
        self.components.retain(|(known, _)| *known != jid);
        self.components.push((jid, secret.into()));
        Ok(self)
    }

    /// Most connections, those before the handshake included. Default 64.
    pub const fn connections_max(mut self, max: usize) -> Self {
        self.connections_max = max;
        self
    }

    /// The bound on wrong handshakes, by the address that they come from and by the domain. They are answered late, and after too many
    /// even a right one gets `policy-violation` for a while. Default: [`FailureLimiter::default`].
    pub fn limiter(mut self, limiter: FailureLimiter) -> Self {
        self.judge = judge(limiter);
        self
    }

    /// From the connection until the component has proved its secret. Default 60 s.
    pub const fn handshake_timeout(mut self, timeout: Duration) -> Self {
        self.handshake_timeout = timeout;
        self
    }

    /// The limits of what a component sends.
    pub const fn xml(mut self, limits: XmlLimits) -> Self {
        self.xml = limits;
        self
    }

    /// How many stanzas of a component are taken at once, and the time between those that follow. Default 1,000 and 1 ms.
    pub fn rate(mut self, burst: u32, interval: Duration) -> Self {
        self.burst = burst.max(1);
        self.interval = interval;
        self
    }

    /// Most bytes that wait to be sent to a component; beyond it, stanzas are refused. Default 16 MiB.
    pub const fn send_queue_max(mut self, bytes: usize) -> Self {
        self.send_queue_max = bytes;
        self
    }

    /// After how much silence a component is asked whether it is there. Default 60 s.
    pub const fn ping_after(mut self, silence: Duration) -> Self {
        self.ping_after = silence;
        self
    }

    /// How much silence after that ends the connection, and makes room for another one. Default 60 s.
    pub const fn pong_within(mut self, silence: Duration) -> Self {
        self.pong_within = silence;
        self
    }
}

fn judge(limiter: FailureLimiter) -> Authenticator {
    Authenticator::with(Users::new(), AuthenticatorConfig::default().limiter(limiter))
}
