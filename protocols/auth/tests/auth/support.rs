//! What the tests have in common: deferred results on a virtual clock, and the two ends of a login.

use std::time::Duration;

use sinew_auth::{
    Authenticator, AuthenticatorConfig, Channel, ClientLogin, FailureLimiter, Identity, SaslError,
    SaslServer, ServerStep, Users,
};
use sinew_transports::reactor::{Deferred, Failure, Reactor};

/// The result, once the work is done that needs no more than a job on a simulated thread.
pub(crate) fn now<T, E: From<Failure> + std::fmt::Display>(
    reactor: &Reactor,
    deferred: &Deferred<T, E>,
) -> Result<T, E> {
    reactor.advance(Duration::from_millis(500)).unwrap();
    deferred.take().expect("it takes no time")
}

/// `ann` with the password `secret`, and `J\u{fc}rgen`; without delays.
pub(crate) fn users() -> Users {
    Users::new().user("ann", "secret").user("J\u{fc}rgen", "pass\u{a0}word").user("root", "toor")
}

pub(crate) fn config() -> AuthenticatorConfig {
    AuthenticatorConfig::default()
        .limiter(FailureLimiter::off())
        .scram_iterations(10)
        .may_act_as(|user, other| user == "root" && other != "nobody")
}

pub(crate) fn encrypted() -> Channel {
    Channel::new().encrypted(true)
}

/// A certificate signed with SHA-256, as far as anybody reads it here.
pub(crate) fn certificate(serial: u8) -> Vec<u8> {
    let signed = [0x30, 3, 2, 1, serial];
    let algorithm = b"\x30\x0b\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x01\x0b";
    [b"\x30\x12".as_slice(), &signed, algorithm].concat()
}

/// A login with both ends.
pub(crate) struct Login {
    pub(crate) reactor: Reactor,
    pub(crate) server: SaslServer,
    /// Messages of both ends, as far as they are text.
    pub(crate) messages: Vec<String>,
}

impl Login {
    pub(crate) fn new(users: &Authenticator, channel: Channel) -> Self {
        let server = SaslServer::new(users, channel);
        Self { reactor: Reactor::simulated(0), server, messages: Vec::new() }
    }

    pub(crate) fn start(
        &self,
        name: &str,
        initial: Option<&[u8]>,
    ) -> Result<ServerStep, SaslError> {
        now(&self.reactor, &self.server.start(&self.reactor, name, initial))
    }

    pub(crate) fn respond(&self, response: &[u8]) -> Result<ServerStep, SaslError> {
        now(&self.reactor, &self.server.respond(&self.reactor, response))
    }

    /// What comes of it, by this mechanism alone.
    pub(crate) fn run(
        &mut self,
        login: &ClientLogin,
        offered: &[&str],
        channel: &Channel,
        with_initial: bool,
    ) -> Result<Identity, SaslError> {
        let client = login.clone().iterations(1..=10_000).choose(offered, channel)?;
        let initial = if with_initial { client.initial()? } else { None };
        let mut step = self.start(client.mechanism().name(), initial.as_deref())?;
        loop {
            match step {
                ServerStep::Challenge(challenge) => {
                    let response = now(&self.reactor, &client.respond(&self.reactor, &challenge))?;
                    self.messages.push(String::from_utf8_lossy(&challenge).into_owned());
                    self.messages.push(String::from_utf8_lossy(&response).into_owned());
                    step = self.respond(&response)?;
                }
                ServerStep::Done { identity, data } => {
                    client.finish(data.as_deref())?;
                    return Ok(identity);
                }
                other => unreachable!("{other:?}"),
            }
        }
    }
}
