//! What a room and its service say of themselves (XEP-0030, XEP-0045 6). Pure.

use super::{Affiliation, Room, Rooms, form::Form, rooms_config::LISTED_MAX};
use crate::xmpp::{
    codec::{Element, Jid, ns},
    server::server_queries::description,
};

/// What the service and each room can do.
const FEATURES: [&str; 5] = [ns::DISCO_INFO, ns::DISCO_ITEMS, ns::MUC, ns::PING, ns::MUC_SELF_PING];

fn described(name: &str, features: &[&str]) -> Element {
    let features: Vec<_> = FEATURES.iter().chain(features).copied().collect();
    description(("conference", "text", name), &features)
}

impl Room {
    /// What the room is. What it talks about is for those who are in it or may enter it.
    pub(super) fn info(&self, from: &Jid) -> Element {
        let settings = &self.settings;
        let is_open = !settings.is_members_only && settings.password.is_none();
        let is_told = is_open
            || self.occupant_at(from).is_some()
            || self.affiliation(from) >= Affiliation::Member;
        let subject = self.subject().filter(|_| is_told).unwrap_or_default();
        let one = |is, yes, no| if is { yes } else { no };
        let features = [
            one(settings.is_public, "muc_public", "muc_hidden"),
            one(settings.is_members_only, "muc_membersonly", "muc_open"),
            one(settings.is_moderated, "muc_moderated", "muc_unmoderated"),
            one(settings.shows_addresses, "muc_nonanonymous", "muc_semianonymous"),
            one(settings.password.is_some(), "muc_passwordprotected", "muc_unsecured"),
            one(settings.is_persistent, "muc_persistent", "muc_temporary"),
        ];
        let name = match settings.name.as_str() {
            "" => self.jid.local().unwrap_or_default(),
            name => name,
        };
        let form = Form::new("result", ns::MUC_ROOMINFO)
            .field("muc#roominfo_description", "text-single", "Description", &settings.description)
            .field("muc#roominfo_subject", "text-single", "Subject", &subject)
            .field(
                "muc#roominfo_occupants",
                "text-single",
                "Number of occupants",
                &self.occupants.len().to_string(),
            );
        described(name, &features).with_child(form.into_element())
    }

    /// Who is in it: for occupants only.
    pub(super) fn items(&self, from: &Jid) -> Element {
        let mut query = Element::new("query", ns::DISCO_ITEMS);
        if self.occupant_at(from).is_some() {
            for nick in self.occupants.keys() {
                let item = Element::new("item", ns::DISCO_ITEMS);
                query.push(item.with_attribute("jid", self.address(nick)));
            }
        }
        query
    }
}

impl Rooms {
    /// What the service is.
    pub(super) fn info(&self) -> Element {
        described(&self.config.name, &[])
    }

    /// The rooms that are listed, and those that somebody is in or belongs to.
    pub(super) fn items(&self, from: &Jid) -> Element {
        let mut query = Element::new("query", ns::DISCO_ITEMS);
        let listed = self.rooms.values().filter(|room| {
            let is_listed = room.settings.is_public && !room.is_locked;
            is_listed || room.affiliation(from) >= Affiliation::Member
        });
        for room in listed.take(LISTED_MAX) {
            let name = match room.settings.name.as_str() {
                "" => room.jid.local().unwrap_or_default(),
                name => name,
            };
            let item = Element::new("item", ns::DISCO_ITEMS)
                .with_attribute("jid", room.jid.to_string())
                .with_attribute("name", name);
            query.push(item);
        }
        query
    }
}
