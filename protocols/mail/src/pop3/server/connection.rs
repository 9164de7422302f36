//! One connection of a server: [`Pop3Handling`]. Which command is allowed when (RFC 1939 4 to 6):
//!
//! | command | before the login | in a login by AUTH | after the login |
//! |---|---|---|---|
//! | CAPA, QUIT | yes | a response | yes |
//! | AUTH, UTF8; USER, if passwords are taken; APOP and STLS, if offered | yes | a response | `-ERR` |
//! | PASS | after USER | a response | `-ERR` |
//! | STAT, LIST, UIDL, RETR, TOP, DELE, NOOP, RSET, LAST | `-ERR` | a response | yes |
//! | another line | `-ERR` | a response | `-ERR` |
//!
//! One command is handled at a time: while something is waited for, or a list or a message is sent, reading is paused, and pipelined
//! commands wait. Only QUIT after the login deletes messages. The login is in `login.rs`, and what follows it in `transaction.rs`.

use std::{cell::Cell, fmt, rc::Rc, time::Duration};

use sinew_auth::{BegunLogin, SaslServer};
use sinew_protocols::basic::{FrameError, FrameHandler, FrameTransport, Line, PhaseDeadline, Text};
use sinew_transports::{
    ConnectionLost, TimerId, Transport,
    reactor::{Deferred, Failure, with_causes},
};

use super::{
    MaildropError, Pop3Handler, ServerConfig,
    locks::Locks,
    open_maildrop::OpenMaildrop,
    waiting::{Answer, Place, Waiting},
};
use crate::pop3::codec::{Command, ResponseCode, Status, Timestamp};

pub(super) type Lines<'a> = FrameTransport<'a, Line>;

/// Handles the commands of a connection. Made by [`Pop3Server`](super::Pop3Server).
pub struct Pop3Handling {
    pub(super) config: Rc<ServerConfig>,
    pub(super) handler: Rc<dyn Pop3Handler>,
    pub(super) locks: Locks,
    pub(super) state: State,
    /// Of the greeting, if APOP is offered.
    pub(super) timestamp: Option<Timestamp>,
    pub(super) waiting: Option<Waiting>,
    pub(super) place: Place,
    /// Of the login, or of what is done after it.
    deadline: PhaseDeadline,
    pub(super) errors: usize,
    pub(super) failed_logins: usize,
    /// From the first command of a login to its end.
    pub(super) begun_login: Rc<Cell<Option<BegunLogin>>>,
    is_draining: bool,
}

pub(super) enum State {
    /// Before the login, with the name that USER has said.
    Authorization { user: Option<Text> },
    /// Lines are responses of SASL.
    Sasl(SaslServer),
    /// After the login.
    Transaction(Rc<OpenMaildrop>),
    /// After QUIT.
    Update,
}

impl Pop3Handling {
    pub(super) fn new(
        config: Rc<ServerConfig>,
        handler: Rc<dyn Pop3Handler>,
        locks: Locks,
    ) -> Self {
        Self {
            config,
            handler,
            locks,
            state: State::Authorization { user: None },
            timestamp: None,
            waiting: None,
            place: Place::default(),
            deadline: PhaseDeadline::new("", Duration::ZERO),
            errors: 0,
            failed_logins: 0,
            begun_login: Rc::default(),
            is_draining: false,
        }
    }

    fn command(&mut self, transport: &mut Lines<'_>, command: Command) {
        match (&mut self.state, command) {
            (_, Command::Capa) => self.capabilities(transport),
            (State::Authorization { .. }, Command::Quit) => {
                self.close(transport, &Status::ok("Bye"));
            }
            (State::Authorization { .. }, Command::User(name)) => self.user(transport, name),
            (State::Authorization { .. }, Command::Pass(password)) => {
                self.pass(transport, password)
            }
            (State::Authorization { .. }, Command::Apop { user, digest }) => {
                self.apop(transport, &user, &digest);
            }
            (State::Authorization { .. }, Command::Auth { mechanism, initial }) => {
                self.auth(transport, mechanism.as_ref(), initial.as_ref());
            }
            (State::Authorization { .. }, Command::Stls) => self.stls(transport),
            // RFC 6856 2.1: messages are sent as they are in either mode.
            (State::Authorization { .. }, Command::Utf8) => {
                self.reply(transport, &Status::ok("UTF-8 it is"));
            }
            (State::Authorization { .. }, _) => {
                self.wrong(transport, &Status::err("Log in first"));
            }
            (State::Transaction(maildrop), command) => {
                let maildrop = Rc::clone(maildrop);
                self.transaction(transport, &maildrop, command);
            }
            // Lines are no commands, or are not read.
            (State::Sasl(_) | State::Update, _) => {}
        }
    }

