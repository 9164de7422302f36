//! One connection of a server: [`ImapConnection`]. It finds commands in what is received, and has one of them done at a time: reading
//! waits meanwhile, and so do commands that were sent ahead. What is allowed when is in `phase.rs`; what an APPEND does, in
//! `appending.rs`.
//!
//! | what has begun | a line | a literal is announced | the connection is idle for too long |
//! |---|---|---|---|
//! | nothing | a command | it is kept if it is short; a message is written as it comes | `BYE` |
//! | a command is done | waits | waits | the command has its own limits |
//! | a login | a response of SASL | `BAD` | `BYE` |
//! | IDLE | `DONE`, or `BAD` | `BAD` | `BYE` |
//! | STARTTLS | what came with it ends the connection | the same | the handshake has its own limit |

use std::{fmt, rc::Rc};

use bytes::Bytes;
use sinew_protocols::basic::PhaseDeadline;
use sinew_transports::{ConnectionLost, Protocol, TimerId, Transport, reactor::Task};

use super::{
    ServerConfig,
    answer::Done,
    appending::Appending,
    compression::{IS_OFFERED, Inflating},
    login::LINE_MAX,
    phase::Phase,
    session::{QUEUE_MAX, Session},
};
use crate::imap::codec::{
    Command, CommandBody, Dialect, Event, LiteralHead, Message, MessageDecoder, Tag,
};

/// A literal that is refused, and longer than this, and sent all the same, ends the connection: it would have to be skipped.
const SKIPPED_MAX: u64 = 1 << 20;

/// Longest tag of a command that cannot be read: it may be no tag at all.
const TAG_MAX: usize = 100;

/// Steps of inflating, of 16 KiB, before others have the loop.
const STEPS_IN_TURN: usize = 16;

/// A connection of a server, as a [`Protocol`].
pub struct ImapConnection {
    pub(super) config: Rc<ServerConfig>,
    pub(super) decoder: MessageDecoder,
    /// There since the connection was made.
    session: Option<Rc<Session>>,
    /// What was received and waits for a command to be done.
    kept: Bytes,
    /// The command that is done.
    task: Option<Task<()>>,
    pub(super) append: Option<Box<Appending>>,
    /// With COMPRESS.
    inflating: Option<Box<Inflating>>,
    deadline: PhaseDeadline,
    is_logged_in: bool,
    errors: u8,
    /// The client has ended its side.
    has_ended: bool,
    is_draining: bool,
}

impl ImapConnection {
    pub(super) fn new(config: Rc<ServerConfig>) -> Self {
        let deadline = PhaseDeadline::new("the time until the login", config.login_timeout);
        Self {
            decoder: MessageDecoder::of_commands(config.login_line_max),
            config,
            session: None,
            kept: Bytes::new(),
            task: None,
            append: None,
            inflating: None,
            deadline,
            is_logged_in: false,
            errors: 0,
            has_ended: false,
            is_draining: false,
        }
    }

    fn session(&self) -> Option<Rc<Session>> {
        self.session.clone()
    }

