//! No sequence of stanzas breaks what always holds of rooms, and what is stored can be read again.

use std::collections::HashSet;

use proptest::prelude::*;
use sinew_chat::xmpp::{
    codec::{Jid, Stanza},
    server::rooms::{Affiliation, Role, Room, RoomChange, Rooms, RoomsConfig},
};

use super::script::{Script, admin, entry, jid, owner, submit};

const NAMES: [&str; 4] = ["ann", "bob", "cid", "dan"];

/// What somebody sends: one of these, about somebody.
fn stanza(what: usize, nick: &str, affiliation: Affiliation, role: Role, on: bool) -> String {
    let bit = if on { "1" } else { "0" };
    match what {
        0..=3 => entry(nick, "<password>s</password>"),
        4 => format!("<presence type='unavailable' to='club@rooms.b/{nick}'/>"),
        5 => format!("<presence to='club@rooms.b/{nick}'><show>away</show></presence>"),
        6 => "<message type='groupchat' to='club@rooms.b'><body>hi</body></message>".to_owned(),
        7 => "<message type='groupchat' to='club@rooms.b'><subject>s</subject></message>".to_owned(),
        8 => format!("<message type='chat' to='club@rooms.b/{nick}'><body>hi</body></message>"),
        9 | 10 => admin(&format!("<item jid='{nick}@b' affiliation='{}'/>", affiliation.as_str())),
        11 | 12 => admin(&format!("<item nick='{nick}' role='{}'/>", role.as_str())),
        13 => admin(&format!(
            "<item jid='ann@b' affiliation='{}'/><item jid='{nick}@b' affiliation='owner'/>",
            affiliation.as_str()
        )),
        14 => submit(&[("membersonly", bit)]),
        15 => submit(&[("persistentroom", bit), ("moderatedroom", bit)]),
        16 => submit(&[("passwordprotectedroom", bit), ("roomsecret", "s")]),
        17 => format!(
            "<message to='club@rooms.b'><x xmlns='http://jabber.org/protocol/muc#user'><invite to='{nick}@b'/></x></message>"
        ),
        18 => "<message type='error' to='club@rooms.b'><error><gone xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error></message>".to_owned(),
        19 if on => owner("<destroy/>"),
        19 => owner("<x xmlns='jabber:x:data' type='cancel'/>"),
        _ => format!("<iq type='get' id='1' to='club@rooms.b/{nick}'><ping xmlns='urn:xmpp:ping'/></iq>"),
    }
}

fn check(room: &Room) -> Result<(), TestCaseError> {
    let owners = room.affiliations().filter(|(_, known)| *known == Affiliation::Owner).count();
    prop_assert!(owners > 0, "a room has an owner");
    prop_assert!(
        room.affiliations().all(|(jid, known)| jid.is_bare() && known != Affiliation::None)
    );
    let mut addresses = HashSet::new();
    for (nick, occupant) in room.occupants() {
        prop_assert!(addresses.insert(occupant.jid().clone()), "{nick} is in the room twice");
        let affiliation = room.affiliation(occupant.jid());
        prop_assert!(affiliation > Affiliation::Outcast, "{nick} is banned");
        let is_stranger = affiliation < Affiliation::Member;
        prop_assert!(!(room.settings().is_members_only && is_stranger), "{nick} is no member");
        prop_assert!(occupant.role() > Role::None, "{nick} has no role");
        if affiliation >= Affiliation::Admin {
            prop_assert_eq!(occupant.role(), Role::Moderator, "{}", nick);
        }
    }
    prop_assert!(room.settings().is_persistent || room.occupants().count() > 0, "nobody keeps it");
    Ok(())
}

proptest! {
    #[test]
    fn no_sequence_breaks_a_room(
        locks in any::<bool>(),
        steps in prop::collection::vec((0..21_usize, 0..4_usize, 0..4_usize, 0..5_usize, 0..4_usize, any::<bool>()), 0..120),
    ) {
        let mut script = Script::new(RoomsConfig::default().locks_new_rooms(locks).occupants_max(3));
        let mut stored: Option<String> = None;
        for (what, who, whom, affiliation, role, on) in steps {
            let xml = stanza(what, NAMES[whom], Affiliation::ALL[affiliation], Role::ALL[role], on);
            let out = script.send(NAMES[who], &xml);
            for sent in out {
                let from: Jid = sent.attribute("from").expect("it has a sender").parse().unwrap();
                prop_assert_eq!(from.domain(), "rooms.b");
                prop_assert!(sent.attribute("to").is_some() && Stanza::try_from(sent.clone()).is_ok(), "{:?}", sent);
            }
            for room in script.rooms.rooms() {
                check(room)?;
            }
            for change in script.rooms.take_changes().into_values() {
                stored = match change {
                    RoomChange::Save(record) => Some(record),
                    _ => None,
                };
            }
        }
        // What is stored is the room, if it is kept.
        let mut restored = Rooms::new(jid("rooms.b"), RoomsConfig::default());
        if let Some(record) = &stored {
            restored.restore(record).unwrap();
        }
        let kept = script.rooms.rooms().find(|room| room.settings().is_persistent && !room.is_locked());
        let again = restored.rooms().next();
        prop_assert_eq!(kept.is_some(), again.is_some());
        if let (Some(kept), Some(again)) = (kept, again) {
            prop_assert_eq!(kept.settings(), again.settings());
            prop_assert!(kept.affiliations().eq(again.affiliations()));
            prop_assert_eq!(kept.subject(), again.subject());
        }
    }
}
