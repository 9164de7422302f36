//! Presence in a room: entering, another nick, leaving (XEP-0045 7.1, 7.2, 7.6, 7.14). Pure.

use std::time::SystemTime;

use super::{
    Affiliation, Role, Room, RoomsConfig,
    history::Wanted,
    nick::comparable,
    room::{Occupant, Told},
};
use crate::xmpp::{
    codec::{Element, Jid, Presence, PresenceKind, StanzaCondition, StanzaError, ns},
    server::bounce::{auth, cancel, modify, wait},
};

impl Room {
    /// Presence from somebody to a nick of the room, or to the room.
    pub(super) fn presence_received(
        &mut self,
        presence: &Presence,
        limits: &RoomsConfig,
        is_new: bool,
        now: SystemTime,
        out: &mut Vec<Element>,
    ) -> Result<(), StanzaError> {
        let (Some(from), Some(to)) = (presence.from(), presence.to()) else { return Ok(()) };
        let known = self.nicks.get(from).cloned();
        match (presence.kind(), known, to.resource()) {
            (Some(PresenceKind::Available), None, Some(nick)) => {
                self.enter(presence, nick, limits, is_new, now, out)
            }
            // Without a nick, there is none to enter with.
            (Some(PresenceKind::Available), None, None) => {
                Err(modify(StanzaCondition::JidMalformed))
            }
            (Some(PresenceKind::Available), Some(known), nick) => {
                let nick = nick.unwrap_or(&known).to_owned();
                self.changed(presence, &known, &nick, limits, now, out)
            }
            (Some(PresenceKind::Unavailable | PresenceKind::Error), Some(known), _) => {
                if let Some(occupant) = self.occupants.get_mut(&known) {
                    let is_leave = presence.kind() == Some(PresenceKind::Unavailable);
                    // Too long words are no reason to stay.
                    let said = checked_extensions(presence, limits).unwrap_or_default();
                    occupant.presence = if is_leave { said } else { Vec::new() };
                }
                self.remove(&known, Told::default(), out);
                Ok(())
            }
            // Subscriptions and probes of rooms have no meaning.
            _ => Ok(()),
        }
    }

    /// Why somebody may not enter.
    fn admit(
        &self,
        from: &Jid,
        nick: &str,
        x: &Element,
        limits: &RoomsConfig,
    ) -> Result<(), StanzaError> {
        let affiliation = self.affiliation(from);
        let max = self.settings.occupants_max.unwrap_or(limits.occupants_max);
        let max = max.min(limits.occupants_max);
        let password = x.child("password", ns::MUC).map(Element::text);
        let needs_password = self.settings.password.as_ref().is_some_and(|wanted| {
            let given = password.unwrap_or_default();
            !sinew_auth::is_equal(wanted.as_bytes(), given.as_bytes())
        });
        match affiliation {
            Affiliation::Outcast => Err(auth(StanzaCondition::Forbidden)),
            affiliation if self.is_locked && affiliation != Affiliation::Owner => {
                Err(cancel(StanzaCondition::ItemNotFound))
            }
            // Owners need no password for their own room.
            affiliation if needs_password && affiliation != Affiliation::Owner => {
                Err(auth(StanzaCondition::NotAuthorized))
            }
            affiliation if self.settings.is_members_only && affiliation < Affiliation::Member => {
                Err(auth(StanzaCondition::RegistrationRequired))
            }
            affiliation if self.occupants.len() >= max && affiliation < Affiliation::Admin => {
                Err(wait(StanzaCondition::ServiceUnavailable))
            }
            // Owners and admins are bounded as well, by twice the limit.
            _ if self.occupants.len() >= limits.occupants_max.saturating_mul(2) => {
                Err(wait(StanzaCondition::ServiceUnavailable))
            }
            _ => self.check_nick(nick, None, limits),
        }
    }

    /// A nick that looks like that of somebody else would be taken for it. `own` is the nick that is given up for it.
    fn check_nick(
        &self,
        nick: &str,
        own: Option<&str>,
        limits: &RoomsConfig,
    ) -> Result<(), StanzaError> {
        let compared = comparable(nick);
        if nick.len() > limits.nick_max || compared.is_empty() {
            return Err(modify(StanzaCondition::NotAcceptable));
        }
        let mut others = self.occupants.keys().filter(|other| Some(other.as_str()) != own);
        match others.any(|other| comparable(other) == compared) {
            true => Err(cancel(StanzaCondition::Conflict)),
            false => Ok(()),
        }
    }

    fn enter(
        &mut self,
        presence: &Presence,
        nick: &str,
        limits: &RoomsConfig,
        is_new: bool,
        now: SystemTime,
        out: &mut Vec<Element>,
    ) -> Result<(), StanzaError> {
        let Some(from) = presence.from() else { return Ok(()) };
        // A client that believes to be in the room learns that it is not.
        let Some(x) = presence.child("x", ns::MUC) else {
            return Err(cancel(StanzaCondition::NotAcceptable));
        };
        self.admit(from, nick, x, limits)?;
        let extensions = checked_extensions(presence, limits)?;
        let role = self.affiliation(from).role(self.settings.is_moderated);
        let occupant = Occupant { jid: from.clone(), role, presence: extensions };
        self.occupants.insert(nick.to_owned(), occupant);
        self.nicks.insert(from.clone(), nick.to_owned());
        self.tell_newcomer(nick, out);
        let mut codes = Vec::new();
        if self.settings.shows_addresses {
            codes.push(100);
        }
        if is_new {
            codes.push(201);
        }
        self.announce(nick, Told { own_codes: &codes, ..Told::default() }, out);
        self.tell_history(nick, Wanted::read(x), now, out);
        Ok(())
    }

