//! How a connection is opened: the greeting, TLS, the login, compression; one thing after the other.
//!
//! | state | what happens | next |
//! |---|---|---|
//! | connected | OK | not logged in |
//! | connected | PREAUTH over plaintext, and TLS is required | failed: [`ImapError::PreAuth`] |
//! | connected | PREAUTH | logged in |
//! | connected | anything else | failed |
//! | not logged in, plaintext | STARTTLS is wanted: OK, and nothing behind it | not logged in, over TLS; capabilities are forgotten |
//! | not logged in | the login: OK | logged in; capabilities are forgotten, unless the answer has them |
//! | logged in | ID, COMPRESS | open to commands |

use sinew_auth::{Channel, SaslError};
use sinew_protocols::basic::Word;
use sinew_transports::{AsyncStream, endpoint::ClientEndpoint, reactor::Reactor};

use super::{
    ClientConfig, ConnectionEnd, ImapError, Security, compression,
    link::{Link, Step, accepted, lost},
};
use crate::imap::codec::{AString, Atom, Capabilities, CommandBody, Response, Status, StatusText};

/// What a connection is called in errors.
const CONNECTION: &str = "the connection";

/// Most messages of a login.
const STEPS_MAX: usize = 16;

/// Opens a connection, within the time for all of it.
pub(super) async fn connect(
    reactor: &Reactor,
    to: ClientEndpoint,
    config: ClientConfig,
) -> Result<Link, ImapError> {
    let after = config.login_timeout;
    match reactor.timeout(after, open(reactor, to, config)).await {
        Ok(opened) => opened,
        Err(_) => Err(ImapError::TimedOut { command: CONNECTION, after }),
    }
}

async fn open(
    reactor: &Reactor,
    to: ClientEndpoint,
    mut config: ClientConfig,
) -> Result<Link, ImapError> {
    config.server_name = config.server_name.or_else(|| to.host());
    let stream = AsyncStream::connect(reactor, to).await?;
    let mut link = Link::new(reactor, stream, config);
    let is_logged_in = link.greeting().await?;
    if !is_logged_in {
        link = link.secure().await?;
        link.log_in().await?;
    }
    link.know_capabilities().await?;
    link.introduce().await?;
    link.compress().await?;
    link.input.decoder.set_text_max(link.config.line_max);
    link.output.timeout = link.config.silence_timeout;
    Ok(link)
}

impl Link {
    /// Returns whether the client is logged in already.
    async fn greeting(&mut self) -> Result<bool, ImapError> {
        let status = match self.response(CONNECTION).await? {
            Response::Status(status) => status,
            _ => return Err(lost(CONNECTION, ConnectionEnd::protocol("no greeting"))),
        };
        match status.status {
            Status::Ok => {
                self.note(status.code.as_ref());
                Ok(false)
            }
            // CVE-2020-12398 and its like: STARTTLS is not possible then, and who is on the path could have said it.
            Status::PreAuth if self.config.security == Security::Required && !self.is_tls() => {
                Err(ImapError::PreAuth)
            }
            Status::PreAuth => {
                self.note(status.code.as_ref());
                Ok(true)
            }
            _ => Err(ImapError::Refused { command: CONNECTION, status }),
        }
    }

    async fn know_capabilities(&mut self) -> Result<Capabilities, ImapError> {
        if self.capabilities.is_none() {
            self.ask(CommandBody::Capability).await?;
        }
        let missing = ImapError::Incomplete { command: "CAPABILITY", missing: "the capabilities" };
        self.capabilities.clone().ok_or(missing)
    }

    async fn secure(mut self) -> Result<Self, ImapError> {
        let security = self.config.security;
        if security == Security::None || self.is_tls() {
            return Ok(self);
        }
        if !self.know_capabilities().await?.has("STARTTLS") {
            return match security {
                Security::Required => Err(ImapError::TlsNotOffered),
                _ => Ok(self),
            };
        }
        let Some(name) = self.config.server_name.clone() else {
            return Err(ImapError::NoServerName);
        };
        match self.ask(CommandBody::StartTls).await {
            Ok(_) => self.start_tls(&name).await,
            Err(ImapError::Refused { .. }) if security == Security::IfOffered => Ok(self),
            Err(error) => Err(error),
        }
    }

