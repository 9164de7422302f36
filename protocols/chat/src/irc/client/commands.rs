//! What a client can do: methods of [`IrcClient`]. Some are sent and forgotten; those that return a [`Deferred`] wait for the reply.

use std::time::Duration;

use sinew_transports::reactor::Deferred;

use super::{
    CommandError, IrcClient, SendError, Whois,
    channels::{Member, member},
    config::{channel_name, no_zero},
    requests::{Me, Reply},
    state::Phase,
};
use crate::irc::codec::{
    BuildError, CaseMapping, Ctcp, IrcText, MESSAGE_MAX, Message, MessageBuf, ModeChange,
    check_line, split_text,
};

/// Shortest piece of a text that is split, for names that leave no room.
const PIECE_MIN: usize = 32;
/// Most keys of channels that are being joined.
const KEYS_MAX: usize = 256;

impl IrcClient {
    /// Says something to a channel or to somebody (PRIVMSG). A text that is too long for one message is split, at spaces where there are
    /// some, so that the messages fit as others receive them, with the name of the client before them.
    ///
    /// # Errors
    ///
    /// [`SendError`]. A text with line ends is an error: see [`message_lines`](Self::message_lines).
    pub fn message(
        &self,
        target: impl AsRef<[u8]>,
        text: impl AsRef<[u8]>,
    ) -> Result<(), SendError> {
        self.say("PRIVMSG", target.as_ref(), text.as_ref())
    }

    /// As [`message`](Self::message), each line of the text by itself. Empty lines are left out.
    ///
    /// # Errors
    ///
    /// [`SendError`].
    pub fn message_lines(
        &self,
        target: impl AsRef<[u8]>,
        text: impl AsRef<[u8]>,
    ) -> Result<(), SendError> {
        let lines = text.as_ref().split(|byte| matches!(byte, b'\r' | b'\n'));
        lines
            .filter(|line| !line.is_empty())
            .try_for_each(|line| self.message(target.as_ref(), line))
    }

    /// Sends a notice, as automatic answers should be: notices are never answered automatically.
    ///
    /// # Errors
    ///
    /// [`SendError`].
    pub fn notice(
        &self,
        target: impl AsRef<[u8]>,
        text: impl AsRef<[u8]>,
    ) -> Result<(), SendError> {
        self.say("NOTICE", target.as_ref(), text.as_ref())
    }

    /// Acts: `/me waves`.
    ///
    /// # Errors
    ///
    /// [`SendError`]. A text that is too long for others to receive all of it is an error, for it cannot be split.
    pub fn describe(
        &self,
        target: impl AsRef<[u8]>,
        text: impl AsRef<[u8]>,
    ) -> Result<(), SendError> {
        self.ctcp_query(target, "ACTION", text)
    }

    /// Asks by CTCP. The answer, if any, comes to [`ctcp_reply`](super::IrcHandler::ctcp_reply).
    ///
    /// # Errors
    ///
    /// [`SendError`].
    pub fn ctcp_query(
        &self,
        target: impl AsRef<[u8]>,
        command: &str,
        text: impl AsRef<[u8]>,
    ) -> Result<(), SendError> {
        let text = Ctcp::encode(command, text.as_ref())?;
        let message = MessageBuf::new("PRIVMSG")?.param(target)?.text(text)?;
        self.fits(&message)?;
        self.queue(&message)
    }

    /// Answers a question of CTCP, by a notice. Returns whether it was sent: not more often than
    /// [`ctcp_interval`](super::IrcConfig::ctcp_interval) says.
    ///
    /// # Errors
    ///
    /// [`SendError`].
    pub fn ctcp_reply(
        &self,
        nick: impl AsRef<[u8]>,
        command: &str,
        text: impl AsRef<[u8]>,
    ) -> Result<bool, SendError> {
        let text = Ctcp::encode(command, text.as_ref())?;
        let message = MessageBuf::new("NOTICE")?.param(nick)?.text(text)?;
        self.fits(&message)?;
        if !self.may_answer_ctcp() {
            return Ok(false);
        }
        self.queue(&message).map(|()| true)
    }

