//! AUTH of a client (RFC 4954): one exchange of SASL.

use sinew_auth::{Channel, SaslClient};
use sinew_protocols::basic::Word;

use super::{SmtpClient, SmtpError, Stage, smtp_client::accepted};
use crate::smtp::codec::Command;

/// Longest first message that is sent with the command (RFC 4954 4: the line may have 512 bytes).
const INITIAL_MAX: usize = 450;

impl SmtpClient {
    /// Logs in, if the configuration says so.
    pub(super) async fn log_in(&mut self) -> Result<(), SmtpError> {
        let Some(login) = self.link.config.login.take() else { return Ok(()) };
        let offered = self.capabilities.auth().iter().filter_map(|name| name.as_str());
        let sasl = login.choose(offered, &Channel::of(self.link.transport()))?;
        let mechanism = Word::from_static(sasl.mechanism().name());
        let first = sasl.initial_encoded()?;
        let (initial, mut unsent) = match first {
            Some(first) if first.len() > INITIAL_MAX => (None, Some(first)),
            first => (first, None),
        };
        // Base64, or `=`.
        let initial = initial.and_then(|initial| Word::try_from(initial).ok());
        let command = Command::Auth { mechanism, initial };
        let mut reply = self.link.ask(Stage::Auth, command).await?;
        while reply.code() == 334 {
            let challenge = reply.lines().first().map(|line| line.as_bytes());
            let response = match unsent.take() {
                Some(first) => first,
                None => self.response(&sasl, challenge.unwrap_or_default()).await?,
            };
            let line = format!("{response}\r\n");
            self.link.write(Stage::Auth, line.as_bytes()).await?;
            reply = self.link.reply(Stage::Auth).await?;
        }
        accepted(Stage::Auth, reply).inspect_err(|_| _ = sasl.refused())?;
        Ok(sasl.finish(None)?)
    }

    /// The response to a challenge; one that is not acceptable ends the exchange.
    async fn response(&mut self, sasl: &SaslClient, challenge: &[u8]) -> Result<String, SmtpError> {
        let response = sasl.respond_encoded(&self.link.reactor, challenge).await;
        if response.is_err() {
            self.link.write(Stage::Auth, b"*\r\n").await?;
            self.link.reply(Stage::Auth).await?;
        }
        Ok(response?)
    }
}
