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
    nick: String,
    password: Option<String>,
    is_joined: bool,
    joining: Option<(Promise<(), RequestError>, DelayedCall)>,
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

    pub(super) fn joining(
        &mut self,
        jid: Jid,
        nick: String,
        password: Option<String>,
        joining: (Promise<(), RequestError>, DelayedCall),
    ) {
        let room = Room { nick, password, is_joined: false, joining: Some(joining) };
        if let Some(before) = self.by_jid.insert(jid, room) {
            before.settle(Err(RequestError::Lost));
        }
    }

    /// The session is over, and the client in no room any more.
    pub(super) fn session_ended(&mut self) {
        for room in self.by_jid.values_mut() {
            room.is_joined = false;
            if let Some((promise, timer)) = room.joining.take() {
                timer.cancel();
                promise.reject(RequestError::Lost);
            }
        }
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
        if self.by_jid.get(jid).is_some_and(|room| room.joining.is_some())
            && let Some(room) = self.by_jid.remove(jid)
        {
            room.settle(Err(error));
        }
    }

    pub(super) fn leave(&mut self, jid: &Jid) -> Option<String> {
        let room = self.by_jid.get_mut(jid)?;
        if let Some((promise, timer)) = room.joining.take() {
            timer.cancel();
            promise.reject(RequestError::Lost);
        }
        let nick = room.nick.clone();
        if !room.is_joined {
            self.by_jid.remove(jid);
        }
        Some(nick)
    }

    /// Presence from a room.
    pub(super) fn presence(&mut self, presence: &Presence) -> Change {
        let Some(from) = presence.from() else { return Change::Nothing };
        let jid = from.bare();
        let Some(room) = self.by_jid.get_mut(&jid) else { return Change::Nothing };
        let is_mine = from.resource() == Some(&room.nick);
        match presence.kind() {
            Some(PresenceKind::Available) if has_status(presence, "110") => {
                if let Some(nick) = from.resource() {
                    room.nick = nick.to_owned();
                }
                let was_joined = std::mem::replace(&mut room.is_joined, true);
                if let Some((promise, timer)) = room.joining.take() {
                    timer.cancel();
                    promise.resolve(());
                }
                if was_joined { Change::Nothing } else { Change::Joined }
            }
            // 303: the same occupant under another nick.
            Some(PresenceKind::Unavailable)
                if (is_mine || has_status(presence, "110")) && !has_status(presence, "303") =>
            {
                let room = self.by_jid.remove(&jid);
                let was_joined = room.as_ref().is_some_and(|room| room.is_joined);
                if let Some(room) = room {
                    room.settle(Err(RequestError::Lost));
                }
                if was_joined { Change::Left } else { Change::Nothing }
            }
            Some(PresenceKind::Error) if !room.is_joined && (is_mine || from.is_bare()) => {
                let (Some(room), Some(error)) = (self.by_jid.remove(&jid), presence.error()) else {
                    return Change::Nothing;
                };
                // In a new session nobody waits for it.
                let is_awaited = room.joining.is_some();
                room.settle(Err(RequestError::Refused(error)));
                if is_awaited { Change::Nothing } else { Change::Left }
            }
            _ => Change::Nothing,
        }
    }
}

impl Room {
    fn settle(self, result: Result<(), RequestError>) {
        if let Some((promise, timer)) = self.joining {
            timer.cancel();
            promise.settle(result);
        }
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
