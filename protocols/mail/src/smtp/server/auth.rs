//! AUTH of a server (RFC 4954): the exchange of SASL, a line each way, in place of commands.

use sinew_transports::reactor::with_causes;

use data_encoding::BASE64;
use sinew_auth::{AuthError, Channel, Identity, SaslError, SaslServer, ServerStep};
use sinew_protocols::basic::Word;

use super::{SmtpHandler, SmtpHandling, Verdict, lines::Lines, waiting::Step};
use crate::smtp::codec::Reply;

/// RFC 4954 4: the longest line of an exchange, and of a command that begins one.
pub(super) const LINE_MAX: usize = 12_288;

impl<H: SmtpHandler> SmtpHandling<H> {
    pub(super) fn auth(
        &mut self,
        transport: &mut Lines<'_>,
        mechanism: &Word,
        initial: Option<&Word>,
    ) {
        let is_between_chunks = self.message.is_some();
        let session = self.session();
        let is_in_order = session.is_extended()
            && session.identity.is_none()
            && session.sender.is_none()
            && !is_between_chunks;
        let Some(authenticator) = self.config.auth.clone() else {
            return self.wrong(transport, &Reply::fixed(502, "5.5.1 Not offered here"));
        };
        if !is_in_order {
            return self.out_of_order(transport, "5.5.1 Not now");
        }
        if self.needs_starttls() {
            return self.wrong(transport, &starttls_first());
        }
        let Some(reactor) = transport.reactor() else { return };
        self.begun_login = Some(self.config.sessions.begin_login());
        let sasl = SaslServer::new(&authenticator, Channel::of(transport).service("smtp"));
        let name = String::from_utf8_lossy(mechanism);
        let step = sasl.start_encoded(&reactor, &name, initial.map(|initial| initial.as_bytes()));
        self.sasl = Some(sasl);
        let step = step.map(|step| step.map_err(|error| reply(&error)));
        self.decide(transport, Step::Auth, Verdict::later(step));
    }

    /// Whether TLS is required, and not on yet. A login without it, also one that shows no password, would lead nowhere: no mail is taken,
    /// and STARTTLS is not allowed behind a login.
    pub(super) fn needs_starttls(&mut self) -> bool {
        self.config.needs_tls && !self.session().is_tls()
    }

    /// A line that is no command, but the response to a challenge.
    pub(super) fn respond(&mut self, transport: &mut Lines<'_>, sasl: &SaslServer, line: &[u8]) {
        let Some(reactor) = transport.reactor() else { return };
        let step = sasl.respond_encoded(&reactor, line);
        let step = step.map(|step| step.map_err(|error| reply(&error)));
        self.decide(transport, Step::Auth, Verdict::later(step));
    }

    /// The exchange goes on, or has ended.
    pub(super) fn step(&mut self, transport: &mut Lines<'_>, result: Result<ServerStep, Reply>) {
        match result {
            Ok(ServerStep::Challenge(challenge)) => {
                transport.write(format!("334 {}\r\n", BASE64.encode(&challenge)));
            }
            Ok(ServerStep::Done { identity, .. }) => self.logged_in(transport, identity),
            Ok(_) => self.login_failed(transport, &Reply::try_later()),
            Err(reply) => self.login_failed(transport, &reply),
        }
    }

    fn logged_in(&mut self, transport: &mut Lines<'_>, identity: Identity) {
        self.sasl = None;
        let begun = self.begun_login.take();
        self.open = begun.and_then(|begun| begun.succeeded_on(&identity, transport));
        if self.open.is_none() {
            let reply = Reply::fixed(454, "4.7.0 The credentials have changed, log in again");
            return self.login_failed(transport, &reply);
        }
        tracing::debug!(peer = %transport.peer(), user = identity.user(), "a client of SMTP has logged in");
        self.session().identity = Some(identity);
        self.reply(transport, &Reply::fixed(235, "2.7.0 You are logged in"));
    }

    pub(super) fn login_failed(&mut self, transport: &mut Lines<'_>, reply: &Reply) {
        self.sasl = None;
        self.begun_login = None;
        self.failed_logins += 1;
        if self.failed_logins >= self.config.auth_tries_max {
            let reply = Reply::fixed(421, "4.7.0 Too many logins have failed");
            return self.close(transport, &reply);
        }
        self.reply(transport, reply);
    }
}

/// RFC 3207 4: to every command but NOOP, EHLO, STARTTLS and QUIT, if TLS is required.
pub(super) fn starttls_first() -> Reply {
    Reply::fixed(530, "5.7.0 Say STARTTLS first")
}

/// What a client is told (RFC 4954 4 and 6). Never whether there is such a user.
fn reply(error: &SaslError) -> Reply {
    match error {
        SaslError::Auth(AuthError::TooManyFailures { .. }) => {
            Reply::fixed(454, "4.7.0 Too many logins have failed, try again later")
        }
        SaslError::Auth(AuthError::Unavailable(error)) => {
            tracing::error!(error = %with_causes(&**error), "a login could not be checked");
            Reply::fixed(454, "4.7.0 The login cannot be checked now")
        }
        SaslError::Aborted => Reply::fixed(501, "5.7.0 The login was given up"),
        SaslError::Base64 | SaslError::Malformed(_) => {
            Reply::fixed(501, "5.5.2 That is no response")
        }
        SaslError::TooLong { .. } => Reply::fixed(500, "5.5.6 The response is too long"),
        SaslError::NoSuchMechanism(_) => Reply::fixed(504, "5.5.4 There is no such mechanism"),
        SaslError::EncryptionRequired => Reply::fixed(538, "5.7.11 Say STARTTLS first"),
        SaslError::OutOfOrder => Reply::fixed(503, "5.5.1 Not now"),
        _ => Reply::fixed(535, "5.7.8 The credentials are wrong"),
    }
}
