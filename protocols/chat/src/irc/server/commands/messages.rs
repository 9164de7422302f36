//! PRIVMSG, NOTICE and TAGMSG.

use std::collections::BTreeMap;

use super::registration::is_service;
use crate::irc::{
    codec::{Ctcp, Message},
    server::{
        capability::Capability,
        channel::{MAPPING, Status},
        network::Network,
        outgoing::Outgoing,
        user::{User, UserId},
    },
};

/// Most targets of one message.
const TARGETS_MAX: usize = 4;

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Privmsg,
    /// Errors about notices are not told (RFC 2812 3.3.2).
    Notice,
    Tags,
}

impl Kind {
    const fn name(self) -> &'static str {
        match self {
            Self::Privmsg => "PRIVMSG",
            Self::Notice => "NOTICE",
            Self::Tags => "TAGMSG",
        }
    }
}

impl Network {
    pub(super) fn privmsg(&mut self, id: UserId, message: &Message<'_>) {
        self.say(id, message, Kind::Privmsg);
    }

    pub(super) fn notice_command(&mut self, id: UserId, message: &Message<'_>) {
        self.say(id, message, Kind::Notice);
    }

    pub(super) fn tagmsg(&mut self, id: UserId, message: &Message<'_>) {
        let has_tags =
            self.users.get(&id).is_some_and(|user| user.capabilities.has(Capability::MessageTags));
        match has_tags {
            true => self.say(id, message, Kind::Tags),
            false => self.reply(id, 421, &[b"TAGMSG"], "Unknown command"),
        }
    }

    fn say(&mut self, id: UserId, message: &Message<'_>, kind: Kind) {
        let text = message.params().get(1).copied().unwrap_or_default();
        let Some(targets) = message.params().first().copied().filter(|targets| !targets.is_empty())
        else {
            return self.refuse(
                id,
                kind,
                411,
                &[],
                &format!("No recipient given ({})", kind.name()),
            );
        };
        if text.is_empty() && kind != Kind::Tags {
            return self.refuse(id, kind, 412, &[], "No text to send");
        }
        if kind == Kind::Privmsg
            && let Some(user) = self.users.get_mut(&id)
        {
            user.spoke_at = self.instant;
        }
        let targets: Vec<&[u8]> = targets.split(|byte| *byte == b',').collect();
        if targets.len() > TARGETS_MAX {
            return self.refuse(id, kind, 407, &[targets[TARGETS_MAX]], "Too many targets");
        }
        for target in targets {
            self.say_to(id, message, kind, target, text);
        }
    }

    fn refuse(&mut self, id: UserId, kind: Kind, number: u16, params: &[&[u8]], text: &str) {
        if kind == Kind::Privmsg {
            self.reply(id, number, params, text);
        }
    }

    fn say_to(
        &mut self,
        id: UserId,
        message: &Message<'_>,
        kind: Kind,
        target: &[u8],
        text: &[u8],
    ) {
        let is_status = |byte: &u8| matches!(byte, b'@' | b'+');
        let prefixes = target.iter().take_while(|byte| is_status(byte)).count();
        let name = &target[prefixes..];
        if name.first() == Some(&b'#') {
            return self.say_to_channel(id, message, kind, &target[..prefixes], name, text);
        }
        if is_service(target) {
            if kind == Kind::Privmsg {
                self.serve(id, text);
            }
            return;
        }
        let Some(other) = self.by_nick(target) else {
            return self.refuse(id, kind, 401, &[target], "No such nick/channel");
        };
        let (Some(from), Some(to)) = (self.users.get(&id), self.users.get(&other)) else { return };
        let away = to.away.clone().filter(|_| kind == Kind::Privmsg);
        let nick = to.nick.clone();
        let outgoing = spoken(from, &self.message_id(), message, kind, &nick, text);
        self.messages_sent += 1;
        // To oneself it is a message, and its echo is the reply.
        self.without_label(|network| network.tell(other, kind, &outgoing));
        self.echo(id, kind, &outgoing);
        if let Some(away) = away {
            self.reply(id, 301, &[&nick], away);
        }
    }

    fn say_to_channel(
        &mut self,
        id: UserId,
        message: &Message<'_>,
        kind: Kind,
        prefixes: &[u8],
        name: &[u8],
        text: &[u8],
    ) {
        let key = MAPPING.fold(name);
        let (Some(from), Some(channel)) = (self.users.get(&id), self.channels.get(&key)) else {
            return self.refuse(id, kind, 403, &[name], "No such channel");
        };
        let is_ctcp = Ctcp::parse(text).is_some_and(|ctcp| !ctcp.is("ACTION"));
        if !channel.hears(id, &from.names()) || channel.is(b'C') && is_ctcp {
            if !channel.is_seen_by(id) {
                return self.refuse(id, kind, 403, &[name], "No such channel");
            }
            let name = channel.name.clone();
            return self.refuse(id, kind, 404, &[&name], "Cannot send to channel");
        }
        let target = [prefixes, &channel.name].concat();
        let outgoing = spoken(from, &self.message_id(), message, kind, &target, text);
        self.messages_sent += 1;
        // Who is an operator matters to a message with a prefix alone.
        let statuses = if prefixes.is_empty() { BTreeMap::new() } else { channel.members.clone() };
        let may_hear = |status: &Status| match prefixes.contains(&b'+') {
            true => status.is_operator || status.has_voice,
            false => status.is_operator,
        };
        self.send_channel(&key, &outgoing, |member, user| {
            member != id
                && (prefixes.is_empty() || statuses.get(&member).is_some_and(may_hear))
                && (kind != Kind::Tags || user.capabilities.has(Capability::MessageTags))
        });
        self.echo(id, kind, &outgoing);
    }

    fn tell(&mut self, to: UserId, kind: Kind, message: &Outgoing) {
        let has_tags = |user: &User| user.capabilities.has(Capability::MessageTags);
        if kind != Kind::Tags || self.users.get(&to).is_some_and(|user| has_tags(user)) {
            self.send(to, message);
        }
    }

    fn echo(&mut self, id: UserId, kind: Kind, message: &Outgoing) {
        if self.users.get(&id).is_some_and(|user| user.capabilities.has(Capability::EchoMessage)) {
            self.tell(id, kind, message);
        }
    }
}

/// A message as others see it: with the source, the account, its number, and the tags of clients.
fn spoken(
    from: &User,
    number: &str,
    message: &Message<'_>,
    kind: Kind,
    target: &[u8],
    text: &[u8],
) -> Outgoing {
    let outgoing = Outgoing::new(&from.source(), kind.name()).param(target);
    let outgoing = if kind == Kind::Tags { outgoing } else { outgoing.text(text) };
    let has_tags = from.capabilities.has(Capability::MessageTags);
    let mut tags = format!("msgid={number}").into_bytes();
    if from.modes.is_bot {
        tags.extend_from_slice(b";bot");
    }
    let of_client = message.raw_tags().split(|byte| *byte == b';');
    for tag in of_client.filter(|tag| has_tags && tag.starts_with(b"+")) {
        tags.push(b';');
        tags.extend_from_slice(tag);
    }
    outgoing.account(from.account.as_deref()).message_tags(tags)
}