    /// Takes commands from the input, until one has to be waited for. Keeps the rest.
    fn take(&mut self, transport: &Transport, mut input: &[u8]) {
        let Some(session) = self.session() else { return };
        let is_inflated = self.inflating.is_some();
        while !transport.is_closing() && !session.is_busy.get() && !session.has_ended() {
            if transport.is_starting_tls() || self.inflating.is_some() != is_inflated {
                break;
            }
            if transport.queued() > QUEUE_MAX {
                // Answers that need no task are not queued without end, either.
                self.run(&session, async {});
                break;
            }
            match self.decoder.decode(&mut input) {
                Ok(Event::Incomplete) => break,
                Ok(Event::Message(message)) => self.message(&session, &message),
                Ok(Event::Literal(head)) => self.literal(&session, head),
                Ok(Event::Bytes(piece)) => {
                    let piece = Bytes::copy_from_slice(piece);
                    self.write_piece(&session, piece);
                }
                Ok(Event::LiteralEnd) => {}
                Ok(Event::TooLong) => {
                    let tag = self.give_up(&session).or_else(|| self.decoder.front().tag());
                    self.wrong(&session, tag.as_ref(), "The command is too long");
                }
                Err(error) => {
                    session.bye(&format!("{error}"));
                    transport.fail(error);
                }
            }
        }
        if let (false, Some(inflating)) = (is_inflated, &mut self.inflating) {
            // COMPRESS was the last command in plaintext.
            inflating.push(input);
            self.inflate(transport);
        } else if input.is_empty() || transport.is_closing() {
            self.kept = Bytes::new();
        } else if transport.is_starting_tls() {
            // RFC 3501 6.2.1: anyone on the path could have added it.
            transport.fail("plaintext was received behind STARTTLS");
        } else {
            self.kept = Bytes::copy_from_slice(input);
        }
        self.set_timeouts(transport);
    }

    /// Goes on with what was kept.
    fn take_kept(&mut self, transport: &Transport) {
        let kept = std::mem::take(&mut self.kept);
        self.take(transport, &kept);
        self.inflate(transport);
        if self.has_ended && self.kept.is_empty() && !self.is_busy() {
            transport.lose_connection();
        }
    }

    /// Goes on with compressed input, for some steps.
    fn inflate(&mut self, transport: &Transport) {
        for _ in 0..STEPS_IN_TURN {
            let has_room = self.kept.is_empty() && !self.is_busy() && !transport.is_closing();
            let Some(inflating) = self.inflating.as_mut().filter(|_| has_room) else { return };
            match inflating.next() {
                Ok(Some(input)) => self.take(transport, &input),
                Ok(None) => return,
                Err(error) => {
                    if let Some(session) = self.session() {
                        session.bye("The compressed data cannot be read");
                    }
                    return transport.fail(error);
                }
            }
        }
        // The rest in the next turn.
        if let Some(session) = self.session()
            && !session.is_busy.get()
        {
            self.run(&session, async {});
        }
    }

    fn is_busy(&self) -> bool {
        self.session.as_ref().is_some_and(|session| session.is_busy.get())
    }

    /// The clocks that run now: silence, and the time of a command from its first byte to the end of its answer.
    fn set_timeouts(&mut self, transport: &Transport) {
        let Some(session) = self.session() else { return };
        if session.phase.get() == Phase::BeforeLogin || transport.is_closing() {
            return;
        }
        let is_between = self.decoder.is_between_messages() && self.append.is_none();
        let silence =
            if is_between { self.config.idle_timeout } else { self.config.append_timeout };
        transport.set_read_timeout(silence);
        match is_between && !session.is_busy.get() {
            true => self.deadline.end(transport),
            false => self.begin_command(transport),
        }
    }

    /// The time of a command begins, unless it runs already.
    fn begin_command(&mut self, transport: &Transport) {
        if !self.deadline.is_running() {
            self.deadline = PhaseDeadline::new("a command", self.config.command_timeout);
            self.deadline.begin(transport);
        }
    }

    // ---- commands ----

    fn message(&mut self, session: &Rc<Session>, message: &Message) {
        if let Some(inflating) = &mut self.inflating {
            inflating.renew();
        }
        if let Some(append) = self.append.take() {
            return self.end_append(session, *append, message);
        }
        if session.idle.borrow().is_some() {
            return self.end_idle(session, message);
        }
        let login = session.login.take();
        if let Some((tag, sasl)) = login {
            let line = message.line().unwrap_or_default().to_vec();
            let (of_task, sasl_tag) = (Rc::clone(session), tag.clone());
            return self.run(session, async move {
                let done = of_task.respond_to_challenge(&sasl_tag, sasl, &line).await;
                of_task.end_login(&tag, done);
            });
        }
        match Command::parse(message, Dialect::default()) {
            Ok(command) => self.command(session, command),
            Err(error) => {
                let text = format!("{error}");
                self.wrong(session, message.tag().as_ref(), &text);
            }
        }
    }

