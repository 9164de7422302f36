//! What moderators and admins do: roles and affiliations, changed and listed (XEP-0045 8, 9). Pure. Who may do what is in the tables of
//! `affiliation.rs`.

use super::{
    Affiliation, Role, Room, RoomsConfig, invitations::reason, room::Told, rooms_config::ITEMS_MAX,
};
use crate::xmpp::{
    codec::{Element, Iq, IqKind, Jid, StanzaCondition, StanzaError, ns},
    server::bounce::{auth, cancel, modify, result_of, wait},
};

/// One change that somebody asks for.
#[derive(Debug)]
enum Change {
    Role { nick: String, role: Role, reason: Option<String> },
    Affiliation { jid: Jid, affiliation: Affiliation, reason: Option<String> },
}

impl Change {
    fn is_of_same(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Role { nick, .. }, Self::Role { nick: other, .. }) => nick == other,
            (Self::Affiliation { jid, .. }, Self::Affiliation { jid: other, .. }) => jid == other,
            _ => false,
        }
    }
}

impl Room {
    /// A question of `muc#admin`.
    pub(super) fn administered(
        &mut self,
        iq: &Iq,
        query: &Element,
        limits: &RoomsConfig,
        out: &mut Vec<Element>,
    ) -> Result<(), StanzaError> {
        let Some(from) = iq.from() else { return Ok(()) };
        let items = query.children().filter(|child| child.is("item", ns::MUC_ADMIN));
        let items: Vec<_> = items.take(ITEMS_MAX + 1).collect();
        match items.len() {
            0 => return Err(modify(StanzaCondition::BadRequest)),
            1..=ITEMS_MAX => {}
            _ => return Err(modify(StanzaCondition::NotAcceptable)),
        }
        if iq.kind() == IqKind::Get {
            let answer = self.list(from, items[0])?;
            out.push(result_of(iq.element(), Some(answer)));
            return Ok(());
        }
        let own_role = self.occupant_at(from).map_or(Role::None, |(_, occupant)| occupant.role);
        // Before anything is looked up: the answers would say who is there.
        if self.affiliation(from) < Affiliation::Admin && own_role < Role::Moderator {
            return Err(auth(StanzaCondition::Forbidden));
        }
        let mut changes = Vec::new();
        for item in items {
            let change = self.change(item)?;
            // Each change is told to everybody: of one occupant there is one.
            if changes.iter().any(|known: &Change| known.is_of_same(&change)) {
                return Err(modify(StanzaCondition::BadRequest));
            }
            changes.push(change);
        }
        // Who becomes an admin is a moderator, whatever another item says.
        let roles = changes.iter().filter(|change| matches!(change, Change::Role { .. })).count();
        if roles != 0 && roles != changes.len() {
            return Err(modify(StanzaCondition::BadRequest));
        }
        // All of them or none.
        self.check(from, &changes, limits)?;
        for change in changes {
            self.apply(from, change, out);
        }
        out.push(result_of(iq.element(), None));
        Ok(())
    }

    fn list(&self, from: &Jid, item: &Element) -> Result<Element, StanzaError> {
        let own_role = self.occupant_at(from).map_or(Role::None, |(_, occupant)| occupant.role);
        let affiliation = item.attribute("affiliation").and_then(Affiliation::from_word);
        let role = item.attribute("role").and_then(Role::from_word);
        let mut query = Element::new("query", ns::MUC_ADMIN);
        match (affiliation, role) {
            (Some(Affiliation::None), _) | (_, Some(Role::None)) | (None, None) => {
                return Err(modify(StanzaCondition::BadRequest));
            }
            (Some(affiliation), _) => {
                // Members of a room for members may know each other, if the room hides no addresses.
                let is_among_members = self.settings.is_members_only
                    && self.settings.shows_addresses
                    && affiliation >= Affiliation::Member;
                let own = self.affiliation(from);
                if own < Affiliation::Admin
                    && !(is_among_members && own >= Affiliation::Member && own_role > Role::None)
                {
                    return Err(auth(StanzaCondition::Forbidden));
                }
                for (jid, _) in self.affiliations.iter().filter(|(_, of)| **of == affiliation) {
                    let item = Element::new("item", ns::MUC_ADMIN)
                        .with_attribute("affiliation", affiliation.as_str());
                    query.push(item.with_attribute("jid", jid.to_string()));
                }
            }
            (None, Some(role)) => {
                if own_role < Role::Moderator {
                    return Err(auth(StanzaCondition::Forbidden));
                }
                for (nick, occupant) in self.occupants.iter().filter(|(_, of)| of.role == role) {
                    let affiliation = self.affiliation(&occupant.jid);
                    let item = Element::new("item", ns::MUC_ADMIN)
                        .with_attribute("affiliation", affiliation.as_str())
                        .with_attribute("jid", occupant.jid.to_string())
                        .with_attribute("nick", nick.as_str())
                        .with_attribute("role", role.as_str());
                    query.push(item);
                }
            }
        }
        Ok(query)
    }

