//! Commands that wait for their replies: [`Requests`]. Pure, but for promises, which call nobody.

use std::{collections::VecDeque, time::Duration};

use sinew_transports::{TimerId, reactor::Promise};

use super::CommandError;
use crate::irc::codec::{CaseMapping, Message};

/// What a message is to a command that waits.
pub(super) enum Reply<T> {
    /// Nothing.
    Other,
    /// A part of the reply. Others may wait for it as well.
    Part,
    /// The end of the reply.
    End(T),
    /// The command was refused.
    Refused { code: String, text: String },
}

impl<T> Reply<T> {
    /// A refusal by this message.
    pub(super) fn refused(message: &Message<'_>) -> Self {
        let is_standard = message.is("FAIL");
        let code = if is_standard { message.param(1) } else { None };
        let code = code.map_or_else(|| message.command().to_owned(), |code| code.to_string());
        let text = message.last().map(|text| text.to_string()).unwrap_or_default();
        Self::Refused { code, text }
    }
}

#[derive(Default)]
pub(super) struct Requests {
    waiting: VecDeque<Request>,
}

struct Request {
    command: &'static str,
    timer: Option<TimerId>,
    within: Duration,
    entries: usize,
    entries_max: usize,
    wait: Box<dyn Wait>,
}

trait Wait {
    fn offer(
        &mut self,
        mapping: CaseMapping,
        message: &Message<'_>,
        command: &'static str,
    ) -> Offered;
    fn fail(&mut self, error: CommandError);
    fn is_awaited(&self) -> bool;
}

#[derive(PartialEq, Eq)]
enum Offered {
    Other,
    Part,
    Over,
}

struct Waiting<T: 'static, F> {
    promise: Option<Promise<T, CommandError>>,
    take: F,
}

impl<T, F: FnMut(CaseMapping, &Message<'_>) -> Reply<T>> Wait for Waiting<T, F> {
    fn offer(
        &mut self,
        mapping: CaseMapping,
        message: &Message<'_>,
        command: &'static str,
    ) -> Offered {
        let result = match (self.take)(mapping, message) {
            Reply::Other => return Offered::Other,
            Reply::Part => return Offered::Part,
            Reply::End(value) => Ok(value),
            Reply::Refused { code, text } => Err(CommandError::Refused { command, code, text }),
        };
        if let Some(promise) = self.promise.take() {
            promise.settle(result);
        }
        Offered::Over
    }

    fn fail(&mut self, error: CommandError) {
        if let Some(promise) = self.promise.take() {
            promise.reject(error);
        }
    }

    fn is_awaited(&self) -> bool {
        self.promise.as_ref().is_some_and(Promise::is_pending)
    }
}

impl Requests {
    /// Waits for the reply to a command. `take` says of each message what it is to it.
    pub(super) fn push<T: 'static>(
        &mut self,
        command: &'static str,
        timer: Option<TimerId>,
        (within, entries_max): (Duration, usize),
        promise: Promise<T, CommandError>,
        take: impl FnMut(CaseMapping, &Message<'_>) -> Reply<T> + 'static,
    ) {
        let wait = Box::new(Waiting { promise: Some(promise), take });
        self.waiting.push_back(Request { command, timer, within, entries: 0, entries_max, wait });
    }

    pub(super) fn len(&self) -> usize {
        self.waiting.len()
    }

    /// Shows a message to all that wait, in order, up to the first that it belongs to. Returns the timers that are of no more use.
    ///
    /// A command whose deferred was cancelled keeps its place until its replies are over, so that they are not taken for those of the
    /// next.
    pub(super) fn offer(&mut self, mapping: CaseMapping, message: &Message<'_>) -> Option<TimerId> {
        for at in 0..self.waiting.len() {
            let request = &mut self.waiting[at];
            match request.wait.offer(mapping, message, request.command) {
                Offered::Other => {}
                Offered::Part => {
                    request.entries += 1;
                    if request.entries <= request.entries_max {
                        return None;
                    }
                    let (command, max) = (request.command, request.entries_max);
                    request.wait.fail(CommandError::TooLong { command, max });
                    return self.waiting.remove(at)?.timer;
                }
                Offered::Over => return self.waiting.remove(at)?.timer,
            }
        }
        None
    }

    /// The time of a command is over. Returns whether it was its timer.
    pub(super) fn timed_out(&mut self, timer: TimerId) -> bool {
        let at = self.waiting.iter().position(|request| request.timer == Some(timer));
        let Some(mut request) = at.and_then(|at| self.waiting.remove(at)) else { return false };
        let (command, after) = (request.command, request.within);
        request.wait.fail(CommandError::TimedOut { command, after });
        true
    }

    /// The connection is lost.
    pub(super) fn fail_all(&mut self) {
        for mut request in self.waiting.drain(..) {
            if request.wait.is_awaited() {
                let command = request.command;
                request.wait.fail(CommandError::Lost { command });
            }
        }
        self.waiting = VecDeque::new();
    }
}
