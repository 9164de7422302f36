//! The rooms that a client is in (XEP-0045): [`Rooms`]. Pure, but for promises, which call nobody.

use std::collections::BTreeMap;

use sinew_transports::reactor::{DelayedCall, Promise};

use super::RequestError;
use crate::xmpp::codec::{Element, Jid, Presence, PresenceKind, ns};

#[derive(Default)]
pub(super) struct Rooms {
    by_jid: BTreeMap<Jid, Room>,
}

struct Room {
    /// The nick in the room; before the client is in it, the one that it wants.
    nick: String,
    password: Option<String>,
    is_joined: bool,
    /// The client has said that it leaves, and the room has not answered.
    is_leaving: bool,
    joining: Option<Joining>,
}

/// A join that the room has not answered: the first one, or another one while the client is in the room.
pub(super) struct Joining {
    pub(super) nick: String,
    pub(super) password: Option<String>,
    pub(super) promise: Promise<(), RequestError>,
    pub(super) timer: DelayedCall,
}

/// What presence means for a room.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Change {
    Nothing,
    Joined,
    Left,
}

impl Rooms {
    pub(super) fn len(&self) -> usize {
        self.by_jid.len()
    }

    pub(super) fn contains(&self, room: &Jid) -> bool {
        self.by_jid.contains_key(room)
    }

    pub(super) fn names(&self) -> Vec<Jid> {
        let joined = self.by_jid.iter().filter(|(_, room)| room.is_joined);
        joined.map(|(jid, _)| jid.clone()).collect()
    }

    pub(super) fn nick(&self, room: &Jid) -> Option<&str> {
        self.by_jid.get(room).map(|room| room.nick.as_str())
    }

    /// The client has asked to be in a room. If it is in it, it still is until the room answers, and also if the room refuses.
    pub(super) fn joining(&mut self, jid: Jid, joining: Joining) {
        let room = self.by_jid.entry(jid).or_insert_with(|| Room {
            nick: String::new(),
            password: None,
            is_joined: false,
            is_leaving: false,
            joining: None,
        });
        if !room.is_joined {
            room.nick.clone_from(&joining.nick);
            room.password.clone_from(&joining.password);
        }
        if let Some(before) = room.joining.replace(joining) {
            before.settle(Err(RequestError::Lost));
        }
    }

    /// The session is over, and the client in no room any more. Those that it was about to leave are left.
    pub(super) fn session_ended(&mut self) {
        self.by_jid.retain(|_, room| {
            room.is_joined = false;
            room.settle(Err(RequestError::Lost));
            !room.is_leaving
        });
    }

    /// What to send to be in the rooms again.
    pub(super) fn entries(&self) -> Vec<Presence> {
        let entries = self.by_jid.iter();
        entries.filter_map(|(jid, room)| entry(jid, &room.nick, room.password.as_deref())).collect()
    }

    pub(super) fn forget_all(&mut self) {
        self.by_jid.clear();
    }

    /// A join was not answered in time. One that was, by now, is left alone.
    pub(super) fn timed_out(&mut self, jid: &Jid, error: RequestError) {
        if let Some(room) = self.by_jid.get_mut(jid).filter(|room| room.joining.is_some()) {
            room.settle(Err(error));
            if !room.is_joined {
                self.by_jid.remove(jid);
            }
        }
    }

    /// The client is about to leave a room. Returns its nick there, and whether it is in it; if it is not, the room is forgotten.
    pub(super) fn leave(&mut self, jid: &Jid) -> Option<(String, bool)> {
        let room = self.by_jid.get_mut(jid)?;
        room.settle(Err(RequestError::Lost));
        let (nick, is_joined) = (room.nick.clone(), room.is_joined);
        if !is_joined {
            self.by_jid.remove(jid);
        }
        Some((nick, is_joined))
    }

