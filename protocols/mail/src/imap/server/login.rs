//! LOGIN and AUTHENTICATE, by `sinew-auth`; and the account of the user.

use sinew_transports::reactor::with_causes;

use std::rc::Rc;

use data_encoding::BASE64;
use sinew_auth::{AuthError, Credentials, Identity, SaslError, SaslServer, ServerStep};

use super::{answer::Done, session::Session};
use crate::imap::codec::{AString, Atom, Tag};

/// The longest response of SASL.
pub(super) const LINE_MAX: usize = 12_288;

impl Session {
    pub(super) async fn login(&self, user: AString, password: AString) -> Result<Done, Done> {
        let reactor = self.reactor()?;
        let channel = self.channel();
        let authenticator = self.config.authenticator.clone();
        self.begin_login();
        if authenticator.allows_plaintext(&channel).is_err() {
            return Err(Done::no("Say STARTTLS first").code("PRIVACYREQUIRED"));
        }
        let Some(user) = user.as_str() else { return Err(wrong_credentials()) };
        let credentials = Credentials::password(user, password.as_bytes());
        match authenticator.check(&reactor, &channel, credentials).await {
            Ok(identity) => self.open_account(&identity).await,
            Err(error) => Err(refused(&SaslError::Auth(error))),
        }
    }

    /// Begins an exchange. `None` if it goes on.
    pub(super) async fn authenticate(
        &self,
        tag: &Tag,
        mechanism: &Atom,
        initial: Option<&[u8]>,
    ) -> Option<Result<Done, Done>> {
        let reactor = self.transport.reactor()?;
        self.begin_login();
        let sasl = SaslServer::new(&self.config.authenticator, self.channel());
        let name = mechanism.as_str().unwrap_or_default();
        let step = sasl.start_encoded(&reactor, name, initial).await;
        self.step(tag, sasl, step).await
    }

    /// A response to a challenge.
    pub(super) async fn respond_to_challenge(
        &self,
        tag: &Tag,
        sasl: SaslServer,
        line: &[u8],
    ) -> Option<Result<Done, Done>> {
        let reactor = self.transport.reactor()?;
        let step = sasl.respond_encoded(&reactor, line).await;
        self.step(tag, sasl, step).await
    }

    async fn step(
        &self,
        tag: &Tag,
        sasl: SaslServer,
        step: Result<ServerStep, SaslError>,
    ) -> Option<Result<Done, Done>> {
        match step {
            Ok(ServerStep::Challenge(challenge)) => {
                self.login.replace(Some((tag.clone(), sasl)));
                self.write(format!("+ {}\r\n", BASE64.encode(&challenge)).as_bytes());
                None
            }
            Ok(ServerStep::Done { identity, .. }) => Some(self.open_account(&identity).await),
            Ok(_) => Some(Err(Done::no("The login cannot be checked now").code("UNAVAILABLE"))),
            Err(error) => Some(Err(refused(&error))),
        }
    }

    async fn open_account(&self, identity: &Identity) -> Result<Done, Done> {
        let reactor = self.reactor()?;
        let store = Rc::clone(&self.config.store);
        let account = store.account(&reactor, identity.name()).await?;
        if !self.logged_in(identity, account) {
            return Err(Done::no("The credentials have changed, log in again").code("UNAVAILABLE"));
        }
        tracing::debug!(peer = %self.transport.peer(), user = identity.user(), "a client of IMAP has logged in");
        Ok(Done::ok("Logged in").code(format!("CAPABILITY {}", self.capabilities())))
    }
}

fn wrong_credentials() -> Done {
    Done::no("The credentials are wrong").code("AUTHENTICATIONFAILED")
}

/// What a client is told (RFC 5530). Never whether there is such a user.
fn refused(error: &SaslError) -> Done {
    match error {
        SaslError::Auth(AuthError::TooManyFailures { .. }) => {
            Done::no("Too many logins have failed, try again later").code("UNAVAILABLE")
        }
        SaslError::Auth(AuthError::Unavailable(error)) => {
            tracing::error!(error = %with_causes(&**error), "a login could not be checked");
            Done::no("The login cannot be checked now").code("UNAVAILABLE")
        }
        SaslError::Aborted => Done::bad("The login was given up"),
        SaslError::Base64 | SaslError::Malformed(_) | SaslError::TooLong { .. } => {
            Done::bad("That is no response")
        }
        SaslError::NoSuchMechanism(_) => Done::no("There is no such mechanism"),
        SaslError::EncryptionRequired => Done::no("Say STARTTLS first").code("PRIVACYREQUIRED"),
        _ => wrong_credentials(),
    }
}
