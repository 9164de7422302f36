//! One connection of a server: [`SmtpHandling`]. Which command is allowed when:
//!
//! | command | before HELO | no message | sender given | recipients given | between chunks |
//! |---|---|---|---|---|---|
//! | HELO, EHLO, LHLO | yes | yes | gives the message up | the same | the same |
//! | MAIL | 503 | yes | 503 | 503 | 503 |
//! | RCPT | 503 | 503 | yes | yes | 503 |
//! | DATA | 503 | 503 | 503 | yes | 503 |
//! | BDAT | its bytes, then 503 | the same | the same | yes | yes |
//! | BDAT without a valid length | 501, closed | the same | the same | the same | the same |
//! | RSET | yes | yes | gives the message up | the same | the same |
//! | AUTH, if offered and EHLO was said | 503 | yes, once; before TLS that is required 530 | 503 | 503 | 503 |
//! | STARTTLS, if offered | yes | yes | 503 | 503 | 503 |
//! | NOOP, HELP, VRFY, QUIT | yes | yes | yes | yes | yes |
//!
//! One command is handled at a time: while a verdict is open, reading is paused, and pipelined commands wait. What is done with a verdict
//! is in `replying.rs`.

use std::{
    cell::Cell,
    fmt,
    rc::Rc,
    time::{Duration, Instant},
};

use sinew_auth::{BegunLogin, OpenSession, SaslServer};
use sinew_protocols::basic::{
    Decoded, Decoder, FrameError, FrameHandler, Line, PhaseDeadline, Word,
};
use sinew_transports::{ConnectionLost, TimerId, reactor::with_causes};

use super::{
    Outcome, ServerConfig, Session, SmtpHandler, Verdict,
    auth::starttls_first,
    lines::Lines,
    message::{Found, Message, too_large},
    mistakes::Mistakes,
    received,
    session::Greeting,
    waiting::{Answer, Step, Waiting},
};
use crate::smtp::codec::{Command, CommandLine, Recipient, Reply, Sender};

/// Handles the commands of a connection. Made by [`SmtpServer`](super::SmtpServer).
pub struct SmtpHandling<H> {
    pub(super) handler: H,
    pub(super) config: Rc<ServerConfig>,
    /// There since the connection was made.
    session: Option<Session>,
    pub(super) is_greeted: bool,
    pub(super) message: Option<Message>,
    /// Finds the end of a line that is too long.
    skipped: Option<Line>,
    pub(super) waiting: Option<Waiting>,
    /// The verdict that was waited for.
    pub(super) answer: Rc<Cell<Option<Answer>>>,
    pub(super) deadline: PhaseDeadline,
    /// Until when the current message, or chunk, must be complete.
    pub(super) message_end: Option<Instant>,
    pub(super) mistakes: Mistakes,
    /// MAIL or all RCPTs so far were refused. What a client has pipelined behind them is no error.
    pub(super) is_refused: bool,
    /// A login that goes on: lines are not commands.
    pub(super) sasl: Option<SaslServer>,
    pub(super) failed_logins: usize,
    /// From the first command of a login to its end.
    pub(super) begun_login: Option<BegunLogin>,
    /// Since the login.
    pub(super) open: Option<OpenSession>,
    pub(super) is_draining: bool,
}

impl<H: SmtpHandler> SmtpHandling<H> {
    pub(super) fn new(handler: H, config: Rc<ServerConfig>) -> Self {
        Self {
            handler,
            config,
            session: None,
            is_greeted: false,
            message: None,
            skipped: None,
            waiting: None,
            answer: Rc::default(),
            deadline: PhaseDeadline::new("", Duration::ZERO),
            message_end: None,
            mistakes: Mistakes::default(),
            is_refused: false,
            sasl: None,
            failed_logins: 0,
            begun_login: None,
            open: None,
            is_draining: false,
        }
    }

    pub(super) fn session(&mut self) -> &mut Session {
        self.session.as_mut().expect("connection_made is the first callback")
    }

