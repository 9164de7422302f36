//! The rooms of a service: [`Rooms`], which is given stanzas and returns stanzas. Pure: it never reads a clock, and stores nothing.

use sinew_transports::reactor::with_causes;

use std::{
    collections::{BTreeMap, BTreeSet},
    time::SystemTime,
};

use super::{Affiliation, RecordError, Room, RoomsConfig};
use crate::xmpp::{
    codec::{
        Element, Iq, IqKind, Jid, Message, Presence, PresenceKind, Stanza, StanzaCondition,
        StanzaError, ns,
    },
    server::bounce::{auth, cancel, error_of, result_of, wait},
};

/// All rooms of a service (XEP-0045), without I/O: stanzas in, stanzas out.
///
/// # Examples
///
/// ```
/// use std::time::SystemTime;
///
/// use sinew_chat::xmpp::{
///     codec::{Element, Jid, Presence, PresenceKind, ns},
///     server::rooms::{Affiliation, Rooms, RoomsConfig},
/// };
///
/// let mut rooms = Rooms::new("rooms.example.org".parse()?, RoomsConfig::default());
/// let (ann, room): (Jid, Jid) = ("ann@example.org/desk".parse()?, "club@rooms.example.org".parse()?);
/// let enter = Presence::directed(PresenceKind::Available, room.with_resource("Ann")?)
///     .with_from(ann.clone())
///     .with(Element::new("x", ns::MUC));
/// let answers = rooms.stanza_received(enter.into(), SystemTime::now());
/// // Her own presence, and the subject.
/// assert_eq!(answers.len(), 2);
/// let room = rooms.room(&room).ok_or("there is a room")?;
/// assert_eq!(room.affiliation(&ann), Affiliation::Owner);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct Rooms {
    domain: Jid,
    pub(super) config: RoomsConfig,
    pub(super) rooms: BTreeMap<Jid, Room>,
    /// Those that are stored.
    stored: BTreeSet<Jid>,
    changes: BTreeMap<Jid, RoomChange>,
}

/// What is to be stored of a room.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum RoomChange {
    /// This, in place of what is stored. [`Rooms::restore`] reads it.
    Save(String),
    /// Nothing any more.
    Remove,
}

impl Rooms {
    /// No rooms yet. Of the address only the domain counts.
    #[must_use]
    pub fn new(domain: Jid, config: RoomsConfig) -> Self {
        Self {
            domain: domain.of_domain(),
            config,
            rooms: BTreeMap::new(),
            stored: BTreeSet::new(),
            changes: BTreeMap::new(),
        }
    }

    /// A room.
    #[must_use]
    pub fn room(&self, jid: &Jid) -> Option<&Room> {
        self.rooms.get(jid)
    }

    /// All rooms, by their addresses.
    pub fn rooms(&self) -> impl Iterator<Item = &Room> {
        self.rooms.values()
    }

    /// Takes over a room that was stored.
    ///
    /// # Errors
    ///
    /// [`RecordError`]: it is not a room of this service.
    pub fn restore(&mut self, record: &str) -> Result<(), RecordError> {
        let room = Room::from_record(record, &self.config)?;
        if room.jid.domain() != self.domain.domain() {
            return Err(RecordError::Value { what: "an address of another domain" });
        }
        self.stored.insert(room.jid.clone());
        self.rooms.insert(room.jid.clone(), room);
        Ok(())
    }

    /// The rooms that are to be stored differently since the last call.
    pub fn take_changes(&mut self) -> BTreeMap<Jid, RoomChange> {
        std::mem::take(&mut self.changes)
    }

    /// A stanza to the service or to a room, with the addresses that the server has checked. Returns what is to be sent.
    pub fn stanza_received(&mut self, stanza: Element, now: SystemTime) -> Vec<Element> {
        let mut out = Vec::new();
        let refusal = match Stanza::try_from(stanza.clone()) {
            Ok(Stanza::Presence(presence)) => self.presence_received(&presence, now, &mut out),
            Ok(Stanza::Message(message)) => self.message_received(&message, now, &mut out),
            Ok(Stanza::Iq(iq)) => self.iq_received(&iq, &mut out),
            Err(problem) => {
                tracing::debug!(%problem, "what is no stanza is ignored by the rooms");
                return out;
            }
        };
        if let Err(error) = refusal {
            let mut answer = error_of(&stanza, &error);
            // XEP-0045 7.2: by it, clients know which errors are those of a room.
            if let Some(answer) = answer.as_mut().filter(|answer| answer.name() == "presence") {
                answer.push(Element::new("x", ns::MUC));
            }
            out.extend(answer);
        }
        self.settle(&stanza);
        out
    }

