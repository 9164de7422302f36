//! An open session: [`Pop3Client`].

use std::fmt;

use sinew_transports::{AsyncStream, endpoint::ClientEndpoint, reactor::Reactor};

use super::{
    ClientConfig, Listing, Message, Pop3Error, Retrieving, Security, Stage,
    link::{Link, Waited, accepted},
};
use crate::pop3::codec::{
    Capabilities, Command, Listed, ListingError, Status, Timestamp, UniqueId, parse_stat,
};

/// Most lines of the response to CAPA.
const CAPABILITIES_MAX: usize = 128;

/// Commands of DELE that are sent before their responses are read.
const PIPELINED: usize = 100;

/// A session with a server. Dropping it closes the connection, and nothing is deleted: only [`quit`](Self::quit) does that.
///
/// # Examples
///
/// ```
/// use sinew_auth::ClientLogin;
/// use sinew_mail::pop3::client::{ClientConfig, Pop3Client, Pop3Error};
/// use sinew_transports::reactor::Reactor;
///
/// async fn read(reactor: Reactor) -> Result<(), Pop3Error> {
///     let config = ClientConfig::new().login(ClientLogin::password("ann", "secret"));
///     let mut client = Pop3Client::connect(&reactor, "mail.example.org:110", config).await?;
///     for number in 1..=client.stat().await?.messages {
///         let mut message = client.retrieve(number).await?;
///         while let Some(piece) = message.next().await? {
///             println!("{} bytes", piece.len());
///         }
///         client.delete(number).await?;
///     }
///     client.quit().await
/// }
/// ```
pub struct Pop3Client {
    pub(super) link: Link,
    pub(super) capabilities: Capabilities,
    /// The server knows CAPA.
    pub(super) has_capa: bool,
    /// That of the greeting.
    pub(super) timestamp: Option<Timestamp>,
}

/// What STAT says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Stat {
    /// How many messages there are.
    pub messages: u32,
    /// The size of all of them, in bytes.
    pub size: u64,
}

impl Pop3Client {
    /// Connects, starts TLS and logs in, as the configuration says.
    ///
    /// # Errors
    ///
    /// [`Pop3Error`]: there is no connection, the server does not want to talk, TLS is required and was not started, or the login has
    /// failed.
    pub async fn connect(
        reactor: &Reactor,
        to: impl Into<ClientEndpoint>,
        mut config: ClientConfig,
    ) -> Result<Self, Pop3Error> {
        let to = to.into();
        config.server_name = config.server_name.or_else(|| to.host());
        let stream = AsyncStream::connect(reactor, to).await?;
        let link = Link::new(reactor, stream, config);
        let capabilities = Capabilities::default();
        let mut client = Self { link, capabilities, has_capa: false, timestamp: None };
        let greeting = client.link.status(Stage::Greeting).await?;
        let greeting = accepted(Stage::Greeting, greeting)?;
        client.timestamp = Timestamp::find(&greeting.text());
        client.ask_capabilities().await?;
        client.start_tls().await?;
        if client.log_in().await? && client.has_capa {
            // RFC 2449 5: a server may announce other things to those that have logged in.
            client.ask_capabilities().await?;
        }
        Ok(client)
    }

    /// What the server has announced, over TLS if that was started, and after the login.
    #[must_use]
    pub fn capabilities(&self) -> &Capabilities {
        &self.capabilities
    }

    /// Whether TLS is on.
    #[must_use]
    pub fn is_tls(&self) -> bool {
        self.link.transport().is_tls()
    }

    /// How many messages there are, and their size: STAT.
    ///
    /// # Errors
    ///
    /// [`Pop3Error`], as with all commands.
    pub async fn stat(&mut self) -> Result<Stat, Pop3Error> {
        let stage = Stage::Stat;
        let status = self.command(stage, &Command::Stat).await?;
        let stat = parse_stat(status.bytes());
        let source = ListingError::Size;
        let (messages, size) = stat.ok_or(Pop3Error::NotAListing { stage, source })?;
        Ok(Stat { messages, size })
    }

