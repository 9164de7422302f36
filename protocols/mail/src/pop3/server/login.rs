//! The login: USER and PASS, APOP, AUTH (RFC 5034); then the maildrop is opened.

use std::{cell::Cell, rc::Rc};

use data_encoding::BASE64;
use sinew_auth::{
    AuthError, BegunLogin, Channel, Credentials, Form, Identity, SaslError, SaslServer, Secret,
    ServerStep, Stored,
};
use sinew_protocols::basic::{Text, Word};
use sinew_transports::{
    Transport,
    reactor::{Deferred, Promise, Reactor, with_causes},
};

use super::{
    MaildropError, Pop3Handler, Pop3Handling,
    connection::{Lines, State},
    locks::Locks,
    open_maildrop::OpenMaildrop,
    waiting::{Answer, LoginError, LoginStep},
};
use crate::pop3::codec::{ResponseCode, Status};

/// The longest line of an exchange, and of a command that begins one: as in SMTP (RFC 4954 4).
pub(super) const LINE_MAX: usize = 12_288;

impl Pop3Handling {
    /// What is offered now (RFC 2449 5).
    pub(super) fn capabilities(&self, transport: &Transport) {
        let is_before = matches!(self.state, State::Authorization { .. });
        let mut out = String::from(
            "+OK\r\nTOP\r\nUIDL\r\nRESP-CODES\r\nAUTH-RESP-CODE\r\nPIPELINING\r\nUTF8 USER\r\n",
        );
        if self.allows_login(transport) {
            let channel = Channel::of(transport);
            if self.allows_passwords(transport) {
                out.push_str("USER\r\n");
            }
            let mechanisms = self.config.auth.mechanisms(&channel);
            let names: String = mechanisms.iter().map(|name| format!(" {name}")).collect();
            if !names.is_empty() {
                out.push_str(&format!("SASL{names}\r\n"));
            }
        }
        if self.config.tls.is_offered() && !transport.is_tls() && is_before {
            out.push_str("STLS\r\n");
        }
        out.push_str(".\r\n");
        transport.write(out);
    }

    /// Whether TLS is on, if it has to be.
    fn allows_login(&self, transport: &Transport) -> bool {
        !self.config.needs_tls || transport.is_tls()
    }

    /// Whether a password may be sent as it is.
    fn allows_passwords(&self, transport: &Transport) -> bool {
        let is_allowed = self.config.auth.allows_plaintext(&Channel::of(transport)).is_ok();
        is_allowed && self.allows_login(transport)
    }

    pub(super) fn user(&mut self, transport: &mut Lines<'_>, name: Text) {
        if !self.allows_passwords(transport) {
            // A client that hears this does not send the password.
            return self.wrong(transport, &Status::err("No password is taken without TLS"));
        }
        self.state = State::Authorization { user: Some(name) };
        // RFC 1939 13: not whether there is such a user.
        self.reply(transport, &Status::ok("Say PASS"));
    }

    pub(super) fn pass(&mut self, transport: &mut Lines<'_>, password: Secret) {
        let State::Authorization { user } = &mut self.state else { return };
        let Some(user) = user.take() else {
            return self.wrong(transport, &Status::err("Say USER first"));
        };
        let channel = Channel::of(transport).service("pop3");
        let Some(reactor) = transport.reactor() else { return };
        let credentials = Credentials::password(user.to_string(), password);
        self.begin_login();
        let checked = self.config.auth.check(&reactor, &channel, credentials);
        let checked = checked.map(|checked| checked.map_err(LoginError::from));
        self.open_after(transport, &reactor, checked);
    }

