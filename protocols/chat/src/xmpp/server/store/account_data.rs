//! What is stored of an account: [`AccountData`], and its form in a file. Pure.
//!
//! The form is XML: a root `account`, and below it one element for each thing that is stored, so that a file can be as long as it likes
//! while each thing has the limits of a stanza.

use sinew_transports::reactor::with_causes;

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    time::SystemTime,
};

use super::StoreError;
use crate::xmpp::codec::{Element, Jid, StreamEvent, StreamParser, XmlLimits};

/// Longest file.
pub(super) const FILE_MAX: usize = 256 << 20;
const NS: &str = "urn:sinew:xmpp:account:1";

/// What outlives sessions: the roster, requests for subscriptions, messages that wait, the vCard, private data, blocked addresses, and
/// published items.
///
/// A [`Store`](super::Store) keeps it as it is, or as bytes.
///
/// # Examples
///
/// ```
/// use sinew_chat::xmpp::server::AccountData;
///
/// let data = AccountData::default();
/// assert_eq!(AccountData::decode(&data.encode())?, data);
/// # Ok::<(), sinew_chat::xmpp::server::StoreError>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AccountData {
    pub(in super::super) contacts: BTreeMap<Jid, Contact>,
    pub(in super::super) roster_version: u64,
    /// Messages for when somebody is there, the oldest first.
    pub(in super::super) offline: VecDeque<Element>,
    pub(in super::super) vcard: Option<Element>,
    /// Private data (XEP-0049), one of each name.
    pub(in super::super) private: Vec<Element>,
    pub(in super::super) blocked: BTreeSet<Jid>,
    pub(in super::super) nodes: BTreeMap<String, PepNode>,
}

/// Somebody of the roster, or who wants to be.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(in super::super) struct Contact {
    pub(in super::super) name: Option<String>,
    pub(in super::super) groups: Vec<String>,
    /// The account sees the contact's presence.
    pub(in super::super) to: bool,
    /// The contact sees the account's presence.
    pub(in super::super) from: bool,
    /// The account has asked to see it.
    pub(in super::super) asks: bool,
    /// The contact has asked to see the account's: the presence that asks.
    pub(in super::super) request: Option<Element>,
    /// It is in the roster, and does not only ask.
    pub(in super::super) is_listed: bool,
}

/// Published items of one kind (XEP-0163), the oldest first.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(in super::super) struct PepNode {
    /// Only the account itself may read them.
    pub(in super::super) is_private: bool,
    /// Everybody may read them.
    pub(in super::super) is_open: bool,
    /// Most items that are kept.
    pub(in super::super) items_max: usize,
    pub(in super::super) items: VecDeque<Element>,
}

