//! What stanzas mean when the client is online.

use sinew_transports::{Transport, reactor::with_causes};

use super::{IqRequest, XmppClient, rooms::Change};
use crate::xmpp::codec::{
    Element, ErrorKind, Iq, IqKind, Jid, Message, MessageKind, Presence, PresenceKind, Stanza,
    StanzaCondition, StanzaError, StanzaProblem, ns,
};

/// What the client answers by itself.
const FEATURES: [&str; 3] = [ns::DISCO_INFO, ns::PING, ns::RECEIPTS];

impl XmppClient {
    /// An element while the client is online.
    pub(super) fn online_received(&self, transport: &Transport, element: Element) {
        if element.ns() == ns::STREAM_MANAGEMENT {
            return self.management_received(transport, &element);
        }
        if let Some(management) = &mut self.0.session.borrow_mut().management {
            management.received();
        }
        self.stanza(transport, element);
    }

    /// A stanza, which stream management has counted if it does.
    pub(super) fn stanza(&self, transport: &Transport, element: Element) {
        // RFC 6120 8.2.3: a question that is none is answered as well.
        let refusal = bad_request(&element);
        match Stanza::try_from(element) {
            Ok(Stanza::Message(message)) => self.message_received(&message),
            Ok(Stanza::Presence(presence)) => self.presence_received(&presence),
            Ok(Stanza::Iq(iq)) if iq.is_request() => self.asked(iq),
            Ok(Stanza::Iq(iq)) => self.answered(iq),
            Err(StanzaProblem::Name) => self.unexpected(transport, "something that is no stanza"),
            Err(StanzaProblem::Iq) if refusal.is_some() => {
                let sent = refusal.map_or(Ok(()), |refusal| self.put(refusal));
                tracing::debug!(?sent, "an iq that asks nothing is refused");
            }
            // The server is responsible for ids and addresses: who it comes from is not known.
            Err(problem) => tracing::debug!(%problem, "a stanza is ignored"),
        }
    }

    fn management_received(&self, transport: &Transport, element: &Element) {
        let mut session = self.0.session.borrow_mut();
        let Some(management) = &mut session.management else { return };
        match element.name() {
            "r" => {
                let answer = management.answer();
                drop(session);
                self.write(transport, &answer);
            }
            "a" => {
                drop(session);
                let count = element.attribute("h").and_then(|count| count.parse().ok());
                let Some(count) = count else {
                    return self.unexpected(transport, "an acknowledgement without a count");
                };
                if self.acknowledged(transport, count) {
                    self.ask_again(transport);
                }
            }
            _ => {}
        }
    }

    /// What was sent since the last question is to be acknowledged, too.
    fn ask_again(&self, transport: &Transport) {
        let (now, mut session) = (self.now(), self.0.session.borrow_mut());
        if session.management.as_mut().is_some_and(|management| management.ask(now)) {
            transport.write(super::xmpp_client::REQUEST);
        }
    }

    fn message_received(&self, message: &Message) {
        // Anybody can write what looks like a message of an archive: none is told to the handler.
        if let Some(result) = message.child("result", ns::ARCHIVE) {
            return self.archived_received(message, result);
        }
        let copy = carbon(message).filter(|_| message.kind() != MessageKind::Error);
        if let Some((inner, is_sent)) = copy {
            // Anybody can write what looks like a copy: only the own account is believed (XEP-0280 11).
            let is_own = message.from().is_none_or(|from| *from == self.jid().bare());
            match inner.and_then(|inner| Message::try_from(inner).ok()).filter(|_| is_own) {
                Some(inner) => {
                    self.call(|handler, xmpp| handler.carbon_received(xmpp, &inner, is_sent));
                }
                None => tracing::debug!("a carbon copy of somebody else is ignored"),
            }
            return;
        }
        let receipt = message.child("received", ns::RECEIPTS);
        let receipt = receipt.and_then(|receipt| receipt.attribute("id"));
        match (message.kind(), message.error()) {
            (_, Some(error)) => {
                self.call(|handler, xmpp| handler.message_failed(xmpp, message, &error));
            }
            (MessageKind::Groupchat, _) => {
                self.call(|handler, xmpp| handler.room_message(xmpp, message));
            }
            _ => {
                self.send_receipt(message);
                if let (Some(id), Some(from)) = (receipt, message.from()) {
                    self.call(|handler, xmpp| handler.receipt_received(xmpp, from, id));
                }
                // A receipt alone is no message for people.
                if receipt.is_none() || message.body().is_some() {
                    self.call(|handler, xmpp| handler.message_received(xmpp, message));
                }
            }
        }
    }

    /// To those only who see the presence of the account, who know anyway that it is there (XEP-0184 8).
    fn send_receipt(&self, message: &Message) {
        let (Some(from), Some(id)) = (message.from(), message.id()) else { return };
        let is_wanted = message.child("request", ns::RECEIPTS).is_some();
        let sees_me = self.contact(from).is_some_and(|contact| contact.sees_me());
        if !(self.0.config.receipts && is_wanted && (sees_me || from.is_same_bare(&self.jid()))) {
            return;
        }
        let received = Element::new("received", ns::RECEIPTS).with_attribute("id", id);
        let receipt = Message::new(message.kind(), Jid::clone(from)).with(received);
        if let Err(error) = self.put(receipt.into()) {
            tracing::debug!(error = %with_causes(&error), "a receipt was not sent");
        }
    }