    /// Whether others receive all of a message, with the name of the client before it.
    fn fits(&self, message: &MessageBuf) -> Result<(), BuildError> {
        let (room, prefix) = (message.room(), self.prefix_len());
        match prefix > room {
            true => {
                let len = MESSAGE_MAX - room + prefix;
                Err(BuildError::TooLong { len, max: MESSAGE_MAX })
            }
            false => Ok(()),
        }
    }

    fn say(&self, command: &str, target: &[u8], text: &[u8]) -> Result<(), SendError> {
        let front = MessageBuf::new(command)?.param(target)?;
        // The whole text is checked before a part of it is sent.
        check_line(text)?;
        let room = front.room().saturating_sub(" :".len() + self.prefix_len());
        let pieces = split_text(text, room.max(PIECE_MIN));
        self.has_room(pieces.len())?;
        pieces.into_iter().try_for_each(|piece| self.queue(&front.clone().text(piece)?))
    }

    fn has_room(&self, lines: usize) -> Result<(), SendError> {
        let max = self.0.config.queue_max;
        let Some(reactor) = self.0.reactor.upgrade() else { return Err(SendError::NotConnected) };
        let state = self.0.state.borrow();
        let waiting = state.outgoing.len();
        // Some of them are sent at once.
        let burst = state.outgoing.allowed(reactor.now());
        match waiting.saturating_add(lines) > max.saturating_add(burst) {
            true => Err(SendError::QueueFull { max }),
            false => Ok(()),
        }
    }

    /// Sends any message, behind those that wait.
    ///
    /// # Errors
    ///
    /// [`SendError`].
    pub fn send(&self, message: &MessageBuf) -> Result<(), SendError> {
        self.queue(message)
    }

    /// Says that the client is away, with a reason, or that it is back.
    ///
    /// # Errors
    ///
    /// [`SendError`].
    pub fn away(&self, reason: Option<&str>) -> Result<(), SendError> {
        let away = MessageBuf::new("AWAY")?;
        self.queue(&match reason {
            Some(reason) => away.text(reason)?,
            None => away,
        })
    }

    /// Sets the topic of a channel; an empty one takes it away.
    ///
    /// # Errors
    ///
    /// [`SendError`].
    pub fn set_topic_of(
        &self,
        channel: impl AsRef<[u8]>,
        topic: impl AsRef<[u8]>,
    ) -> Result<(), SendError> {
        self.queue(&MessageBuf::new("TOPIC")?.param(channel)?.text(topic)?)
    }

    /// Changes modes of a channel or of the client, in as many messages as the server needs.
    ///
    /// # Errors
    ///
    /// [`SendError`].
    pub fn mode(&self, target: impl AsRef<[u8]>, changes: &[ModeChange]) -> Result<(), SendError> {
        let max = self.isupport().modes_max().clamp(1, 12);
        changes.chunks(max).try_for_each(|changes| {
            let message = MessageBuf::new("MODE")?.param(target.as_ref())?;
            self.queue(&ModeChange::add_all(changes, message)?)
        })
    }

    /// Removes somebody from a channel.
    ///
    /// # Errors
    ///
    /// [`SendError`].
    pub fn kick(
        &self,
        channel: impl AsRef<[u8]>,
        nick: impl AsRef<[u8]>,
        reason: impl AsRef<[u8]>,
    ) -> Result<(), SendError> {
        self.queue(&MessageBuf::new("KICK")?.param(channel)?.param(nick)?.text(reason)?)
    }

    /// Invites somebody to a channel.
    ///
    /// # Errors
    ///
    /// [`SendError`].
    pub fn invite(
        &self,
        nick: impl AsRef<[u8]>,
        channel: impl AsRef<[u8]>,
    ) -> Result<(), SendError> {
        self.queue(&MessageBuf::new("INVITE")?.param(nick)?.param(channel)?)
    }

