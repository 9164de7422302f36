//! A room: [`Room`], who is in it, and who is what to it. Pure. What occupants do is in `entry.rs`, `talk.rs`, `admin.rs` and `owner.rs`.
//!
//! What always holds:
//!
//! - a room has an owner;
//! - no two occupants have the same nick, and none has the same full address;
//! - no occupant is an outcast, and all in a room for members are members or more;
//! - admins and owners are moderators.

use std::collections::{BTreeMap, HashMap};

use super::{
    Affiliation, Role, RoomSettings, RoomsConfig, history::History,
    occupant_questions::OccupantQuestions,
};
use crate::xmpp::codec::{Element, Jid, ns};

/// A room of a service, and its occupants.
#[derive(Debug)]
pub struct Room {
    pub(super) jid: Jid,
    pub(super) settings: RoomSettings,
    /// The account that has made it: it may give the room away, but not make ever more of them. `None` if it was stored without.
    pub(super) made_by: Option<Jid>,
    /// By bare addresses; those without an affiliation are not in it.
    pub(super) affiliations: BTreeMap<Jid, Affiliation>,
    pub(super) occupants: BTreeMap<String, Occupant>,
    /// By full addresses.
    pub(super) nicks: HashMap<Jid, String>,
    /// The message that has set it, without a recipient.
    pub(super) subject: Option<Element>,
    pub(super) history: History,
    pub(super) questions: OccupantQuestions,
    pub(super) is_locked: bool,
    /// An owner has ended it.
    pub(super) is_destroyed: bool,
    /// What is stored of it has changed: how it is configured, affiliations, the subject.
    pub(super) is_changed: bool,
}

/// Somebody in a room.
#[derive(Debug)]
pub struct Occupant {
    pub(super) jid: Jid,
    pub(super) role: Role,
    /// What is in its presence.
    pub(super) presence: Vec<Element>,
}

impl Occupant {
    /// The full address.
    #[must_use]
    pub const fn jid(&self) -> &Jid {
        &self.jid
    }

    /// What the occupant may do now.
    #[must_use]
    pub const fn role(&self) -> Role {
        self.role
    }
}

/// What presence says beyond the occupant.
#[derive(Clone, Copy, Default)]
pub(super) struct Told<'a> {
    /// Codes of XEP-0045 15.6.2 for everybody.
    pub(super) codes: &'a [u16],
    /// For the occupant alone.
    pub(super) own_codes: &'a [u16],
    pub(super) new_nick: Option<&'a str>,
    pub(super) reason: Option<&'a str>,
    /// The nick of who has done it.
    pub(super) actor: Option<&'a str>,
    pub(super) destroy: Option<&'a Element>,
}

impl Room {
    /// A room that somebody has made by entering it.
    pub(super) fn new(jid: Jid, owner: &Jid, config: &RoomsConfig) -> Self {
        let mut room = Self::empty(jid);
        room.settings.history = room.settings.history.min(config.history_max);
        room.affiliations.insert(owner.bare(), Affiliation::Owner);
        room.made_by = Some(owner.bare());
        room.is_locked = config.locks_new_rooms;
        room
    }

    pub(super) fn empty(jid: Jid) -> Self {
        Self {
            jid,
            settings: RoomSettings::default(),
            made_by: None,
            affiliations: BTreeMap::new(),
            occupants: BTreeMap::new(),
            nicks: HashMap::new(),
            subject: None,
            history: History::default(),
            questions: OccupantQuestions::default(),
            is_locked: false,
            is_destroyed: false,
            is_changed: false,
        }
    }

    /// The address.
    #[must_use]
    pub const fn jid(&self) -> &Jid {
        &self.jid
    }

    /// How it is configured.
    #[must_use]
    pub const fn settings(&self) -> &RoomSettings {
        &self.settings
    }

    /// Whether nobody but owners may enter, since it was not configured yet.
    #[must_use]
    pub const fn is_locked(&self) -> bool {
        self.is_locked
    }

    /// Who is in it, by nicks.
    pub fn occupants(&self) -> impl Iterator<Item = (&str, &Occupant)> {
        self.occupants.iter().map(|(nick, occupant)| (nick.as_str(), occupant))
    }

    /// Owners, admins, members and outcasts, by bare addresses.
    pub fn affiliations(&self) -> impl Iterator<Item = (&Jid, Affiliation)> {
        self.affiliations.iter().map(|(jid, affiliation)| (jid, *affiliation))
    }

    /// What somebody is to the room.
    #[must_use]
    pub fn affiliation(&self, jid: &Jid) -> Affiliation {
        self.affiliations.get(&jid.bare()).copied().unwrap_or(Affiliation::None)
    }

    /// The subject.
    #[must_use]
    pub fn subject(&self) -> Option<String> {
        let subject = self.subject.as_ref()?.child("subject", ns::CLIENT)?;
        Some(subject.text()).filter(|text| !text.is_empty())
    }

