//! Authentication for sinew, an event-driven networking framework in the manner of Twisted: shared by mail, chat and HTTP.
//!
//! - A [`Checker`] decides whether credentials are right, and may answer later: [`Users`] in memory, a [`PasswordFile`], a
//!   [`Program`], a closure ([`check_by`]), or your own.
//! - An [`Authenticator`] is a checker with its limits: failures are delayed and bounded by a [`FailureLimiter`], and passwords are
//!   asked for only where nobody else can read them.
//! - [`SaslServer`] and [`SaslClient`] are one exchange of SASL (RFC 4422) each, for any protocol that carries it: PLAIN, LOGIN,
//!   SCRAM with and without channel binding, EXTERNAL, OAUTHBEARER, XOAUTH2, and CRAM-MD5 if it has to be.
//! - [`Sessions`] are those who are logged in, so that a server can end the sessions of a user who was removed.
//!
//! # Examples
//!
//! The two ends of a login:
//!
//! ```
//! use sinew_auth::{Authenticator, Channel, ClientLogin, SaslServer, ServerStep, Users};
//! use sinew_transports::reactor::Reactor;
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let reactor = Reactor::new()?;
//! let users = Authenticator::new(Users::new().user("ann", "secret"));
//! let channel = Channel::new(); // not encrypted, so SCRAM is the only way
//!
//! let offered = users.mechanisms(&channel);
//! let client = ClientLogin::password("ann", "secret")
//!     .choose(offered.iter().map(|mechanism| mechanism.name()), &channel)?;
//! let server = SaslServer::new(&users, channel);
//!
//! let first = client.initial()?;
//! let mut step = server.start(&reactor, client.mechanism().name(), first.as_deref());
//! let identity = loop {
//!     match reactor.run_until(step)?? {
//!         ServerStep::Challenge(challenge) => {
//!             let response = reactor.run_until(client.respond(&reactor, &challenge))??;
//!             step = server.respond(&reactor, &response);
//!         }
//!         ServerStep::Done { identity, .. } => break identity,
//!         other => unreachable!("{other:?}"),
//!     }
//! };
//! client.finish(None)?; // the server has proved that it knows the password, too
//! assert_eq!(identity.name(), "ann");
//! # Ok(())
//! # }
//! ```
//!
//! # Log
//!
//! Failed logins are logged by `tracing` with the target `sinew::login`: each failure as `info` (`a login failed`, with the fields
//! `service`, `peer`, `user`, `mechanism` and `reason`), the beginning of a lockout by the [`FailureLimiter`] as `warn`
//! (`too many logins failed`, with `locked_out`, which is `address` or `user`, and `seconds`). Fields that are not known are left out.
//! The reason is `refused`, `not-authorized`, `channel-binding` or `unavailable`. Names are escaped, and cut after 64 characters; no line
//! has a password. An [`Authenticator`] logs at most 100 failures and 100 lockouts in 10 seconds; how many more there were follows in a
//! line of its own. What is refused during a lockout has no line, nor has its end.
//!
//! # Features
//!
//! | feature | |
//! |---|---|
//! | `password-file`, on by default | [`PasswordFile`], with argon2, bcrypt and SHA-crypt |
//! | `tls` | [`Channel::of`] knows TLS |
#![forbid(unsafe_code)]

mod attempts;
mod authenticator;
mod channel;
mod channel_binding;
mod checker;
mod checkers;
mod client;
mod codec;
mod config;
mod error;
mod identity;
mod limiter;
mod login_log;
mod mechanism;
mod nonce;
#[cfg(feature = "password-file")]
mod password_hash;
mod scram_keys;
mod secret;
mod server;
mod sessions;

#[cfg(feature = "password-file")]
pub use checkers::{PasswordFile, PasswordFileError, UserChanges};
#[cfg(unix)]
pub use checkers::{Program, ProgramError};
pub use {
    authenticator::Authenticator,
    channel::Channel,
    channel_binding::ChannelBinding,
    checker::{Ability, Checker, Credentials, Form, Stored},
    checkers::{CheckBy, Users, check_by},
    client::{ClientLogin, SaslClient},
    config::AuthenticatorConfig,
    error::{AuthError, SaslError},
    identity::Identity,
    limiter::FailureLimiter,
    mechanism::{Mechanism, ScramHash},
    scram_keys::{BadScramKeys, ScramKeys},
    secret::{Secret, is_equal},
    server::{SaslServer, ServerStep},
    sessions::{BegunLogin, OpenSession, Sessions},
};

/// The code of the README, which `cargo test` compiles.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