    /// Calls the handler.
    pub(super) fn ask<T>(&mut self, f: impl FnOnce(&mut H, &Session) -> Verdict<T>) -> Verdict<T> {
        let session = self.session.as_ref().expect("connection_made is the first callback");
        f(&mut self.handler, session)
    }

    fn command(&mut self, transport: &mut Lines<'_>, command: Command) {
        if is_idle(&command) && !self.may_idle(transport) {
            return;
        }
        match command {
            Command::Helo(name) if !self.config.is_lmtp => self.helo(transport, name, false),
            Command::Ehlo(name) if !self.config.is_lmtp => self.helo(transport, name, true),
            Command::Lhlo(name) if self.config.is_lmtp => self.helo(transport, name, true),
            Command::Mail(sender) => self.mail(transport, sender),
            Command::Rcpt(recipient) => self.rcpt(transport, recipient),
            Command::Data => self.data(transport),
            Command::Bdat { len, is_last } => self.bdat(transport, len, is_last),
            Command::Auth { mechanism, initial } => {
                self.auth(transport, &mechanism, initial.as_ref());
            }
            Command::StartTls => self.starttls(transport),
            Command::Rset => {
                self.reset();
                self.reply(transport, &Reply::ok());
            }
            Command::Noop => self.reply(transport, &Reply::ok()),
            Command::Quit => self.close(transport, &Reply::fixed(221, "2.0.0 Bye")),
            Command::Help => {
                let help = "2.0.0 EHLO HELO MAIL RCPT DATA BDAT RSET NOOP VRFY STARTTLS QUIT";
                self.reply(transport, &Reply::fixed(214, help));
            }
            // RFC 5321 3.5.3: a server that does not say which mailboxes there are.
            Command::Vrfy(_) => {
                self.reply(transport, &Reply::fixed(252, "2.5.0 Send mail, and it will be tried"));
            }
            _ => self.wrong(transport, &Reply::fixed(502, "5.5.1 Not offered here")),
        }
    }

    fn helo(&mut self, transport: &mut Lines<'_>, name: Word, is_extended: bool) {
        let text = String::from_utf8_lossy(&name).into_owned();
        let verdict = self.ask(|handler, session| handler.helo(session, &text));
        let greeting = if is_extended { Greeting::Extended(name) } else { Greeting::Helo(name) };
        self.decide(transport, Step::Helo(greeting), verdict);
    }

    fn mail(&mut self, transport: &mut Lines<'_>, sender: Sender) {
        let needs_auth = self.config.needs_auth;
        let size_max = self.config.size_max;
        let is_between_chunks = self.message.is_some();
        let session = self.session();
        if matches!(session.greeting, Greeting::None) {
            return self.out_of_order(transport, "5.5.1 Say EHLO or HELO first");
        }
        if session.sender.is_some() || is_between_chunks {
            return self.out_of_order(transport, "5.5.1 There is a message already");
        }
        // Until it is accepted.
        self.is_refused = true;
        if self.needs_starttls() {
            return self.wrong(transport, &starttls_first());
        }
        if needs_auth && self.session().identity.is_none() {
            return self.wrong(transport, &Reply::fixed(530, "5.7.0 Say AUTH first"));
        }
        if sender.size().is_some_and(|size| size > size_max) {
            return self.reply(transport, &too_large());
        }
        if !sender.has_utf8() && sender.address().is_some_and(|address| !address.is_ascii()) {
            return self.refuse_address(transport, &needs_utf8());
        }
        let verdict = self.ask(|handler, session| handler.mail(session, &sender));
        self.decide(transport, Step::Mail(sender), verdict);
    }

