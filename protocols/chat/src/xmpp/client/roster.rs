//! The contacts of an account, as the server has said: [`Roster`]. Pure.

use std::collections::BTreeMap;

use super::Contact;
use crate::xmpp::codec::{Element, Jid, ns};

#[derive(Debug, Default)]
pub(super) struct Roster {
    contacts: BTreeMap<Jid, Contact>,
}

impl Roster {
    /// All of it is new.
    pub(super) fn replace(&mut self, query: &Element, max: usize) {
        let items = query.children().filter(|item| item.is("item", ns::ROSTER));
        let contacts = items.filter_map(Contact::from_item).filter_map(Result::ok);
        self.contacts = contacts.take(max).map(|contact| (contact.jid.clone(), contact)).collect();
    }

    /// A contact is changed. Returns whose, and what it is now, also if there are too many to remember it; `None` if it was removed.
    pub(super) fn update(&mut self, item: &Element, max: usize) -> Option<(Jid, Option<Contact>)> {
        match Contact::from_item(item)? {
            Ok(contact) => {
                let jid = contact.jid.clone();
                if self.contacts.contains_key(&jid) || self.contacts.len() < max {
                    self.contacts.insert(jid.clone(), contact.clone());
                }
                Some((jid, Some(contact)))
            }
            Err(jid) => {
                self.contacts.remove(&jid);
                Some((jid, None))
            }
        }
    }

    pub(super) fn contact(&self, jid: &Jid) -> Option<&Contact> {
        self.contacts.get(&jid.bare())
    }

    pub(super) fn contacts(&self) -> impl Iterator<Item = &Contact> {
        self.contacts.values()
    }
}
