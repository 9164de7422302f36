//! What a client does wrong or for no message, and when that is too much: [`Mistakes`] counts for a connection.

use super::{ServerConfig, SmtpHandler, SmtpHandling, lines::Lines};
use crate::smtp::codec::Reply;

/// Recipients of a message above the limit that are refused with 452 before each counts as an error: a client that pipelines has sent them
/// before it could know (RFC 5321 4.5.3.1.10).
const EXCESS_MAX: usize = 1_000;

/// Counts of a connection. Those of refusals and of idle commands begin anew with each message that is accepted.
#[derive(Debug, Default)]
pub(super) struct Mistakes {
    errors: usize,
    refused: usize,
    idle_commands: usize,
    /// Of the current message.
    excess: usize,
}

impl Mistakes {
    /// Counts a command that is wrong. Returns `false` if that is one too many.
    pub(super) const fn error(&mut self, config: &ServerConfig) -> bool {
        self.errors += 1;
        self.errors <= config.errors_max
    }

    /// Counts a sender or a recipient that was refused for good.
    const fn refusal(&mut self, config: &ServerConfig) -> bool {
        self.refused += 1;
        self.refused <= config.refusals_max
    }

    /// Counts a command that does nothing for a message.
    const fn idle_command(&mut self, config: &ServerConfig) -> bool {
        self.idle_commands += 1;
        self.idle_commands <= config.idle_commands_max
    }

    /// A message was accepted.
    pub(super) const fn message_accepted(&mut self) {
        (self.refused, self.idle_commands) = (0, 0);
    }

    /// A message is begun, or given up.
    pub(super) const fn message_over(&mut self) {
        self.excess = 0;
    }
}

impl<H: SmtpHandler> SmtpHandling<H> {
    /// Replies to a command that is wrong, and counts it.
    pub(super) fn wrong(&mut self, transport: &mut Lines<'_>, reply: &Reply) {
        match self.mistakes.error(&self.config) {
            true => self.reply(transport, reply),
            false => self.close_after_errors(transport),
        }
    }

    pub(super) fn out_of_order(&mut self, transport: &mut Lines<'_>, text: &'static str) {
        self.wrong(transport, &Reply::fixed(503, text));
    }

    /// Replies that a sender or a recipient is refused. Who tries many addresses for those that exist is counted: not a client that has
    /// logged in, nor one of LMTP, which passes on what it has accepted itself.
    pub(super) fn refuse_address(&mut self, transport: &mut Lines<'_>, reply: &Reply) {
        let is_known = self.config.is_lmtp || self.session().identity.is_some();
        let is_counted = (500..600).contains(&reply.code()) && !is_known;
        match is_counted && !self.mistakes.refusal(&self.config) {
            true => self.close(transport, &Reply::fixed(421, "4.7.0 Too many were refused")),
            false => self.reply(transport, reply),
        }
    }

    /// There are as many recipients as a message may have.
    pub(super) fn too_many_recipients(&mut self, transport: &mut Lines<'_>) {
        let reply = Reply::fixed(452, "4.5.3 Too many recipients");
        self.mistakes.excess += 1;
        match self.mistakes.excess > EXCESS_MAX {
            true => self.wrong(transport, &reply),
            false => self.reply(transport, &reply),
        }
    }

    /// Whether a command that does nothing for a message may be handled. If not, the connection is closed.
    pub(super) fn may_idle(&mut self, transport: &mut Lines<'_>) -> bool {
        let may = self.mistakes.idle_command(&self.config);
        if !may {
            let reply = Reply::fixed(421, "4.7.0 Too many commands without a message");
            self.close(transport, &reply);
        }
        may
    }

    pub(super) fn close_after_errors(&mut self, transport: &mut Lines<'_>) {
        self.close(transport, &Reply::fixed(421, "4.7.0 Too many errors"));
    }
}