    /// Leaves IRC: QUIT is sent at once, before what waits, and the connection is closed. One that [`connect`](Self::connect) makes is
    /// not made. A client that is kept connected comes back: stop its
    /// service then, too.
    ///
    /// # Errors
    ///
    /// [`SendError`].
    pub fn quit(&self, reason: &str) -> Result<(), SendError> {
        let line = MessageBuf::new("QUIT")?.text(reason)?.encode()?;
        let mut state = self.0.state.borrow_mut();
        let Some(transport) = state.transport.clone() else {
            drop(state);
            // A connection that is not made yet is not made.
            return if self.0.attempt.cancel() { Ok(()) } else { Err(SendError::NotConnected) };
        };
        state.phase = Phase::Closing;
        drop(state);
        transport.write_bytes(line);
        transport.lose_connection();
        Ok(())
    }

    /// Joins a channel, and again after each reconnect.
    ///
    /// # Errors
    ///
    /// [`CommandError`].
    pub fn join(&self, channel: &str) -> Deferred<(), CommandError> {
        self.join_now(channel, None)
    }

    /// Joins a channel with a key.
    ///
    /// # Errors
    ///
    /// [`CommandError`].
    pub fn join_with_key(&self, channel: &str, key: &str) -> Deferred<(), CommandError> {
        self.join_now(channel, Some(key))
    }

    fn join_now(&self, channel: &str, key: Option<&str>) -> Deferred<(), CommandError> {
        let name = channel.as_bytes().to_vec();
        let message = join_message(channel.as_bytes(), key);
        let mut state = self.0.state.borrow_mut();
        let is_in = state.channels.contains(state.isupport.case_mapping(), &name);
        if is_in && message.is_ok() && !state.requests.is_waiting("PART") {
            // The server would say nothing.
            return self.done();
        }
        if let (true, Some(key)) = (message.is_ok(), key) {
            state.keys.retain(|(channel, _)| *channel != name);
            if state.keys.len() == KEYS_MAX {
                state.keys.remove(0);
            }
            state.keys.push((name.clone(), key.to_owned()));
        }
        drop(state);
        self.ask_for("JOIN", message, move |me, message| {
            let is_mine = |index| param_is(me.mapping, message, index, &name);
            match message.numeric() {
                // Servers may have changed its name: forwards are told by the numeric 470.
                Some(403 | 405 | 407 | 437 | 470..=477 | 479 | 480 | 489) if is_mine(1) => {
                    Reply::refused(message)
                }
                None if message.is("FAIL")
                    && param_is(me.mapping, message, 0, b"JOIN")
                    && is_mine(2) =>
                {
                    Reply::refused(message)
                }
                None if message.is("JOIN") && is_mine(0) && me.has_sent(message) => Reply::End(()),
                _ => Reply::Other,
            }
        })
    }

    /// The result of a command that is not needed.
    fn done(&self) -> Deferred<(), CommandError> {
        let (promise, deferred) = self.0.reactor.promise();
        promise.resolve(());
        deferred
    }

    /// Sends JOIN, and waits for nothing.
    pub(super) fn join_line(&self, channel: &[u8], key: Option<&str>) -> Result<(), SendError> {
        self.queue(&join_message(channel, key)?)
    }

    /// Leaves a channel, which is not joined again after a reconnect, whether the server answers or not.
    ///
    /// # Errors
    ///
    /// [`CommandError`].
    pub fn leave(&self, channel: &str, reason: &str) -> Deferred<(), CommandError> {
        let mapping = self.0.state.borrow().isupport.case_mapping();
        self.unwant(mapping, channel.as_bytes());
        let name = channel.as_bytes().to_vec();
        let message = || {
            channel_name(channel)?;
            MessageBuf::new("PART")?.param(channel)?.text(reason)
        };
        self.ask_for("PART", message(), move |me, message| {
            let is_mine = |index| param_is(me.mapping, message, index, &name);
            match message.numeric() {
                Some(403 | 442) if is_mine(1) => Reply::refused(message),
                None if message.is("PART") && is_mine(0) && me.has_sent(message) => Reply::End(()),
                _ => Reply::Other,
            }
        })
    }

