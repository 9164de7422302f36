//! An open connection: [`NewsClient`].

use std::{
    fmt,
    time::{Duration, SystemTime},
};

use sinew_protocols::basic::Word;
use sinew_transports::{
    AsyncStream,
    endpoint::ClientEndpoint,
    reactor::{Reactor, with_causes},
};

use super::{
    ActiveGroup, ArticleStream, ClientConfig, HdrLine, List, NewsError, Security, link::Link, list,
};
use crate::nntp::{
    codec::{
        ArticleRef, Articles, Capabilities, Command, FieldName, GroupName, ListKind, MessageId,
        OverviewLine, Part, Range, Response, ResponseError, Wildmat, command_date_time,
    },
    compression::Compression,
};

/// How long [`NewsClient::quit`] waits for the response.
const QUIT_TIMEOUT: Duration = Duration::from_secs(5);

/// A connection to a server, which has greeted. One thing is asked at a time. Dropping it closes the connection.
///
/// After a call that has failed in the middle of an answer, or whose future was dropped, it is not known what the next bytes belong to:
/// the client is of no more use, and says so by [`NewsError::Unusable`]. An answer that refuses is not such a failure.
///
/// # Examples
///
/// ```
/// use sinew_news::nntp::{
///     client::{ClientConfig, NewsClient, NewsError},
///     codec::Range,
/// };
/// use sinew_transports::reactor::Reactor;
///
/// async fn subjects(reactor: Reactor) -> Result<(), Box<dyn std::error::Error>> {
///     let config = ClientConfig::default();
///     let mut client = NewsClient::connect(&reactor, "news.example.org:119", config).await?;
///     let group = client.group(&"misc.test".parse()?).await?;
///     let last = Range::from(group.high.saturating_sub(10));
///     if let Some(mut lines) = client.over(last).await? {
///         while let Some(line) = lines.next().await? {
///             println!("{} {}", line.number(), line.subject());
///         }
///     }
///     client.quit().await;
///     Ok(())
/// }
/// ```
pub struct NewsClient {
    pub(super) link: Link,
    pub(super) capabilities: Capabilities,
    may_post: bool,
    /// An answer is missing, or was not read to its end.
    pub(super) is_unusable: bool,
}

/// A group that was selected.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Selected {
    /// An estimate of the number of articles.
    pub count: u64,
    /// The lowest number.
    pub low: u64,
    /// The highest number.
    pub high: u64,
}

/// Which article it is.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Stat {
    /// Its number in the selected group; 0 if it was asked for by its identifier.
    pub number: u64,
    /// Its identifier.
    pub id: MessageId,
}

impl NewsClient {
    /// Connects, starts TLS, logs in, says that it reads, and compresses, as the configuration says.
    ///
    /// # Errors
    ///
    /// [`NewsError`]: there is no connection, the server does not want to talk, TLS is required and was not started, or the login has
    /// failed.
    pub async fn connect(
        reactor: &Reactor,
        to: impl Into<ClientEndpoint>,
        mut config: ClientConfig,
    ) -> Result<Self, NewsError> {
        let to = to.into();
        config.server_name = config.server_name.or_else(|| to.host());
        let stream = AsyncStream::connect(reactor, to).await?;
        let link = Link::new(reactor, stream, config);
        let capabilities = Capabilities::default();
        let mut client = Self { link, capabilities, may_post: false, is_unusable: false };
        let greeting = client.link.response("the connection").await?;
        client.note_posting("the connection", greeting)?;
        client.ask_capabilities().await?;
        // Before the login, which would be one with the other half of a server that switches, and after which it may not come
        // (RFC 4643 2.2).
        let is_reading = client.mode_reader(&[480, 483]).await?;
        client.start_tls().await?;
        client.log_in().await?;
        if !is_reading {
            client.mode_reader(&[]).await?;
        }
        client.compress().await?;
        Ok(client)
    }

    /// MODE READER, if that is wanted and needed. Returns whether it was answered otherwise than by one of these codes.
    async fn mode_reader(&mut self, not_yet: &[u16]) -> Result<bool, NewsError> {
        let is_needed = self.capabilities.has("MODE-READER") || !self.capabilities.has("VERSION");
        if !(self.link.config.is_reader && is_needed) {
            return Ok(true);
        }
        let response = self.link.ask("MODE READER", &Command::ModeReader).await?;
        if not_yet.contains(&response.code()) {
            return Ok(false);
        }
        // A server that does not know it reads in any case.
        if response.code() != 500 {
            self.note_posting("MODE READER", response)?;
            self.ask_capabilities().await?;
        }
        Ok(true)
    }

