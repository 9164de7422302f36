//! Publishing, reading and taking back of items (XEP-0060, as far as XEP-0163 needs it).

use std::{collections::VecDeque, rc::Rc};

use super::{
    account_queries::len,
    bounce,
    domain::Domain,
    pep::{items_event, renamed},
    session_life::random_word,
    store::PepNode,
};
use crate::xmpp::codec::{Element, Jid, StanzaCondition, StanzaError, ns};

/// Longest name of a node, and of an item.
const NAME_MAX: usize = 1_023;

/// What a publisher wants of a node.
#[derive(Default)]
struct Options {
    /// Something was said of who may read it.
    has_access: bool,
    is_open: bool,
    is_private: bool,
    items_max: Option<usize>,
}

impl Domain {
    /// A set of the account itself: an item is published or taken back.
    pub(super) fn publish_asked(
        &mut self,
        account: &Rc<str>,
        pubsub: &Element,
    ) -> Result<Option<Element>, StanzaError> {
        if let Some(publish) = pubsub.child("publish", ns::PUBSUB) {
            return self.publish(account, publish, &options(pubsub)?).map(Some);
        }
        if let Some(retract) = pubsub.child("retract", ns::PUBSUB) {
            return self.retract(account, retract).map(|()| None);
        }
        Err(unsupported())
    }

    fn publish(
        &mut self,
        account: &Rc<str>,
        publish: &Element,
        options: &Options,
    ) -> Result<Element, StanzaError> {
        let name = node_of(publish)?;
        let items: Vec<_> =
            publish.children().filter(|item| item.is("item", ns::PUBSUB)).take(2).collect();
        let [item] = items.as_slice() else {
            return Err(bounce::modify(StanzaCondition::BadRequest));
        };
        let id = match item.attribute("id").filter(|id| !id.is_empty()) {
            Some(id) if id.len() > NAME_MAX => {
                return Err(bounce::modify(StanzaCondition::NotAcceptable));
            }
            Some(id) => id.to_owned(),
            None => random_word().ok_or(bounce::wait(StanzaCondition::InternalServerError))?,
        };
        let item = renamed(item, ns::PUBSUB).with_attribute("id", id.as_str());
        let (nodes_max, items_max, bytes_max) =
            (self.config.nodes_max, self.config.items_max, self.config.node_bytes_max);
        let Some(data) = self.data(account) else { return Err(StanzaError::service_unavailable()) };
        let mut node = match data.nodes.get(&name) {
            Some(node) => node.clone(),
            None if data.nodes.len() >= nodes_max => {
                return Err(bounce::wait(StanzaCondition::ResourceConstraint));
            }
            None => PepNode {
                is_private: options.is_private,
                is_open: options.is_open,
                items_max: options.items_max.unwrap_or(1).clamp(1, items_max),
                items: VecDeque::new(),
            },
        };
        // XEP-0060 would refuse options that a node does not have. The publisher is its owner here, and has its way.
        if options.has_access {
            (node.is_open, node.is_private) = (options.is_open, options.is_private);
        }
        if let Some(max) = options.items_max {
            node.items_max = max.clamp(1, items_max);
        }
        node.items.retain(|known| known.attribute("id") != Some(&id));
        node.items.push_back(item.clone());
        while node.items.len() > node.items_max {
            node.items.pop_front();
        }
        let others = data.nodes.iter().filter(|(other, _)| **other != name).map(|(_, node)| node);
        let bytes = others
            .chain([&node])
            .flat_map(|node| &node.items)
            .map(len)
            .fold(0, usize::saturating_add);
        if bytes > bytes_max {
            return Err(bounce::wait(StanzaCondition::ResourceConstraint));
        }
        if let Some(data) = self.change(account) {
            data.nodes.insert(name.clone(), node);
        }
        self.tell_of_node(account, &name, items_event(&name, [&item]));
        let published = Element::new("item", ns::PUBSUB).with_attribute("id", id);
        let published =
            Element::new("publish", ns::PUBSUB).with_attribute("node", name).with_child(published);
        Ok(Element::new("pubsub", ns::PUBSUB).with_child(published))
    }

    fn retract(&mut self, account: &Rc<str>, retract: &Element) -> Result<(), StanzaError> {
        let name = node_of(retract)?;
        let item = retract.child("item", ns::PUBSUB).and_then(|item| item.attribute("id"));
        let id = item.ok_or(bounce::modify(StanzaCondition::BadRequest))?;
        let node = self.data(account).and_then(|data| data.nodes.get(&name));
        if node.is_none_or(|node| !node.items.iter().any(|item| item.attribute("id") == Some(id))) {
            return Err(bounce::cancel(StanzaCondition::ItemNotFound));
        }
        if let Some(node) = self.change(account).and_then(|data| data.nodes.get_mut(&name)) {
            node.items.retain(|item| item.attribute("id") != Some(id));
        }
        let gone = Element::new("retract", ns::PUBSUB_EVENT).with_attribute("id", id);
        let what = Element::new("items", ns::PUBSUB_EVENT)
            .with_attribute("node", name.as_str())
            .with_child(gone);
        self.tell_of_node(account, &name, what);
        Ok(())
    }

