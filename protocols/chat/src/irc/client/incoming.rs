//! What messages mean after the welcome: they change what is known, are replies to commands, and are told to the handler.

use std::{rc::Rc, time::Duration};

use sinew_transports::{Transport, reactor::with_causes};

use super::{
    IrcClient, IrcError, Said,
    channels::{CHANNELS_MAX, member},
    config::channel_name,
    requests::Me,
    state::{Phase, State},
};
use crate::irc::codec::{CaseMapping, Ctcp, IrcText, Message, MessageBuf, ModeChange, Source};

/// Most lines of a message of the day that are kept.
const MOTD_MAX: usize = 1_000;

impl IrcClient {
    /// Any message, in any phase.
    pub(super) fn received(&self, transport: &Transport, message: &Message<'_>) {
        if message.is("PING") {
            return pong(transport, message);
        }
        if message.is("ERROR") {
            let text = message.last().map(|text| text.to_string()).unwrap_or_default();
            self.fail(transport, IrcError::Closed { text });
            return;
        }
        let phase = self.0.state.borrow().phase;
        match phase {
            Phase::Online => {}
            Phase::Offline | Phase::Closing => return,
            _ => return self.register(transport, message),
        }
        self.call(|handler, irc| handler.message_received(irc, message));
        if transport.is_closing() {
            return;
        }
        let mut state = self.0.state.borrow_mut();
        let State { requests, isupport, nick, .. } = &mut *state;
        let timer = requests.offer(Me { mapping: isupport.case_mapping(), nick }, message);
        drop(state);
        if let Some(timer) = timer {
            transport.cancel_timer(timer);
        }
        match message.numeric() {
            Some(number) => self.numeric(number, message),
            None => self.command(transport, message),
        }
    }

    fn command(&self, transport: &Transport, message: &Message<'_>) {
        let from = message.source().unwrap_or(Source::new(b""));
        let param = |index| message.param(index).unwrap_or_default();
        let command = message.command().to_ascii_uppercase();
        let needed = match command.as_str() {
            "JOIN" | "PART" | "NICK" | "TOPIC" => 1,
            "KICK" | "MODE" | "INVITE" => 2,
            _ => 0,
        };
        if (0..needed).any(|index| param(index).is_empty()) {
            return self.call(|handler, irc| handler.unknown(irc, message));
        }
        match command.as_str() {
            "PRIVMSG" | "NOTICE" | "TAGMSG" => self.said(message, from, &command),
            "JOIN" => self.join_received(from, param(0)),
            "PART" => self.part_received(from, param(0), param(1)),
            "KICK" => self.kick_received(from, param(0), param(1), param(2)),
            "QUIT" => {
                let mut state = self.0.state.borrow_mut();
                let mapping = mapping(&state);
                state.channels.quit(mapping, &from.nick());
                drop(state);
                self.call(|handler, irc| handler.user_quit(irc, from, param(0)));
            }
            "NICK" => self.nick_received(from, param(0)),
            "MODE" => self.mode_received(from, message),
            "TOPIC" => {
                self.set_topic(param(0), param(1));
                self.call(|handler, irc| {
                    handler.topic_updated(irc, param(0), param(1), Some(from))
                });
            }
            "INVITE" => self.call(|handler, irc| handler.invited(irc, from, param(0), param(1))),
            "AWAY" => self.call(|handler, irc| handler.away_changed(irc, from, message.param(0))),
            "ACCOUNT" => {
                let account = message.param(0).filter(|account| *account != "*");
                self.call(|handler, irc| handler.account_changed(irc, from, account));
            }
            "CHGHOST" => self.host_received(from, param(0), param(1)),
            "FAIL" | "WARN" | "NOTE" => {
                self.call(|handler, irc| handler.standard_reply(irc, message))
            }
            "BATCH" => {
                let is_begin = param(0).starts_with(b"+");
                self.call(|handler, irc| handler.batch(irc, is_begin, message));
            }
            "CAP" => self.capabilities(transport, message),
            "PONG" | "AUTHENTICATE" | "ACK" => {}
            _ => self.call(|handler, irc| handler.unknown(irc, message)),
        }
    }