    fn rcpt(&mut self, transport: &mut Lines<'_>, recipient: Recipient) {
        let recipients_max = self.config.recipients_max;
        let is_between_chunks = self.message.is_some();
        let session = self.session();
        let Some(sender) = session.sender.as_ref().filter(|_| !is_between_chunks) else {
            let reply = Reply::fixed(503, "5.5.1 Say MAIL first");
            return match self.is_refused {
                true => self.reply(transport, &reply),
                false => self.wrong(transport, &reply),
            };
        };
        if session.recipients.len() >= recipients_max {
            return self.too_many_recipients(transport);
        }
        if !sender.has_utf8() && !recipient.address().is_ascii() {
            self.is_refused = true;
            return self.refuse_address(transport, &needs_utf8());
        }
        let verdict = self.ask(|handler, session| handler.rcpt(session, &recipient));
        self.decide(transport, Step::Rcpt(recipient), verdict);
    }

    fn data(&mut self, transport: &mut Lines<'_>) {
        if self.message.is_some() {
            return self.out_of_order(transport, "5.5.1 The message comes in chunks");
        }
        if self.session().recipients.is_empty() {
            // RFC 5321 3.3.
            return match std::mem::take(&mut self.is_refused) {
                true => self.reply(transport, &no_valid_recipients()),
                false => self.out_of_order(transport, "5.5.1 There are no recipients"),
            };
        }
        self.message = Some(Message::dots());
        transport.set_raw_mode();
        let verdict = self.ask(SmtpHandler::data);
        self.decide(transport, Step::Open, verdict);
    }

    fn bdat(&mut self, transport: &mut Lines<'_>, len: u64, is_last: bool) {
        let is_first = self.message.is_none();
        let config = Rc::clone(&self.config);
        let message = self.message.get_or_insert_with(Message::chunks);
        message.begin_chunk(len, is_last, &config);
        transport.set_raw_mode();
        self.begin_message(transport);
        if is_first && !self.session().recipients.is_empty() {
            let verdict = self.ask(SmtpHandler::data);
            self.decide(transport, Step::Open, verdict);
        } else if is_first && std::mem::take(&mut self.is_refused) {
            self.open(transport, Err(no_valid_recipients()));
        } else if is_first {
            // The chunk follows in any case.
            self.open(transport, Err(Reply::fixed(503, "5.5.1 There are no recipients")));
            if !self.mistakes.error(&self.config) {
                return self.close_after_errors(transport);
            }
        }
        self.end_chunk(transport);
    }

    /// Ends a chunk of which no byte is missing, outside of `raw_received`.
    fn end_chunk(&mut self, transport: &mut Lines<'_>) {
        let is_whole = self.message.as_ref().is_some_and(Message::chunk_is_whole);
        // Raw mode is also that of a line that is skipped, between chunks.
        let is_in_chunk = transport.is_raw() && self.skipped.is_none();
        if is_in_chunk && self.waiting.is_none() && is_whole {
            transport.set_frame_mode(&[]);
            self.finish(transport);
        }
    }

    fn starttls(&mut self, transport: &mut Lines<'_>) {
        if !self.config.tls.is_offered() {
            return self.wrong(transport, &Reply::fixed(502, "5.5.1 Not offered here"));
        }
        let is_between_chunks = self.message.is_some();
        let session = self.session();
        if session.is_tls()
            || session.identity.is_some()
            || session.sender.is_some()
            || is_between_chunks
        {
            return self.out_of_order(transport, "5.5.1 Not now");
        }
        // RFC 3207 4.2: nothing that the client said before counts.
        session.greeting = Greeting::None;
        self.reply(transport, &Reply::fixed(220, "2.0.0 Begin"));
        self.config.tls.start(transport);
    }

    /// Gives the message up.
    pub(super) fn reset(&mut self) {
        self.message = None;
        self.is_refused = false;
        self.mistakes.message_over();
        let session = self.session();
        session.sender = None;
        session.recipients = Vec::new();
    }

    /// Passes on what was received of a message.
    fn receive(&mut self, transport: &mut Lines<'_>, mut data: &[u8]) {
        let config = Rc::clone(&self.config);
        while !transport.is_closing() {
            let Some(message) = &mut self.message else { break };
            match message.find(&mut data) {
                Ok(Found::Piece(piece)) => {
                    let verdict = message.take(piece, &config);
                    self.decide(transport, Step::Write, verdict);
                    if self.waiting.is_some() {
                        return transport.keep_raw(data);
                    }
                }
                Ok(Found::Incomplete) => return,
                Ok(Found::End) => {
                    transport.set_frame_mode(data);
                    return self.finish(transport);
                }
                Err(error) => return self.broken(transport, &error),
            }
        }
    }

