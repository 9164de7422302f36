//! The names of SASL mechanisms: [`Mechanism`] and [`ScramHash`].

use std::{fmt, str::FromStr};

use crate::SaslError;

/// The hash function of a SCRAM mechanism.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ScramHash {
    /// SHA-1 (RFC 5802).
    Sha1,
    /// SHA-256 (RFC 7677).
    Sha256,
}

/// A mechanism of SASL.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Mechanism {
    /// The connection has established who the client is (RFC 4422, appendix A).
    External,
    /// SCRAM with channel binding: `SCRAM-SHA-256-PLUS`.
    ScramPlus(ScramHash),
    /// SCRAM: `SCRAM-SHA-256`.
    Scram(ScramHash),
    /// A token of OAuth 2 (RFC 7628).
    OAuthBearer,
    /// A token of OAuth 2, in the older form of Google and Microsoft.
    XOAuth2,
    /// The password, in one message (RFC 4616).
    Plain,
    /// The password, in two messages (draft-murchison-sasl-login).
    Login,
    /// A keyed MD5 of the password (RFC 2195). Off by default: the server has to store the password itself, and who listens can try
    /// passwords at leisure.
    CramMd5,
}

impl Mechanism {
    /// All of them, the best one first.
    pub const ALL: [Self; 10] = [
        Self::External,
        Self::ScramPlus(ScramHash::Sha256),
        Self::ScramPlus(ScramHash::Sha1),
        Self::Scram(ScramHash::Sha256),
        Self::Scram(ScramHash::Sha1),
        Self::OAuthBearer,
        Self::XOAuth2,
        Self::Plain,
        Self::Login,
        Self::CramMd5,
    ];

    /// Its name, as registered with IANA.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::External => "EXTERNAL",
            Self::ScramPlus(ScramHash::Sha256) => "SCRAM-SHA-256-PLUS",
            Self::ScramPlus(ScramHash::Sha1) => "SCRAM-SHA-1-PLUS",
            Self::Scram(ScramHash::Sha256) => "SCRAM-SHA-256",
            Self::Scram(ScramHash::Sha1) => "SCRAM-SHA-1",
            Self::OAuthBearer => "OAUTHBEARER",
            Self::XOAuth2 => "XOAUTH2",
            Self::Plain => "PLAIN",
            Self::Login => "LOGIN",
            Self::CramMd5 => "CRAM-MD5",
        }
    }

    /// Whether it shows the password or a token to everybody who can read the connection.
    #[must_use]
    pub const fn is_plaintext(self) -> bool {
        matches!(self, Self::Plain | Self::Login | Self::OAuthBearer | Self::XOAuth2)
    }

    /// Whether the client speaks first.
    #[must_use]
    pub const fn is_client_first(self) -> bool {
        !matches!(self, Self::Login | Self::CramMd5)
    }
}

impl fmt::Display for Mechanism {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Mechanism {
    type Err = SaslError;

    /// The case does not matter.
    fn from_str(name: &str) -> Result<Self, SaslError> {
        let mut all = Self::ALL.into_iter();
        let found = all.find(|mechanism| mechanism.name().eq_ignore_ascii_case(name));
        found.ok_or_else(|| SaslError::NoSuchMechanism(name.to_owned()))
    }
}