    /// The room may be over, or what is stored of it may have changed.
    fn settle(&mut self, stanza: &Element) {
        let jid = stanza.attribute("to").and_then(|to| to.parse::<Jid>().ok()).map(|to| to.bare());
        let Some((jid, room)) =
            jid.and_then(|jid| self.rooms.get_mut(&jid).map(|room| (jid, room)))
        else {
            return;
        };
        let is_over = room.is_over();
        let is_kept = room.settings.is_persistent && !room.is_locked && !is_over;
        let is_changed = std::mem::take(&mut room.is_changed) || !self.stored.contains(&jid);
        if is_kept && is_changed {
            match room.to_record() {
                Ok(record) => {
                    self.stored.insert(jid.clone());
                    self.changes.insert(jid.clone(), RoomChange::Save(record));
                }
                Err(error) => {
                    tracing::warn!(error = %with_causes(&error), room = %jid, "a room cannot be stored")
                }
            }
        } else if !is_kept && self.stored.remove(&jid) {
            self.changes.insert(jid.clone(), RoomChange::Remove);
        }
        if is_over {
            self.rooms.remove(&jid);
        }
    }

    fn presence_received(
        &mut self,
        presence: &Presence,
        now: SystemTime,
        out: &mut Vec<Element>,
    ) -> Result<(), StanzaError> {
        let (Some(from), Some(to)) = (presence.from(), presence.to()) else { return Ok(()) };
        let jid = to.bare();
        if jid.local().is_none() {
            return Ok(());
        }
        let is_entry = presence.kind() == Some(PresenceKind::Available)
            && presence.child("x", ns::MUC).is_some()
            && to.resource().is_some();
        let is_in = self.rooms.get(&jid).is_some_and(|room| room.occupant_at(from).is_some());
        let max = self.config.rooms_of_member_max;
        let full = || wait(StanzaCondition::ResourceConstraint);
        if is_entry && !is_in {
            let entered = self.rooms.values().filter(|room| room.occupant_at(from).is_some());
            if entered.count() >= max {
                return Err(full());
            }
        }
        if let Some(room) = self.rooms.get_mut(&jid) {
            return room.presence_received(presence, &self.config, false, now, out);
        }
        if !is_entry {
            // Who leaves a room that is gone is told nothing; who believes to be in it, that it is not.
            return match presence.kind() {
                Some(PresenceKind::Available) => Err(cancel(StanzaCondition::ItemNotFound)),
                _ => Ok(()),
            };
        }
        let made = self.rooms.values().filter(|room| room.is_made_by(from)).count();
        if self.rooms.len() >= self.config.rooms_max || made >= max {
            return Err(full());
        }
        let mut room = Room::new(jid.clone(), from, &self.config);
        room.presence_received(presence, &self.config, true, now, out)?;
        self.rooms.insert(jid, room);
        Ok(())
    }

    fn message_received(
        &mut self,
        message: &Message,
        now: SystemTime,
        out: &mut Vec<Element>,
    ) -> Result<(), StanzaError> {
        let Some(to) = message.to() else { return Ok(()) };
        match self.rooms.get_mut(&to.bare()) {
            Some(room) => room.message_received(message, &self.config, now, out),
            None => Err(cancel(StanzaCondition::ItemNotFound)),
        }
    }

    fn iq_received(&mut self, iq: &Iq, out: &mut Vec<Element>) -> Result<(), StanzaError> {
        let (Some(from), Some(to)) = (iq.from(), iq.to()) else { return Ok(()) };
        if let (Some(nick), Some(room)) = (to.resource(), self.rooms.get_mut(&to.bare())) {
            if iq.is_request() {
                return room.asked_of_occupant(iq, nick, out);
            }
            room.occupant_answered(iq, nick, out);
            return Ok(());
        }
        let (true, Some(payload)) = (iq.is_request(), iq.payload()) else { return Ok(()) };
        let is_described = payload.attribute("node").is_none();
        let answer = match (self.rooms.get_mut(&to.bare()), iq.kind(), payload.ns()) {
            (_, IqKind::Get, ns::DISCO_INFO | ns::DISCO_ITEMS) if !is_described => {
                return Err(cancel(StanzaCondition::ItemNotFound));
            }
            (None, IqKind::Get, ns::DISCO_INFO) if *to == self.domain => Some(self.info()),
            (None, IqKind::Get, ns::DISCO_ITEMS) if *to == self.domain => Some(self.items(from)),
            (None, IqKind::Get, ns::PING) if *to == self.domain => None,
            (None, ..) if *to == self.domain => return Err(StanzaError::service_unavailable()),
            (None, ..) => return Err(cancel(StanzaCondition::ItemNotFound)),
            (Some(room), ..) if is_hidden_from(room, from) => {
                return Err(auth(StanzaCondition::Forbidden));
            }
            (Some(room), IqKind::Get, ns::DISCO_INFO) => Some(room.info(from)),
            (Some(room), IqKind::Get, ns::DISCO_ITEMS) => Some(room.items(from)),
            (Some(_), IqKind::Get, ns::PING) => None,
            (Some(room), _, ns::MUC_ADMIN) => {
                return room.administered(iq, payload, &self.config, out);
            }
            (Some(room), _, ns::MUC_OWNER) => return room.owned(iq, payload, &self.config, out),
            _ => return Err(StanzaError::service_unavailable()),
        };
        out.push(result_of(iq.element(), answer));
        Ok(())
    }
}

/// Who is banned learns nothing of the room.
fn is_hidden_from(room: &Room, from: &Jid) -> bool {
    room.affiliation(from) == Affiliation::Outcast
}