    /// A part of the message, or all of it, has been received.
    fn finish(&mut self, transport: &mut Lines<'_>) {
        self.end_message(transport);
        let Some(mut message) = self.message.take() else { return };
        let is_last = message.is_last();
        let refusal = message.refusal().cloned();
        if !is_last {
            self.message = Some(message);
            let reply = refusal.unwrap_or_else(|| Reply::fixed(250, "2.0.0 Ok, go on"));
            return self.reply(transport, &reply);
        }
        if let Some(refusal) = refusal {
            return self.finished(transport, Err(refusal));
        }
        let verdict = match message.into_sink() {
            Some(sink) => sink.finish(),
            None => Verdict::now(Outcome::All(Reply::try_later())),
        };
        self.decide(transport, Step::Finish, verdict);
    }

    /// The first bytes of a message: the line of this server.
    pub(super) fn write_received(&mut self, transport: &mut Lines<'_>) {
        let config = Rc::clone(&self.config);
        if !config.has_received_line {
            return;
        }
        let Some(now) = transport.reactor().map(|reactor| reactor.wall_clock()) else { return };
        let hostname = config.hostname.to_string();
        let line = received::line(self.session(), &hostname, now);
        if let Some(message) = &mut self.message {
            let verdict = message.write(line.as_bytes());
            self.decide(transport, Step::Write, verdict);
        }
    }

    /// Skips the rest of a line that was too long.
    fn skip(&mut self, transport: &mut Lines<'_>, mut line: Line, data: &[u8]) {
        match line.decode(data) {
            Ok(Decoded::Incomplete) => self.skipped = Some(line),
            Ok(Decoded::Frame { consumed, .. }) => {
                transport.set_frame_mode(&data[consumed..]);
                self.sasl = None;
                self.wrong(transport, &line_too_long());
            }
            Err(error) => self.broken(transport, &error),
        }
    }

    /// The start of the next command is not known any more.
    fn broken(&mut self, transport: &mut Lines<'_>, error: &FrameError) {
        self.message = None;
        let reply = Reply::of_checked(521, format!("5.5.2 {error}"));
        self.write(transport, &reply);
        transport.fail(*error);
    }

    fn is_early(&self) -> bool {
        let is_open_by_data = matches!(&self.waiting, Some(waiting) if matches!(waiting.step, Step::Open))
            && self.message.as_ref().is_some_and(|message| !message.is_chunked());
        !self.is_greeted || is_open_by_data
    }

    /// The client has not waited for a reply that it must wait for.
    fn early(&mut self, transport: &mut Lines<'_>) {
        tracing::debug!(peer = %transport.peer(), "a client of SMTP talks too early");
        self.cancel();
        self.message = None;
        self.close(transport, &Reply::fixed(554, "5.5.0 Wait for the reply before you go on"));
    }
}

fn no_valid_recipients() -> Reply {
    Reply::fixed(554, "5.5.1 No valid recipients")
}

fn needs_utf8() -> Reply {
    // RFC 6531 3.5.
    Reply::fixed(553, "5.6.7 This address needs SMTPUTF8")
}

fn line_too_long() -> Reply {
    Reply::fixed(500, "5.5.6 The line is too long")
}

/// Whether a command does nothing for a message.
fn is_idle(command: &Command) -> bool {
    matches!(
        command,
        Command::Helo(_)
            | Command::Ehlo(_)
            | Command::Lhlo(_)
            | Command::Rset
            | Command::Noop
            | Command::Help
            | Command::Vrfy(_)
    )
}

/// Whether a chunk follows a line. If the line is not a valid command, the length of the chunk is not known, nor where the next command
/// starts: the connection cannot go on.
fn announces_chunk(line: &[u8]) -> bool {
    line.get(..4).is_some_and(|verb| verb.eq_ignore_ascii_case(b"BDAT"))
}