    /// Takes another nick.
    ///
    /// # Errors
    ///
    /// [`CommandError`]: it is taken, for example.
    pub fn set_nick(&self, nick: &str) -> Deferred<(), CommandError> {
        let new = nick.as_bytes().to_vec();
        let state = self.0.state.borrow();
        if state.phase == Phase::Online && state.nick == new && !state.requests.is_waiting("NICK") {
            // The server would say nothing.
            return self.done();
        }
        drop(state);
        let message = MessageBuf::new("NICK").and_then(|message| message.param(nick));
        self.ask_for("NICK", message, move |me, message| match message.numeric() {
            Some(432 | 433 | 436 | 437 | 438 | 447 | 484) => Reply::refused(message),
            None if message.is("NICK") && me.has_sent(message) => {
                // Servers cut what is too long.
                let found = message.param(0).unwrap_or_default();
                let front = new.get(..found.len()).unwrap_or_default();
                let is_new = !found.is_empty() && me.mapping.is_equal(&found, front);
                if is_new { Reply::End(()) } else { Reply::Other }
            }
            _ => Reply::Other,
        })
    }

    /// Measures the time to the server and back.
    ///
    /// # Errors
    ///
    /// [`CommandError`].
    pub fn ping(&self) -> Deferred<Duration, CommandError> {
        let mut state = self.0.state.borrow_mut();
        state.labels += 1;
        let token = format!("sinew {}", state.labels);
        drop(state);
        let message = MessageBuf::new("PING").and_then(|message| message.text(&token));
        let (reactor, sent) =
            (self.0.reactor.clone(), self.0.reactor.upgrade().map(|reactor| reactor.now()));
        self.ask_for("PING", message, move |_, message| {
            let is_mine = message.is("PONG") && message.last() == Some(token.as_str().into());
            match (is_mine, reactor.upgrade(), sent) {
                (true, Some(reactor), Some(sent)) => {
                    Reply::End(reactor.now().saturating_duration_since(sent))
                }
                _ => Reply::Other,
            }
        })
    }

    /// Asks who is in a channel.
    ///
    /// # Errors
    ///
    /// [`CommandError`].
    pub fn names(&self, channel: &str) -> Deferred<Vec<Member>, CommandError> {
        let message = || {
            channel_name(channel)?;
            MessageBuf::new("NAMES")?.param(channel)
        };
        let (name, isupport) = (channel.as_bytes().to_vec(), self.isupport());
        let mut members = Vec::new();
        self.ask_for("NAMES", message(), move |me, message| match message.numeric() {
            Some(353) if param_is(me.mapping, message, 2, &name) => {
                let names = message.param(3).unwrap_or_default();
                let names = names.split(|byte| *byte == b' ').filter(|name| !name.is_empty());
                members.extend(names.map(|name| member(isupport.modes(), name)));
                Reply::Part
            }
            Some(366) if param_is(me.mapping, message, 1, &name) => {
                Reply::End(std::mem::take(&mut members))
            }
            Some(403) if param_is(me.mapping, message, 1, &name) => Reply::refused(message),
            _ => Reply::Other,
        })
    }

    /// Asks who somebody is.
    ///
    /// # Errors
    ///
    /// [`CommandError`]: [`Refused`](CommandError::Refused) by 401 if there is nobody of this nick.
    pub fn whois(&self, nick: &str) -> Deferred<Whois, CommandError> {
        let message = || {
            channel_name(nick)?;
            MessageBuf::new("WHOIS")?.param(nick)
        };
        let nick = nick.as_bytes().to_vec();
        let mut whois = Whois::default();
        let mut refusal: Option<(String, String)> = None;
        self.ask_for("WHOIS", message(), move |me, message| {
            let is_mine = param_is(me.mapping, message, 1, &nick);
            match message.numeric() {
                Some(401 | 402) if is_mine => {
                    let text = message.last().unwrap_or_default().to_string();
                    refusal = Some((message.command().to_owned(), text));
                    Reply::Part
                }
                Some(318) if is_mine => match refusal.take() {
                    Some((code, text)) => Reply::Refused { code, text },
                    None => Reply::End(std::mem::take(&mut whois)),
                },
                Some(number) if is_mine && whois.take(number, message) => Reply::Part,
                _ => Reply::Other,
            }
        })
    }

