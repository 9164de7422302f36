//! Commands that wait for their replies: [`Requests`]. Pure, but for promises, which call nobody.

use std::{collections::VecDeque, time::Duration};

use sinew_transports::{TimerId, reactor::Promise};

use super::CommandError;
use crate::irc::codec::{CaseMapping, Message};

/// Most bytes of the messages that are the reply to one command.
const BYTES_MAX: usize = 16 << 20;

/// Who the client is when a message comes.
#[derive(Clone, Copy)]
pub(super) struct Me<'a> {
    pub(super) mapping: CaseMapping,
    /// Its nick before the message.
    pub(super) nick: &'a [u8],
}

impl Me<'_> {
    /// Whether the message comes from the client itself.
    pub(super) fn has_sent(&self, message: &Message<'_>) -> bool {
        message.source().is_some_and(|source| self.mapping.is_equal(&source.nick(), self.nick))
    }
}

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
    bytes: usize,
    wait: Box<dyn Wait>,
}

trait Wait {
    fn offer(&mut self, me: Me<'_>, message: &Message<'_>, command: &'static str) -> Offered;
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

impl<T, F: FnMut(Me<'_>, &Message<'_>) -> Reply<T>> Wait for Waiting<T, F> {
    fn offer(&mut self, me: Me<'_>, message: &Message<'_>, command: &'static str) -> Offered {
        let result = match (self.take)(me, message) {
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
        take: impl FnMut(Me<'_>, &Message<'_>) -> Reply<T> + 'static,
    ) {
        let wait = Box::new(Waiting { promise: Some(promise), take });
        let (entries, bytes) = (0, 0);
        self.waiting.push_back(Request {
            command,
            timer,
            within,
            entries,
            entries_max,
            bytes,
            wait,
        });
    }

    pub(super) fn len(&self) -> usize {
        self.waiting.len()
    }

    /// Whether a command of this name waits.
    pub(super) fn is_waiting(&self, command: &str) -> bool {
        self.waiting.iter().any(|request| request.command == command)
    }

    /// Shows a message to all that wait, in order, up to the first that it belongs to. Returns the timers that are of no more use.
    ///
    /// A command whose deferred was cancelled keeps its place until its replies are over, so that they are not taken for those of the
    /// next.
    pub(super) fn offer(&mut self, me: Me<'_>, message: &Message<'_>) -> Option<TimerId> {
        for at in 0..self.waiting.len() {
            let request = &mut self.waiting[at];
            match request.wait.offer(me, message, request.command) {
                Offered::Other => {}
                Offered::Part => {
                    request.entries += 1;
                    request.bytes += len(message);
                    let (command, max) = (request.command, request.entries_max);
                    let error = if request.entries > max {
                        CommandError::TooLong { command, max }
                    } else if request.bytes > BYTES_MAX {
                        CommandError::TooLarge { command, max: BYTES_MAX }
                    } else {
                        return None;
                    };
                    request.wait.fail(error);
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

/// About as many bytes as a message takes.
fn len(message: &Message<'_>) -> usize {
    message.raw_tags().len() + message.params().iter().map(|param| param.len()).sum::<usize>()
}
