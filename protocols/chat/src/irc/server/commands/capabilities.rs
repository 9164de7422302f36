//! Capabilities of IRCv3: CAP, and which mechanisms of SASL are offered.

use sinew_auth::Mechanism;

use crate::irc::{
    codec::Message,
    server::{
        capability::{Capabilities, Capability},
        network::Network,
        outgoing::Outgoing,
        user::UserId,
    },
};

impl Network {
    pub(super) fn cap(&mut self, id: UserId, message: &Message<'_>) {
        let subcommand = message.params()[0].to_ascii_uppercase();
        let text = message.params().get(1).copied().unwrap_or_default();
        let Some(user) = self.users.get_mut(&id) else { return };
        match subcommand.as_slice() {
            b"LS" => {
                user.is_negotiating |= !user.is_registered;
                let version = str::from_utf8(text).ok().and_then(|text| text.parse::<u32>().ok());
                user.knows_302 |= version.is_some_and(|version| version >= 302);
                if user.knows_302 {
                    // Clients of this version are told of changes.
                    user.capabilities.set(Capability::CapNotify, true);
                }
                let knows_302 = user.knows_302;
                let list = self.offered(id, knows_302);
                let told = bits(&self.mechanisms(id));
                if let Some(user) = self.users.get_mut(&id) {
                    user.sasl_told = Some(told);
                }
                self.cap_reply(id, b"LS", list.as_bytes());
            }
            b"LIST" => {
                let on = user.capabilities;
                let names = Capability::ALL.iter().filter(|(_, capability)| on.has(*capability));
                let names: Vec<_> = names.map(|(name, _)| *name).collect();
                self.cap_reply(id, b"LIST", names.join(" ").as_bytes());
            }
            b"REQ" => {
                user.is_negotiating |= !user.is_registered;
                let now = user.capabilities;
                let fits = self.cap_front(id, b"ACK").room() >= " :".len() + text.len();
                // A list that is cut would be taken for another one.
                let wanted = self.requested(id, now, text).filter(|_| fits);
                match wanted {
                    Some(wanted) => {
                        let told = bits(&self.mechanisms(id));
                        if let Some(user) = self.users.get_mut(&id) {
                            user.capabilities = wanted;
                            user.sasl_told.get_or_insert(told);
                        }
                        self.cap_reply(id, b"ACK", text);
                    }
                    None => self.cap_reply(id, b"NAK", text),
                }
            }
            b"END" => {
                user.is_negotiating = false;
                self.try_welcome(id);
            }
            _ => self.reply(id, 410, &[message.params()[0]], "Invalid CAP command"),
        }
    }

    fn cap_reply(&mut self, id: UserId, subcommand: &[u8], text: &[u8]) {
        let message = self.cap_front(id, subcommand).text(text);
        self.send(id, &message);
    }

    fn cap_front(&self, id: UserId, subcommand: &[u8]) -> Outgoing {
        let nick = self.users.get(&id).map_or(&b"*"[..], |user| user.nick_or_star());
        Outgoing::new(self.config.name.as_bytes(), "CAP").param(nick).param(subcommand)
    }

    /// What a client can ask for. With version 302, with values.
    fn offered(&self, id: UserId, with_values: bool) -> String {
        let mechanisms = self.mechanisms(id);
        let names =
            Capability::ALL.iter().filter(|(name, _)| *name != "sasl" || !mechanisms.is_empty());
        let names = names.map(|(name, _)| match *name {
            "sasl" if with_values => with_names(&mechanisms),
            name => name.to_owned(),
        });
        names.collect::<Vec<_>>().join(" ")
    }

    /// The mechanisms of SASL that a client may use now.
    fn mechanisms(&self, id: UserId) -> Vec<Mechanism> {
        let (Some(accounts), Some(user)) = (&self.config.accounts, self.users.get(&id)) else {
            return Vec::new();
        };
        accounts.mechanisms(&user.wire.channel())
    }

    /// Tells those who want to know (IRCv3 cap-notify) that other mechanisms of SASL are offered than they were told, or none any more: the
    /// users of a server can have other kinds of hashes after a reload. A login that is under way goes on with a mechanism that is
    /// offered no more, and fails.
    pub(in crate::irc::server) fn tell_mechanisms(&mut self) {
        let told = self.users.iter().filter(|(_, user)| {
            user.sasl_told.is_some() && user.capabilities.has(Capability::CapNotify)
        });
        let told: Vec<UserId> = told.map(|(id, _)| *id).collect();
        for id in told {
            let mechanisms = self.mechanisms(id);
            let Some(user) = self.users.get_mut(&id) else { continue };
            let before = user.sasl_told.replace(bits(&mechanisms)).unwrap_or_default();
            match (before, bits(&mechanisms)) {
                (before, now) if before == now => {}
                (_, 0) => {
                    user.capabilities.set(Capability::Sasl, false);
                    self.cap_reply(id, b"DEL", b"sasl");
                }
                _ if user.knows_302 => {
                    self.cap_reply(id, b"NEW", with_names(&mechanisms).as_bytes());
                }
                // It is told no values, and knows that there are some mechanisms.
                (0, _) => self.cap_reply(id, b"NEW", b"sasl"),
                _ => {}
            }
        }
    }

    /// All that is asked for, or nothing.
    fn requested(
        &self,
        id: UserId,
        mut capabilities: Capabilities,
        names: &[u8],
    ) -> Option<Capabilities> {
        for name in str::from_utf8(names).ok()?.split_ascii_whitespace() {
            let (name, is_on) = name.strip_prefix('-').map_or((name, true), |name| (name, false));
            let capability = Capability::by_name(name)?;
            if capability == Capability::Sasl && is_on && self.mechanisms(id).is_empty() {
                return None;
            }
            capabilities.set(capability, is_on);
        }
        Some(capabilities)
    }
}

fn with_names(mechanisms: &[Mechanism]) -> String {
    let names: Vec<_> = mechanisms.iter().map(|mechanism| mechanism.name()).collect();
    format!("sasl={}", names.join(","))
}

/// Mechanisms as one bit each.
fn bits(mechanisms: &[Mechanism]) -> u16 {
    let place = |mechanism| Mechanism::ALL.iter().position(|known| *known == mechanism);
    mechanisms.iter().filter_map(|mechanism| place(*mechanism)).fold(0, |bits, at| bits | 1 << at)
}