    /// Who is there already.
    fn tell_newcomer(&self, nick: &str, out: &mut Vec<Element>) {
        let Some(newcomer) = self.occupants.get(nick) else { return };
        for (other, occupant) in self.occupants.iter().filter(|(other, _)| *other != nick) {
            out.push(self.presence(other, occupant, newcomer, false, Told::default()));
        }
    }

    /// What was said, and then the subject, with which an entry ends (XEP-0045 7.2.15).
    fn tell_history(&self, nick: &str, wanted: Wanted, now: SystemTime, out: &mut Vec<Element>) {
        let Some(newcomer) = self.occupants.get(nick) else { return };
        let to = newcomer.jid.to_string();
        let mut shown = self.history.shown(&self.jid, wanted, now);
        let older = shown.len().saturating_sub(self.settings.history);
        for message in shown.drain(older..) {
            out.push(message.with_attribute("to", to.as_str()));
        }
        let subject = self.subject.clone().unwrap_or_else(|| {
            Element::new("message", ns::CLIENT)
                .with_attribute("from", self.jid.to_string())
                .with_attribute("type", "groupchat")
                .with_child(Element::new("subject", ns::CLIENT))
        });
        out.push(subject.with_attribute("to", to));
    }

    /// Presence of an occupant: other words, another nick, or an entry of a client that has forgotten the first one.
    fn changed(
        &mut self,
        presence: &Presence,
        known: &str,
        nick: &str,
        limits: &RoomsConfig,
        now: SystemTime,
        out: &mut Vec<Element>,
    ) -> Result<(), StanzaError> {
        let extensions = checked_extensions(presence, limits)?;
        if nick != known {
            self.check_nick(nick, Some(known), limits)?;
            let told = Told { codes: &[303], new_nick: Some(nick), ..Told::default() };
            self.announce(known, told, out);
            let Some(mut occupant) = self.occupants.remove(known) else { return Ok(()) };
            occupant.presence = extensions;
            self.nicks.insert(occupant.jid.clone(), nick.to_owned());
            self.occupants.insert(nick.to_owned(), occupant);
            self.announce(nick, Told::default(), out);
            return Ok(());
        }
        if let Some(occupant) = self.occupants.get_mut(nick) {
            occupant.presence = extensions;
        }
        let enters_again = presence.child("x", ns::MUC);
        if enters_again.is_some() {
            self.tell_newcomer(nick, out);
        }
        let codes: &[u16] = match enters_again {
            Some(_) if self.settings.shows_addresses => &[100],
            _ => &[],
        };
        self.announce(nick, Told { own_codes: codes, ..Told::default() }, out);
        if let Some(x) = enters_again {
            self.tell_history(nick, Wanted::read(x), now, out);
        }
        Ok(())
    }

    /// A delivery to an occupant has failed for good: its client is gone.
    pub(super) fn gone(&mut self, from: &Jid, out: &mut Vec<Element>) {
        let Some(nick) = self.nicks.get(from).cloned() else { return };
        self.remove(&nick, Told { codes: &[307, 333], ..Told::default() }, out);
    }

    /// Gives an occupant the role that its affiliation has, or takes it out.
    pub(super) fn affiliation_changed(
        &mut self,
        nick: &str,
        told: Told<'_>,
        out: &mut Vec<Element>,
    ) {
        let Some(occupant) = self.occupants.get(nick) else { return };
        let affiliation = self.affiliation(&occupant.jid);
        let codes: &[u16] = match affiliation {
            Affiliation::Outcast => &[301],
            affiliation if self.settings.is_members_only && affiliation < Affiliation::Member => {
                &[321]
            }
            _ => &[],
        };
        if !codes.is_empty() {
            return self.remove(nick, Told { codes, ..told }, out);
        }
        let role = match affiliation.role(self.settings.is_moderated) {
            // Voice that was given stays; being a moderator by rank does not.
            Role::Visitor if occupant.role == Role::Participant => Role::Participant,
            role => role,
        };
        if let Some(occupant) = self.occupants.get_mut(nick) {
            occupant.role = role;
        }
        self.announce(nick, told, out);
    }
}

/// What is in presence, without what only the room may say.
fn extensions(presence: &Presence) -> Vec<Element> {
    let is_own = |child: &&Element| {
        !child.is("x", ns::MUC) && !child.is("x", ns::MUC_USER) && !child.is("error", ns::CLIENT)
    };
    presence.element().children().filter(is_own).cloned().collect()
}

fn checked_extensions(
    presence: &Presence,
    limits: &RoomsConfig,
) -> Result<Vec<Element>, StanzaError> {
    let extensions = extensions(presence);
    let mut room = limits.presence_max;
    for child in &extensions {
        // What cannot be written is not told either.
        let text = child.encode_at_most(ns::CLIENT, room);
        let text = text.map_err(|_| modify(StanzaCondition::PolicyViolation))?;
        room -= text.len();
    }
    Ok(extensions)
}
