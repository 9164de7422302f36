//! What the server answers for itself: service discovery (XEP-0030), the version (XEP-0092), pings (XEP-0199).

use super::{bounce, domain::Domain};
use crate::xmpp::codec::{Element, StanzaCondition, StanzaError, ns};

/// What the server has (XEP-0030).
const FEATURES: [&str; 8] = [
    ns::DISCO_INFO,
    ns::DISCO_ITEMS,
    ns::PING,
    ns::ROSTER,
    ns::VCARD,
    ns::BLOCKING,
    ns::CARBONS,
    "msgoffline",
];

/// An answer to a question about features.
pub(super) fn description(identity: (&str, &str, &str), features: &[&str]) -> Element {
    let (category, kind, name) = identity;
    let mut about = Element::new("identity", ns::DISCO_INFO)
        .with_attribute("category", category)
        .with_attribute("type", kind);
    if !name.is_empty() {
        about.set_attribute("name", name);
    }
    let mut query = Element::new("query", ns::DISCO_INFO).with_child(about);
    for feature in features {
        query.push(Element::new("feature", ns::DISCO_INFO).with_attribute("var", *feature));
    }
    query
}

impl Domain {
    /// A stanza for the domain itself.
    pub(super) fn server_received(&mut self, stanza: &Element) {
        let is_get = stanza.attribute("type") == Some("get");
        let payload = stanza.children().next().filter(|_| stanza.name() == "iq");
        let answer = match payload {
            // Presence at the server says nothing to it; and what is an answer is that to a ping.
            None if stanza.name() == "presence" => return,
            Some(query)
                if is_get && query.attribute("node").is_some_and(|node| !node.is_empty()) =>
            {
                Err(bounce::cancel(StanzaCondition::ItemNotFound))
            }
            Some(query) => match (query.ns(), query.name()) {
                (ns::DISCO_INFO, "query") if is_get => Ok(Some(self.server_description())),
                (ns::DISCO_ITEMS, "query") if is_get => Ok(Some(self.server_items())),
                (ns::PING, "ping") if is_get => Ok(None),
                (ns::VERSION, "query") if is_get => self.version(),
                // RFC 3921: nothing is left of it, but older clients ask.
                (ns::SESSION, "session") if !is_get => Ok(None),
                _ => Err(StanzaError::service_unavailable()),
            },
            None => Err(StanzaError::service_unavailable()),
        };
        match answer {
            Ok(answer) if matches!(stanza.attribute("type"), Some("get" | "set")) => {
                self.answer(stanza, answer)
            }
            Ok(_) => {}
            Err(error) => self.refuse(stanza, &error),
        }
    }

    fn server_description(&self) -> Element {
        let software = self.config.software.as_ref();
        let name = software.map_or("", |(name, _)| name.as_str());
        let mut features = FEATURES.to_vec();
        if software.is_some() {
            features.push(ns::VERSION);
        }
        description(("server", "im", name), &features)
    }

    /// The services, which have domains of their own.
    fn server_items(&self) -> Element {
        let mut query = Element::new("query", ns::DISCO_ITEMS);
        for ((domain, _), name) in self.config.services.iter().zip(&self.service_names) {
            let mut item =
                Element::new("item", ns::DISCO_ITEMS).with_attribute("jid", domain.to_string());
            if !name.is_empty() {
                item.set_attribute("name", name.as_str());
            }
            query.push(item);
        }
        query
    }

    fn version(&self) -> Result<Option<Element>, StanzaError> {
        let (name, version) =
            self.config.software.as_ref().ok_or_else(StanzaError::service_unavailable)?;
        Ok(Some(
            Element::new("query", ns::VERSION)
                .with_child(Element::new("name", ns::VERSION).with_text(name.as_str()))
                .with_child(Element::new("version", ns::VERSION).with_text(version.as_str())),
        ))
    }
}