    fn presence_received(&self, presence: &Presence) {
        let change = self.0.session.borrow_mut().rooms.presence(presence);
        let room = presence.from().map(Jid::bare);
        match (presence.kind(), presence.from()) {
            (Some(PresenceKind::Subscribe), Some(from)) => {
                let from = from.bare();
                self.call(|handler, xmpp| handler.subscription_requested(xmpp, &from, presence));
            }
            (
                Some(
                    PresenceKind::Subscribed
                    | PresenceKind::Unsubscribe
                    | PresenceKind::Unsubscribed,
                ),
                Some(_),
            ) => self.call(|handler, xmpp| handler.subscription_changed(xmpp, presence)),
            (
                Some(PresenceKind::Available | PresenceKind::Unavailable | PresenceKind::Error),
                _,
            ) => {
                self.call(|handler, xmpp| handler.presence_received(xmpp, presence));
            }
            _ => {}
        }
        match (change, room) {
            (Change::Joined, Some(room)) => {
                self.call(|handler, xmpp| handler.room_joined(xmpp, &room));
            }
            (Change::Left, Some(room)) => {
                self.call(|handler, xmpp| handler.room_left(xmpp, &room, presence));
            }
            _ => {}
        }
    }

    fn answered(&self, iq: Iq) {
        let mut session = self.0.session.borrow_mut();
        let me = session.jid.clone();
        if !session.requests.answered(&me, iq) {
            tracing::debug!("an answer that nobody waits for, or of somebody else, is ignored");
        }
    }

    fn asked(&self, iq: Iq) {
        let Some(payload) = iq.payload() else { return };
        let answer = match (iq.kind(), payload.ns(), payload.name()) {
            (IqKind::Set, ns::ROSTER, "query") => return self.roster_pushed(&iq),
            (IqKind::Get, ns::PING, "ping") => None,
            (IqKind::Get, ns::DISCO_INFO, "query") => {
                if payload.attribute("node").is_some() {
                    let condition = StanzaCondition::ItemNotFound;
                    return self.refuse_iq(&iq, ErrorKind::Cancel, condition);
                }
                Some(self.description())
            }
            (IqKind::Get, ns::DISCO_ITEMS, "query") => Some(Element::new("query", ns::DISCO_ITEMS)),
            _ => {
                let request = IqRequest::new(&self.0, self.session_number(), iq);
                return self.call(|handler, xmpp| handler.iq_received(xmpp, request));
            }
        };
        if let Err(error) = self.put(Iq::result(&iq, answer).into()) {
            tracing::debug!(error = %with_causes(&error), "a question was not answered");
        }
    }

    /// What the client says of itself (XEP-0030).
    fn description(&self) -> Element {
        let config = &self.0.config;
        let mut query = Element::new("query", ns::DISCO_INFO);
        if let Some(name) = &config.software {
            let identity = Element::new("identity", ns::DISCO_INFO)
                .with_attribute("category", "client")
                .with_attribute("type", "bot")
                .with_attribute("name", name.as_str());
            query.push(identity);
        }
        let own = FEATURES.into_iter().filter(|name| config.receipts || *name != ns::RECEIPTS);
        for feature in own.chain(config.features.iter().map(String::as_str)) {
            query.push(Element::new("feature", ns::DISCO_INFO).with_attribute("var", feature));
        }
        query
    }

    /// The server says that a contact has changed. Others must not (RFC 6121 2.1.6).
    fn roster_pushed(&self, iq: &Iq) {
        let mut session = self.0.session.borrow_mut();
        let is_own = iq.from().is_none_or(|from| *from == session.jid.bare());
        if !is_own {
            drop(session);
            let condition = StanzaCondition::ServiceUnavailable;
            return self.refuse_iq(iq, ErrorKind::Cancel, condition);
        }
        let item = iq.payload().and_then(|query| query.child("item", ns::ROSTER));
        let max = self.0.config.roster_max;
        let changed = item.and_then(|item| session.roster.update(item, max));
        drop(session);
        let Some((jid, contact)) = changed else {
            return self.refuse_iq(iq, ErrorKind::Modify, StanzaCondition::BadRequest);
        };
        if let Err(error) = self.put(Iq::result(iq, None).into()) {
            tracing::debug!(error = %with_causes(&error), "a change of the roster was not acknowledged");
        }
        self.call(|handler, xmpp| handler.contact_changed(xmpp, &jid, contact.as_ref()));
    }
}

/// The refusal of a get or a set, or of a type that there is not.
fn bad_request(element: &Element) -> Option<Element> {
    let is_bad = match element.attribute("type") {
        Some("result" | "error") => false,
        Some("get" | "set") => element.children().take(2).count() != 1,
        _ => true,
    };
    if !element.is("iq", ns::CLIENT) || !is_bad {
        return None;
    }
    let error = StanzaError::new(ErrorKind::Modify, StanzaCondition::BadRequest);
    let mut refusal = Element::new("iq", ns::CLIENT)
        .with_attribute("type", "error")
        .with_attribute("id", element.attribute("id")?)
        .with_child(error.to_element(ns::CLIENT));
    if let Some(from) = element.attribute("from") {
        refusal.set_attribute("to", from);
    }
    Some(refusal)
}

/// The message in a carbon copy, if it has one, and whether the account has sent it.
fn carbon(message: &Message) -> Option<(Option<Element>, bool)> {
    let sent = message.child("sent", ns::CARBONS).map(|copy| (copy, true));
    let (copy, is_sent) =
        sent.or_else(|| message.child("received", ns::CARBONS).map(|copy| (copy, false)))?;
    let forwarded = copy.child("forwarded", ns::FORWARD);
    let inner = forwarded.and_then(|forwarded| forwarded.child("message", ns::CLIENT));
    Some((inner.cloned(), is_sent))
}
