//! What owners do: the configuration, and the end of the room (XEP-0045 10). Pure.

use super::{
    Affiliation, Role, Room, RoomSettings, RoomsConfig, form::Submitted, invitations::reason,
    room::Told,
};
use crate::xmpp::{
    codec::{Element, Iq, IqKind, Jid, StanzaCondition, StanzaError, ns},
    server::bounce::{auth, cancel, modify, result_of},
};

impl Room {
    /// A question of `muc#owner`.
    pub(super) fn owned(
        &mut self,
        iq: &Iq,
        query: &Element,
        limits: &RoomsConfig,
        out: &mut Vec<Element>,
    ) -> Result<(), StanzaError> {
        let Some(from) = iq.from() else { return Ok(()) };
        if self.affiliation(from) != Affiliation::Owner {
            return Err(auth(StanzaCondition::Forbidden));
        }
        if iq.kind() == IqKind::Get {
            let form = Element::new("query", ns::MUC_OWNER).with_child(self.settings.form());
            out.push(result_of(iq.element(), Some(form)));
            return Ok(());
        }
        if let Some(destroy) = query.child("destroy", ns::MUC_OWNER) {
            self.destroy(destroy, out);
        } else {
            let x = query.child("x", ns::DATA_FORMS);
            let submitted = x.and_then(|x| Submitted::read(x, ns::MUC_ROOMCONFIG));
            match submitted.ok_or_else(|| modify(StanzaCondition::BadRequest))? {
                // XEP-0045 10.1.3: who gives up the configuration of a new room gives up the room.
                Submitted::Cancelled if self.is_locked => {
                    self.destroy(&Element::new("destroy", ns::MUC_OWNER), out);
                }
                Submitted::Cancelled => {}
                Submitted::Fields(fields) => {
                    let settings = self.settings.submitted(&fields, limits.history_max);
                    let settings =
                        settings.ok_or_else(|| modify(StanzaCondition::NotAcceptable))?;
                    self.configure(settings, out);
                }
            }
        }
        out.push(result_of(iq.element(), None));
        Ok(())
    }

    fn configure(&mut self, settings: RoomSettings, out: &mut Vec<Element>) {
        let before = std::mem::replace(&mut self.settings, settings);
        let was_locked = std::mem::take(&mut self.is_locked);
        self.is_changed = true;
        let codes: &[u16] = match (before.shows_addresses, self.settings.shows_addresses) {
            (false, true) => &[104, 172],
            (true, false) => &[104, 173],
            _ if before != self.settings => &[104],
            _ => &[],
        };
        // Of a new room, only owners know how it was.
        if !codes.is_empty() && !was_locked {
            self.notify(codes, out);
        }
        if self.settings.is_members_only {
            self.take_out_strangers(out);
        }
    }

    /// The room is for members from now on.
    fn take_out_strangers(&mut self, out: &mut Vec<Element>) {
        let all = self.occupants.iter();
        let strangers =
            all.filter(|(_, occupant)| self.affiliation(&occupant.jid) < Affiliation::Member);
        let strangers: Vec<_> = strangers.map(|(nick, _)| nick.clone()).collect();
        for nick in strangers {
            self.remove(&nick, Told { codes: &[322], ..Told::default() }, out);
        }
    }

    /// Takes everybody out. The service forgets the room then.
    fn destroy(&mut self, asked: &Element, out: &mut Vec<Element>) {
        let mut destroy = Element::new("destroy", ns::MUC_USER);
        let other = asked.attribute("jid").and_then(|jid| jid.parse::<Jid>().ok());
        if let Some(other) = other {
            destroy.set_attribute("jid", other.to_string());
        }
        if let Some(reason) = reason(asked, ns::MUC_OWNER) {
            destroy.push(Element::new("reason", ns::MUC_USER).with_text(reason));
        }
        self.end(Told { destroy: Some(&destroy), ..Told::default() }, out);
    }

    /// Each occupant is told of its own leave only, since all leave.
    fn end(&mut self, told: Told<'_>, out: &mut Vec<Element>) {
        self.is_destroyed = true;
        self.is_changed = true;
        for occupant in self.occupants.values_mut() {
            occupant.role = Role::None;
            occupant.presence.clear();
        }
        self.affiliations.clear();
        for (nick, occupant) in &self.occupants {
            out.push(self.presence(nick, occupant, occupant, true, told));
        }
        self.occupants.clear();
        self.nicks.clear();
        let questions = self.questions.all();
        self.refuse_questions(&questions, &cancel(StanzaCondition::ItemNotFound), out);
    }
}
