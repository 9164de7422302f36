//! One connection of a server, as a task: [`Connection`]. Which command is allowed when:
//!
//! | command | no group | group, no current article | current article |
//! |---|---|---|---|
//! | CAPABILITIES, DATE, HELP, MODE READER, QUIT | yes | yes | yes |
//! | GROUP, LISTGROUP with a group, LIST, NEWGROUPS, NEWNEWS | reading | reading | reading |
//! | LISTGROUP without a group | 412 | reading | reading |
//! | NEXT, LAST | 412 | 420 | reading |
//! | ARTICLE, HEAD, BODY, STAT, OVER, HDR without argument | 412 | 420 | reading |
//! | the same by number or range | 412 | reading | reading |
//! | the same by identifier | reading | reading | reading |
//! | POST | posting | posting | posting |
//! | IHAVE, CHECK, TAKETHIS, MODE STREAM | feeding | feeding | feeding |
//! | COMPRESS, if it is offered | once, with any access; then no STARTTLS, AUTHINFO and MODE READER: 502 | the same | the same |
//! | STARTTLS, if it is offered | without TLS and login; else 502 | the same | the same |
//! | AUTHINFO, if it is offered | without login; else 502 | the same | the same |
//! | AUTHINFO PASS | behind AUTHINFO USER; else 482 | the same | the same |
//!
//! Reading, posting and feeding want an [`Access`](super::Access) that allows them: without, 480 if a login could help, else 502 (440 to
//! POST). Commands are handled one after the other, and pipelined ones wait. TAKETHIS is followed by its article in any case: it is read
//! whatever the response will be.

use std::{rc::Rc, time::Duration};

use sinew_auth::Channel;
use sinew_protocols::basic::{Text, TurnShare, Word};
use sinew_transports::{
    AsyncStream,
    reactor::{Reactor, with_causes},
};

use super::{
    Session,
    shared::Shared,
    wire::{End, Incoming, Wire},
};
use crate::{
    nntp::{
        codec::{Command, CommandError, GroupName, Response, announces_article},
        compression::Compression,
    },
    store::{NewsStore, StoreError},
};

pub(super) struct Connection<S> {
    pub(super) shared: Rc<Shared<S>>,
    pub(super) wire: Wire,
    pub(super) session: Session,
    /// The selected group.
    pub(super) group: Option<GroupName>,
    /// The number of the current article in it.
    pub(super) current: Option<u64>,
    /// The name of AUTHINFO USER.
    pub(super) user: Option<Text>,
    pub(super) failed_logins: usize,
    errors: usize,
    /// Commands of a turn of the event loop.
    share: TurnShare,
}

/// Most commands of a connection that are handled in one turn of the event loop. The others follow when others had theirs.
const COMMANDS_PER_TURN: u8 = 32;

/// What a client must be allowed.
#[derive(Clone, Copy)]
pub(super) enum Right {
    Read,
    Post,
    Feed,
}

impl<S: NewsStore> Connection<S> {
    pub(super) fn new(reactor: Reactor, stream: AsyncStream, shared: Rc<Shared<S>>) -> Self {
        let session = Session::new(stream.transport());
        let wire = Wire::new(reactor, stream, &shared.config);
        Self {
            shared,
            wire,
            session,
            group: None,
            current: None,
            user: None,
            failed_logins: 0,
            errors: 0,
            share: TurnShare::new(),
        }
    }

    /// Serves the client to its end.
    pub(super) async fn run(mut self) {
        let End = match self.greet().await {
            Ok(()) => self.serve().await,
            Err(end) => end,
        };
    }

    async fn greet(&mut self) -> Result<(), End> {
        self.ask_access();
        if self.session.access.is_nothing() && self.shared.config.auth.is_none() {
            let response = Response::fixed(502, "You may not do anything here");
            return Err(self.wire.close(&response).await);
        }
        self.welcome().await
    }

    /// 200 or 201.
    async fn welcome(&mut self) -> Result<(), End> {
        let host = self.shared.config.host.to_string();
        let response = match self.session.access.may_post_any() {
            true => Response::of_checked(200, format!("{host} ready, posting allowed")),
            false => Response::of_checked(201, format!("{host} ready, no posting")),
        };
        self.wire.reply(&response).await
    }

    pub(super) fn ask_access(&mut self) {
        self.session.access = self.shared.handler.access(&self.session);
        // Another identity may not read what the one before has selected.
        let access = &self.session.access;
        if self.group.as_ref().is_some_and(|group| !access.may_read(group)) {
            (self.group, self.current) = (None, None);
        }
    }

    async fn serve(&mut self) -> End {
        loop {
            while !self.share.is_left(&self.wire.reactor, COMMANDS_PER_TURN) {
                self.wire.reactor.sleep(Duration::ZERO).await;
            }
            let line = match self.wire.line(self.shared.config.command_timeout).await {
                Ok(Incoming::Line(line)) => line,
                Ok(Incoming::Draining) => {
                    let response = Response::fixed(400, "The server is shutting down");
                    return self.wire.close(&response).await;
                }
                Err(end) => return end,
            };
            let _ = self.share.take(&self.wire.reactor, COMMANDS_PER_TURN);
            // In a box, so that a connection that waits for a command is small.
            if let Err(end) = Box::pin(self.handle(&line)).await {
                return end;
            }
        }
    }

