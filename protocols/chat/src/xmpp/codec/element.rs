//! A piece of XML as a tree: [`Element`]. Holds anything; what XML cannot hold is found by [`Element::encode`].

use std::{
    fmt,
    sync::{Arc, OnceLock},
};

use bytes::Bytes;

use super::ns;

/// An element with its namespace, attributes and children. Prefixes are not kept.
///
/// # Examples
///
/// ```
/// use sinew_chat::xmpp::codec::Element;
///
/// let note = Element::new("note", "urn:example:notes")
///     .with_attribute("by", "ann & bob")
///     .with_child(Element::new("title", "urn:example:notes").with_text("1 < 2"));
/// assert_eq!(
///     note.encode("jabber:client")?,
///     "<note xmlns='urn:example:notes' by='ann &amp; bob'><title>1 &lt; 2</title></note>"
/// );
/// assert_eq!(note.child("title", "urn:example:notes").map(Element::text).as_deref(), Some("1 < 2"));
/// # Ok::<(), sinew_chat::xmpp::codec::EncodeError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Element {
    name: Box<str>,
    ns: Arc<str>,
    attributes: Vec<Attribute>,
    /// Shared by clones until one of them changes: a message to a room has as many as there are occupants.
    nodes: Option<Arc<Nodes>>,
    /// How many elements are in each other, this one included.
    height: usize,
}

/// All that is in an element.
#[derive(Clone, Default)]
struct Nodes {
    list: Vec<Node>,
    /// The list as XML, once it was written while several elements have it.
    written: OnceLock<Bytes>,
}

/// What is in an element.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Node {
    /// An element.
    Element(Element),
    /// Text, as it is meant, not as it is written.
    Text(String),
}

/// An attribute of an element.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Attribute {
    /// The namespace, if it has a prefix.
    pub ns: Option<Arc<str>>,
    /// The name without a prefix.
    pub name: Box<str>,
    /// The value, as it is meant.
    pub value: String,
}

impl Element {
    /// An empty element.
    #[must_use]
    pub fn new(name: &str, ns: &str) -> Self {
        Self::of(name.into(), ns.into())
    }

    pub(super) fn of(name: Box<str>, ns: Arc<str>) -> Self {
        Self { name, ns, attributes: Vec::new(), nodes: None, height: 1 }
    }

    /// Sets an attribute that has no namespace.
    #[must_use]
    pub fn with_attribute(mut self, name: &str, value: impl Into<String>) -> Self {
        self.set_attribute(name, value);
        self
    }

    /// Sets the language of the text (`xml:lang`).
    #[must_use]
    pub fn with_lang(mut self, lang: impl Into<String>) -> Self {
        self.set(Some(ns::XML.into()), "lang", lang.into());
        self
    }

    /// Adds text, behind what is there.
    #[must_use]
    pub fn with_text(mut self, text: impl Into<String>) -> Self {
        self.push_text(text.into());
        self
    }

    /// Adds an element, behind what is there.
    #[must_use]
    pub fn with_child(mut self, child: impl Into<Self>) -> Self {
        self.push(child.into());
        self
    }

    /// Sets an attribute that has no namespace.
    pub fn set_attribute(&mut self, name: &str, value: impl Into<String>) {
        self.set(None, name, value.into());
    }

    fn set(&mut self, ns: Option<Arc<str>>, name: &str, value: String) {
        match self.attributes.iter_mut().find(|known| *known.name == *name && known.ns == ns) {
            Some(known) => known.value = value,
            None => self.attributes.push(Attribute { ns, name: name.into(), value }),
        }
    }

    /// Takes an attribute away.
    pub fn remove_attribute(&mut self, name: &str) {
        self.attributes.retain(|known| known.ns.is_some() || *known.name != *name);
    }

    pub(super) fn push_attribute(&mut self, attribute: Attribute) {
        self.attributes.push(attribute);
    }

    /// Adds an element, behind what is there.
    pub fn push(&mut self, child: Self) {
        self.height = self.height.max(child.height.saturating_add(1));
        self.nodes_mut().push(Node::Element(child));
    }