    /// 200 or 201.
    fn note_posting(&mut self, command: &'static str, response: Response) -> Result<(), NewsError> {
        match response.code() {
            code @ (200 | 201) => {
                self.may_post = code == 200;
                Ok(())
            }
            _ => Err(NewsError::Refused { command, response }),
        }
    }

    /// What the server has announced, over TLS if that was started. Empty if it does not know CAPABILITIES.
    #[must_use]
    pub fn capabilities(&self) -> &Capabilities {
        &self.capabilities
    }

    /// Whether the server lets this client post, as it has said in its greeting.
    #[must_use]
    pub fn may_post(&self) -> bool {
        self.may_post
    }

    /// Whether TLS is on.
    #[must_use]
    pub fn is_tls(&self) -> bool {
        self.link.transport().is_tls()
    }

    /// Asks anew, as after a login.
    pub(super) async fn ask_capabilities(&mut self) -> Result<(), NewsError> {
        const VERB: &str = "CAPABILITIES";
        let response = self.link.ask(VERB, &Command::Capabilities).await?;
        let mut capabilities = Capabilities::default();
        if response.code() == 101 {
            let mut lines = List::new(self, VERB, "a capability", list::text);
            while let Some(line) = lines.next().await? {
                capabilities.push(&line);
            }
        } else if response.code() == 400 {
            return Err(NewsError::Refused { command: VERB, response });
        }
        self.capabilities = capabilities;
        Ok(())
    }

    async fn start_tls(&mut self) -> Result<(), NewsError> {
        let security = self.link.config.security;
        if security == Security::None || self.is_tls() {
            return Ok(());
        }
        if !self.capabilities.has("STARTTLS") {
            return match security {
                Security::Required => Err(NewsError::TlsNotOffered),
                _ => Ok(()),
            };
        }
        let Some(name) = self.link.config.server_name.clone() else {
            return Err(NewsError::NoServerName);
        };
        let response = self.link.ask("STARTTLS", &Command::StartTls).await?;
        match response.code() {
            382 => {}
            _ if security == Security::IfOffered => return Ok(()),
            _ => return Err(NewsError::Refused { command: "STARTTLS", response }),
        }
        self.link.start_tls(&name).await?;
        // RFC 4642 2.2.2: nothing that the server said before counts.
        self.ask_capabilities().await
    }

    /// COMPRESS, if that is wanted and offered. A server that cannot now is used without.
    async fn compress(&mut self) -> Result<(), NewsError> {
        const VERB: &str = "COMPRESS";
        let is_offered = self.capabilities.has_argument(VERB, "DEFLATE");
        if !(self.link.config.uses_compression && Compression::IS_AVAILABLE && is_offered) {
            return Ok(());
        }
        let command = Command::Compress(Word::from_static("DEFLATE"));
        let response = self.link.ask(VERB, &command).await?;
        match response.code() {
            206 => self.link.compress(),
            403 | 500..=503 => return Ok(()),
            _ => return Err(NewsError::Refused { command: VERB, response }),
        }
        // RFC 8054 2.2.2: some capabilities are gone.
        self.ask_capabilities().await
    }

    /// Whether the connection is compressed.
    #[must_use]
    pub fn is_compressed(&self) -> bool {
        self.link.stream.is_compressed()
    }

    /// Asks, and checks the code. Codes in `absent` are `None`, all others errors.
    pub(super) async fn request(
        &mut self,
        verb: &'static str,
        command: &Command,
        expected: &[u16],
        absent: &[u16],
    ) -> Result<Option<Response>, NewsError> {
        if self.is_unusable {
            return Err(NewsError::Unusable);
        }
        self.is_unusable = true;
        let response = self.link.ask(verb, command).await?;
        // The server goes.
        self.is_unusable = response.code() == 400;
        match response.code() {
            code if expected.contains(&code) => Ok(Some(response)),
            code if absent.contains(&code) => Ok(None),
            code if code < 400 => {
                // Lines may follow.
                self.is_unusable = true;
                Err(NewsError::Refused { command: verb, response })
            }
            _ => Err(NewsError::Refused { command: verb, response }),
        }
    }