    async fn handle(&mut self, line: &[u8]) -> Result<(), End> {
        // Only a login may have longer lines.
        let is_login = line.get(..9).is_some_and(|verb| verb.eq_ignore_ascii_case(b"AUTHINFO "));
        if line.len() > self.shared.config.line_max && !is_login {
            let response = Response::fixed(501, "The line is too long");
            return Err(self.wire.close(&response).await);
        }
        match Command::parse(line) {
            Ok(command) => self.command(command).await,
            Err(error) if announces_article(line) => {
                self.wire.article(&self.shared.config, 0).await?;
                self.wrong_syntax(error).await
            }
            Err(error) => self.wrong_syntax(error).await,
        }
    }

    async fn command(&mut self, command: Command) -> Result<(), End> {
        match command {
            Command::Capabilities => self.capabilities().await,
            // RFC 8054 2.2.2.
            Command::ModeReader if self.wire.stream.is_compressed() => {
                self.wrong(&Response::fixed(502, "Not behind COMPRESS")).await
            }
            Command::ModeReader => self.welcome().await,
            Command::ModeStream => self.mode_stream().await,
            Command::Quit => Err(self.wire.close(&Response::fixed(205, "Bye")).await),
            Command::Date => {
                let date = crate::nntp::codec::command_date(self.wire.reactor.wall_clock());
                self.wire.reply(&Response::of_checked(111, date)).await
            }
            Command::Help => self.help().await,
            Command::Group(name) => self.select(name).await,
            Command::ListGroup { group, range } => self.list_group(group, range).await,
            Command::Next => self.step(crate::store::Direction::Next).await,
            Command::Last => self.step(crate::store::Direction::Last).await,
            Command::Article { part, which } => self.article(part, which).await,
            Command::Over { which, is_old } => self.over(which, is_old).await,
            Command::Hdr { field, which, is_old } => self.hdr(field, which, is_old).await,
            Command::List(kind) => self.list(kind).await,
            Command::NewGroups(since) => self.new_groups(since).await,
            Command::NewNews { groups, since } => self.new_news(&groups, since).await,
            Command::Post => self.post().await,
            Command::Ihave(id) => self.ihave(id).await,
            Command::Check(id) => self.check(id).await,
            Command::TakeThis(id) => self.take_this(id).await,
            Command::StartTls => self.start_tls().await,
            Command::Compress(algorithm) => self.compress(&algorithm).await,
            Command::AuthUser(name) => self.auth_user(name).await,
            Command::AuthPass(password) => self.auth_pass(&password).await,
            Command::AuthSasl { mechanism, initial } => {
                self.auth_sasl(&mechanism, initial.as_ref()).await
            }
        }
    }

    async fn mode_stream(&mut self) -> Result<(), End> {
        if !self.may(Right::Feed).await? {
            return Ok(());
        }
        self.wire.reply(&Response::fixed(203, "Streaming is permitted")).await
    }

    async fn help(&mut self) -> Result<(), End> {
        let shared = Rc::clone(&self.shared);
        self.wire.begin(&Response::fixed(100, "Help follows"), shared.config.response_timeout);
        for line in [
            "CAPABILITIES, MODE READER, DATE, HELP, QUIT, STARTTLS, COMPRESS DEFLATE",
            "AUTHINFO USER name, AUTHINFO PASS password, AUTHINFO SASL mechanism [response]",
            "LIST [ACTIVE|ACTIVE.TIMES|NEWSGROUPS|COUNTS [wildmat]], LIST OVERVIEW.FMT|HEADERS",
            "GROUP group, LISTGROUP [group [range]], NEXT, LAST",
            "ARTICLE, HEAD, BODY, STAT [number|message-id]",
            "OVER [range|message-id], HDR field [range|message-id]",
            "NEWGROUPS date time, NEWNEWS wildmat date time",
            "POST, IHAVE message-id, MODE STREAM, CHECK message-id, TAKETHIS message-id",
        ] {
            self.wire.push(|out| out.extend_from_slice(line.as_bytes())).await?;
        }
        self.wire.end().await
    }

