//! An open connection: [`SmtpClient`].

use std::{fmt, time::Duration};

use bytes::Bytes;
use sinew_transports::{
    AsyncStream,
    endpoint::ClientEndpoint,
    reactor::{Reactor, with_causes},
};

use super::{
    ClientConfig, Delivery, Envelope, MessageSource, Security, SmtpError, Stage, link::Link,
    text::Text,
};
use crate::smtp::codec::{Capabilities, Command, Reply};

/// How long [`SmtpClient::quit`] waits for the reply.
const QUIT_TIMEOUT: Duration = Duration::from_secs(5);

/// A connection to a server, which has greeted: for one message or for several, one after the other. Dropping it closes the connection.
///
/// After a [`send`](Self::send) that has failed, or was dropped, it is not known what the server would take the next bytes for: the
/// client is of no more use, and says so by [`SmtpError::Unusable`].
///
/// # Examples
///
/// ```
/// use sinew_mail::smtp::client::{ClientConfig, Delivery, Envelope, SmtpClient, SmtpError};
/// use sinew_transports::reactor::Reactor;
///
/// async fn send(reactor: Reactor, config: ClientConfig, mails: Vec<(Envelope, String)>) -> Result<(), SmtpError> {
///     let mut client = SmtpClient::connect(&reactor, "mail.example.org:587", config).await?;
///     for (envelope, message) in mails {
///         let delivery = client.send(&envelope, message).await?;
///         println!("accepted for {} recipients", delivery.delivered().count());
///     }
///     client.quit().await;
///     Ok(())
/// }
/// ```
pub struct SmtpClient {
    pub(super) link: Link,
    pub(super) capabilities: Capabilities,
    /// A transaction was begun that has not ended.
    pub(super) needs_reset: bool,
    /// A reply is missing, or a message has not ended: true within a transaction, and after one that did not come to its end.
    pub(super) is_unusable: bool,
}

impl SmtpClient {
    /// Connects, introduces itself, starts TLS and logs in, as the configuration says.
    ///
    /// # Errors
    ///
    /// [`SmtpError`]: there is no connection, the server does not want to talk, TLS is required and was not started, or the login
    /// has failed.
    pub async fn connect(
        reactor: &Reactor,
        to: impl Into<ClientEndpoint>,
        mut config: ClientConfig,
    ) -> Result<Self, SmtpError> {
        let to = to.into();
        config.server_name = config.server_name.or_else(|| to.host());
        let stream = AsyncStream::connect(reactor, to).await?;
        let link = Link::new(reactor, stream, config);
        let capabilities = Capabilities::default();
        let mut client = Self { link, capabilities, needs_reset: false, is_unusable: false };
        let greeting = client.link.reply(Stage::Greeting).await?;
        accepted(Stage::Greeting, greeting)?;
        client.hello().await?;
        client.start_tls().await?;
        client.log_in().await?;
        Ok(client)
    }

    /// What the server has announced, over TLS if that was started.
    #[must_use]
    pub fn capabilities(&self) -> &Capabilities {
        &self.capabilities
    }

    pub(crate) fn is_lmtp(&self) -> bool {
        self.link.config.is_lmtp
    }

    /// Whether further messages can be sent: not after a [`send`](Self::send) that has failed or was dropped.
    #[must_use]
    pub fn is_usable(&self) -> bool {
        !self.is_unusable
    }

    /// Whether TLS is on.
    #[must_use]
    pub fn is_tls(&self) -> bool {
        self.link.transport().is_tls()
    }

    /// Sends a message, and returns the reply for each recipient.
    ///
    /// It is not cancel safe: after its future was dropped, the client is of no more use, and the server may have the message or not.
    ///
    /// # Errors
    ///
    /// [`SmtpError`]: the message cannot be sent to this server ([`TooLarge`](SmtpError::TooLarge), [`Needs`](SmtpError::Needs),
    /// [`NoRecipient`](SmtpError::NoRecipient)), or the connection has failed; then the client is of no more use, and returns
    /// [`Unusable`](SmtpError::Unusable) from then on. What the server refuses is no error, but in the [`Delivery`].
    pub async fn send(
        &mut self,
        envelope: &Envelope,
        message: impl Into<Bytes>,
    ) -> Result<Delivery, SmtpError> {
        self.transaction(envelope, &mut Text::new(message.into())).await
    }

    /// As [`send`](Self::send), with a message that is not in memory, but read piece by piece as the server takes it.
    ///
    /// Its lines must end in CRLF: unlike a message in memory, this one is not changed, but not sent to its end if one does not.
    ///
    /// # Errors
    ///
    /// As [`send`](Self::send); and [`SmtpError::Message`], after which the client is of no more use, if the source fails, has a bare CR
    /// or LF, or has another length than it said. The server has no whole message then.
    pub async fn send_stream(
        &mut self,
        envelope: &Envelope,
        message: &mut impl MessageSource,
    ) -> Result<Delivery, SmtpError> {
        self.transaction(envelope, message).await
    }

    /// Says goodbye, and closes the connection. Waits at most 5 seconds for the reply, which does not matter. Does not say anything
    /// where it could be taken for a part of a message: after a [`send`](Self::send) that has failed.
    pub async fn quit(mut self) {
        if self.is_unusable {
            return;
        }
        let reactor = self.link.reactor.clone();
        let asked = self.link.ask(Stage::Quit, Command::Quit);
        if let Err(error) = reactor.timeout(QUIT_TIMEOUT, asked).await {
            tracing::debug!(error = %with_causes(&error), "no reply to QUIT");
        }
    }

    /// EHLO, or HELO with a server that does not know it (RFC 5321 3.2).
    async fn hello(&mut self) -> Result<(), SmtpError> {
        let name = self.link.config.hostname.clone();
        let hello = match self.link.config.is_lmtp {
            true => Command::Lhlo(name.clone()),
            false => Command::Ehlo(name.clone()),
        };
        let mut reply = self.link.ask(Stage::Hello, hello).await?;
        self.capabilities = Capabilities::default();
        if reply.is_success() {
            self.capabilities = Capabilities::from(&reply);
        } else if reply.is_permanent() && !self.link.config.is_lmtp {
            reply = self.link.ask(Stage::Hello, Command::Helo(name)).await?;
        }
        accepted(Stage::Hello, reply)
    }

    async fn start_tls(&mut self) -> Result<(), SmtpError> {
        let security = self.link.config.security;
        if security == Security::None || self.is_tls() {
            return Ok(());
        }
        if !self.capabilities.has_starttls() {
            return match security {
                Security::Required => Err(SmtpError::TlsNotOffered),
                _ => Ok(()),
            };
        }
        let Some(name) = self.link.config.server_name.clone() else {
            return Err(SmtpError::NoServerName);
        };
        let reply = self.link.ask(Stage::StartTls, Command::StartTls).await?;
        match accepted(Stage::StartTls, reply) {
            Ok(()) => {}
            Err(_) if security == Security::IfOffered => return Ok(()),
            Err(error) => return Err(error),
        }
        self.link.start_tls(&name).await?;
        // RFC 3207 4.2: nothing that the server said before counts.
        self.hello().await
    }
}

/// An error, if the reply is not 2yz.
pub(super) fn accepted(stage: Stage, reply: Reply) -> Result<(), SmtpError> {
    if reply.is_success() { Ok(()) } else { Err(SmtpError::Refused { stage, reply }) }
}

impl fmt::Debug for SmtpClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SmtpClient")
            .field("capabilities", &self.capabilities)
            .finish_non_exhaustive()
    }
}
