//! What a client logs in with: [`ClientLogin`], which chooses the mechanism.

use std::ops::RangeInclusive;

use super::{SaslClient, State, scram::ScramClient};
use crate::{
    Channel, ChannelBinding, Mechanism, SaslError, Secret,
    codec::{
        gs2::BindingFlag,
        names::{PASSWORD_MAX, prepare_user},
        oauth::{Bearer, is_token},
        plain::Plain,
    },
    nonce::nonce,
};

/// The iterations of SCRAM that a client accepts: the least that RFC 7677 allows, and half a second or so.
const ITERATIONS: RangeInclusive<u32> = 4_096..=1_000_000;

/// What a client logs in with, and what it accepts from servers.
///
/// # Examples
///
/// ```
/// use sinew_auth::{Channel, ClientLogin, SaslError};
///
/// let login = ClientLogin::password("ann", "secret");
/// let offered = ["CRAM-MD5", "PLAIN", "SCRAM-SHA-256"];
/// // A connection that everybody can read.
/// let exchange = login.choose(offered, &Channel::new())?;
/// assert_eq!(exchange.mechanism().name(), "SCRAM-SHA-256");
/// let only_plain = login.choose(["PLAIN"], &Channel::new());
/// assert!(matches!(only_plain, Err(SaslError::EncryptionRequired)));
/// # Ok::<(), SaslError>(())
/// ```
///
/// # Channel binding
///
/// | the connection | the server offers `-PLUS` | it is taken | the exchange says (RFC 5802 6) |
/// |---|---|---|---|
/// | has a binding | yes | SCRAM with channel binding | `p=`, with the first binding of the [`Channel`] |
/// | has a binding | no | SCRAM | `y`: a server that does offer it notices that somebody has changed the list |
/// | has none, or [`channel_binding`](Self::channel_binding) is off | yes or no | SCRAM | `n` |
///
/// Most protocols do not say which bindings a server has, and there are servers that have `tls-exporter` only (RFC 9266) and refuse
/// `tls-server-end-point`. No login is begun anew without a binding then: somebody between the ends would only have to refuse the first
/// one. The refusal is the error, [`SaslClient::refused`] notes in the log what may be the cause, and for such a server
/// [`channel_binding`](Self::channel_binding) is turned off. XMPP lists the bindings (XEP-0440), so its client needs no setting.
#[derive(Clone, Debug)]
#[must_use]
pub struct ClientLogin {
    user: String,
    proof: Proof,
    authorize_as: Option<String>,
    mechanisms: Vec<Mechanism>,
    allow_plaintext: bool,
    is_bound: bool,
    iterations: RangeInclusive<u32>,
    server: Option<(String, u16)>,
}

#[derive(Clone, Debug)]
enum Proof {
    Password(Secret),
    Token(Secret),
    External,
}

impl ClientLogin {
    /// A name and a password.
    pub fn password(user: impl Into<String>, password: impl Into<Secret>) -> Self {
        Self::new(user.into(), Proof::Password(password.into()))
    }

    /// A token of OAuth 2, and whose it is; with OAUTHBEARER the name may be empty.
    pub fn token(user: impl Into<String>, token: impl Into<Secret>) -> Self {
        Self::new(user.into(), Proof::Token(token.into()))
    }

    /// What the connection has established: the certificate of the client.
    pub fn external() -> Self {
        Self::new(String::new(), Proof::External)
    }

    fn new(user: String, proof: Proof) -> Self {
        let all = Mechanism::ALL.into_iter();
        Self {
            user,
            proof,
            authorize_as: None,
            mechanisms: all.filter(|mechanism| *mechanism != Mechanism::CramMd5).collect(),
            allow_plaintext: false,
            is_bound: true,
            iterations: ITERATIONS,
            server: None,
        }
    }

    /// Acts as another user, if the server allows it. Default: as the user itself. Mechanisms that cannot say it are not used then.
    pub fn authorize_as(mut self, other: impl Into<String>) -> Self {
        self.authorize_as = Some(other.into());
        self
    }

    /// The mechanisms that may be used. Default: all but CRAM-MD5. The best one is, whichever the order here.
    pub fn mechanisms(mut self, mechanisms: impl IntoIterator<Item = Mechanism>) -> Self {
        self.mechanisms = mechanisms.into_iter().collect();
        self
    }

    /// Whether the password or the token may be sent over a connection that is not encrypted. Default `false`.
    pub fn allow_plaintext(mut self, allow: bool) -> Self {
        self.allow_plaintext = allow;
        self
    }

    /// Whether the login is bound to the connection where both ends can (`-PLUS`). Default `true`. Off for a server that offers this and has
    /// other bindings only: the exchange says then that the client has none, so somebody between the ends can pass it on.
    pub fn channel_binding(mut self, is_bound: bool) -> Self {
        self.is_bound = is_bound;
        self
    }

    /// The iterations of SCRAM that the server may ask for. Default 4,096 to 1,000,000: fewer would make the password easier to find
    /// for a false server, more would keep a thread of the pool busy for seconds.
    pub fn iterations(mut self, iterations: RangeInclusive<u32>) -> Self {
        self.iterations = iterations;
        self
    }