    async fn log_in(&mut self) -> Result<(), ImapError> {
        let Some(login) = self.config.login.take() else { return Ok(()) };
        let capabilities = self.know_capabilities().await?;
        let channel = Channel::of(&self.transport);
        let chosen = login.choose(capabilities.mechanisms(), &channel);
        let status = match chosen {
            Ok(sasl) => self.authenticate(&sasl, &capabilities).await?,
            Err(SaslError::NoCommonMechanism) if !capabilities.has("LOGINDISABLED") => {
                // The command LOGIN sends what the mechanism does.
                let sasl = login.choose(["LOGIN"], &channel)?;
                let user = sasl.respond(&self.reactor, b"").await?;
                let password = sasl.respond(&self.reactor, b"").await?;
                let user = AString::try_from(user.as_slice())?;
                let password = AString::try_from(password.as_slice())?;
                self.capabilities = Some(capabilities);
                self.ask(CommandBody::Login { user, password }).await?
            }
            Err(error) => return Err(error.into()),
        };
        // What was announced before the login need not hold after it (RFC 9051 6.2.2, 6.2.3).
        if !matches!(status.code, Some(crate::imap::codec::Code::Capability(_))) {
            self.capabilities = None;
        }
        Ok(())
    }

    async fn authenticate(
        &mut self,
        sasl: &sinew_auth::SaslClient,
        capabilities: &Capabilities,
    ) -> Result<StatusText, ImapError> {
        const NAME: &str = "AUTHENTICATE";
        let mechanism = Atom::try_from(sasl.mechanism().name())?;
        let mut first = sasl.initial_encoded()?;
        let mut initial = None;
        if capabilities.has_or_rev2("SASL-IR")
            && let Some(message) = first.take()
        {
            // Base64, or `=`.
            initial = Word::try_from(message).ok();
        }
        let tag = self.send(CommandBody::Authenticate { mechanism, initial }).await?;
        for _ in 0..STEPS_MAX {
            let challenge = match self.step(NAME, &tag).await? {
                Step::Continue(challenge) => challenge,
                Step::Done(status) => {
                    let status = accepted(NAME, status).inspect_err(|_| _ = sasl.refused())?;
                    sasl.finish(None)?;
                    return Ok(status);
                }
            };
            let response = match first.take() {
                // An empty message has no `=` here.
                Some(first) => Ok(if first == "=" { String::new() } else { first }),
                None => sasl.respond_encoded(&self.reactor, &challenge).await,
            };
            let line = match &response {
                Ok(response) => format!("{response}\r\n"),
                // RFC 9051 6.2.2: the exchange is cancelled.
                Err(_) => "*\r\n".to_owned(),
            };
            self.write(NAME, line.as_bytes()).await?;
            if let Err(error) = response {
                let _ = self.step(NAME, &tag).await?;
                return Err(error.into());
            }
        }
        Err(lost(NAME, ConnectionEnd::protocol("a login that does not end")))
    }

    /// ID, whose answer does not matter.
    async fn introduce(&mut self) -> Result<(), ImapError> {
        let Some(fields) = self.config.id.take() else { return Ok(()) };
        if !self.know_capabilities().await?.has("ID") {
            return Ok(());
        }
        match self.ask(CommandBody::Id(Some(fields))).await {
            Ok(_) | Err(ImapError::Refused { .. }) => Ok(()),
            Err(error) => Err(error),
        }
    }

    async fn compress(&mut self) -> Result<(), ImapError> {
        let is_wanted = self.config.uses_compression && compression::IS_AVAILABLE;
        if !is_wanted || !self.know_capabilities().await?.has("COMPRESS=DEFLATE") {
            return Ok(());
        }
        match self.ask(CommandBody::Compress(Atom::from_static("DEFLATE"))).await {
            Ok(_) => {
                #[cfg(feature = "compression")]
                {
                    self.input.inflating = Some(compression::Inflating::new());
                    self.output.deflating = Some(compression::Deflating::new());
                }
                Ok(())
            }
            Err(ImapError::Refused { .. }) => Ok(()),
            Err(error) => Err(error),
        }
    }
}