    /// How many messages it keeps for those who enter.
    #[must_use]
    pub fn history_len(&self) -> usize {
        self.history.len()
    }

    /// Whether nothing keeps it.
    pub(super) fn is_over(&self) -> bool {
        self.is_destroyed || (self.occupants.is_empty() && !self.settings.is_persistent)
    }

    /// The nick and the occupant of a full address.
    pub(super) fn occupant_at(&self, jid: &Jid) -> Option<(&str, &Occupant)> {
        let nick = self.nicks.get(jid)?;
        self.occupants.get(nick).map(|occupant| (nick.as_str(), occupant))
    }

    /// The nicks of an account.
    pub(super) fn nicks_of(&self, jid: &Jid) -> Vec<String> {
        let all = self.occupants.iter();
        let own = all.filter(|(_, occupant)| occupant.jid.is_same_bare(jid));
        own.map(|(nick, _)| nick.clone()).collect()
    }

    /// Whether it counts as a room of this account.
    pub(super) fn is_made_by(&self, jid: &Jid) -> bool {
        match &self.made_by {
            Some(made_by) => made_by.is_same_bare(jid),
            None => self.affiliation(jid) == Affiliation::Owner,
        }
    }

    pub(super) fn owners(&self) -> usize {
        self.affiliations.values().filter(|known| **known == Affiliation::Owner).count()
    }

    /// The address of an occupant in the room.
    pub(super) fn address(&self, nick: &str) -> String {
        format!("{}/{nick}", self.jid)
    }

    /// Tells everybody, the occupant included, how the occupant is now.
    pub(super) fn announce(&self, nick: &str, told: Told<'_>, out: &mut Vec<Element>) {
        let Some(occupant) = self.occupants.get(nick) else { return };
        for (other, to) in &self.occupants {
            let is_own = other == nick;
            out.push(self.presence(nick, occupant, to, is_own, told));
        }
    }

    /// The presence of an occupant, as another one sees it.
    pub(super) fn presence(
        &self,
        nick: &str,
        of: &Occupant,
        to: &Occupant,
        is_own: bool,
        told: Told<'_>,
    ) -> Element {
        let affiliation = self.affiliation(&of.jid);
        let mut item = Element::new("item", ns::MUC_USER)
            .with_attribute("affiliation", affiliation.as_str())
            .with_attribute("role", of.role.as_str());
        if is_own || self.settings.shows_addresses || to.role == Role::Moderator {
            item.set_attribute("jid", of.jid.to_string());
        }
        if let Some(nick) = told.new_nick {
            item.set_attribute("nick", nick);
        }
        if let Some(actor) = told.actor {
            item.push(Element::new("actor", ns::MUC_USER).with_attribute("nick", actor));
        }
        if let Some(reason) = told.reason {
            item.push(Element::new("reason", ns::MUC_USER).with_text(reason));
        }
        let mut x = Element::new("x", ns::MUC_USER).with_child(item);
        x = told.destroy.map_or(x.clone(), |destroy| x.with_child(destroy.clone()));
        let own_codes: &[u16] = if is_own { told.own_codes } else { &[] };
        for code in is_own.then_some(&110).into_iter().chain(own_codes).chain(told.codes) {
            x.push(status(*code));
        }
        let mut presence =
            Element::new("presence", ns::CLIENT).with_attribute("from", self.address(nick));
        presence.set_attribute("to", to.jid.to_string());
        // Who is to be seen as leaving has no role any more, or gets another nick.
        if of.role == Role::None || told.new_nick.is_some() {
            presence.set_attribute("type", "unavailable");
        }
        for extension in &of.presence {
            presence.push(extension.clone());
        }
        presence.with_child(x)
    }

    /// Takes somebody out, and tells everybody. Questions that nobody will answer are refused.
    pub(super) fn remove(&mut self, nick: &str, told: Told<'_>, out: &mut Vec<Element>) {
        let Some(occupant) = self.occupants.get_mut(nick) else { return };
        occupant.role = Role::None;
        self.announce(nick, told, out);
        if let Some(occupant) = self.occupants.remove(nick) {
            self.nicks.remove(&occupant.jid);
            self.refuse_questions_of(&occupant.jid, out);
        }
    }

    /// A message of the room itself to all occupants.
    pub(super) fn notify(&self, codes: &[u16], out: &mut Vec<Element>) {
        let mut x = Element::new("x", ns::MUC_USER);
        for code in codes {
            x.push(status(*code));
        }
        for occupant in self.occupants.values() {
            let message = Element::new("message", ns::CLIENT)
                .with_attribute("from", self.jid.to_string())
                .with_attribute("to", occupant.jid.to_string())
                .with_attribute("type", "groupchat");
            out.push(message.with_child(x.clone()));
        }
    }
}

fn status(code: u16) -> Element {
    Element::new("status", ns::MUC_USER).with_attribute("code", code.to_string())
}