    pub(super) fn apop(&mut self, transport: &mut Lines<'_>, user: &Text, digest: &Word) {
        let Some(timestamp) = self.timestamp.clone() else {
            return self.wrong(transport, &Status::err("APOP is not offered"));
        };
        if !self.allows_login(transport) {
            return self.wrong(transport, &Status::err("Say STLS first"));
        }
        let Some(reactor) = transport.reactor() else { return };
        let (user, digest) = (user.to_string(), digest.to_ascii_lowercase());
        let auth = self.config.auth.clone();
        let channel = Channel::of(transport).service("pop3").mechanism("APOP");
        self.begin_login();
        let stored = auth.stored(&reactor, &channel, &user, Form::Password);
        let (promise, checked) = reactor.promise();
        stored.then(move |reactor, stored| {
            let (password, is_known) = match stored {
                Ok(Some(Stored::Password(password))) => (password, true),
                Err(error) => return promise.reject(LoginError::from(error)),
                // An unknown user takes as long as a known one.
                Ok(_) => (Secret::from("no user has this password"), false),
            };
            let expected = Secret::from(timestamp.digest(password.bytes()));
            let is_right = expected.is(&digest) & is_known;
            let judged = auth.judge(reactor, &channel, &user, is_right);
            promise.follow(judged.map(|judged| judged.map_err(LoginError::from)));
        });
        self.open_after(transport, &reactor, checked);
    }

    pub(super) fn auth(
        &mut self,
        transport: &mut Lines<'_>,
        mechanism: Option<&Word>,
        initial: Option<&Word>,
    ) {
        let channel = Channel::of(transport).service("pop3");
        if !self.allows_login(transport) {
            return self.wrong(transport, &Status::err("Say STLS first"));
        }
        let Some(mechanism) = mechanism else {
            // As servers had it before CAPA.
            let mechanisms = self.config.auth.mechanisms(&channel);
            let names: String = mechanisms.iter().map(|name| format!("{name}\r\n")).collect();
            transport.write(format!("+OK\r\n{names}.\r\n"));
            return;
        };
        let Some(reactor) = transport.reactor() else { return };
        self.begin_login();
        let sasl = SaslServer::new(&self.config.auth, channel);
        let name = String::from_utf8_lossy(mechanism);
        let step = sasl.start_encoded(&reactor, &name, initial.map(|initial| initial.as_bytes()));
        self.state = State::Sasl(sasl);
        self.go_on(transport, &reactor, step);
    }

    /// What is checked from now on may have changed at the end.
    fn begin_login(&self) {
        self.begun_login.set(Some(self.config.sessions.begin_login()));
    }

    /// A line that is no command, but the response to a challenge.
    pub(super) fn respond(&mut self, transport: &mut Lines<'_>, sasl: &SaslServer, line: &[u8]) {
        let Some(reactor) = transport.reactor() else { return };
        let step = sasl.respond_encoded(&reactor, line);
        self.go_on(transport, &reactor, step);
    }

    /// Waits for the next step of an exchange, or for the maildrop behind the last.
    fn go_on(
        &mut self,
        transport: &Transport,
        reactor: &Reactor,
        step: Deferred<ServerStep, SaslError>,
    ) {
        let opening = self.opening(transport);
        let (promise, next) = reactor.promise();
        step.then(move |reactor, step| match step {
            Ok(ServerStep::Challenge(challenge)) => {
                promise.resolve(LoginStep::Challenge(challenge));
            }
            Ok(ServerStep::Done { identity, .. }) => opening.open(reactor, &identity, promise),
            Ok(_) => promise.reject(LoginError::Sasl(SaslError::OutOfOrder)),
            Err(error) => promise.reject(LoginError::Sasl(error)),
        });
        self.wait(transport, next, Answer::Login);
    }

    /// Waits for the verdict over the credentials, and for the maildrop.
    fn open_after(
        &mut self,
        transport: &Transport,
        reactor: &Reactor,
        checked: Deferred<Identity, LoginError>,
    ) {
        let opening = self.opening(transport);
        let (promise, opened) = reactor.promise();
        checked.then(move |reactor, checked| match checked {
            Ok(identity) => opening.open(reactor, &identity, promise),
            Err(error) => promise.reject(error),
        });
        self.wait(transport, opened, Answer::Login);
    }

    fn opening(&self, transport: &Transport) -> Opening {
        let locks = self.config.is_exclusive.then(|| self.locks.clone());
        let (handler, begun) = (Rc::clone(&self.handler), Rc::clone(&self.begun_login));
        Opening { handler, locks, transport: transport.clone(), begun }
    }