    fn said(&self, message: &Message<'_>, from: Source<'_>, command: &str) {
        let (target, text) =
            (message.param(0).unwrap_or_default(), message.param(1).unwrap_or_default());
        let state = self.0.state.borrow();
        let (is_echo, is_to_me) = (state.is_me(&from.nick()), state.is_me(&target));
        let isupport = Rc::clone(&state.isupport);
        drop(state);
        let is_to_channel =
            isupport.is_channel(&target) || isupport.status_channel(&target).is_some();
        let mut said = Said { from, target, text, is_echo, is_to_channel, message };
        let ctcp = Ctcp::parse(text.as_bytes());
        match (command, ctcp) {
            ("TAGMSG", _) => self.call(|handler, irc| handler.tag_message(irc, &said)),
            ("PRIVMSG", Some(ctcp)) if ctcp.is("ACTION") => {
                said.text = ctcp.text;
                self.call(|handler, irc| handler.action(irc, &said));
            }
            ("PRIVMSG", Some(ctcp)) => {
                said.text = ctcp.text;
                if !is_echo {
                    self.answer_ctcp(&said, &ctcp);
                }
                self.call(|handler, irc| handler.ctcp_query(irc, &said, &ctcp));
                // Not to a channel, nor to all users of a server.
                if ctcp.is("DCC") && !is_echo && is_to_me {
                    self.dcc_received(&said, &ctcp);
                }
            }
            (_, Some(ctcp)) => {
                said.text = ctcp.text;
                self.call(|handler, irc| handler.ctcp_reply(irc, &said, &ctcp));
            }
            ("PRIVMSG", None) => self.call(|handler, irc| handler.privmsg(irc, &said)),
            (_, None) => self.call(|handler, irc| handler.noticed(irc, &said)),
        }
    }

    /// Answers questions that are always the same, seldom enough that nobody can have the client flood.
    fn answer_ctcp(&self, said: &Said<'_>, ctcp: &Ctcp<'_>) {
        let Some(version) = &self.0.config.version else { return };
        let (command, text) = match ctcp.command.to_ascii_uppercase().as_slice() {
            b"VERSION" => ("VERSION", version.as_bytes()),
            b"PING" => ("PING", ctcp.text.as_bytes()),
            b"CLIENTINFO" => ("CLIENTINFO", &b"ACTION CLIENTINFO PING VERSION"[..]),
            _ => return,
        };
        if let Err(error) = self.ctcp_reply(said.from.nick(), command, text) {
            tracing::debug!(error = %with_causes(&error), "a question by CTCP was not answered");
        }
    }

    /// Whether an answer to CTCP may be sent now.
    pub(super) fn may_answer_ctcp(&self) -> bool {
        let Some(reactor) = self.0.reactor.upgrade() else { return false };
        let mut state = self.0.state.borrow_mut();
        let since = state.ctcp_answered.map(|at| reactor.now().saturating_duration_since(at));
        let may = since.is_none_or(|since| since >= self.0.config.ctcp_interval);
        if may {
            state.ctcp_answered = Some(reactor.now());
        }
        may
    }

    fn join_received(&self, from: Source<'_>, channel: IrcText<'_>) {
        let mut state = self.0.state.borrow_mut();
        let mapping = mapping(&state);
        let is_me = state.is_me(&from.nick());
        if is_me {
            state.channels.enter(mapping, &channel);
            learn(&mut state, from);
        }
        state.channels.add(mapping, &channel, &from.nick(), b"");
        drop(state);
        match is_me {
            true => {
                self.want(&channel);
                self.want_key(&channel);
                self.call(|handler, irc| handler.joined(irc, channel));
            }
            false => self.call(|handler, irc| handler.user_joined(irc, from, channel)),
        }
    }

    fn part_received(&self, from: Source<'_>, channel: IrcText<'_>, reason: IrcText<'_>) {
        match self.gone(&from.nick(), &channel) {
            true => self.call(|handler, irc| handler.left(irc, channel)),
            false => self.call(|handler, irc| handler.user_left(irc, from, channel, reason)),
        }
    }

    fn kick_received(
        &self,
        by: Source<'_>,
        channel: IrcText<'_>,
        nick: IrcText<'_>,
        reason: IrcText<'_>,
    ) {
        match self.gone(&nick, &channel) {
            true => self.call(|handler, irc| handler.kicked_from(irc, channel, by, reason)),
            false => self.call(|handler, irc| handler.user_kicked(irc, nick, channel, by, reason)),
        }
    }

