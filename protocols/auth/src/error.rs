//! Errors: [`AuthError`] of a check of credentials, [`SaslError`] of an exchange of SASL.

use std::{error::Error, time::Duration};

use sinew_transports::reactor::{Excerpt, Failure, error_debug};

/// Why credentials were not accepted.
#[derive(thiserror::Error)]
#[non_exhaustive]
pub enum AuthError {
    /// There is no such user, or the password is wrong. Never says which.
    #[error("the credentials are wrong")]
    Refused,
    /// There were too many failures for this user, or from this address. Nothing was checked.
    #[error("too many logins have failed; try again in {} s", .retry_after.as_secs().max(1))]
    TooManyFailures {
        /// When it can be tried again.
        retry_after: Duration,
    },
    /// The credentials could not be checked, which says nothing of whether they are right: the pool is full, a program failed.
    #[error("the credentials could not be checked: {0}")]
    Unavailable(#[source] Box<dyn Error>),
}

error_debug!(AuthError);

impl From<Failure> for AuthError {
    fn from(failure: Failure) -> Self {
        Self::Unavailable(failure.into())
    }
}

/// Why an exchange of SASL failed, at either end.
#[derive(thiserror::Error)]
#[non_exhaustive]
pub enum SaslError {
    /// The credentials were not accepted.
    #[error(transparent)]
    Auth(#[from] AuthError),
    /// The user may not act as the other user that was asked for (the authorization identity, RFC 4422 2).
    #[error("{} may not act as {}", Excerpt::new(user), Excerpt::new(authorize_as))]
    NotAuthorized {
        /// Whose credentials were right.
        user: String,
        /// Who the user wanted to act as.
        authorize_as: String,
    },
    /// The client has aborted the exchange, by `*`.
    #[error("the login was aborted")]
    Aborted,
    /// A message is not base64 in its canonical form (RFC 4648 4).
    #[error("a message of the login is not base64")]
    Base64,
    /// A message is longer than the limit.
    #[error("a message of the login is longer than {max} bytes")]
    TooLong {
        /// The limit.
        max: usize,
    },
    /// A message is not what the mechanism prescribes.
    #[error("a message of the login is malformed: {0}")]
    Malformed(&'static str),
    /// The mechanism does not exist or is not offered.
    #[error("there is no mechanism {}", Excerpt::new(.0))]
    NoSuchMechanism(String),
    /// The mechanism sends a password or a token as it is, and the connection is not encrypted.
    #[error("the login needs an encrypted connection")]
    EncryptionRequired,
    /// The ends see different TLS connections, or different mechanisms on offer: somebody is between them (RFC 5802 6).
    #[error("the channel bindings differ")]
    ChannelBinding,
    /// The server has not proved that it knows the password.
    #[error("the server has not proved that it knows the password")]
    ServerNotVerified,
    /// The server asks for too few rounds of hashing, which are easily reversed, or for so many that the client would hang.
    #[error("the server asks for {iterations} rounds of hashing, but {min} to {max} are accepted")]
    Iterations {
        /// What the server asks for.
        iterations: u32,
        /// The fewest that are accepted.
        min: u32,
        /// The most that are accepted.
        max: u32,
    },
    /// The server has said why the login failed (`e=` of SCRAM, JSON of OAUTHBEARER). An excerpt.
    #[error("the server refused the login: {}", Excerpt::new(.0))]
    Server(String),
    /// Neither mechanism that the server offers fits the credentials, or the settings of the client.
    #[error("no mechanism that the server offers is acceptable here")]
    NoCommonMechanism,
    /// A call or a message that does not belong here: the exchange has ended, has not begun, or waits for a check.
    #[error("a message of the login is out of order")]
    OutOfOrder,
}

error_debug!(SaslError);

impl From<Failure> for SaslError {
    fn from(failure: Failure) -> Self {
        Self::Auth(failure.into())
    }
}