    fn command(&mut self, session: &Rc<Session>, command: Command) {
        if !session.phase.get().allows(&command.body) {
            return self.wrong(session, Some(&command.tag), "Not now");
        }
        self.errors = 0;
        if !matches!(command.body, CommandBody::Fetch(_)) {
            session.parts.take();
        }
        match command.body {
            CommandBody::StartTls => self.starttls(session, &command.tag),
            CommandBody::Compress(method) => {
                let is_offered = IS_OFFERED && method.is("DEFLATE");
                self.compress(session, &command.tag, is_offered);
            }
            CommandBody::Logout => {
                session.write(b"* BYE Goodbye\r\n");
                session.write(format!("{} OK Done\r\n", command.tag).as_bytes());
                session.transport.lose_connection();
            }
            CommandBody::Idle => {
                let of_task = Rc::clone(session);
                self.run(session, async move {
                    // A store may have changed while nobody watched it.
                    drop(of_task.refresh().await);
                    of_task.begin_idle(command.tag);
                });
            }
            CommandBody::Append(append) => {
                // A literal of no bytes is there at once; an announced one comes in pieces.
                let text = append.message.kept().cloned().unwrap_or_default();
                self.append_kept(session, command.tag, append, text);
            }
            body => {
                let is_login =
                    matches!(body, CommandBody::Login { .. } | CommandBody::Authenticate { .. });
                let (of_task, tag) = (Rc::clone(session), command.tag.clone());
                let command = Command::new(command.tag, body);
                self.run(session, async move {
                    let done = of_task.execute(command).await;
                    match (done, is_login) {
                        (done, true) => of_task.end_login(&tag, done),
                        (Some(done), false) => {
                            of_task.end(&tag, &done.unwrap_or_else(|refused| refused)).await;
                        }
                        (None, false) => {}
                    }
                });
            }
        }
    }

    /// Has something done while the client waits.
    pub(super) fn run(&mut self, session: &Rc<Session>, work: impl Future<Output = ()> + 'static) {
        let Some(reactor) = session.transport.reactor() else { return };
        session.is_busy.set(true);
        session.transport.pause_reading();
        if session.phase.get() != Phase::BeforeLogin {
            self.begin_command(&session.transport);
        }
        let running = Running { session: Rc::clone(session), is_done: false };
        self.task = Some(reactor.spawn(async move {
            let mut running = running;
            work.await;
            // The next command waits for a client that does not read. If it never does, the connection is closed.
            let _ = running.session.room().await;
            running.is_done = true;
        }));
    }

    /// Something that cannot be done, and why.
    pub(super) fn wrong(&mut self, session: &Session, tag: Option<&Tag>, text: &str) {
        match tag.filter(|tag| tag.as_bytes().len() <= TAG_MAX) {
            Some(tag) => session.write(format!("{tag} BAD {text}\r\n").as_bytes()),
            None => session.write(format!("* BAD {text}\r\n").as_bytes()),
        }
        self.errors = self.errors.saturating_add(1);
        if self.errors > self.config.errors_max {
            session.bye("Too many errors");
        }
    }

    fn starttls(&mut self, session: &Session, tag: &Tag) {
        if !self.config.tls.is_offered() || session.transport.is_tls() {
            return self.wrong(session, Some(tag), "Not offered here");
        }
        session.write(format!("{tag} OK Begin\r\n").as_bytes());
        self.config.tls.start(&session.transport);
    }

    fn compress(&mut self, session: &Session, tag: &Tag, is_offered: bool) {
        if self.inflating.is_some() {
            let done = Done::no("It is compressed already").code("COMPRESSIONACTIVE");
            return session.finish(tag, &done);
        }
        if !is_offered {
            return self.wrong(session, Some(tag), "Not offered here");
        }
        session.finish(tag, &Done::ok("Compressed from now on"));
        // A message, and what is around it.
        let command_max =
            self.config.append_max.saturating_add((self.config.line_max as u64).saturating_mul(4));
        self.inflating = Some(Box::new(Inflating::new(command_max)));
        session.compress();
    }