impl AccountData {
    /// The bytes of a file. What XML cannot hold is left out; the server lets none in.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut text = format!(
            "<?xml version='1.0'?>\n<account xmlns='{NS}' roster-version='{}'>\n",
            self.roster_version
        );
        let mut push = |element: &Element| match element.encode(NS) {
            Ok(element) => {
                text.push_str(&element);
                text.push('\n');
            }
            Err(error) => {
                tracing::error!(error = %with_causes(&error), "a part of an XMPP account cannot be stored")
            }
        };
        for (jid, contact) in &self.contacts {
            push(&contact.to_element(jid));
        }
        for jid in &self.blocked {
            push(&Element::new("blocked", NS).with_attribute("jid", jid.to_string()));
        }
        for (name, element) in self
            .vcard
            .iter()
            .map(|vcard| ("vcard", vcard))
            .chain(self.private.iter().map(|data| ("private", data)))
        {
            push(&Element::new(name, NS).with_child(element.clone()));
        }
        for (name, node) in &self.nodes {
            push(&node.to_element(name));
            for item in &node.items {
                push(
                    &Element::new("item", NS)
                        .with_attribute("node", name.as_str())
                        .with_child(item.clone()),
                );
            }
        }
        for message in &self.offline {
            push(&Element::new("offline", NS).with_child(message.clone()));
        }
        text.push_str("</account>\n");
        text.into_bytes()
    }

    /// The account of these bytes.
    ///
    /// # Errors
    ///
    /// [`StoreError::Malformed`]. Nothing is guessed.
    pub fn decode(mut text: &[u8]) -> Result<Self, StoreError> {
        // What was written once is read again: only the file is limited. Without the prefixes of a stanza there are more declarations.
        let limits = XmlLimits::default()
            .stanza_max(FILE_MAX)
            .depth_max(128)
            .elements_max(FILE_MAX)
            .attributes_max(FILE_MAX)
            .value_max(FILE_MAX);
        let mut parser = StreamParser::new(limits);
        let mut data = Self::default();
        loop {
            let event = parser.next(&mut text);
            match event.map_err(|_| StoreError::Malformed("it is not XML within the limits"))? {
                Some(StreamEvent::Opened(root)) if root.is("account", NS) => {
                    let version = root.attribute("roster-version");
                    data.roster_version = version
                        .and_then(|version| version.parse().ok())
                        .ok_or(StoreError::Malformed("it has no version of the roster"))?;
                }
                Some(StreamEvent::Stanza(element)) => data.read(&element)?,
                Some(StreamEvent::Closed) => return Ok(data),
                Some(StreamEvent::Opened(_)) => {
                    return Err(StoreError::Malformed("it is something else"));
                }
                None => return Err(StoreError::Malformed("its end is missing")),
            }
        }
    }

    /// The roster has another version: one that nobody was told of, also not before a crash that has taken the last change with it. So it
    /// is a time, in microseconds.
    pub(in super::super) fn roster_changed(&mut self, now: SystemTime) -> u64 {
        let since = now.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        let now = u64::try_from(since.as_micros()).unwrap_or(u64::MAX);
        self.roster_version = self.roster_version.saturating_add(1).max(now);
        self.roster_version
    }

    fn read(&mut self, element: &Element) -> Result<(), StoreError> {
        let jid = || {
            let jid = element.attribute("jid").and_then(|jid| jid.parse::<Jid>().ok());
            jid.ok_or(StoreError::Malformed("an address is none"))
        };
        let inner =
            || element.children().next().cloned().ok_or(StoreError::Malformed("a part is empty"));
        match element.name() {
            _ if element.ns() != NS => return Err(StoreError::Malformed("a part is unknown")),
            "contact" => drop(self.contacts.insert(jid()?, Contact::read(element))),
            "blocked" => drop(self.blocked.insert(jid()?)),
            "vcard" => self.vcard = Some(inner()?),
            "private" => self.private.push(inner()?),
            "offline" => self.offline.push_back(inner()?),
            "node" => {
                let name = element.attribute("name").unwrap_or_default().to_owned();
                self.nodes.insert(name, PepNode::read(element));
            }
            "item" => {
                let node = self.nodes.get_mut(element.attribute("node").unwrap_or_default());
                node.ok_or(StoreError::Malformed("an item has no node"))?.items.push_back(inner()?);
            }
            _ => return Err(StoreError::Malformed("a part is unknown")),
        }
        Ok(())
    }
}

fn has(element: &Element, name: &str) -> bool {
    element.attribute(name) == Some("1")
}

fn flag(element: &mut Element, name: &str, is_set: bool) {
    if is_set {
        element.set_attribute(name, "1");
    }
}

impl Contact {
    fn to_element(&self, jid: &Jid) -> Element {
        let mut element = Element::new("contact", NS).with_attribute("jid", jid.to_string());
        for (name, is_set) in
            [("to", self.to), ("from", self.from), ("asks", self.asks), ("listed", self.is_listed)]
        {
            flag(&mut element, name, is_set);
        }
        if let Some(name) = &self.name {
            element.set_attribute("name", name.as_str());
        }
        for group in &self.groups {
            element.push(Element::new("group", NS).with_text(group.as_str()));
        }
        if let Some(request) = &self.request {
            element.push(Element::new("request", NS).with_child(request.clone()));
        }
        element
    }

    fn read(element: &Element) -> Self {
        let groups = element.children().filter(|child| child.is("group", NS));
        let request = element.child("request", NS);
        Self {
            name: element.attribute("name").map(str::to_owned),
            groups: groups.map(Element::text).collect(),
            to: has(element, "to"),
            from: has(element, "from"),
            asks: has(element, "asks"),
            request: request.and_then(|request| request.children().next().cloned()),
            is_listed: has(element, "listed"),
        }
    }
}

impl PepNode {
    fn to_element(&self, name: &str) -> Element {
        let mut element = Element::new("node", NS)
            .with_attribute("name", name)
            .with_attribute("max", self.items_max.to_string());
        flag(&mut element, "private", self.is_private);
        flag(&mut element, "open", self.is_open);
        element
    }

