//! What stanzas mean to a component that is online.

use sinew_transports::{Transport, reactor::with_causes};

use super::{ComponentError, IqRequest, XmppComponent, xmpp_component::answer_to};
use crate::{
    attempt::Attempting,
    xmpp::codec::{
        Element, ErrorKind, Iq, IqKind, Message, Presence, Stanza, StanzaCondition, StanzaError,
        StanzaProblem, ns,
    },
};

impl XmppComponent {
    pub(super) fn stanza(&self, transport: &Transport, mut element: Element) {
        element.move_to_ns(ns::COMPONENT, &ns::CLIENT.into());
        // RFC 6120 8.2.3: a question that is none is answered as well.
        let refusal = bad_request(&element);
        match Stanza::try_from(element) {
            Ok(stanza) if !self.is_for_it(&stanza) => {
                tracing::debug!("a stanza without a sender, or to another domain, is ignored");
            }
            Ok(Stanza::Message(message)) => self.message_received(&message),
            Ok(Stanza::Presence(presence)) => self.presence_received(&presence),
            Ok(Stanza::Iq(iq)) if iq.is_request() => self.asked(iq),
            Ok(Stanza::Iq(iq)) => {
                if !self.0.requests.borrow_mut().answered(&self.domain(), iq) {
                    tracing::debug!("an answer that nobody waits for, or of somebody else");
                }
            }
            Err(StanzaProblem::Name) => {
                let what = "something that is no stanza";
                self.fail(transport, ComponentError::Unexpected { what });
            }
            Err(StanzaProblem::Iq) if refusal.is_some() => {
                let sent = refusal.map_or(Ok(()), |refusal| self.send(refusal));
                tracing::debug!(?sent, "a question without one child is refused");
            }
            // The server is responsible for ids and addresses: who it comes from is not known.
            Err(problem) => tracing::debug!(%problem, "a stanza is ignored"),
        }
    }

    /// A server names sender and recipient in all that it gives to a component.
    fn is_for_it(&self, stanza: &Stanza) -> bool {
        let (from, to) = match stanza {
            Stanza::Message(message) => (message.from(), message.to()),
            Stanza::Presence(presence) => (presence.from(), presence.to()),
            Stanza::Iq(iq) => (iq.from(), iq.to()),
        };
        let domain = self.0.config.domain.domain();
        from.is_some() && to.is_some_and(|to| to.domain() == domain)
    }

    fn message_received(&self, message: &Message) {
        match message.error() {
            Some(error) => {
                self.call(|handler, xmpp| handler.message_failed(xmpp, message, &error));
            }
            None => self.call(|handler, xmpp| handler.message_received(xmpp, message)),
        }
    }

    fn presence_received(&self, presence: &Presence) {
        if presence.kind().is_some() {
            self.call(|handler, xmpp| handler.presence_received(xmpp, presence));
        }
    }

    fn asked(&self, iq: Iq) {
        let Some(payload) = iq.payload() else { return };
        let is_domain = iq.to().is_some_and(|to| *to == self.0.config.domain);
        let answer = match (iq.kind(), payload.ns(), payload.name()) {
            (IqKind::Get, ns::PING, "ping") if is_domain => Iq::result(&iq, None),
            (IqKind::Get, ns::DISCO_INFO, "query")
                if is_domain && payload.attribute("node").is_none() =>
            {
                Iq::result(&iq, Some(self.description()))
            }
            _ => {
                let request = IqRequest::new(&self.0, self.connection_number(), iq);
                return self.call(|handler, xmpp| handler.iq_received(xmpp, request));
            }
        };
        if let Err(error) = self.send(answer_to(&iq, answer)) {
            tracing::debug!(error = %with_causes(&error), "a question was not answered");
        }
    }

    /// What the domain says of itself (XEP-0030).
    fn description(&self) -> Element {
        let config = &self.0.config;
        let (category, kind, name) = &config.identity;
        let identity = Element::new("identity", ns::DISCO_INFO)
            .with_attribute("category", category.as_str())
            .with_attribute("type", kind.as_str())
            .with_attribute("name", name.as_str());
        let mut query = Element::new("query", ns::DISCO_INFO).with_child(identity);
        let own = [ns::DISCO_INFO, ns::PING].into_iter();
        for feature in own.chain(config.features.iter().map(String::as_str)) {
            query.push(Element::new("feature", ns::DISCO_INFO).with_attribute("var", feature));
        }
        query
    }
}

/// The refusal of a get or a set that has not one child.
fn bad_request(element: &Element) -> Option<Element> {
    let is_request = matches!(element.attribute("type"), Some("get" | "set"));
    if !element.is("iq", ns::CLIENT) || !is_request || element.children().count() == 1 {
        return None;
    }
    let error = StanzaError::new(ErrorKind::Modify, StanzaCondition::BadRequest);
    let refusal = Element::new("iq", ns::CLIENT)
        .with_attribute("type", "error")
        .with_attribute("id", element.attribute("id")?)
        .with_attribute("from", element.attribute("to")?)
        .with_attribute("to", element.attribute("from")?);
    Some(refusal.with_child(error.to_element(ns::CLIENT)))
}