impl<H: SmtpHandler> FrameHandler<CommandLine> for SmtpHandling<H> {
    fn connection_made(&mut self, transport: &mut Lines<'_>) {
        self.session = Some(Session::new(transport, self.config.is_lmtp));
        if self.config.greeting_delay.is_zero() {
            self.greet(transport);
        } else {
            self.begin("the time before the greeting", self.config.greeting_delay, transport);
        }
    }

    fn frame_received(&mut self, transport: &mut Lines<'_>, line: &[u8]) {
        if self.is_early() {
            return self.early(transport);
        }
        self.settle(transport);
        if transport.is_closing() {
            return;
        }
        let is_too_long = transport.decoder().is_too_long(line);
        if is_too_long && self.sasl.is_none() && announces_chunk(line) {
            return self.close(transport, &line_too_long());
        }
        if is_too_long {
            self.skipped = Some(CommandLine::skip());
            if !self.deadline.is_running() {
                self.begin_command(transport);
            }
            return transport.set_raw_mode();
        }
        if let Some(sasl) = self.sasl.clone() {
            self.respond(transport, &sasl, line);
            return self.expect_command(transport);
        }
        match Command::parse(line) {
            Ok(command) => self.command(transport, command),
            Err(error) if announces_chunk(line) => self.close(transport, &error.reply()),
            Err(error) => self.wrong(transport, &error.reply()),
        }
        self.expect_command(transport);
    }

    fn raw_received(&mut self, transport: &mut Lines<'_>, data: &[u8]) {
        if let Some(line) = self.skipped.take() {
            self.skip(transport, line, data);
            return self.expect_command(transport);
        }
        if self.is_early() {
            return self.early(transport);
        }
        self.settle(transport);
        if self.waiting.is_some() {
            return transport.keep_raw(data);
        }
        self.receive(transport, data);
        self.expect_command(transport);
    }

    fn reading_resumed(&mut self, transport: &mut Lines<'_>) {
        self.settle(transport);
        self.end_chunk(transport);
        self.expect_command(transport);
    }

    fn timer_fired(&mut self, transport: &mut Lines<'_>, timer: TimerId) {
        let passed = self.deadline.passed(timer);
        match passed {
            Some(_) if !self.is_greeted && self.waiting.is_none() => self.greet(transport),
            Some(passed) => {
                tracing::debug!(peer = %transport.peer(), %passed, "a client of SMTP was disconnected");
                self.cancel();
                self.close(transport, &Reply::fixed(421, "4.4.2 It took too long"));
            }
            // The verdict about the greeting is there.
            None => {
                self.settle(transport);
                self.expect_command(transport);
            }
        }
    }

    /// Inside of a message.
    fn idle_timeout(&mut self, transport: &mut Lines<'_>) {
        self.close(transport, &Reply::fixed(421, "4.4.2 Nothing was received for too long"));
    }

    fn framing_failed(&mut self, transport: &mut Lines<'_>, error: &FrameError) {
        tracing::debug!(peer = %transport.peer(), error = %with_causes(&error), "framing failed");
        // After STARTTLS nothing can be said in plaintext.
        if !transport.is_starting_tls() {
            self.broken(transport, error);
        }
    }

    fn unfinished(&mut self, _: &mut Lines<'_>, _: &[u8]) -> Result<(), FrameError> {
        // Half a command is none.
        Ok(())
    }

    fn tls_started(&mut self, transport: &mut Lines<'_>) {
        self.expect_command(transport);
    }

    fn drain_requested(&mut self, transport: &mut Lines<'_>) {
        self.is_draining = true;
        self.leave_if_drained(transport);
    }

    fn connection_lost(&mut self, _: &mut Lines<'_>, _: &ConnectionLost) {
        self.cancel();
        self.message = None;
        self.begun_login = None;
        self.open = None;
    }
}

impl<H> fmt::Debug for SmtpHandling<H> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SmtpHandling").field("session", &self.session).finish_non_exhaustive()
    }
}