    async fn expect(
        &mut self,
        verb: &'static str,
        command: &Command,
        code: u16,
    ) -> Result<Response, NewsError> {
        let response = self.request(verb, command, &[code], &[]).await?;
        // There is no code that means absence.
        response.ok_or(NewsError::Unusable)
    }

    // ---- groups ----

    /// Selects a group.
    ///
    /// # Errors
    ///
    /// [`NewsError`]; with a response of 411 there is no such group.
    pub async fn group(&mut self, name: &GroupName) -> Result<Selected, NewsError> {
        const VERB: &str = "GROUP";
        let response = self.expect(VERB, &Command::Group(name.clone()), 211).await?;
        let selected = || {
            let number = |at| response.number(at, "the numbers of a group");
            Ok(Selected { count: number(0)?, low: number(1)?, high: number(2)? })
        };
        selected().map_err(|source| NewsError::NotAResponse { command: VERB, source })
    }

    /// Selects a group, and lists the numbers of its articles in a range.
    ///
    /// # Errors
    ///
    /// As [`group`](Self::group).
    pub async fn list_group(
        &mut self,
        name: &GroupName,
        range: Range,
    ) -> Result<List<'_, u64>, NewsError> {
        const VERB: &str = "LISTGROUP";
        let command = Command::ListGroup { group: Some(name.clone()), range };
        self.expect(VERB, &command, 211).await?;
        Ok(List::new(self, VERB, "a number", list::number))
    }

    /// Groups with their numbers, those that match.
    ///
    /// # Errors
    ///
    /// [`NewsError`].
    pub async fn list_active(
        &mut self,
        wildmat: Option<Wildmat>,
    ) -> Result<List<'_, ActiveGroup>, NewsError> {
        const VERB: &str = "LIST ACTIVE";
        self.expect(VERB, &Command::List(ListKind::Active(wildmat)), 215).await?;
        Ok(List::new(self, VERB, "a group", list::active))
    }

    /// Any list, line by line.
    ///
    /// # Errors
    ///
    /// [`NewsError`]; with a response of 503 the server does not keep it.
    pub async fn list(&mut self, kind: ListKind) -> Result<List<'_, String>, NewsError> {
        const VERB: &str = "LIST";
        self.expect(VERB, &Command::List(kind), 215).await?;
        Ok(List::new(self, VERB, "text", list::text))
    }

    /// Groups that were created since.
    ///
    /// # Errors
    ///
    /// [`NewsError`].
    pub async fn new_groups(
        &mut self,
        since: SystemTime,
    ) -> Result<List<'_, ActiveGroup>, NewsError> {
        const VERB: &str = "NEWGROUPS";
        self.expect(VERB, &Command::NewGroups(since), 231).await?;
        Ok(List::new(self, VERB, "a group", list::active))
    }

    /// Articles that have arrived since, in groups that match.
    ///
    /// # Errors
    ///
    /// [`NewsError`]; many servers refuse it.
    pub async fn new_news(
        &mut self,
        groups: Wildmat,
        since: SystemTime,
    ) -> Result<List<'_, MessageId>, NewsError> {
        const VERB: &str = "NEWNEWS";
        self.expect(VERB, &Command::NewNews { groups, since }, 230).await?;
        Ok(List::new(self, VERB, "a message-id", list::message_id))
    }

    /// The time of the server.
    ///
    /// # Errors
    ///
    /// [`NewsError`].
    pub async fn date(&mut self) -> Result<SystemTime, NewsError> {
        const VERB: &str = "DATE";
        let response = self.expect(VERB, &Command::Date, 111).await?;
        let time = response.word(0).and_then(command_date_time);
        let source = ResponseError::Argument { what: "a time" };
        time.ok_or(NewsError::NotAResponse { command: VERB, source })
    }

    // ---- articles ----

    /// The next article of the group; `None` behind the last.
    ///
    /// # Errors
    ///
    /// [`NewsError`]; with a response of 412 no group is selected.
    pub async fn next(&mut self) -> Result<Option<Stat>, NewsError> {
        let response = self.request("NEXT", &Command::Next, &[223], &[420, 421]).await?;
        response.map(|response| stat("NEXT", &response, None)).transpose()
    }

    /// The previous article of the group; `None` before the first.
    ///
    /// # Errors
    ///
    /// As [`next`](Self::next).
    pub async fn last(&mut self) -> Result<Option<Stat>, NewsError> {
        let response = self.request("LAST", &Command::Last, &[223], &[420, 422]).await?;
        response.map(|response| stat("LAST", &response, None)).transpose()
    }

    /// Whether an article is there.
    ///
    /// # Errors
    ///
    /// [`NewsError`]; with a response of 412 no group is selected.
    pub async fn stat(&mut self, which: impl Into<ArticleRef>) -> Result<Option<Stat>, NewsError> {
        let which = which.into();
        let asked = asked_for(&which);
        let command = Command::Article { part: Part::Stat, which: Some(which) };
        let response = self.request("STAT", &command, &[223], &[420, 423, 430]).await?;
        response.map(|response| stat("STAT", &response, asked)).transpose()
    }

    /// An article, its head or its body; `None` if it is not there. [`Part::Stat`] has no text.
    ///
    /// # Errors
    ///
    /// As [`stat`](Self::stat).
    pub async fn article(
        &mut self,
        part: Part,
        which: impl Into<ArticleRef>,
    ) -> Result<Option<ArticleStream<'_>>, NewsError> {
        const VERB: &str = "ARTICLE";
        let which = which.into();
        let asked = asked_for(&which);
        let part = if part == Part::Stat { Part::Head } else { part };
        let command = Command::Article { part, which: Some(which) };
        let response = self.request(VERB, &command, &[part.code()], &[420, 423, 430]).await?;
        let Some(response) = response else { return Ok(None) };
        self.is_unusable = true;
        let stat = stat(VERB, &response, asked)?;
        Ok(Some(ArticleStream::new(self, stat)))
    }

    /// The overview of articles; `None` if there are none. By XOVER, where the server does not announce OVER.
    ///
    /// # Errors
    ///
    /// As [`stat`](Self::stat).
    pub async fn over(
        &mut self,
        which: impl Into<Articles>,
    ) -> Result<Option<List<'_, OverviewLine>>, NewsError> {
        const VERB: &str = "OVER";
        let is_old = !self.capabilities.has("OVER");
        let command = Command::Over { which: Some(which.into()), is_old };
        let response = self.request(VERB, &command, &[224], &[420, 423, 430]).await?;
        let is_there = response.is_some();
        Ok(is_there.then(|| List::new(self, VERB, "a line of the overview", list::overview)))
    }

    /// A field of articles; `None` if there are none. By XHDR, where the server does not announce HDR.
    ///
    /// # Errors
    ///
    /// As [`stat`](Self::stat).
    pub async fn hdr(
        &mut self,
        field: FieldName,
        which: impl Into<Articles>,
    ) -> Result<Option<List<'_, HdrLine>>, NewsError> {
        const VERB: &str = "HDR";
        let is_old = !self.capabilities.has("HDR");
        let code = if is_old { 221 } else { 225 };
        let command = Command::Hdr { field, which: Some(which.into()), is_old };
        let response = self.request(VERB, &command, &[code], &[420, 423, 430]).await?;
        let is_there = response.is_some();
        Ok(is_there.then(|| List::new(self, VERB, "a number and a value", list::hdr)))
    }

    /// Says goodbye, and closes the connection. Waits at most 5 seconds for the response, which does not matter.
    pub async fn quit(mut self) {
        if self.is_unusable {
            return;
        }
        let reactor = self.link.reactor.clone();
        let asked = self.link.ask("QUIT", &Command::Quit);
        if let Err(error) = reactor.timeout(QUIT_TIMEOUT, asked).await {
            tracing::debug!(error = %with_causes(&error), "no response to QUIT");
        }
    }
}

fn asked_for(which: &ArticleRef) -> Option<MessageId> {
    match which {
        ArticleRef::Id(id) => Some(id.clone()),
        ArticleRef::Number(_) => None,
    }
}

/// The number and the identifier of a response. Old servers leave out the identifier that was asked for, or say 0.
fn stat(
    command: &'static str,
    response: &Response,
    asked: Option<MessageId>,
) -> Result<Stat, NewsError> {
    let number = response.number(0, "a number");
    let number = number.map_err(|source| NewsError::NotAResponse { command, source })?;
    let id = response.word(1).and_then(|word| word.parse().ok()).or(asked);
    let source = ResponseError::Argument { what: "a message-id" };
    let id = id.ok_or(NewsError::NotAResponse { command, source })?;
    Ok(Stat { number, id })
}

impl fmt::Debug for NewsClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NewsClient")
            .field("capabilities", &self.capabilities)
            .finish_non_exhaustive()
    }
}
