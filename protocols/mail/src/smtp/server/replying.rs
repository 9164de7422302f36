//! What a connection does with verdicts: waits for them, and replies. Also its deadlines, of which one runs at a time.

use std::time::Duration;

use sinew_auth::{Channel, OpenSession};
use sinew_protocols::basic::PhaseDeadline;
use sinew_transports::Transport;

use super::{
    MessageSink, Outcome, SmtpHandler, SmtpHandling, Verdict,
    lines::Lines,
    message::Message,
    session::Greeting,
    verdict::Decision,
    waiting::{Answer, Step, Waiting},
};
use crate::smtp::codec::Reply;

impl<H: SmtpHandler> SmtpHandling<H> {
    /// Acts on a verdict, or waits for it.
    pub(super) fn decide<T>(&mut self, transport: &mut Lines<'_>, step: Step, verdict: Verdict<T>)
    where
        T: 'static,
        Answer: From<Result<T, Reply>>,
    {
        let deferred = match verdict.0 {
            Decision::Now(result) if matches!(step, Step::Open) && !self.is_chunked() => {
                return self.open_later(transport, result.into());
            }
            Decision::Now(result) => return self.act(transport, step, result.into()),
            Decision::Later(deferred) => deferred,
        };
        let is_greeting = matches!(step, Step::Greeting);
        // The end of a message is decided without the client, too.
        let is_cancelled = !matches!(step, Step::Finish);
        let canceller = is_cancelled.then(|| deferred.canceller());
        let cancel = canceller
            .map(|canceller| -> Box<dyn FnOnce()> { Box::new(move || canceller.cancel()) });
        self.waiting = Some(Waiting { step, cancel });
        let (answer, waking) = (self.answer.clone(), Transport::clone(transport));
        deferred.then(move |_, result| {
            answer.set(Some(result.into()));
            if is_greeting {
                waking.call_later(Duration::ZERO);
            } else {
                waking.resume_reading();
            }
        });
        // Before the greeting, it matters whether the client talks.
        if !is_greeting {
            transport.pause_reading();
        }
        self.begin("the decision of the server", self.config.verdict_timeout, transport);
    }

    /// Goes on in the next turn: what was received with DATA shows that the client does not wait for the reply.
    fn open_later(&mut self, transport: &mut Lines<'_>, answer: Answer) {
        self.waiting = Some(Waiting { step: Step::Open, cancel: None });
        self.answer.set(Some(answer));
        transport.pause_reading();
        let waking = Transport::clone(transport);
        match transport.reactor() {
            Some(reactor) => reactor.call_soon(move |_| waking.resume_reading()),
            None => waking.resume_reading(),
        }
    }

    /// Acts on the verdict that was waited for, if it is there.
    pub(super) fn settle(&mut self, transport: &mut Lines<'_>) {
        if let Some(answer) = self.answer.take()
            && let Some(waiting) = self.waiting.take()
        {
            self.end_deadline(transport);
            if matches!(waiting.step, Step::Write) {
                self.continue_message(transport);
            }
            self.act(transport, waiting.step, answer);
            self.leave_if_drained(transport);
        }
        self.expire(transport);
    }

    /// Closes the connection if the credentials of its user do not count any more. Waits for the verdict over a message that is here.
    pub(super) fn expire(&mut self, transport: &mut Lines<'_>) {
        let has_ended = self.open.as_ref().is_some_and(OpenSession::has_ended);
        let is_finishing =
            matches!(&self.waiting, Some(waiting) if matches!(waiting.step, Step::Finish));
        if has_ended && !is_finishing && !transport.is_closing() {
            self.cancel();
            self.waiting = None;
            let text = "4.7.0 The credentials are not valid any more";
            self.close(transport, &Reply::fixed(421, text));
        }
    }

    /// Stops the work on a verdict that is not needed any more.
    pub(super) fn cancel(&mut self) {
        if let Some(Waiting { cancel: Some(cancel), .. }) = self.waiting.take() {
            cancel();
        }
    }

    fn act(&mut self, transport: &mut Lines<'_>, step: Step, answer: Answer) {
        match (step, answer) {
            (Step::Open, Answer::Sink(result)) => self.open(transport, result),
            (Step::Finish, Answer::Finished(result)) => self.finished(transport, result),
            (Step::Auth, Answer::Sasl(result)) => self.step(transport, result),
            (Step::Write, Answer::Done(Ok(()))) => {}
            (Step::Write, Answer::Done(Err(reply))) => {
                if let Some(message) = &mut self.message {
                    message.refuse(checked_refusal(reply));
                }
            }
            (step, Answer::Done(Err(reply))) => {
                let reply = checked_refusal(reply);
                self.is_refused |= matches!(step, Step::Rcpt(_));
                match step {
                    Step::Greeting => self.close(transport, &reply),
                    Step::Mail(_) | Step::Rcpt(_) => self.refuse_address(transport, &reply),
                    _ => self.reply(transport, &reply),
                }
            }
            (step, Answer::Done(Ok(()))) => self.accept(transport, step),
            _ => debug_assert!(false, "each step has its kind of verdict"),
        }
    }

    fn accept(&mut self, transport: &mut Lines<'_>, step: Step) {
        match step {
            Step::Greeting => {
                self.is_greeted = true;
                let kind = if self.config.is_lmtp { "LMTP" } else { "ESMTP" };
                let text = format!("{} {kind}", self.config.hostname);
                self.reply(transport, &Reply::of_checked(220, text));
            }
            Step::Helo(greeting) => {
                self.reset();
                let reply = self.capabilities(transport, &greeting);
                self.session().greeting = greeting;
                self.reply(transport, &reply);
            }
            Step::Mail(sender) => {
                self.session().sender = Some(sender);
                self.is_refused = false;
                self.reply(transport, &Reply::fixed(250, "2.1.0 Ok"));
            }
            Step::Rcpt(recipient) => {
                self.session().recipients.push(recipient);
                self.reply(transport, &Reply::fixed(250, "2.1.5 Ok"));
            }
            Step::Open | Step::Write | Step::Finish | Step::Auth => {}
        }
    }

    fn capabilities(&mut self, transport: &Transport, greeting: &Greeting) -> Reply {
        let name = Reply::of_checked(250, self.config.hostname.to_string());
        if !matches!(greeting, Greeting::Extended(_)) {
            return name;
        }
        let mut lines = vec![format!("SIZE {}", self.config.size_max)];
        let always =
            ["PIPELINING", "8BITMIME", "SMTPUTF8", "CHUNKING", "DSN", "ENHANCEDSTATUSCODES"];
        lines.extend(always.map(str::to_owned));
        if self.config.tls.is_offered() && !self.session().is_tls() {
            lines.push("STARTTLS".to_owned());
        }
        if let Some(authenticator) = self.config.auth.clone()
            && self.session().identity.is_none()
            && !self.needs_starttls()
        {
            let mechanisms = authenticator.mechanisms(&Channel::of(transport));
            let names = mechanisms.iter().map(|mechanism| format!(" {mechanism}"));
            let names: String = names.collect();
            if !names.is_empty() {
                lines.push(format!("AUTH{names}"));
            }
        }
        let name_alone = name.clone();
        lines.into_iter().try_fold(name, Reply::with_line).unwrap_or(name_alone)
    }

    /// There is a sink for the message, or it is refused.
    pub(super) fn open(
        &mut self,
        transport: &mut Lines<'_>,
        result: Result<Box<dyn MessageSink>, Reply>,
    ) {
        let is_chunked = self.is_chunked();
        match is_chunked {
            true => self.continue_message(transport),
            false if result.is_ok() => self.begin_message(transport),
            false => {}
        }
        let Some(message) = &mut self.message else { return };
        match result {
            Ok(sink) => {
                // A chunk that is too large has been refused already.
                if message.refusal().is_none() {
                    message.set_sink(sink);
                }
                if !is_chunked {
                    self.write(transport, &Reply::fixed(354, "End with a line of one dot"));
                }
                self.write_received(transport);
            }
            Err(reply) if is_chunked => message.refuse(checked_refusal(reply)),
            Err(reply) => {
                self.message = None;
                transport.set_frame_mode(&[]);
                self.reply(transport, &checked_refusal(reply));
            }
        }
    }

    /// The reply to a message, or the replies of LMTP; then the next may begin.
    pub(super) fn finished(&mut self, transport: &mut Lines<'_>, result: Result<Outcome, Reply>) {
        let recipients = self.session().recipients.len();
        self.reset();
        // A recipient that the handler has forgotten has no message.
        let (mut replies, others) = match result {
            Ok(Outcome::All(reply)) => (Vec::new(), reply),
            Err(reply) => (Vec::new(), checked_refusal(reply)),
            Ok(Outcome::Each(replies)) => (replies, Reply::try_later()),
        };
        replies.resize(recipients.max(1), others);
        if !self.config.is_lmtp {
            let accepted = replies.iter().position(Reply::is_success).unwrap_or(0);
            replies = vec![replies.swap_remove(accepted)];
        }
        let mut is_last = false;
        for reply in replies {
            let is_final = reply.is_success() || reply.code() >= 400;
            let reply = if is_final { reply } else { checked_refusal(reply) };
            is_last |= reply.code() == 421;
            if reply.is_success() {
                self.mistakes.message_accepted();
            }
            self.write(transport, &reply);
        }
        if is_last {
            self.hang_up(transport);
        }
    }

    fn is_chunked(&self) -> bool {
        self.message.as_ref().is_some_and(Message::is_chunked)
    }

    // ---- replies ----

    pub(super) fn greet(&mut self, transport: &mut Lines<'_>) {
        let verdict = self.ask(SmtpHandler::connected);
        self.decide(transport, Step::Greeting, verdict);
        self.expect_command(transport);
    }

    pub(super) fn write(&self, transport: &Transport, reply: &Reply) {
        let mut out = Vec::with_capacity(128);
        reply.encode(&mut out);
        transport.write(&out);
    }

    /// Replies; closes after a 421.
    pub(super) fn reply(&mut self, transport: &mut Lines<'_>, reply: &Reply) {
        match reply.code() {
            421 => self.close(transport, reply),
            _ => self.write(transport, reply),
        }
    }

    /// The last reply.
    pub(super) fn close(&mut self, transport: &mut Lines<'_>, reply: &Reply) {
        self.write(transport, reply);
        self.hang_up(transport);
    }

    /// Closes the connection once the replies are sent.
    pub(super) fn hang_up(&mut self, transport: &mut Lines<'_>) {
        self.message = None;
        self.end_deadline(transport);
        transport.lose_connection();
    }

    /// Closes the connection if the server is going down, once there is no message and no verdict is open.
    pub(super) fn leave_if_drained(&mut self, transport: &mut Lines<'_>) {
        let has_message = self.message.is_some() || self.session().sender.is_some();
        let is_free = self.waiting.is_none() && !has_message;
        if self.is_draining && is_free && !transport.is_closing() && !transport.is_starting_tls() {
            self.close(transport, &Reply::fixed(421, "4.3.2 The server is shutting down"));
        }
    }

    // ---- deadlines ----

    pub(super) fn begin(&mut self, phase: &'static str, within: Duration, transport: &Transport) {
        self.end_deadline(transport);
        self.deadline = PhaseDeadline::new(phase, within);
        self.deadline.begin(transport);
    }

    pub(super) fn end_deadline(&mut self, transport: &Transport) {
        self.deadline.end(transport);
    }

    /// A command comes next, unless something else does.
    pub(super) fn expect_command(&mut self, transport: &mut Lines<'_>) {
        self.leave_if_drained(transport);
        let is_free = self.is_greeted && self.waiting.is_none() && !transport.is_raw();
        if is_free && !transport.is_closing() && !transport.is_starting_tls() {
            self.begin_command(transport);
        }
    }

    pub(super) fn begin_command(&mut self, transport: &Transport) {
        self.begin("a command", self.config.command_timeout, transport);
    }

    /// The text of a message, or a chunk of it, comes next.
    pub(super) fn begin_message(&mut self, transport: &Transport) {
        let now = transport.reactor().map(|reactor| reactor.now());
        self.message_end = now.and_then(|now| now.checked_add(self.config.message_timeout));
        self.continue_message(transport);
    }

    /// The text goes on, in what is left of its time: open verdicts are a part of it.
    pub(super) fn continue_message(&mut self, transport: &Transport) {
        transport.set_read_timeout(self.config.data_timeout);
        let left = match (transport.reactor(), self.message_end) {
            (Some(reactor), Some(end)) => end.saturating_duration_since(reactor.now()),
            _ => self.config.message_timeout,
        };
        self.begin("a message", left, transport);
    }

    pub(super) fn end_message(&mut self, transport: &Transport) {
        transport.set_read_timeout(None);
        self.end_deadline(transport);
    }
}

/// A refusal that says no. Another reply of a handler would be taken for an acceptance.
fn checked_refusal(reply: Reply) -> Reply {
    if reply.code() >= 400 {
        return reply;
    }
    tracing::error!(%reply, "a handler refuses with a reply that accepts");
    Reply::try_later()
}