    /// Somebody is no longer in a channel. Returns whether it is the client itself.
    fn gone(&self, nick: &[u8], channel: &[u8]) -> bool {
        let mut state = self.0.state.borrow_mut();
        let mapping = mapping(&state);
        let is_me = state.is_me(nick);
        match is_me {
            true => state.channels.leave(mapping, channel),
            false => state.channels.remove(mapping, channel, nick),
        }
        drop(state);
        if is_me {
            self.unwant(mapping, channel);
        }
        is_me
    }

    /// The client is in a channel, and will be again after a reconnect.
    fn want(&self, channel: &[u8]) {
        if !self.0.config.rejoins {
            return;
        }
        let mapping = mapping(&self.0.state.borrow());
        let mut wanted = self.0.wanted.borrow_mut();
        let is_known = wanted.iter().any(|(name, _)| mapping.is_equal(name, channel));
        if !is_known && wanted.len() < CHANNELS_MAX {
            wanted.push((channel.to_vec(), None));
        }
    }

    /// A channel that was joined with a key is joined with it after a reconnect.
    fn want_key(&self, channel: &[u8]) {
        let mut state = self.0.state.borrow_mut();
        let mapping = mapping(&state);
        let at = state.keys.iter().position(|(name, _)| mapping.is_equal(name, channel));
        let Some(at) = at else { return };
        let (_, key) = state.keys.swap_remove(at);
        drop(state);
        self.set_key(mapping, channel, key);
    }

    fn set_key(&self, mapping: CaseMapping, channel: &[u8], key: String) {
        let mut wanted = self.0.wanted.borrow_mut();
        let known = wanted.iter_mut().find(|(name, _)| mapping.is_equal(name, channel));
        if let Some((_, known)) = known {
            *known = Some(key);
        }
    }

    /// The key of a channel was changed. Servers show a star to those who are not to see it.
    fn key_changed(&self, mapping: CaseMapping, channel: &[u8], changes: &[ModeChange]) {
        let mut keys = changes.iter().filter(|change| change.is_set && change.mode == 'k');
        let Some(key) = keys.next_back().and_then(|change| change.argument.clone()) else { return };
        if let Ok(key) = String::from_utf8(key)
            && key != "*"
            && channel_name(&key).is_ok()
        {
            self.set_key(mapping, channel, key);
        }
    }

    pub(super) fn unwant(&self, mapping: CaseMapping, channel: &[u8]) {
        self.0.wanted.borrow_mut().retain(|(name, _)| !mapping.is_equal(name, channel));
    }

    fn nick_received(&self, from: Source<'_>, nick: IrcText<'_>) {
        let mut state = self.0.state.borrow_mut();
        let mapping = mapping(&state);
        let is_me = state.is_me(&from.nick());
        state.channels.rename(mapping, &from.nick(), &nick);
        if is_me {
            state.nick = nick.to_vec();
        }
        drop(state);
        match is_me {
            true => self.call(|handler, irc| handler.nick_changed(irc, nick)),
            false => self.call(|handler, irc| handler.user_renamed(irc, from, nick)),
        }
    }

    fn mode_received(&self, from: Source<'_>, message: &Message<'_>) {
        let (Some(target), Some(letters)) = (message.param(0), message.param(1)) else { return };
        let mut state = self.0.state.borrow_mut();
        let isupport = Rc::clone(&state.isupport);
        let arguments = message.params().get(2..).unwrap_or_default();
        let changes = if isupport.is_channel(&target) {
            let (changes, _) = isupport.modes().parse_known(&letters, arguments);
            state.channels.change(isupport.case_mapping(), &target, isupport.modes(), &changes);
            changes
        } else {
            let letters: String = letters
                .iter()
                .filter(|byte| byte.is_ascii_alphabetic())
                .map(|byte| char::from(*byte))
                .collect();
            let kinds = crate::irc::codec::ModeKinds::of_users(&letters);
            kinds.parse_known(&message.param(1).unwrap_or_default(), &[]).0
        };
        drop(state);
        if isupport.is_channel(&target) {
            self.key_changed(isupport.case_mapping(), &target, &changes);
        }
        self.call(|handler, irc| handler.mode_changed(irc, from, target, &changes));
    }