    fn stls(&mut self, transport: &mut Lines<'_>) {
        if !self.config.tls.is_offered() || transport.is_tls() {
            return self.wrong(transport, &Status::err("STLS is not offered"));
        }
        // RFC 2595 4: nothing that the client said before counts.
        self.state = State::Authorization { user: None };
        self.reply(transport, &Status::ok("Begin TLS"));
        self.config.tls.start(transport);
    }

    /// Waits for something, and pauses reading meanwhile.
    pub(super) fn wait<T, E>(
        &mut self,
        transport: &Transport,
        deferred: Deferred<T, E>,
        answer: impl FnOnce(Result<T, E>) -> Answer + 'static,
    ) where
        T: 'static,
        E: From<Failure> + fmt::Display + 'static,
    {
        let canceller = deferred.canceller();
        let cancel: Box<dyn FnOnce()> = Box::new(move || canceller.cancel());
        self.wait_for(transport, Some(cancel));
        let (place, waking) = (self.place.clone(), transport.clone());
        deferred.then(move |_, result| place.put(answer(result), &waking));
    }

    /// Waits for what is put in the place, and pauses reading meanwhile.
    pub(super) fn wait_for(&mut self, transport: &Transport, cancel: Option<Box<dyn FnOnce()>>) {
        self.waiting = Some(Waiting { cancel });
        transport.pause_reading();
    }

    /// Acts on what was waited for, if it is there.
    fn settle(&mut self, transport: &mut Lines<'_>) {
        let Some(answer) = self.place.take() else { return };
        if self.waiting.take().is_none() || transport.is_closing() {
            return;
        }
        match answer {
            Answer::Login(result) => self.step(transport, result),
            Answer::Sent => {
                transport.set_idle_timeout(None);
                self.begin_command(transport);
            }
            Answer::Finished(result) => self.finished(transport, result),
        }
        self.leave_if_drained(transport);
    }

    fn finished(&mut self, transport: &mut Lines<'_>, result: Result<(), MaildropError>) {
        let status = match result {
            Ok(()) => Status::ok("Bye"),
            Err(error) => error.status(),
        };
        self.close(transport, &status);
    }

    // ---- responses ----

    pub(super) fn reply(&self, transport: &Transport, status: &Status) {
        transport.write(format!("{status}\r\n"));
    }

    /// Replies to a command that is wrong, and counts it.
    pub(super) fn wrong(&mut self, transport: &mut Lines<'_>, status: &Status) {
        self.errors += 1;
        if self.errors > self.config.errors_max {
            return self.close(transport, &Status::err("Too many errors"));
        }
        self.reply(transport, status);
    }

    /// The last response.
    pub(super) fn close(&mut self, transport: &mut Lines<'_>, status: &Status) {
        self.reply(transport, status);
        self.hang_up(transport);
    }

    /// Closes the connection once the responses are sent. What is open is given up, and the maildrop closed.
    fn hang_up(&mut self, transport: &mut Lines<'_>) {
        self.give_up();
        self.deadline.end(transport);
        transport.lose_connection();
    }

    /// Stops the work that is not needed any more, and closes the maildrop.
    fn give_up(&mut self) {
        if let Some(Waiting { cancel: Some(cancel) }) = self.waiting.take() {
            cancel();
        }
        self.state = State::Update;
    }

    /// Closes the connection if the credentials of its user do not count any more, and returns whether it has. What QUIT has begun goes on.
    pub(super) fn expire(&mut self, transport: &mut Lines<'_>) -> bool {
        let is_to_end = matches!(&self.state, State::Transaction(maildrop) if maildrop.has_ended());
        if !is_to_end || transport.is_closing() {
            return is_to_end;
        }
        if self.is_sending() {
            // A response that was begun cannot be followed by another.
            self.give_up();
            transport.abort();
        } else {
            let text = "The credentials are not valid any more";
            self.close(transport, &Status::err_with(ResponseCode::Auth, text));
        }
        true
    }

    /// Closes the connection if the server is going down, unless that would take marks back that a client has set.
    fn leave_if_drained(&mut self, transport: &mut Lines<'_>) {
        let has_marks = matches!(&self.state, State::Transaction(maildrop) if maildrop.has_marks());
        let is_free = self.waiting.is_none() && !has_marks;
        if self.is_draining && is_free && !transport.is_closing() && !transport.is_starting_tls() {
            let text = "The server is shutting down";
            self.close(transport, &Status::err_with(ResponseCode::SysTemp, text));
        }
    }

    // ---- deadlines ----

    fn begin(&mut self, phase: &'static str, within: Duration, transport: &Transport) {
        self.deadline.end(transport);
        self.deadline = PhaseDeadline::new(phase, within);
        self.deadline.begin(transport);
    }

