//! The login of a client: AUTH (RFC 5034), USER and PASS, or APOP.

use sinew_auth::{Channel, SaslClient, SaslError, Secret};
use sinew_protocols::basic::{Text, Word};

use super::{
    Pop3Client, Pop3Error, Stage,
    link::{Link, accepted},
};
use crate::pop3::codec::{Command, Status, StatusError};

/// Longest first message that is sent with the command (RFC 5034 4: the line may have 255 bytes).
const INITIAL_MAX: usize = 200;

impl Pop3Client {
    /// Logs in, if the configuration says so. Returns whether it did.
    pub(super) async fn log_in(&mut self) -> Result<bool, Pop3Error> {
        if let Some((user, password)) = self.link.config.apop.take() {
            self.apop(user, &password).await?;
            return Ok(true);
        }
        let Some(login) = self.link.config.login.take() else { return Ok(false) };
        let channel = Channel::of(self.link.transport());
        let offered = self.capabilities.sasl().iter().filter_map(|name| name.as_str());
        match login.choose(offered, &channel) {
            Ok(sasl) => self.sasl(&sasl).await?,
            // USER and PASS send what LOGIN of SASL sends, under the same conditions. Servers without CAPA know nothing else.
            Err(error) if self.capabilities.has_user() || !self.has_capa => {
                let plain = login.choose(["LOGIN"], &channel);
                let plain = plain.map_err(|plain| match plain {
                    SaslError::NoCommonMechanism => error,
                    plain => plain,
                })?;
                self.user_and_pass(&plain).await?;
            }
            Err(error) => return Err(error.into()),
        }
        Ok(true)
    }

    async fn sasl(&mut self, sasl: &SaslClient) -> Result<(), Pop3Error> {
        let stage = Stage::Login;
        let mechanism = Some(Word::from_static(sasl.mechanism().name()));
        let first = sasl.initial_encoded()?;
        let (initial, mut unsent) = match first {
            Some(first) if first.len() > INITIAL_MAX => (None, Some(first)),
            first => (first, None),
        };
        // Base64, or `=`.
        let initial = initial.and_then(|initial| Word::try_from(initial).ok());
        self.link.send(stage, [&Command::Auth { mechanism, initial }]).await?;
        loop {
            let challenge = match self.link.sasl_step().await? {
                SaslStep::Challenge(challenge) => challenge,
                SaslStep::Over(status) => {
                    accepted(stage, status).inspect_err(|_| _ = sasl.refused())?;
                    return Ok(sasl.finish(None)?);
                }
            };
            let response = match unsent.take() {
                Some(first) => first,
                None => self.response(sasl, &challenge).await?,
            };
            self.link.write(stage, format!("{response}\r\n").as_bytes()).await?;
        }
    }

    /// The response to a challenge; one that is not acceptable ends the exchange.
    async fn response(&mut self, sasl: &SaslClient, challenge: &[u8]) -> Result<String, Pop3Error> {
        let response = sasl.respond_encoded(&self.link.reactor, challenge).await;
        if response.is_err() {
            self.link.write(Stage::Login, b"*\r\n").await?;
            self.link.status(Stage::Login).await?;
        }
        Ok(response?)
    }

    async fn user_and_pass(&mut self, login: &SaslClient) -> Result<(), Pop3Error> {
        let reactor = self.link.reactor.clone();
        let _ = login.initial()?;
        let user = login.respond(&reactor, b"").await?;
        let password = Secret::from(login.respond(&reactor, b"").await?);
        login.finish(None)?;
        let user = Text::try_from(user).map_err(Pop3Error::Credentials)?;
        check_password(&password)?;
        let status = self.link.ask(Stage::Login, &Command::User(user)).await?;
        accepted(Stage::Login, status)?;
        let status = self.link.ask(Stage::Login, &Command::Pass(password)).await?;
        accepted(Stage::Login, status).map(drop)
    }

    async fn apop(&mut self, user: String, password: &Secret) -> Result<(), Pop3Error> {
        let timestamp = self.timestamp.take().ok_or(Pop3Error::ApopNotOffered)?;
        let user = Text::try_from(user).map_err(Pop3Error::Credentials)?;
        let digest = Word::try_from(timestamp.digest(password.bytes()));
        let digest = digest.map_err(Pop3Error::Credentials)?;
        let status = self.link.ask(Stage::Login, &Command::Apop { user, digest }).await?;
        accepted(Stage::Login, status).map(drop)
    }
}

/// A line that holds a password must be one line.
fn check_password(password: &Secret) -> Result<(), Pop3Error> {
    Text::try_from(password.bytes()).map(drop).map_err(Pop3Error::Credentials)
}

/// What a server says within a login.
enum SaslStep {
    /// In base64.
    Challenge(Vec<u8>),
    Over(Status),
}

impl Link {
    async fn sasl_step(&mut self) -> Result<SaslStep, Pop3Error> {
        let stage = Stage::Login;
        let read = |line: &[u8]| match line {
            [b'+'] => Ok::<_, StatusError>(SaslStep::Challenge(Vec::new())),
            [b'+', b' ', challenge @ ..] => Ok(SaslStep::Challenge(challenge.to_vec())),
            line => Status::parse(line).map(SaslStep::Over),
        };
        let step = self.first_line(stage, read).await?;
        let step = step.map_err(|source| Pop3Error::NotAStatus { stage, source })?;
        if matches!(step, SaslStep::Over(_)) {
            self.end_response();
        }
        Ok(step)
    }
}