    /// The room was told that the client leaves.
    pub(super) fn leaving(&mut self, jid: &Jid) {
        if let Some(room) = self.by_jid.get_mut(jid) {
            room.is_leaving = true;
        }
    }

    /// Presence from a room.
    pub(super) fn presence(&mut self, presence: &Presence) -> Change {
        let Some(from) = presence.from() else { return Change::Nothing };
        let jid = from.bare();
        let Some(room) = self.by_jid.get_mut(&jid) else { return Change::Nothing };
        match presence.kind() {
            Some(PresenceKind::Available) if has_status(presence, "110") => {
                room.accepted(from.resource())
            }
            // 303: the same occupant under another nick.
            Some(PresenceKind::Unavailable)
                if (from.resource() == Some(&room.nick) || has_status(presence, "110"))
                    && !has_status(presence, "303") =>
            {
                let was_joined = room.is_joined;
                if !room.begins_again() {
                    room.settle(Err(RequestError::Lost));
                    self.by_jid.remove(&jid);
                }
                if was_joined { Change::Left } else { Change::Nothing }
            }
            Some(PresenceKind::Error) if room.is_refused(from.resource()) => {
                let Some(error) = presence.error() else { return Change::Nothing };
                // In a new session nobody waits for it.
                let is_awaited = room.joining.is_some();
                room.settle(Err(RequestError::Refused(error)));
                // Another nick was refused, or the like: the client is still in the room.
                if !room.is_joined {
                    self.by_jid.remove(&jid);
                }
                if is_awaited { Change::Nothing } else { Change::Left }
            }
            _ => Change::Nothing,
        }
    }
}

impl Room {
    fn settle(&mut self, result: Result<(), RequestError>) {
        if let Some(joining) = self.joining.take() {
            joining.settle(result);
        }
    }

    /// The room says that the client is in it, under this nick.
    fn accepted(&mut self, nick: Option<&str>) -> Change {
        if let Some(nick) = nick {
            nick.clone_into(&mut self.nick);
        }
        if let Some(joining) = &self.joining {
            self.password.clone_from(&joining.password);
            self.is_leaving = false;
        }
        self.settle(Ok(()));
        match std::mem::replace(&mut self.is_joined, true) {
            true => Change::Nothing,
            false => Change::Joined,
        }
    }

    /// The client has left the room. Returns whether it has asked to be in it again since it said that it leaves.
    fn begins_again(&mut self) -> bool {
        let Some(joining) = self.joining.as_ref().filter(|_| self.is_leaving) else { return false };
        self.nick.clone_from(&joining.nick);
        self.password.clone_from(&joining.password);
        (self.is_joined, self.is_leaving) = (false, false);
        true
    }

    /// Whether an error from there is the answer to an entry.
    fn is_refused(&self, nick: Option<&str>) -> bool {
        let is_own = |own: &str| nick.is_none_or(|nick| nick == own);
        match &self.joining {
            Some(joining) => is_own(&joining.nick) || (self.is_joined && is_own(&self.nick)),
            None => !self.is_joined && is_own(&self.nick),
        }
    }
}

impl Joining {
    fn settle(self, result: Result<(), RequestError>) {
        self.timer.cancel();
        self.promise.settle(result);
    }
}

/// The presence that enters a room.
pub(super) fn entry(room: &Jid, nick: &str, password: Option<&str>) -> Option<Presence> {
    let to = room.with_resource(nick).ok()?;
    let mut entry = Element::new("x", ns::MUC);
    if let Some(password) = password {
        entry.push(Element::new("password", ns::MUC).with_text(password));
    }
    Some(Presence::directed(PresenceKind::Available, to).with(entry))
}

fn has_status(presence: &Presence, code: &str) -> bool {
    let user = presence.child("x", ns::MUC_USER);
    user.is_some_and(|user| {
        let mut all = user.children().filter(|status| status.is("status", ns::MUC_USER));
        all.any(|status| status.attribute("code") == Some(code))
    })
}