    /// Sends any message with a label, and returns all that the server answers to it (labeled-response), as lines for
    /// [`Message::parse`].
    ///
    /// # Errors
    ///
    /// [`CommandError`]: [`Refused`](CommandError::Refused) if the server does not have the capability.
    pub fn ask(&self, message: MessageBuf) -> Deferred<Vec<Vec<u8>>, CommandError> {
        if !self.has_capability("labeled-response") {
            let (promise, deferred) = self.0.reactor.promise();
            let (command, code) = ("a labeled message", "labeled-response".to_owned());
            let text = "the server does not have the capability".to_owned();
            promise.reject(CommandError::Refused { command, code, text });
            return deferred;
        }
        let mut state = self.0.state.borrow_mut();
        state.labels += 1;
        let label = format!("sinew{}", state.labels);
        drop(state);
        let mut labeled = super::labeled::Labeled::new(label.clone());
        self.ask_for("a labeled message", message.tag("label", label), move |_, message| {
            labeled.take(message)
        })
    }

    /// Sends a command and waits for its reply.
    fn ask_for<T: 'static>(
        &self,
        command: &'static str,
        message: Result<MessageBuf, BuildError>,
        take: impl FnMut(Me<'_>, &Message<'_>) -> Reply<T> + 'static,
    ) -> Deferred<T, CommandError> {
        let (promise, deferred) = self.0.reactor.promise();
        let max = self.0.config.requests_max;
        if self.0.state.borrow().requests.len() >= max {
            promise.reject(CommandError::TooMany { max });
            return deferred;
        }
        let sent = message.map_err(SendError::from).and_then(|message| self.queue(&message));
        if let Err(error) = sent {
            promise.reject(error.into());
            return deferred;
        }
        let mut state = self.0.state.borrow_mut();
        let within = self.reply_timeout();
        let timer = state.transport.as_ref().and_then(|transport| transport.call_later(within));
        let limits = (within, self.0.config.replies_max);
        state.requests.push(command, timer, limits, promise, take);
        deferred
    }
}

fn join_message(channel: &[u8], key: Option<&str>) -> Result<MessageBuf, BuildError> {
    if let Some(at) = channel.iter().position(|byte| *byte == b',') {
        return Err(BuildError::Forbidden { byte: b',', at });
    }
    no_zero(channel)?;
    let join = MessageBuf::new("JOIN")?.param(channel)?;
    match key {
        Some(key) => {
            channel_name(key)?;
            join.param(key)
        }
        None => Ok(join),
    }
}

fn param_is(mapping: CaseMapping, message: &Message<'_>, index: usize, name: &[u8]) -> bool {
    message.param(index).is_some_and(|param| mapping.is_equal(&param, name))
}

impl Whois {
    /// Takes a reply. Returns whether it is one of WHOIS.
    fn take(&mut self, number: u16, message: &Message<'_>) -> bool {
        let text = |index| message.param(index).map(|text: IrcText<'_>| text.to_string());
        match number {
            311 => {
                self.nick = text(1).unwrap_or_default();
                self.user = text(2).unwrap_or_default();
                self.host = text(3).unwrap_or_default();
                self.real_name = text(5).unwrap_or_default();
            }
            312 => self.server = text(2),
            313 => self.is_operator = true,
            317 => {
                let seconds = text(2).and_then(|seconds| seconds.parse().ok());
                self.idle = seconds.map(Duration::from_secs);
            }
            319 => {
                let channels = text(2).unwrap_or_default();
                self.channels.extend(channels.split_whitespace().map(str::to_owned));
            }
            330 => self.account = text(2),
            301 => self.away = text(2),
            671 => self.is_secure = true,
            307 | 320 | 335 | 338 | 276 | 378 | 379 => {}
            _ => return false,
        }
        true
    }
}