    /// The next command has to be complete in this time. Before the login, the deadline of the login holds.
    pub(super) fn begin_command(&mut self, transport: &Transport) {
        if matches!(self.state, State::Transaction(_)) && self.waiting.is_none() {
            self.begin("a command", self.config.idle_timeout, transport);
        }
    }

    /// A list or a message is sent.
    pub(super) fn begin_response(&mut self, transport: &Transport) {
        transport.set_idle_timeout(self.config.idle_timeout);
        self.begin("a response", self.config.response_timeout, transport);
    }

    /// Messages are deleted.
    pub(super) fn begin_finish(&mut self, transport: &Transport) {
        self.begin("the deletion of messages", self.config.finish_timeout, transport);
    }

    fn is_sending(&self) -> bool {
        matches!(self.state, State::Transaction(_)) && self.waiting.is_some()
    }
}

impl FrameHandler<Line> for Pop3Handling {
    fn connection_made(&mut self, transport: &mut Lines<'_>) {
        self.begin("the login", self.config.login_timeout, transport);
        let name = &self.config.hostname;
        let mut greeting = format!("{name} POP3");
        if self.config.has_apop {
            self.timestamp = super::timestamp::timestamp(&name.to_string());
        }
        if let Some(timestamp) = &self.timestamp {
            greeting = format!("{greeting} {timestamp}");
        }
        self.reply(transport, &Status::ok(greeting));
    }

    fn frame_received(&mut self, transport: &mut Lines<'_>, line: &[u8]) {
        self.settle(transport);
        if self.expire(transport) || transport.is_closing() {
            return;
        }
        if let State::Sasl(sasl) = &self.state {
            let sasl = sasl.clone();
            return self.respond(transport, &sasl, line);
        }
        let is_auth = line.get(..5).is_some_and(|verb| verb.eq_ignore_ascii_case(b"AUTH "));
        if line.len() > self.config.line_max && !is_auth {
            return self.close(transport, &Status::err("The line is too long"));
        }
        match Command::parse(line) {
            Ok(command) => self.command(transport, command),
            Err(error) => self.wrong(transport, &Status::err(upper_first(&error.to_string()))),
        }
        if let State::Transaction(maildrop) = &self.state {
            maildrop.ahead.keep_for(transport.following());
        }
        if !transport.is_closing() {
            self.begin_command(transport);
            self.leave_if_drained(transport);
        }
    }

    fn reading_resumed(&mut self, transport: &mut Lines<'_>) {
        self.settle(transport);
        self.expire(transport);
    }

    fn timer_fired(&mut self, transport: &mut Lines<'_>, timer: TimerId) {
        if self.expire(transport) {
            return;
        }
        let Some(passed) = self.deadline.passed(timer) else { return };
        tracing::debug!(peer = %transport.peer(), %passed, "a client of POP3 was disconnected");
        if self.is_sending() || transport.is_starting_tls() {
            // A response that was begun cannot be followed by another, and a handshake has no words.
            self.give_up();
            return transport.abort();
        }
        let status = match self.state {
            State::Update => {
                // The deletion goes on.
                self.waiting = None;
                Status::err_with(ResponseCode::SysTemp, "The messages are not deleted yet")
            }
            _ => Status::err("It took too long"),
        };
        self.close(transport, &status);
    }

    /// Within a response.
    fn idle_timeout(&mut self, transport: &mut Lines<'_>) {
        self.give_up();
        transport.abort();
    }

    fn framing_failed(&mut self, transport: &mut Lines<'_>, error: &FrameError) {
        tracing::debug!(peer = %transport.peer(), error = %with_causes(&error), "framing failed");
        // After STLS nothing can be said in plaintext.
        if !transport.is_starting_tls() {
            self.reply(transport, &Status::err(upper_first(&error.to_string())));
        }
        self.give_up();
    }

    fn unfinished(&mut self, _: &mut Lines<'_>, _: &[u8]) -> Result<(), FrameError> {
        // Half a command is none.
        Ok(())
    }

    fn drain_requested(&mut self, transport: &mut Lines<'_>) {
        self.is_draining = true;
        self.leave_if_drained(transport);
    }

    fn connection_lost(&mut self, _: &mut Lines<'_>, _: &ConnectionLost) {
        self.give_up();
        self.begun_login.take();
    }
}

/// The text of an error, as a sentence.
fn upper_first(text: &str) -> String {
    let mut chars = text.chars();
    chars.next().map(|first| first.to_ascii_uppercase()).into_iter().chain(chars).collect()
}

impl fmt::Debug for Pop3Handling {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = match self.state {
            State::Authorization { .. } => "authorization",
            State::Sasl(_) => "authorization, in AUTH",
            State::Transaction(_) => "transaction",
            State::Update => "update",
        };
        f.debug_struct("Pop3Handling").field("state", &state).finish_non_exhaustive()
    }
}