    async fn capabilities(&mut self) -> Result<(), End> {
        let shared = Rc::clone(&self.shared);
        let access = &self.session.access;
        let could_log_in = self.could_log_in();
        let mut lines = vec!["VERSION 2".to_owned(), "IMPLEMENTATION sinew".to_owned()];
        if access.may_read_any() || could_log_in {
            lines.push("READER".to_owned());
            lines
                .push("LIST ACTIVE ACTIVE.TIMES COUNTS HEADERS NEWSGROUPS OVERVIEW.FMT".to_owned());
            lines.extend(["OVER MSGID".to_owned(), "HDR".to_owned()]);
            if shared.config.has_newnews {
                lines.push("NEWNEWS".to_owned());
            }
        }
        if access.may_post_any() {
            lines.push("POST".to_owned());
        }
        if access.may_feed {
            lines.extend(["IHAVE".to_owned(), "STREAMING".to_owned()]);
        }
        // RFC 4642 2.1: not behind a login.
        if self.may_start_tls() {
            lines.push("STARTTLS".to_owned());
        }
        if self.may_compress() {
            lines.push("COMPRESS DEFLATE".to_owned());
        }
        if let Some(authenticator) = shared.config.auth.as_ref().filter(|_| could_log_in) {
            let channel = Channel::of(self.wire.transport());
            let mechanisms = authenticator.mechanisms(&channel);
            let user = authenticator.allows_plaintext(&channel).map_or("", |()| " USER");
            let sasl = if mechanisms.is_empty() { "" } else { " SASL" };
            lines.push(format!("AUTHINFO{user}{sasl}"));
            if !mechanisms.is_empty() {
                let names = mechanisms.iter().map(|mechanism| format!(" {mechanism}"));
                lines.push(format!("SASL{}", names.collect::<String>()));
            }
        }
        self.wire.begin(&Response::fixed(101, "Capability list"), shared.config.response_timeout);
        for line in lines {
            self.wire.push(|out| out.extend_from_slice(line.as_bytes())).await?;
        }
        self.wire.end().await
    }

    pub(super) fn may_start_tls(&self) -> bool {
        let is_offered = self.shared.config.tls.is_offered();
        let is_late = self.session.identity.is_some() || self.wire.stream.is_compressed();
        is_offered && !self.session.is_tls() && !is_late
    }

    async fn start_tls(&mut self) -> Result<(), End> {
        let shared = Rc::clone(&self.shared);
        if !shared.config.tls.is_offered() {
            return self.wrong(&Response::fixed(580, "There is no TLS here")).await;
        }
        if !self.may_start_tls() {
            return self.wrong(&Response::fixed(502, "Not now")).await;
        }
        self.wire.reply(&Response::fixed(382, "Begin")).await?;
        let started = shared.config.tls.start_in(&mut self.wire.stream.plain).await;
        if let Err(error) = started {
            tracing::debug!(peer = %self.wire.stream.peer(), error = %with_causes(&error), "STARTTLS has failed");
            self.wire.transport().abort();
            return Err(End);
        }
        // RFC 4642 2.2.2: nothing that the client said before counts.
        (self.group, self.current, self.user) = (None, None, None);
        self.ask_access();
        Ok(())
    }

    /// Whether a login may come: not behind another, and not behind COMPRESS (RFC 8054 2.2.2).
    pub(super) fn could_log_in(&self) -> bool {
        let is_late = self.session.identity.is_some() || self.wire.stream.is_compressed();
        self.shared.config.auth.is_some() && !is_late
    }

    fn offers_compression(&self) -> bool {
        Compression::IS_AVAILABLE && self.shared.config.offers_compression
    }

    /// A client that may do nothing yet is to log in before, and costs less memory until then.
    fn may_compress(&self) -> bool {
        let may_anything = !self.session.access.is_nothing();
        self.offers_compression() && may_anything && !self.wire.stream.is_compressed()
    }

    async fn compress(&mut self, algorithm: &Word) -> Result<(), End> {
        if self.wire.stream.is_compressed() {
            return self.wrong(&Response::fixed(502, "It is compressed already")).await;
        }
        if !self.offers_compression() || !algorithm.eq_ignore_ascii_case(b"DEFLATE") {
            return self.wrong(&Response::fixed(503, "There is no such compression here")).await;
        }
        if !self.may_compress() {
            return self.wire.reply(&Response::fixed(480, "Log in first")).await;
        }
        self.wire.reply(&Response::fixed(206, "Compressed from now on")).await?;
        self.wire.compress(&self.shared.config);
        Ok(())
    }

    // ---- refusals ----

    /// Whether the client may do this. If not, it was told so.
    pub(super) async fn may(&mut self, right: Right) -> Result<bool, End> {
        let access = &self.session.access;
        let (is_allowed, code) = match right {
            Right::Read => (access.may_read_any(), 502),
            Right::Post => (access.may_post_any(), 440),
            Right::Feed => (access.may_feed, 502),
        };
        if is_allowed {
            return Ok(true);
        }
        let response = match self.could_log_in() {
            true => Response::fixed(480, "Log in first"),
            false => Response::fixed(code, "You may not do that"),
        };
        self.wire.reply(&response).await?;
        Ok(false)
    }

    async fn wrong_syntax(&mut self, error: CommandError) -> Result<(), End> {
        self.wrong(&Response::of_checked(error.code(), error.to_string())).await
    }

    /// Replies to a command that is wrong, and counts it.
    pub(super) async fn wrong(&mut self, response: &Response) -> Result<(), End> {
        self.errors += 1;
        if self.errors > self.shared.config.errors_max {
            return Err(self.wire.close(&Response::fixed(400, "Too many errors")).await);
        }
        self.wire.reply(response).await
    }

    /// Replies that the store has failed.
    pub(super) async fn failed(&mut self, error: &StoreError) -> Result<(), End> {
        tracing::error!(error = %with_causes(&error), "the store of the news server has failed");
        self.wire.reply(&Response::fixed(403, "The store has failed, try again later")).await
    }
}