    pub(super) fn push_text(&mut self, text: String) {
        if text.is_empty() {
            return;
        }
        let nodes = self.nodes_mut();
        match nodes.last_mut() {
            Some(Node::Text(before)) => before.push_str(&text),
            _ => nodes.push(Node::Text(text)),
        }
    }

    /// The nodes of this element alone.
    fn nodes_mut(&mut self) -> &mut Vec<Node> {
        let nodes = Arc::make_mut(self.nodes.get_or_insert_default());
        nodes.written.take();
        &mut nodes.list
    }

    /// Takes the children of that name away.
    pub fn remove_children(&mut self, name: &str, ns: &str) {
        // What is shared stays shared if there are none.
        if self.child(name, ns).is_some() {
            self.nodes_mut()
                .retain(|node| !matches!(node, Node::Element(child) if child.is(name, ns)));
        }
    }

    /// The name, without a prefix.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The namespace; empty if there is none.
    #[must_use]
    pub fn ns(&self) -> &str {
        &self.ns
    }

    /// Whether it has this name in this namespace.
    #[must_use]
    pub fn is(&self, name: &str, ns: &str) -> bool {
        *self.name == *name && *self.ns == *ns
    }

    /// The value of an attribute that has no namespace.
    #[must_use]
    pub fn attribute(&self, name: &str) -> Option<&str> {
        let known = self.attributes.iter().find(|known| known.ns.is_none() && *known.name == *name);
        known.map(|known| known.value.as_str())
    }

    /// The language of the text, if it is said here (`xml:lang`).
    #[must_use]
    pub fn lang(&self) -> Option<&str> {
        let mut attributes = self.attributes.iter();
        let is_lang =
            |known: &&Attribute| known.ns.as_deref() == Some(ns::XML) && *known.name == *"lang";
        attributes.find(is_lang).map(|known| known.value.as_str())
    }

    /// All attributes.
    #[must_use]
    pub fn attributes(&self) -> &[Attribute] {
        &self.attributes
    }

    /// All that is in it.
    #[must_use]
    pub fn nodes(&self) -> &[Node] {
        self.nodes.as_ref().map_or(&[], |nodes| &nodes.list)
    }

    /// Where the nodes as XML are kept, if other elements have them too.
    pub(super) fn written(&self) -> Option<&OnceLock<Bytes>> {
        let nodes = self.nodes.as_ref().filter(|nodes| Arc::strong_count(nodes) > 1);
        nodes.map(|nodes| &nodes.written)
    }

    /// The elements in it.
    pub fn children(&self) -> impl Iterator<Item = &Self> {
        self.nodes().iter().filter_map(|node| match node {
            Node::Element(child) => Some(child),
            Node::Text(_) => None,
        })
    }

    /// The first child of that name.
    #[must_use]
    pub fn child(&self, name: &str, ns: &str) -> Option<&Self> {
        self.children().find(|child| child.is(name, ns))
    }

    /// The text in it, without that of its children.
    #[must_use]
    pub fn text(&self) -> String {
        let texts = self.nodes().iter().filter_map(|node| match node {
            Node::Text(text) => Some(text.as_str()),
            Node::Element(_) => None,
        });
        texts.collect()
    }

    /// Moves the element, and all in it that is in the same namespace, to another one. Elements below one of another namespace stay.
    pub(crate) fn move_to_ns(&mut self, from: &str, to: &Arc<str>) {
        if *self.ns != *from {
            return;
        }
        self.ns = Arc::clone(to);
        if self.nodes.is_none() {
            return;
        }
        for node in self.nodes_mut() {
            if let Node::Element(child) = node {
                child.move_to_ns(from, to);
            }
        }
    }

    pub(super) const fn height(&self) -> usize {
        self.height
    }
}

impl fmt::Debug for Nodes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.list.fmt(f)
    }
}

impl PartialEq for Nodes {
    fn eq(&self, other: &Self) -> bool {
        self.list == other.list
    }
}

impl Eq for Nodes {}
