//! Logins of a client: AUTHINFO SASL, or AUTHINFO USER where that is all there is (RFC 4643).

use sinew_auth::{Channel, SaslClient};
use sinew_protocols::basic::{Text, Word};

use super::{NewsClient, NewsError};
use crate::nntp::codec::{Command, Response};

const VERB: &str = "AUTHINFO";

/// Longest first message that is sent with the command, so that the line has at most 512 bytes.
const INITIAL_MAX: usize = 450;

impl NewsClient {
    /// Logs in, if the configuration says so.
    pub(super) async fn log_in(&mut self) -> Result<(), NewsError> {
        let Some(login) = self.link.config.login.take() else { return Ok(()) };
        let channel = Channel::of(self.link.transport());
        let has_sasl = self.capabilities.has_argument("AUTHINFO", "SASL");
        let mechanisms: Vec<_> = self.capabilities.arguments("SASL").collect();
        let chosen = match has_sasl {
            true => login.choose(mechanisms, &channel),
            // A name and a password, as LOGIN has them: the same rules hold.
            false => login.choose(["LOGIN"], &channel),
        };
        let sasl = chosen?;
        let response = match has_sasl {
            true => self.by_sasl(&sasl).await?,
            false => self.by_password(&sasl).await?,
        };
        match response.code() {
            281 => sasl.finish(None)?,
            283 => {
                let data = response.word(0).unwrap_or_default();
                let data = data_encoding::BASE64.decode(data.as_bytes());
                sasl.finish(Some(&data.map_err(|_| sinew_auth::SaslError::Base64)?))?;
            }
            _ => {
                sasl.refused();
                return Err(NewsError::Refused { command: VERB, response });
            }
        }
        // RFC 4643 2.2: capabilities may be others now.
        self.ask_capabilities().await
    }

    async fn by_password(&mut self, sasl: &SaslClient) -> Result<Response, NewsError> {
        let reactor = self.link.reactor.clone();
        let user = sasl.respond(&reactor, b"User Name").await?;
        let password = sasl.respond(&reactor, b"Password").await?;
        let checked = |bytes: Vec<u8>| {
            Text::try_from(bytes)
                .map_err(|_| sinew_auth::SaslError::Malformed("a line end in a name or password"))
        };
        let (user, password) = (checked(user)?, checked(password)?);
        let response = self.link.ask(VERB, &Command::AuthUser(user)).await?;
        match response.code() {
            381 => self.link.ask(VERB, &Command::AuthPass(password)).await,
            _ => Ok(response),
        }
    }

    async fn by_sasl(&mut self, sasl: &SaslClient) -> Result<Response, NewsError> {
        let mechanism = Word::from_static(sasl.mechanism().name());
        let first = sasl.initial_encoded()?;
        let (initial, mut unsent) = match first {
            Some(first) if first.len() > INITIAL_MAX => (None, Some(first)),
            first => (first, None),
        };
        // Base64, or `=`.
        let initial = initial.and_then(|initial| Word::try_from(initial).ok());
        let command = Command::AuthSasl { mechanism, initial };
        let mut response = self.link.ask(VERB, &command).await?;
        while response.code() == 383 {
            let challenge = response.text().as_bytes();
            let challenge = if challenge == b"=" { b"" } else { challenge };
            let answer = match unsent.take() {
                Some(first) => Ok(first),
                None => {
                    let reactor = self.link.reactor.clone();
                    sasl.respond_encoded(&reactor, challenge).await
                }
            };
            let Ok(answer) = answer else {
                // One that is not acceptable ends the exchange.
                self.link.write(VERB, b"*\r\n").await?;
                self.link.response(VERB).await?;
                answer?;
                continue;
            };
            self.link.write(VERB, format!("{answer}\r\n").as_bytes()).await?;
            response = self.link.response(VERB).await?;
        }
        Ok(response)
    }
}