    /// A get of anybody: the items of a node.
    pub(super) fn items_asked(
        &self,
        account: &str,
        from: &Jid,
        pubsub: &Element,
    ) -> Result<Element, StanzaError> {
        let Some(items) = pubsub.child("items", ns::PUBSUB) else { return Err(unsupported()) };
        let name = node_of(items)?;
        let node = self.data(account).and_then(|data| data.nodes.get(&name));
        let node = match node {
            Some(node) if self.may_read(account, node, from) => node,
            Some(node) if !node.is_private && self.is_known(account, from) => {
                return Err(bounce::auth(StanzaCondition::NotAuthorized));
            }
            // Who may not read it need not know that it is there.
            _ => return Err(bounce::cancel(StanzaCondition::ItemNotFound)),
        };
        let wanted: Vec<_> = items.children().filter_map(|item| item.attribute("id")).collect();
        let max =
            items.attribute("max_items").and_then(|max| max.parse().ok()).unwrap_or(usize::MAX);
        let is_wanted = |item: &&Element| {
            wanted.is_empty() || item.attribute("id").is_some_and(|id| wanted.contains(&id))
        };
        let found: Vec<_> = node.items.iter().filter(is_wanted).collect();
        let mut list = Element::new("items", ns::PUBSUB).with_attribute("node", name);
        for item in &found[found.len().saturating_sub(max)..] {
            list.push((*item).clone());
        }
        Ok(Element::new("pubsub", ns::PUBSUB).with_child(list))
    }

    /// Whether somebody is in the roster.
    fn is_known(&self, account: &str, somebody: &Jid) -> bool {
        self.data(account).is_some_and(|data| data.contacts.contains_key(&somebody.bare()))
    }

    /// The nodes that somebody may read.
    pub(super) fn account_items(&self, account: &str, from: &Jid) -> Element {
        let mut query = Element::new("query", ns::DISCO_ITEMS);
        let (Some(data), Some(bare)) = (self.data(account), self.bare(account)) else {
            return query;
        };
        for (name, _) in data.nodes.iter().filter(|(_, node)| self.may_read(account, node, from)) {
            query.push(
                Element::new("item", ns::DISCO_ITEMS)
                    .with_attribute("jid", bare.to_string())
                    .with_attribute("node", name.as_str()),
            );
        }
        query
    }

    /// The account deletes a node.
    pub(super) fn owned_nodes_asked(
        &mut self,
        account: &Rc<str>,
        pubsub: &Element,
        is_get: bool,
    ) -> Result<Option<Element>, StanzaError> {
        let delete = pubsub.child("delete", ns::PUBSUB_OWNER).filter(|_| !is_get);
        let name = node_of(delete.ok_or_else(unsupported)?)?;
        if self.data(account).is_none_or(|data| !data.nodes.contains_key(&name)) {
            return Err(bounce::cancel(StanzaCondition::ItemNotFound));
        }
        let gone = Element::new("delete", ns::PUBSUB_EVENT).with_attribute("node", name.as_str());
        self.tell_of_node(account, &name, gone);
        if let Some(data) = self.change(account) {
            data.nodes.remove(&name);
        }
        Ok(None)
    }
}

fn node_of(element: &Element) -> Result<String, StanzaError> {
    let name = element.attribute("node").filter(|name| !name.is_empty() && name.len() <= NAME_MAX);
    name.map(str::to_owned).ok_or(bounce::modify(StanzaCondition::BadRequest))
}

fn unsupported() -> StanzaError {
    let mut error = bounce::cancel(StanzaCondition::FeatureNotImplemented);
    error.application = Some(Element::new("unsupported", ns::PUBSUB_ERRORS));
    error
}

/// What the form says that is published with an item (XEP-0060 7.1.5). An access model that is not known is refused, since it would be
/// wider than what was wanted.
fn options(pubsub: &Element) -> Result<Options, StanzaError> {
    let form = pubsub.child("publish-options", ns::PUBSUB);
    let form = form.and_then(|options| options.child("x", ns::DATA_FORMS));
    let mut found = Options::default();
    for field in form.into_iter().flat_map(Element::children) {
        found.has_access |= field.attribute("var") == Some("pubsub#access_model");
        let value = field.child("value", ns::DATA_FORMS).map(Element::text).unwrap_or_default();
        match (field.attribute("var"), value.as_str()) {
            (Some("pubsub#access_model"), "open") => found.is_open = true,
            (Some("pubsub#access_model"), "presence") => {}
            (Some("pubsub#access_model"), "whitelist") => found.is_private = true,
            (Some("pubsub#access_model"), _) => {
                return Err(bounce::modify(StanzaCondition::NotAcceptable));
            }
            (Some("pubsub#max_items"), "max") => found.items_max = Some(usize::MAX),
            (Some("pubsub#max_items"), max) => found.items_max = max.parse().ok(),
            _ => {}
        }
    }
    Ok(found)
}