    fn read(element: &Element) -> Self {
        let max = element.attribute("max").and_then(|max| max.parse().ok());
        Self {
            is_private: has(element, "private"),
            is_open: has(element, "open"),
            items_max: max.unwrap_or(1),
            items: VecDeque::new(),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::{collection::vec, prelude::*, sample::select};

    use super::*;

    fn texts() -> impl Strategy<Value = String> {
        let characters = "\r\n\t <>&'\"]a=:\u{85}\u{e9}\u{2028}\u{fffd}\u{1f4f1}".chars();
        vec(select(characters.collect::<Vec<_>>()), 1..8).prop_map(String::from_iter)
    }

    fn elements() -> impl Strategy<Value = Element> {
        let names = select(vec!["a", "offline", "account", "item"]);
        let element = (names, select(vec!["", "urn:a", NS, "jabber:client"]), vec(texts(), 0..3))
            .prop_map(|(name, ns, values)| {
                let element = Element::new(name, ns);
                let number = |at: usize| format!("k{at}");
                values.into_iter().enumerate().fold(element, |element, (at, value)| {
                    element.with_attribute(&number(at), value)
                })
            });
        let with_text = (element, texts()).prop_map(|(element, text)| element.with_text(text));
        with_text.prop_recursive(4, 16, 3, |inner| {
            (inner.clone(), vec(inner, 0..3))
                .prop_map(|(outer, all)| all.into_iter().fold(outer, Element::with_child))
        })
    }

    proptest! {
        /// Whatever is stored is read as it was.
        #[test]
        fn any_account_is_read_as_it_is_written(
            all in vec(elements(), 0..4),
            vcard in proptest::option::of(elements()),
            words in vec(texts(), 0..4),
            roster_version: u64,
        ) {
            let mut data = AccountData { roster_version, vcard, ..AccountData::default() };
            data.offline.extend(all.iter().cloned());
            data.private.clone_from(&all);
            let (name, request) = (words.first().cloned(), all.first().cloned());
            let contact = Contact { name, request, groups: words.clone(), ..Contact::default() };
            data.contacts.insert("bob@example.org".parse().unwrap(), contact);
            for word in words {
                let items = all.iter().cloned().collect();
                data.nodes.insert(word, PepNode { items, ..PepNode::default() });
            }
            prop_assert_eq!(AccountData::decode(&data.encode()).unwrap(), data);
        }
    }

    #[test]
    fn an_account_is_read_as_it_is_written() {
        let mut data = AccountData { roster_version: 7, ..AccountData::default() };
        let request = Element::new("presence", "jabber:client").with_attribute("type", "subscribe");
        let contact = Contact {
            name: Some("B & B".to_owned()),
            groups: vec!["<a>".to_owned(), String::new()],
            from: true,
            asks: true,
            request: Some(request),
            is_listed: true,
            ..Contact::default()
        };
        data.contacts.insert("bob@example.org".parse().unwrap(), contact);
        data.contacts.insert("e@example.org".parse().unwrap(), Contact::default());
        data.blocked.insert("bad.example".parse().unwrap());
        data.vcard = Some(Element::new("vCard", "vcard-temp").with_text("x"));
        data.private.push(Element::new("storage", "storage:bookmarks"));
        let mut node = PepNode { is_open: true, items_max: 3, ..PepNode::default() };
        node.items.push_back(Element::new("item", "pubsub").with_attribute("id", "1"));
        data.nodes.insert("urn:x".to_owned(), node);
        let body = Element::new("body", "jabber:client").with_text(" 1 < 2\n");
        for _ in 0..3 {
            data.offline
                .push_back(Element::new("message", "jabber:client").with_child(body.clone()));
        }
        let text = data.encode();
        assert_eq!(AccountData::decode(&text).unwrap(), data);
        // Half a file is none.
        for end in 0..text.len() - "\n".len() {
            assert!(AccountData::decode(&text[..end]).is_err(), "{end}");
        }
    }

    #[test]
    fn nothing_is_guessed() {
        for text in [
            "<account xmlns='urn:other'></account>",
            "<account xmlns='urn:sinew:xmpp:account:1'></account>",
            "<account xmlns='urn:sinew:xmpp:account:1' roster-version='1'><x/></account>",
            "<account xmlns='urn:sinew:xmpp:account:1' roster-version='1'><contact/></account>",
            "<account xmlns='urn:sinew:xmpp:account:1' roster-version='1'><vcard/></account>",
            "<account xmlns='urn:sinew:xmpp:account:1' roster-version='1'><item node='x'><a/></item></account>",
        ] {
            assert!(AccountData::decode(text.as_bytes()).is_err(), "{text}");
        }
    }
}