    fn end_idle(&mut self, session: &Rc<Session>, message: &Message) {
        let Some(tag) = session.end_idle() else { return };
        let is_done = message.line().is_some_and(|line| line.eq_ignore_ascii_case(b"DONE"));
        match is_done {
            true => {
                let of_task = Rc::clone(session);
                self.run(session, async move { of_task.end(&tag, &Done::ok("Done")).await });
            }
            false => self.wrong(session, Some(&tag), "DONE was expected"),
        }
    }

    // ---- literals ----

    fn literal(&mut self, session: &Rc<Session>, head: LiteralHead) {
        let is_command = session.login.borrow().is_none()
            && session.idle.borrow().is_none()
            && self.append.is_none();
        if !is_command {
            let tag = self.give_up(session);
            self.refuse(session, head, tag.as_ref(), &Done::bad("No literal was expected"));
            return;
        }
        let front = self.decoder.front();
        let is_logged_in = session.phase.get() != Phase::BeforeLogin;
        if is_logged_in && let Some(command) = Command::parse_append(front, Dialect::default()) {
            let CommandBody::Append(append) = command.body else { return };
            return self.begin_append(session, command.tag, append, head);
        }
        let max =
            if is_logged_in { self.config.line_max as u64 } else { self.config.login_literal_max };
        // The front has the literals that were kept before.
        if head.len.saturating_add(front.bytes().len() as u64)
            <= max.saturating_add(self.decoder.text_max() as u64)
            && head.len <= max
        {
            if head.is_synchronizing {
                session.write(b"+ Go on\r\n");
            }
            return self.decoder.keep();
        }
        let tag = front.tag();
        self.refuse(
            session,
            head,
            tag.as_ref(),
            // It may be one of a SEARCH.
            &Done::no("The literal is too long").code("TOOBIG").by_numbers(false),
        );
    }

    /// Gives up what the client is in the middle of: IDLE, a login, an APPEND. Returns its tag.
    fn give_up(&mut self, session: &Session) -> Option<Tag> {
        let tag = session.end_idle();
        session.forget_login();
        let tag = tag.or_else(|| session.login.take().map(|(tag, _)| tag));
        tag.or_else(|| self.append.take().map(|append| append.tag))
    }

    /// A literal that is not taken: a client that waits does not send it.
    pub(super) fn refuse(
        &mut self,
        session: &Session,
        head: LiteralHead,
        tag: Option<&Tag>,
        done: &Done,
    ) {
        self.decoder.refuse();
        match tag {
            Some(tag) => session.finish(tag, done),
            None => session.write(b"* BAD No command was found\r\n"),
        }
        self.errors = self.errors.saturating_add(1);
        if self.errors > self.config.errors_max {
            session.bye("Too many errors");
        } else if !head.is_synchronizing && head.len > SKIPPED_MAX {
            session.bye("The literal is too long");
        }
    }

    /// A command is done.
    fn resume(&mut self, transport: &Transport) {
        let Some(session) = self.session() else { return };
        if session.is_busy.get() {
            return;
        }
        self.task = None;
        if session.phase.get() != Phase::BeforeLogin {
            if !std::mem::replace(&mut self.is_logged_in, true) {
                // The time until the login.
                self.deadline.end(transport);
            }
            self.decoder.set_text_max(self.config.line_max);
        } else if session.login.borrow().is_some() {
            self.decoder.set_text_max(LINE_MAX.max(self.config.login_line_max));
        } else {
            self.decoder.set_text_max(self.config.login_line_max);
        }
        self.settle_append(&session);
        self.take_kept(transport);
        self.leave_if_drained(transport);
    }

