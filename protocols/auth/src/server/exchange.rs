//! What each mechanism does at a server: [`Exchange`]. Pure: it says what it wants to know, and is told.

use super::{action::Action, scram::ScramExchange};
use crate::{
    AuthError, Authenticator, Channel, Credentials, Mechanism, SaslError, ScramKeys, Secret,
    Stored,
    codec::{
        cram_md5::{self, CramMd5},
        names::{prepare_user, text},
        oauth::{self, Bearer},
        plain::{Plain, optional_name, password_of},
    },
    nonce::nonce,
    secret::is_equal,
};

/// One exchange.
pub(super) struct Exchange {
    /// Who the client wants to act as.
    pub(super) authorize_as: Option<String>,
    kind: Kind,
}

enum Kind {
    External {
        name: String,
    },
    Plain,
    /// The name of the user, once it has been said.
    Login {
        user: Option<String>,
    },
    /// `is_refused` once the client has been sent the reason, to which it answers.
    OAuth {
        is_x: bool,
        is_refused: bool,
    },
    CramMd5 {
        challenge: String,
        answer: Option<(String, String)>,
    },
    Scram(Box<ScramExchange>),
}

impl Exchange {
    pub(super) fn new(
        mechanism: Mechanism,
        authenticator: &Authenticator,
        channel: &Channel,
    ) -> Result<Self, SaslError> {
        let scram = |hash, is_bound| {
            let mechanisms = authenticator.mechanisms(channel);
            let offers_binding = mechanisms.contains(&Mechanism::ScramPlus(hash));
            let bindings = channel.bindings().to_vec();
            let scram = ScramExchange::new(hash, is_bound, offers_binding, bindings, nonce()?);
            Ok::<_, SaslError>(Kind::Scram(Box::new(scram)))
        };
        let kind = match mechanism {
            Mechanism::External => {
                Kind::External { name: channel.external_name().unwrap_or_default().to_owned() }
            }
            Mechanism::Plain => Kind::Plain,
            Mechanism::Login => Kind::Login { user: None },
            Mechanism::OAuthBearer => Kind::OAuth { is_x: false, is_refused: false },
            Mechanism::XOAuth2 => Kind::OAuth { is_x: true, is_refused: false },
            Mechanism::CramMd5 => {
                Kind::CramMd5 { challenge: format!("<{}@sinew>", nonce()?), answer: None }
            }
            Mechanism::ScramPlus(hash) => scram(hash, true)?,
            Mechanism::Scram(hash) => scram(hash, false)?,
        };
        Ok(Self { authorize_as: None, kind })
    }

    /// The first step. A client that speaks first, and has not yet, is sent an empty challenge.
    pub(super) fn begin(&mut self, initial: Option<&[u8]>) -> Result<Action, SaslError> {
        match (&self.kind, initial) {
            // The names of the challenges are those that clients of draft-murchison-sasl-login know.
            (Kind::Login { .. }, None) => Ok(Action::Challenge(b"Username:".to_vec())),
            (Kind::CramMd5 { challenge, .. }, None) => {
                Ok(Action::Challenge(challenge.clone().into_bytes()))
            }
            (Kind::CramMd5 { .. }, Some(_)) => Err(SaslError::Malformed("the server speaks first")),
            (_, None) => Ok(Action::Challenge(Vec::new())),
            (_, Some(initial)) => self.respond(initial),
        }
    }

    pub(super) fn respond(&mut self, message: &[u8]) -> Result<Action, SaslError> {
        match &mut self.kind {
            Kind::External { name } => {
                self.authorize_as = optional_name(text(message)?)?;
                Ok(Action::Check(Credentials::External { name: name.clone() }))
            }
            Kind::Plain => {
                let Plain { authorize_as, user, password } = Plain::decode(message)?;
                self.authorize_as = authorize_as;
                Ok(Action::Check(Credentials::Password { user, password }))
            }
            Kind::Login { user } => match user.take() {
                None => {
                    *user = Some(prepare_user(text(message)?)?);
                    Ok(Action::Challenge(b"Password:".to_vec()))
                }
                Some(user) => {
                    let password = password_of(message)?;
                    Ok(Action::Check(Credentials::Password { user, password }))
                }
            },
            Kind::OAuth { is_refused: true, .. } => Err(AuthError::Refused.into()),
            Kind::OAuth { is_x, .. } => {
                let decode = if *is_x { Bearer::decode_x } else { Bearer::decode };
                let Bearer { user, token } = decode(message)?;
                Ok(Action::Check(Credentials::Token { user, token }))
            }
            Kind::CramMd5 { answer, .. } => {
                let CramMd5 { user, digest } = CramMd5::decode(message)?;
                *answer = Some((user.clone(), digest.to_owned()));
                Ok(Action::Password(user))
            }
            Kind::Scram(scram) => {
                let action = scram.respond(message)?;
                self.authorize_as.clone_from(&scram.authorize_as);
                Ok(action)
            }
        }
    }

    /// The keys that [`Action::ScramKeys`] has asked for.
    pub(super) fn keys(&mut self, keys: ScramKeys) -> Result<Action, SaslError> {
        match &mut self.kind {
            Kind::Scram(scram) => scram.keys(keys),
            _ => Err(SaslError::OutOfOrder),
        }
    }

    /// What is stored of the user that [`Action::Password`] has asked for.
    pub(super) fn password(&mut self, stored: Option<Stored>) -> Result<Action, SaslError> {
        let Kind::CramMd5 { challenge, answer: Some((user, digest)) } = &self.kind else {
            return Err(SaslError::OutOfOrder);
        };
        let known = match stored {
            Some(Stored::Password(password)) => Some(password),
            _ => None,
        };
        // An unknown user takes as long as a known one.
        let unknown = Secret::from("no user has this password");
        let password = known.as_ref().unwrap_or(&unknown);
        let expected = cram_md5::digest(password.bytes(), challenge.as_bytes());
        let is_right = is_equal(expected.as_bytes(), digest.as_bytes()) & known.is_some();
        let user = user.clone();
        Ok(if is_right { Action::Accept(user, None) } else { Action::Refuse(user) })
    }

    /// What the client is sent if its credentials are wrong. With most mechanisms the exchange is over.
    pub(super) fn refusal(&mut self, error: AuthError) -> Result<Vec<u8>, SaslError> {
        match (&mut self.kind, error) {
            (Kind::OAuth { is_x, is_refused }, AuthError::Refused) => {
                *is_refused = true;
                Ok(if *is_x { oauth::X_REFUSED } else { oauth::REFUSED }.to_vec())
            }
            (_, error) => Err(error.into()),
        }
    }
}
