//! AWAY and SETNAME: what users say of themselves.

use super::channels::TEXT_MAX;
use crate::irc::{
    codec::{Message, cut_at_character},
    server::{
        capability::Capability,
        network::Network,
        outgoing::Outgoing,
        user::{User, UserId},
    },
};

/// Longest real name.
pub(super) const NAME_MAX: usize = 150;

impl Network {
    pub(super) fn away(&mut self, id: UserId, message: &Message<'_>) {
        let Some(user) = self.users.get_mut(&id) else { return };
        let text = message.params().first().copied().filter(|text| !text.is_empty());
        user.away = text.map(|text| cut_at_character(text, TEXT_MAX).to_vec());
        let away = Outgoing::new(&user.source(), "AWAY").account(user.account.as_deref());
        let away = match &user.away {
            Some(text) => away.text(text),
            None => away,
        };
        match user.away.is_some() {
            true => self.reply(id, 306, &[], "You have been marked as being away"),
            false => self.reply(id, 305, &[], "You are no longer marked as being away"),
        }
        self.tell_peers(id, &away, |user| user.capabilities.has(Capability::AwayNotify));
    }

    pub(super) fn setname(&mut self, id: UserId, message: &Message<'_>) {
        let name = cut_at_character(message.params()[0], NAME_MAX);
        if name.is_empty() {
            let server = self.config.name.as_bytes();
            let fail = Outgoing::new(server, "FAIL")
                .param("SETNAME")
                .param("INVALID_REALNAME")
                .text("The name is empty");
            return self.send(id, &fail);
        }
        let Some(user) = self.users.get_mut(&id) else { return };
        user.real_name = name.to_vec();
        let setname =
            Outgoing::new(&user.source(), "SETNAME").text(name).account(user.account.as_deref());
        let has = |user: &User| user.capabilities.has(Capability::Setname);
        if has(user) {
            self.send(id, &setname);
        }
        self.tell_peers(id, &setname, has);
    }

    /// Tells all who share a channel, if they want to know.
    fn tell_peers(&mut self, id: UserId, message: &Outgoing, is_for: impl Fn(&User) -> bool) {
        for peer in self.peers(id) {
            if self.users.get(&peer).is_some_and(|user| is_for(user)) {
                self.send(peer, message);
            }
        }
    }
}