    /// The sizes of all messages, as they arrive: LIST.
    ///
    /// # Errors
    ///
    /// [`Pop3Error`].
    pub async fn list(&mut self) -> Result<Listing<'_, u64>, Pop3Error> {
        self.link.ask_text(Stage::List, &Command::List(None)).await?;
        Ok(Listing::new(self, Stage::List, Listed::size))
    }

    /// The size of a message: LIST with its number.
    ///
    /// # Errors
    ///
    /// [`Pop3Error`].
    pub async fn size(&mut self, number: u32) -> Result<u64, Pop3Error> {
        let stage = Stage::List;
        let status = self.command(stage, &Command::List(Some(number))).await?;
        of_message(number, Listed::size(status.bytes()))
            .map_err(|source| Pop3Error::NotAListing { stage, source })
    }

    /// The unique ids of all messages, as they arrive: UIDL.
    ///
    /// # Errors
    ///
    /// [`Pop3Error`].
    pub async fn unique_ids(&mut self) -> Result<Listing<'_, UniqueId>, Pop3Error> {
        self.link.ask_text(Stage::UniqueIds, &Command::Uidl(None)).await?;
        Ok(Listing::new(self, Stage::UniqueIds, Listed::unique_id))
    }

    /// The unique id of a message: UIDL with its number.
    ///
    /// # Errors
    ///
    /// [`Pop3Error`].
    pub async fn unique_id(&mut self, number: u32) -> Result<UniqueId, Pop3Error> {
        let stage = Stage::UniqueIds;
        let status = self.command(stage, &Command::Uidl(Some(number))).await?;
        of_message(number, Listed::unique_id(status.bytes()))
            .map_err(|source| Pop3Error::NotAListing { stage, source })
    }

    /// A message, as it arrives: RETR.
    ///
    /// # Errors
    ///
    /// [`Pop3Error`].
    pub async fn retrieve(&mut self, number: u32) -> Result<Message<'_>, Pop3Error> {
        self.link.ask_text(Stage::Retrieve, &Command::Retr(number)).await?;
        Ok(Message::new(self, Stage::Retrieve))
    }

    /// Several messages, one after the other. If the server allows it, they are asked for before the ones before them were received
    /// (PIPELINING), so that the time of the way to the server counts only once.
    pub fn retrieve_all(&mut self, numbers: impl IntoIterator<Item = u32>) -> Retrieving<'_> {
        Retrieving::new(self, numbers)
    }

    /// The header of a message and so many lines of its body, as they arrive: TOP.
    ///
    /// # Errors
    ///
    /// [`Pop3Error`].
    pub async fn top(&mut self, number: u32, lines: u64) -> Result<Message<'_>, Pop3Error> {
        self.link.ask_text(Stage::Top, &Command::Top { number, lines }).await?;
        Ok(Message::new(self, Stage::Top))
    }

    /// Marks a message: [`quit`](Self::quit) deletes it. DELE.
    ///
    /// # Errors
    ///
    /// [`Pop3Error`].
    pub async fn delete(&mut self, number: u32) -> Result<(), Pop3Error> {
        self.command(Stage::Delete, &Command::Dele(number)).await.map(drop)
    }

    /// Marks several messages, with their commands sent together if the server allows it (PIPELINING).
    ///
    /// # Errors
    ///
    /// [`Pop3Error`]; the first [`Pop3Error::Refused`], if the server has refused some: all others are marked.
    pub async fn delete_all(
        &mut self,
        numbers: impl IntoIterator<Item = u32>,
    ) -> Result<(), Pop3Error> {
        let commands: Vec<_> = numbers.into_iter().map(Command::Dele).collect();
        let group = if self.capabilities.has_pipelining() { PIPELINED } else { 1 };
        let mut refused = Ok(());
        for commands in commands.chunks(group) {
            self.link.send(Stage::Delete, commands).await?;
            for _ in commands {
                let status = self.link.status(Stage::Delete).await?;
                refused = refused.and(accepted(Stage::Delete, status).map(drop));
            }
        }
        refused
    }

    /// Takes all marks away: RSET.
    ///
    /// # Errors
    ///
    /// [`Pop3Error`].
    pub async fn reset(&mut self) -> Result<(), Pop3Error> {
        self.command(Stage::Reset, &Command::Rset).await.map(drop)
    }

    /// Keeps the session from being ended for silence: NOOP.
    ///
    /// # Errors
    ///
    /// [`Pop3Error`].
    pub async fn noop(&mut self) -> Result<(), Pop3Error> {
        self.command(Stage::Noop, &Command::Noop).await.map(drop)
    }

    /// Ends the session: the server deletes the marked messages.
    ///
    /// # Errors
    ///
    /// [`Pop3Error`]: with [`Pop3Error::Refused`] the server says that some of the messages were not deleted; if the response is missing,
    /// it is not known whether they were; and with [`Pop3Error::Unusable`] they are not.
    pub async fn quit(mut self) -> Result<(), Pop3Error> {
        self.command(Stage::Quit, &Command::Quit).await.map(drop)
    }

    async fn command(&mut self, stage: Stage, command: &Command) -> Result<Status, Pop3Error> {
        accepted(stage, self.link.ask(stage, command).await?)
    }

    async fn ask_capabilities(&mut self) -> Result<(), Pop3Error> {
        let stage = Stage::Capabilities;
        self.capabilities = Capabilities::default();
        match self.link.ask_text(stage, &Command::Capa).await {
            Ok(()) => self.has_capa = true,
            // An old server.
            Err(Pop3Error::Refused { .. }) => {
                self.has_capa = false;
                return Ok(());
            }
            Err(error) => return Err(error),
        }
        let (mut found, mut waited) = (Capabilities::default(), Waited::default());
        for _ in 0..=CAPABILITIES_MAX {
            let line = self.link.text_line(stage, &mut waited, |line| found.add(line)).await?;
            if line.is_none() {
                self.capabilities = found;
                return Ok(());
            }
        }
        Err(Pop3Error::ListTooLong { stage, max: CAPABILITIES_MAX })
    }

    async fn start_tls(&mut self) -> Result<(), Pop3Error> {
        let security = self.link.config.security;
        if security == Security::None || self.is_tls() {
            return Ok(());
        }
        if !self.capabilities.has_stls() {
            return match security {
                Security::Required => Err(Pop3Error::TlsNotOffered),
                _ => Ok(()),
            };
        }
        let Some(name) = self.link.config.server_name.clone() else {
            return Err(Pop3Error::NoServerName);
        };
        match self.command(Stage::StartTls, &Command::Stls).await {
            Ok(_) => {}
            Err(Pop3Error::Refused { .. }) if security == Security::IfOffered => return Ok(()),
            Err(error) => return Err(error),
        }
        self.link.start_tls(&name).await?;
        // RFC 2595 4: nothing that the server said before counts, but for the timestamp of its greeting, which it cannot say again.
        self.ask_capabilities().await
    }
}

/// What is said of one message, which must be the one that was asked about.
fn of_message<T>(number: u32, listed: Result<Listed<T>, ListingError>) -> Result<T, ListingError> {
    let listed = listed?;
    if listed.number == number { Ok(listed.value) } else { Err(ListingError::Number) }
}

impl fmt::Debug for Pop3Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pop3Client")
            .field("capabilities", &self.capabilities)
            .finish_non_exhaustive()
    }
}
