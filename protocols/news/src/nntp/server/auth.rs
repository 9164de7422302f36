//! Logins: AUTHINFO USER and PASS, AUTHINFO SASL (RFC 4643).

use sinew_transports::reactor::with_causes;

use std::rc::Rc;

use data_encoding::BASE64;
use sinew_auth::{
    AuthError, Authenticator, BegunLogin, Channel, Credentials, Identity, SaslError, SaslServer,
    ServerStep,
};
use sinew_protocols::basic::{Text, Word};

use super::{
    connection::Connection,
    wire::{End, Incoming},
};
use crate::{nntp::codec::Response, store::NewsStore};

impl<S: NewsStore> Connection<S> {
    /// What checks logins, if the client may log in now; else it was told why not.
    async fn authenticator(&mut self) -> Result<Option<Authenticator>, End> {
        let Some(authenticator) = self.shared.config.auth.clone() else {
            self.wrong(&Response::fixed(502, "There are no logins here")).await?;
            return Ok(None);
        };
        if self.session.identity.is_some() {
            self.wrong(&Response::fixed(502, "You are logged in already")).await?;
            return Ok(None);
        }
        if !self.could_log_in() {
            self.wrong(&Response::fixed(502, "Not behind COMPRESS")).await?;
            return Ok(None);
        }
        Ok(Some(authenticator))
    }

    pub(super) async fn auth_user(&mut self, name: Text) -> Result<(), End> {
        let Some(authenticator) = self.authenticator().await? else { return Ok(()) };
        if authenticator.allows_plaintext(&Channel::of(self.wire.transport())).is_err() {
            return self.wrong(&Response::fixed(483, "Say STARTTLS first")).await;
        }
        self.user = Some(name);
        self.wire.reply(&Response::fixed(381, "The password, please")).await
    }

    pub(super) async fn auth_pass(&mut self, password: &Text) -> Result<(), End> {
        let Some(authenticator) = self.authenticator().await? else { return Ok(()) };
        let Some(user) = self.user.take() else {
            return self.wrong(&Response::fixed(482, "Say AUTHINFO USER first")).await;
        };
        let channel = Channel::of(self.wire.transport()).service("nntp");
        // TLS cannot have gone, but the rule costs nothing.
        if authenticator.allows_plaintext(&channel).is_err() {
            return self.wrong(&Response::fixed(483, "Say STARTTLS first")).await;
        }
        let (Some(user), Some(password)) = (user.as_str(), password.as_str()) else {
            return self.login_failed(&Response::fixed(481, "The credentials are wrong")).await;
        };
        let begun = self.shared.config.sessions.begin_login();
        let credentials = Credentials::password(user, password);
        match authenticator.check(&self.wire.reactor, &channel, credentials).await {
            Ok(identity) => {
                self.logged_in(begun, identity, Response::fixed(281, "You are logged in")).await
            }
            Err(error) => self.login_failed(&response(&SaslError::Auth(error))).await,
        }
    }

    pub(super) async fn auth_sasl(
        &mut self,
        mechanism: &Word,
        initial: Option<&Word>,
    ) -> Result<(), End> {
        let Some(authenticator) = self.authenticator().await? else { return Ok(()) };
        self.user = None;
        let shared = Rc::clone(&self.shared);
        let reactor = self.wire.reactor.clone();
        let begun = shared.config.sessions.begin_login();
        let channel = Channel::of(self.wire.transport()).service("nntp");
        let sasl = SaslServer::success_data(&authenticator, channel);
        let name = mechanism.to_string();
        let initial = initial.map(|initial| initial.as_bytes());
        let mut step = sasl.start_encoded(&reactor, &name, initial).await;
        loop {
            match step {
                Ok(ServerStep::Challenge(challenge)) => {
                    let challenge = match challenge.is_empty() {
                        true => "=".to_owned(),
                        false => BASE64.encode(&challenge),
                    };
                    self.wire.send_line(&format!("383 {challenge}")).await?;
                }
                Ok(ServerStep::Done { identity, data: None }) => {
                    return self
                        .logged_in(begun, identity, Response::fixed(281, "You are logged in"))
                        .await;
                }
                Ok(ServerStep::Done { identity, data: Some(data) }) => {
                    let response = Response::of_checked(283, BASE64.encode(&data));
                    return self.logged_in(begun, identity, response).await;
                }
                Ok(_) => return self.login_failed(&Response::fixed(403, "Not now")).await,
                Err(error) => return self.login_failed(&response(&error)).await,
            }
            step = match self.wire.line(shared.config.command_timeout).await? {
                Incoming::Line(line) => sasl.respond_encoded(&reactor, &line).await,
                Incoming::Draining => {
                    let response = Response::fixed(400, "The server is shutting down");
                    return Err(self.wire.close(&response).await);
                }
            };
        }
    }

    async fn logged_in(
        &mut self,
        begun: BegunLogin,
        identity: Identity,
        response: Response,
    ) -> Result<(), End> {
        if !self.wire.begin_session(begun, &identity) {
            let response = Response::fixed(403, "The credentials have changed, log in again");
            return self.login_failed(&response).await;
        }
        tracing::debug!(peer = %self.session.peer(), user = identity.user(), "a client of NNTP has logged in");
        self.session.identity = Some(identity);
        self.ask_access();
        self.wire.reply(&response).await
    }

    async fn login_failed(&mut self, response: &Response) -> Result<(), End> {
        self.failed_logins += 1;
        if self.failed_logins >= self.shared.config.auth_tries_max {
            let response = Response::fixed(400, "Too many logins have failed");
            return Err(self.wire.close(&response).await);
        }
        self.wire.reply(response).await
    }
}

/// What a client is told (RFC 4643 2.3 and 2.4). Never whether there is such a user.
fn response(error: &SaslError) -> Response {
    match error {
        SaslError::Auth(AuthError::TooManyFailures { .. }) => {
            Response::fixed(403, "Too many logins have failed, try again later")
        }
        SaslError::Auth(AuthError::Unavailable(error)) => {
            tracing::error!(error = %with_causes(&**error), "a login could not be checked");
            Response::fixed(403, "The login cannot be checked now")
        }
        SaslError::Aborted => Response::fixed(481, "The login was given up"),
        SaslError::Base64 | SaslError::Malformed(_) => Response::fixed(482, "That is no response"),
        SaslError::TooLong { .. } => Response::fixed(482, "The response is too long"),
        SaslError::NoSuchMechanism(_) => Response::fixed(503, "There is no such mechanism"),
        SaslError::EncryptionRequired => Response::fixed(483, "Say STARTTLS first"),
        SaslError::OutOfOrder => Response::fixed(482, "Not now"),
        _ => Response::fixed(481, "The credentials are wrong"),
    }
}