    /// The host and the port that the client has connected to, for OAUTHBEARER. Default: they are not said.
    pub fn server(mut self, host: impl Into<String>, port: u16) -> Self {
        self.server = Some((host.into(), port));
        self
    }

    /// Chooses the best mechanism that the server offers, and begins an exchange.
    ///
    /// # Errors
    ///
    /// [`SaslError::NoCommonMechanism`]; [`SaslError::EncryptionRequired`] if there is one for encrypted connections only;
    /// [`SaslError::Malformed`] if the name or the password cannot be sent.
    pub fn choose(
        &self,
        offered: impl IntoIterator<Item = impl AsRef<str>>,
        channel: &Channel,
    ) -> Result<SaslClient, SaslError> {
        let offered: Vec<Mechanism> =
            offered.into_iter().filter_map(|name| name.as_ref().parse().ok()).collect();
        let is_usable = |mechanism: &Mechanism| {
            self.mechanisms.contains(mechanism)
                && offered.contains(mechanism)
                && self.fits(*mechanism, channel)
        };
        let mut needs_encryption = false;
        for mechanism in Mechanism::ALL.into_iter().filter(is_usable) {
            if mechanism.is_plaintext() && !channel.is_encrypted() && !self.allow_plaintext {
                needs_encryption = true;
            } else {
                return Ok(SaslClient::new(mechanism, self.state(mechanism, &offered, channel)?));
            }
        }
        Err(match needs_encryption {
            true => SaslError::EncryptionRequired,
            false => SaslError::NoCommonMechanism,
        })
    }

    /// What the login is bound to, if it is.
    fn binding<'a>(&self, channel: &'a Channel) -> Option<&'a ChannelBinding> {
        channel.bindings().first().filter(|_| self.is_bound)
    }

    /// Whether a mechanism proves what there is.
    fn fits(&self, mechanism: Mechanism, channel: &Channel) -> bool {
        match (mechanism, &self.proof) {
            (Mechanism::External, Proof::External)
            | (Mechanism::Scram(_) | Mechanism::Plain, Proof::Password(_)) => true,
            (Mechanism::ScramPlus(_), Proof::Password(_)) => self.binding(channel).is_some(),
            (Mechanism::OAuthBearer, Proof::Token(_)) => self.authorize_as.is_none(),
            (Mechanism::XOAuth2, Proof::Token(_)) => {
                self.authorize_as.is_none() && !self.user.is_empty()
            }
            (Mechanism::Login | Mechanism::CramMd5, Proof::Password(_)) => {
                self.authorize_as.is_none()
            }
            _ => false,
        }
    }

    /// The beginning of an exchange.
    fn state(
        &self,
        mechanism: Mechanism,
        offered: &[Mechanism],
        channel: &Channel,
    ) -> Result<State, SaslError> {
        let authorize_as = self.authorize_as.as_deref().map(prepare_user).transpose()?;
        let authorize_as = authorize_as.as_deref();
        let first = |message: Vec<u8>, next| State::First(message, Box::new(next));
        let (password, token) = match &self.proof {
            Proof::External => {
                let message = authorize_as.unwrap_or_default().into();
                return Ok(first(message, State::Sent));
            }
            Proof::Password(password) => {
                let is_good = (1..=PASSWORD_MAX).contains(&password.bytes().len())
                    && !password.bytes().contains(&0);
                (is_good.then_some(password).ok_or(SaslError::Malformed("the password"))?, "")
            }
            Proof::Token(token) => {
                let text = std::str::from_utf8(token.bytes()).ok().filter(|text| is_token(text));
                (token, text.ok_or(SaslError::Malformed("the token"))?)
            }
        };
        let user = match self.user.as_str() {
            "" if mechanism == Mechanism::OAuthBearer => String::new(),
            user => prepare_user(user)?,
        };
        let binding = self.binding(channel);
        Ok(match mechanism {
            Mechanism::ScramPlus(hash) | Mechanism::Scram(hash) => {
                let offers_binding =
                    offered.iter().any(|offered| matches!(offered, Mechanism::ScramPlus(_)));
                let (flag, data) = match (mechanism, binding) {
                    (Mechanism::ScramPlus(_), Some(binding)) => {
                        (BindingFlag::Used(binding.name()), binding.data())
                    }
                    (_, Some(_)) if !offers_binding => (BindingFlag::NotOffered, &[][..]),
                    _ => (BindingFlag::None, &[][..]),
                };
                let iterations = self.iterations.clone();
                let mut scram = ScramClient::new(hash, password.clone(), iterations, nonce()?);
                let message = scram.first(&user, authorize_as, flag, data);
                first(message, State::Scram(Box::new(scram)))
            }
            Mechanism::Plain => {
                first(Plain::encode(authorize_as, &user, password.bytes()), State::Sent)
            }
            Mechanism::Login => State::User(user, password.clone()),
            Mechanism::CramMd5 => State::Digest(user, password.clone()),
            Mechanism::OAuthBearer => {
                let message = Bearer::encode(&user, token, self.server.as_ref());
                first(message.into(), State::Token { answer: b"\x01" })
            }
            Mechanism::XOAuth2 => {
                first(Bearer::encode_x(&user, token).into(), State::Token { answer: b"" })
            }
            Mechanism::External => return Err(SaslError::NoCommonMechanism),
        })
    }
}
