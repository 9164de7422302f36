//! The configuration of an [`Authenticator`](crate::Authenticator): [`AuthenticatorConfig`].

use std::fmt;

use crate::{FailureLimiter, Mechanism, Secret};

/// What an [`Authenticator`](crate::Authenticator) allows, and its limits.
///
/// # Examples
///
/// ```
/// use sinew_auth::{AuthenticatorConfig, Mechanism};
///
/// let config = AuthenticatorConfig::default()
///     .mechanisms([Mechanism::Plain])
///     .may_act_as(|user, _| user == "root");
/// # drop(config);
/// ```
#[must_use]
pub struct AuthenticatorConfig {
    pub(crate) mechanisms: Vec<Mechanism>,
    pub(crate) allow_plaintext: bool,
    pub(crate) message_max: usize,
    pub(crate) scram_iterations: u32,
    pub(crate) salt_secret: Option<Secret>,
    pub(crate) limiter: FailureLimiter,
    pub(crate) may_act_as: MayActAs,
}

type MayActAs = Box<dyn Fn(&str, &str) -> bool>;

impl Default for AuthenticatorConfig {
    fn default() -> Self {
        let all = Mechanism::ALL.into_iter();
        Self {
            mechanisms: all.filter(|mechanism| *mechanism != Mechanism::CramMd5).collect(),
            allow_plaintext: false,
            message_max: 8 * 1024,
            scram_iterations: 4_096,
            salt_secret: None,
            limiter: FailureLimiter::default(),
            may_act_as: Box::new(|_, _| false),
        }
    }
}

impl AuthenticatorConfig {
    /// The mechanisms that may be used, if the checker supports them. Default: all but CRAM-MD5.
    pub fn mechanisms(mut self, mechanisms: impl IntoIterator<Item = Mechanism>) -> Self {
        self.mechanisms = mechanisms.into_iter().collect();
        self
    }

    /// Whether passwords and tokens may be sent over connections that are not encrypted. Default `false`.
    pub fn allow_plaintext(mut self, allow: bool) -> Self {
        self.allow_plaintext = allow;
        self
    }

    /// The longest message of an exchange, in bytes before base64. Default 8 KiB, since tokens may be long; above it the exchange
    /// fails with [`SaslError::TooLong`](crate::SaslError::TooLong).
    pub fn message_max(mut self, bytes: usize) -> Self {
        self.message_max = bytes;
        self
    }

    /// How many iterations the keys of SCRAM have, if the checker tells passwords and not keys, and those of users who do not
    /// exist. Default 4,096, the least that RFC 7677 allows: they are derived at each login, at both ends.
    pub fn scram_iterations(mut self, iterations: u32) -> Self {
        self.scram_iterations = iterations.max(1);
        self
    }

    /// The secret that the salts of SCRAM are made of, if the checker tells passwords and not keys, and those of users who do not
    /// exist. Default: a random one, so that salts change when the program is started again, which tells an attacker who compares
    /// them which users have stored keys.
    pub fn salt_secret(mut self, secret: impl Into<Secret>) -> Self {
        self.salt_secret = Some(secret.into());
        self
    }

    /// The bound on failures. Default: [`FailureLimiter::default`].
    pub fn limiter(mut self, limiter: FailureLimiter) -> Self {
        self.limiter = limiter;
        self
    }

    /// Whether a user, the first argument, may act as another one, the second. Default: never. Called by the event loop.
    pub fn may_act_as(mut self, may: impl Fn(&str, &str) -> bool + 'static) -> Self {
        self.may_act_as = Box::new(may);
        self
    }
}

impl fmt::Debug for AuthenticatorConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AuthenticatorConfig")
            .field("mechanisms", &self.mechanisms)
            .field("allow_plaintext", &self.allow_plaintext)
            .field("message_max", &self.message_max)
            .field("scram_iterations", &self.scram_iterations)
            .finish_non_exhaustive()
    }
}