    fn change(&self, item: &Element) -> Result<Change, StanzaError> {
        let bad = || modify(StanzaCondition::BadRequest);
        let (nick, jid) = (item.attribute("nick"), item.attribute("jid"));
        let reason = reason(item, ns::MUC_ADMIN);
        match (item.attribute("role"), item.attribute("affiliation")) {
            (Some(role), None) => {
                let role = Role::from_word(role).ok_or_else(bad)?;
                let nick = nick.ok_or_else(bad)?.to_owned();
                Ok(Change::Role { nick, role, reason })
            }
            (None, Some(affiliation)) => {
                let affiliation = Affiliation::from_word(affiliation).ok_or_else(bad)?;
                let jid = match (jid, nick) {
                    (Some(jid), _) => {
                        jid.parse().map_err(|_| modify(StanzaCondition::JidMalformed))?
                    }
                    (None, Some(nick)) => {
                        let occupant = self.occupants.get(nick);
                        occupant.ok_or_else(|| cancel(StanzaCondition::ItemNotFound))?.jid.clone()
                    }
                    (None, None) => return Err(bad()),
                };
                Ok(Change::Affiliation { jid: jid.bare(), affiliation, reason })
            }
            _ => Err(bad()),
        }
    }

    /// Whether somebody may make these changes, and the room is right after them.
    fn check(
        &self,
        from: &Jid,
        changes: &[Change],
        limits: &RoomsConfig,
    ) -> Result<(), StanzaError> {
        let own = self.affiliation(from);
        let own_role = self.occupant_at(from).map_or(Role::None, |(_, occupant)| occupant.role);
        let mut after = self.affiliations.clone();
        for change in changes {
            match change {
                Change::Role { nick, role, .. } => {
                    if own_role < Role::Moderator {
                        return Err(auth(StanzaCondition::Forbidden));
                    }
                    let Some(occupant) = self.occupants.get(nick) else {
                        return Err(cancel(StanzaCondition::ItemNotFound));
                    };
                    let of = self.affiliation(&occupant.jid);
                    if !own.may_change_role(of, occupant.role, *role) {
                        return Err(cancel(StanzaCondition::NotAllowed));
                    }
                }
                Change::Affiliation { jid, affiliation, .. } => {
                    if own < Affiliation::Admin {
                        return Err(auth(StanzaCondition::Forbidden));
                    }
                    let before = self.affiliation(jid);
                    // XEP-0045 9.1: nobody bans itself.
                    if *affiliation == Affiliation::Outcast && *jid == from.bare() {
                        return Err(cancel(StanzaCondition::Conflict));
                    }
                    if !own.may_change(before, *affiliation) {
                        return Err(cancel(StanzaCondition::NotAllowed));
                    }
                    match affiliation {
                        Affiliation::None => after.remove(jid),
                        affiliation => after.insert(jid.clone(), *affiliation),
                    };
                }
            }
        }
        // XEP-0045 10.5: a room has an owner.
        if !after.values().any(|known| *known == Affiliation::Owner) {
            return Err(cancel(StanzaCondition::Conflict));
        }
        match after.len() > limits.affiliations_max && after.len() > self.affiliations.len() {
            true => Err(wait(StanzaCondition::ResourceConstraint)),
            false => Ok(()),
        }
    }

    fn apply(&mut self, from: &Jid, change: Change, out: &mut Vec<Element>) {
        let actor = self.occupant_at(from).map(|(nick, _)| nick.to_owned());
        let actor = actor.as_deref();
        match change {
            Change::Role { nick, role: Role::None, reason } => {
                let told =
                    Told { codes: &[307], actor, reason: reason.as_deref(), ..Told::default() };
                self.remove(&nick, told, out);
            }
            Change::Role { nick, role, reason } => {
                // It may have been taken out by an earlier item.
                let Some(occupant) = self.occupants.get_mut(&nick) else { return };
                if std::mem::replace(&mut occupant.role, role) == role {
                    return;
                }
                let told = Told { actor, reason: reason.as_deref(), ..Told::default() };
                self.announce(&nick, told, out);
            }
            Change::Affiliation { jid, affiliation, reason } => {
                if affiliation == self.affiliation(&jid) {
                    return;
                }
                match affiliation {
                    Affiliation::None => self.affiliations.remove(&jid),
                    affiliation => self.affiliations.insert(jid.clone(), affiliation),
                };
                self.is_changed = true;
                let told = Told { actor, reason: reason.as_deref(), ..Told::default() };
                for nick in self.nicks_of(&jid) {
                    self.affiliation_changed(&nick, told, out);
                }
            }
        }
    }
}