    /// The credentials of the user do not count any more: nothing more is done.
    fn expire(&mut self, session: &Session) {
        self.kept = Bytes::new();
        session.expire();
        // Behind the last words, for a command that is given up aborts the connection.
        self.task = None;
        self.append = None;
        session.unselect();
    }

    /// Closes the connection if the server is going down, between two commands.
    fn leave_if_drained(&mut self, transport: &Transport) {
        let Some(session) = self.session() else { return };
        let is_free = !session.is_busy.get() && self.append.is_none();
        if self.is_draining && is_free && !transport.is_closing() && !transport.is_starting_tls() {
            session.bye("The server is shutting down");
        }
    }
}

/// Marks the end of a command, whatever it was.
struct Running {
    session: Rc<Session>,
    is_done: bool,
}

impl Drop for Running {
    fn drop(&mut self) {
        self.session.is_busy.set(false);
        if !self.is_done && !self.session.transport.is_closing() {
            // It has panicked.
            self.session.transport.abort();
        }
        self.session.transport.resume_reading();
    }
}

impl Session {
    /// The end of a login, or of a step of one.
    fn end_login(&self, tag: &Tag, done: Option<Result<Done, Done>>) {
        let Some(done) = done else { return };
        let is_refused = done.is_err();
        self.forget_login();
        self.finish(tag, &done.unwrap_or_else(|refused| refused));
        if is_refused {
            self.failed_logins.set(self.failed_logins.get().saturating_add(1));
            if self.failed_logins.get() >= self.config.login_tries_max {
                self.bye("Too many logins have failed");
            }
        }
    }
}

impl Protocol for ImapConnection {
    fn connection_made(&mut self, transport: &Transport) {
        let session = Rc::new(Session::new(transport, Rc::clone(&self.config)));
        session.write(format!("* OK [CAPABILITY {}] Ready\r\n", session.capabilities()).as_bytes());
        self.session = Some(session);
        self.deadline.begin(transport);
    }

    fn data_received(&mut self, transport: &Transport, data: &[u8]) {
        if let Some(inflating) = &mut self.inflating {
            inflating.push(data);
            return self.take_kept(transport);
        }
        if self.kept.is_empty() {
            return self.take(transport, data);
        }
        let kept = std::mem::take(&mut self.kept);
        let all = [&kept[..], data].concat();
        self.take(transport, &all);
    }

    fn reading_resumed(&mut self, transport: &Transport) {
        self.resume(transport);
    }

    fn read_closed(&mut self, transport: &Transport) {
        self.has_ended = true;
        if self.kept.is_empty() && !self.is_busy() {
            transport.lose_connection();
        }
    }

    fn timer_fired(&mut self, transport: &Transport, timer: TimerId) {
        if let Some(session) = self.session().filter(|session| session.has_ended()) {
            return self.expire(&session);
        }
        if let (Some(passed), Some(session)) = (self.deadline.passed(timer), self.session()) {
            tracing::debug!(peer = %transport.peer(), %passed, "a client of IMAP was disconnected");
            self.task = None;
            session.bye("It took too long");
        }
    }

    fn idle_timeout(&mut self, transport: &Transport) {
        match self.session() {
            Some(session) => session.bye("Nothing was received for too long"),
            None => transport.lose_connection(),
        }
    }

    fn tls_started(&mut self, transport: &Transport) {
        let is_clean = self.kept.is_empty() && self.decoder.is_between_messages();
        if !is_clean {
            transport.fail("plaintext was received behind STARTTLS");
        }
    }

    fn drain_requested(&mut self, transport: &Transport) {
        self.is_draining = true;
        self.leave_if_drained(transport);
    }

    fn connection_lost(&mut self, _: &Transport, _: &ConnectionLost) {
        self.task = None;
        self.append = None;
        if let Some(session) = &self.session {
            session.lost();
        }
    }
}

impl fmt::Debug for ImapConnection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ImapConnection").field("session", &self.session).finish_non_exhaustive()
    }
}
