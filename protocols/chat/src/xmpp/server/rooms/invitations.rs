//! Invitations that go through the room, and their refusals (XEP-0045 7.8.2). Pure.

use super::{
    Affiliation, Room, RoomsConfig,
    rooms_config::{INVITATIONS_MAX, ITEMS_MAX},
};
use crate::xmpp::{
    codec::{Element, Jid, StanzaCondition, StanzaError, ns},
    server::bounce::{auth, cancel, modify, wait},
};

/// Most bytes of a reason.
pub(super) const REASON_MAX: usize = 1_024;

impl Room {
    /// A message to the room with an element `<x/>` of users.
    pub(super) fn invitation_received(
        &mut self,
        x: &Element,
        from: &Jid,
        limits: &RoomsConfig,
        out: &mut Vec<Element>,
    ) -> Result<(), StanzaError> {
        if let Some(decline) = x.child("decline", ns::MUC_USER) {
            return self.declined(decline, from, out);
        }
        let invitations = x.children().filter(|child| child.is("invite", ns::MUC_USER));
        let invitations: Vec<_> = invitations.take(ITEMS_MAX).collect();
        match invitations.len() {
            0 => return Err(modify(StanzaCondition::BadRequest)),
            1..=INVITATIONS_MAX => {}
            _ => return Err(modify(StanzaCondition::NotAcceptable)),
        }
        if self.occupant_at(from).is_none() {
            return Err(modify(StanzaCondition::NotAcceptable));
        }
        let affiliation = self.affiliation(from);
        let may_add = affiliation >= Affiliation::Admin;
        if self.settings.is_members_only && !may_add && !self.settings.anyone_invites {
            return Err(auth(StanzaCondition::Forbidden));
        }
        let mut guests = Vec::new();
        for invitation in &invitations {
            let guest = invitation.attribute("to").and_then(|to| to.parse::<Jid>().ok());
            guests.push(guest.ok_or_else(|| modify(StanzaCondition::JidMalformed))?);
        }
        if guests.iter().any(|guest| self.affiliation(guest) == Affiliation::Outcast) {
            return Err(cancel(StanzaCondition::NotAllowed));
        }
        let is_added = |guest: &&Jid| {
            self.settings.is_members_only && self.affiliation(guest) == Affiliation::None
        };
        let added = guests.iter().filter(is_added).count();
        if added != 0 && self.affiliations.len() + added > limits.affiliations_max {
            return Err(wait(StanzaCondition::ResourceConstraint));
        }
        for (guest, invitation) in guests.iter().zip(invitations) {
            // Who is invited to a room for members may enter it.
            if self.settings.is_members_only && self.affiliation(guest) == Affiliation::None {
                self.affiliations.insert(guest.bare(), Affiliation::Member);
                self.is_changed = true;
            }
            out.push(self.invitation(invitation, from, guest));
        }
        Ok(())
    }

    fn invitation(&self, asked: &Element, from: &Jid, guest: &Jid) -> Element {
        let mut invite =
            Element::new("invite", ns::MUC_USER).with_attribute("from", from.bare().to_string());
        if let Some(reason) = reason(asked, ns::MUC_USER) {
            invite.push(Element::new("reason", ns::MUC_USER).with_text(reason));
        }
        let mut x = Element::new("x", ns::MUC_USER).with_child(invite);
        if let Some(password) = &self.settings.password {
            x.push(Element::new("password", ns::MUC_USER).with_text(password.as_str()));
        }
        self.message_to(guest, x)
    }

    /// To the occupants of the account that is said to have invited. Nobody else is told anything by it, and who declines not even whether
    /// there are any: it need not be in the room.
    fn declined(
        &self,
        decline: &Element,
        from: &Jid,
        out: &mut Vec<Element>,
    ) -> Result<(), StanzaError> {
        let host = decline.attribute("to").and_then(|to| to.parse::<Jid>().ok());
        let host = host.ok_or_else(|| modify(StanzaCondition::JidMalformed))?;
        if self.affiliation(from) == Affiliation::Outcast {
            return Err(auth(StanzaCondition::Forbidden));
        }
        let hosts = self.occupants.values().filter(|occupant| occupant.jid.is_same_bare(&host));
        for occupant in hosts {
            let mut declined = Element::new("decline", ns::MUC_USER)
                .with_attribute("from", from.bare().to_string());
            if let Some(reason) = reason(decline, ns::MUC_USER) {
                declined.push(Element::new("reason", ns::MUC_USER).with_text(reason));
            }
            let x = Element::new("x", ns::MUC_USER).with_child(declined);
            out.push(self.message_to(&occupant.jid, x));
        }
        Ok(())
    }

    fn message_to(&self, to: &Jid, x: Element) -> Element {
        Element::new("message", ns::CLIENT)
            .with_attribute("from", self.jid.to_string())
            .with_attribute("to", to.to_string())
            .with_child(x)
    }
}

/// The reason of something, as far as it is not too long.
pub(super) fn reason(of: &Element, within: &str) -> Option<String> {
    let text = of.child("reason", within).map(Element::text)?;
    (!text.is_empty() && text.len() <= REASON_MAX).then_some(text)
}