    fn host_received(&self, from: Source<'_>, user: IrcText<'_>, host: IrcText<'_>) {
        let mut state = self.0.state.borrow_mut();
        if state.is_me(&from.nick()) {
            (state.user, state.host) = (Some(user.to_vec()), Some(host.to_vec()));
        }
        drop(state);
        self.call(|handler, irc| handler.host_changed(irc, from, user, host));
    }

    fn set_topic(&self, channel: IrcText<'_>, topic: IrcText<'_>) {
        let mut state = self.0.state.borrow_mut();
        let mapping = mapping(&state);
        state.channels.set_topic(mapping, &channel, &topic);
    }

    fn numeric(&self, number: u16, message: &Message<'_>) {
        let param = |index| message.param(index).unwrap_or_default();
        match number {
            5 => {
                let mut state = self.0.state.borrow_mut();
                let before = mapping(&state);
                Rc::make_mut(&mut state.isupport).update(message);
                let after = mapping(&state);
                if before != after {
                    state.channels.fold_again(after);
                }
                drop(state);
                self.call(|handler, irc| handler.isupport(irc));
            }
            331 | 332 => {
                let topic = if number == 332 { param(2) } else { IrcText::default() };
                self.set_topic(param(1), topic);
                self.call(|handler, irc| handler.topic_updated(irc, param(1), topic, None));
            }
            353 => self.names_received(param(2), param(3)),
            366 if self.is_in(&param(1)) => {
                self.call(|handler, irc| handler.names_received(irc, param(1)));
            }
            375 => self.0.state.borrow_mut().motd.clear(),
            372 => {
                let mut state = self.0.state.borrow_mut();
                if state.motd.len() < MOTD_MAX {
                    state.motd.push(param(1).to_vec());
                }
            }
            376 | 422 => self.call(|handler, irc| handler.motd_received(irc)),
            396 => {
                let mut state = self.0.state.borrow_mut();
                let host = param(1);
                let host = host.rsplit(|byte| *byte == b'@').next().unwrap_or_default();
                state.host = Some(host.to_vec());
            }
            900 => self.0.state.borrow_mut().is_logged_in = true,
            901 => self.0.state.borrow_mut().is_logged_in = false,
            _ => {}
        }
        self.call(|handler, irc| handler.numeric(irc, number, message));
    }

    fn is_in(&self, channel: &[u8]) -> bool {
        let state = self.0.state.borrow();
        state.channels.contains(mapping(&state), channel)
    }

    fn names_received(&self, channel: IrcText<'_>, names: IrcText<'_>) {
        let mut state = self.0.state.borrow_mut();
        let isupport = Rc::clone(&state.isupport);
        for name in names.split(|byte| *byte == b' ').filter(|name| !name.is_empty()) {
            let member = member(isupport.modes(), name);
            state.channels.add(isupport.case_mapping(), &channel, &member.nick, &member.modes);
        }
    }

    /// How long the front is that the server puts before a message of the client, as others receive it.
    pub(super) fn prefix_len(&self) -> usize {
        /// Of what is not known: as long as servers allow.
        const USER_MAX: usize = 11;
        const HOST_MAX: usize = 63;
        let state = self.0.state.borrow();
        let user = state.user.as_ref().map_or(USER_MAX, Vec::len);
        let host = state.host.as_ref().map_or(HOST_MAX, Vec::len);
        ":! @ ".len() - 1 + state.nick.len() + user + host
    }

    /// Asks whether a command can wait for its reply, and begins its clock.
    pub(super) fn reply_timeout(&self) -> Duration {
        self.0.config.reply_timeout
    }
}

fn mapping(state: &State) -> CaseMapping {
    state.isupport.case_mapping()
}

/// What others see of the client.
fn learn(state: &mut State, me: Source<'_>) {
    if let (Some(user), Some(host)) = (me.user(), me.host()) {
        (state.user, state.host) = (Some(user.to_vec()), Some(host.to_vec()));
    }
}

fn pong(transport: &Transport, message: &Message<'_>) {
    let token = message.last().unwrap_or_default();
    let pong = MessageBuf::new("PONG").and_then(|pong| pong.text(token)?.encode());
    match pong {
        Ok(line) => drop(transport.write_bytes(line)),
        Err(error) => {
            tracing::debug!(error = %with_causes(&error), "a PING of the IRC server cannot be answered")
        }
    }
}