    /// The exchange goes on, or there is a maildrop, or there is none.
    pub(super) fn step(
        &mut self,
        transport: &mut Lines<'_>,
        result: Result<LoginStep, LoginError>,
    ) {
        match result {
            Ok(LoginStep::Challenge(challenge)) => {
                transport.write(format!("+ {}\r\n", BASE64.encode(&challenge)));
            }
            Ok(LoginStep::Open(maildrop)) => {
                let (messages, size) = maildrop.stat();
                self.state = State::Transaction(maildrop);
                if self.expire(transport) {
                    return;
                }
                let text = format!("{messages} messages ({size} octets)");
                self.reply(transport, &Status::ok(text));
                self.begin_command(transport);
            }
            Err(error) => {
                self.begun_login.take();
                self.state = State::Authorization { user: None };
                self.failed_logins += 1;
                if self.failed_logins >= self.config.auth_tries_max {
                    return self.close(transport, &status(&error));
                }
                self.reply(transport, &status(&error));
            }
        }
    }
}

/// Opens the maildrop of who has logged in.
struct Opening {
    handler: Rc<dyn Pop3Handler>,
    locks: Option<Locks>,
    transport: Transport,
    begun: Rc<Cell<Option<BegunLogin>>>,
}

impl Opening {
    fn open(self, reactor: &Reactor, identity: &Identity, promise: Promise<LoginStep, LoginError>) {
        tracing::debug!(peer = %self.transport.peer(), user = identity.user(), "a client of POP3 has logged in");
        if self.transport.is_closing() {
            // Nobody waits for it any more.
            return;
        }
        let lock = match self.locks.map(|locks| locks.lock(identity.name())) {
            Some(None) => return promise.reject(MaildropError::InUse.into()),
            lock => lock.flatten(),
        };
        let opened = self.handler.open(reactor, &self.transport, identity);
        let (identity, begun) = (identity.clone(), self.begun.take());
        opened.then(move |_, opened| {
            let session = begun.and_then(|begun| begun.succeeded_on(&identity, &self.transport));
            promise.settle(match (opened, session) {
                (Ok(maildrop), Some(session)) => {
                    let open = OpenMaildrop::new(maildrop, session, lock);
                    Ok(LoginStep::Open(Rc::new(open)))
                }
                (Ok(_), None) => Err(LoginError::Changed),
                (Err(error), _) => Err(error.into()),
            });
        });
    }
}

/// What a client is told (RFC 2449 8.1.1, RFC 3206). Never whether there is such a user.
fn status(error: &LoginError) -> Status {
    let sasl = match error {
        LoginError::Maildrop(error) => return error.status(),
        LoginError::Auth(error) => return status_of_auth(error),
        LoginError::Sasl(SaslError::Auth(error)) => return status_of_auth(error),
        LoginError::GivenUp(error) => {
            tracing::error!(error = %with_causes(&error), "a login could not be checked");
            return Status::err_with(ResponseCode::SysTemp, "The login cannot be checked now");
        }
        LoginError::Changed => {
            let text = "The credentials have changed, log in again";
            return Status::err_with(ResponseCode::SysTemp, text);
        }
        LoginError::Sasl(error) => error,
    };
    match sasl {
        SaslError::Aborted => Status::err("The login was given up"),
        SaslError::Base64 | SaslError::Malformed(_) => Status::err("That is no response"),
        SaslError::TooLong { .. } => Status::err("The response is too long"),
        SaslError::NoSuchMechanism(_) => Status::err("There is no such mechanism"),
        SaslError::EncryptionRequired => Status::err("No password is taken without TLS"),
        SaslError::OutOfOrder => Status::err("Not now"),
        _ => Status::err_with(ResponseCode::Auth, "The credentials are wrong"),
    }
}

fn status_of_auth(error: &AuthError) -> Status {
    match error {
        AuthError::Refused => Status::err_with(ResponseCode::Auth, "The credentials are wrong"),
        AuthError::TooManyFailures { .. } => {
            let text = "Too many logins have failed, try again later";
            Status::err_with(ResponseCode::SysTemp, text)
        }
        error => {
            tracing::error!(error = %with_causes(&error), "a login could not be checked");
            Status::err_with(ResponseCode::SysTemp, "The login cannot be checked now")
        }
    }
}
