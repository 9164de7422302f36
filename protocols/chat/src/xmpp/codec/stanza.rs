//! What goes through a stream: [`Stanza`], one of three kinds.

use super::{Element, Iq, Jid, JidError, Message, Presence};

/// A stanza.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Stanza {
    /// A message.
    Message(Message),
    /// Presence.
    Presence(Presence),
    /// A question or an answer.
    Iq(Iq),
}

/// Why an element is no stanza.
#[derive(Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum StanzaProblem {
    /// It has another name or namespace.
    #[error("the element is no message, presence or iq of `jabber:client`")]
    Name,
    /// `from` or `to` is no address.
    #[error("a stanza has an address that is none")]
    Address(#[from] JidError),
    /// An iq has an unknown type, or not the children that its type needs (RFC 6120 8.2.3).
    #[error("an iq has no type that is known, or not one child where its type needs it")]
    Iq,
    /// An iq has no id (RFC 6120 8.1.3).
    #[error("an iq has no id")]
    NoId,
}

sinew_transports::reactor::error_debug!(StanzaProblem);

impl TryFrom<Element> for Stanza {
    type Error = StanzaProblem;

    fn try_from(element: Element) -> Result<Self, StanzaProblem> {
        if element.ns() != super::ns::CLIENT {
            return Err(StanzaProblem::Name);
        }
        match element.name() {
            "message" => Message::try_from(element).map(Self::Message),
            "presence" => Presence::try_from(element).map(Self::Presence),
            "iq" => Iq::try_from(element).map(Self::Iq),
            _ => Err(StanzaProblem::Name),
        }
    }
}

/// The attributes that all stanzas have.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Addressed {
    pub(super) element: Element,
    pub(super) from: Option<Jid>,
    pub(super) to: Option<Jid>,
}

impl Addressed {
    pub(super) fn new(name: &str) -> Self {
        Self { element: Element::new(name, super::ns::CLIENT), from: None, to: None }
    }

    pub(super) fn read(element: Element, name: &str) -> Result<Self, StanzaProblem> {
        if !element.is(name, super::ns::CLIENT) {
            return Err(StanzaProblem::Name);
        }
        let address = |name| element.attribute(name).map(str::parse).transpose();
        let (from, to) = (address("from")?, address("to")?);
        Ok(Self { element, from, to })
    }

    pub(super) fn set_from(&mut self, from: Jid) {
        self.element.set_attribute("from", from.to_string());
        self.from = Some(from);
    }

    pub(super) fn set_to(&mut self, to: Jid) {
        self.element.set_attribute("to", to.to_string());
        self.to = Some(to);
    }
}

/// What the three kinds have in common.
macro_rules! addressed {
    ($kind:ident) => {
        impl $kind {
            /// Sets the recipient.
            #[must_use]
            pub fn with_to(mut self, to: $crate::xmpp::codec::Jid) -> Self {
                self.0.set_to(to);
                self
            }

            /// Sets the sender. Clients leave it to their server.
            #[must_use]
            pub fn with_from(mut self, from: $crate::xmpp::codec::Jid) -> Self {
                self.0.set_from(from);
                self
            }

            /// Sets the id.
            #[must_use]
            pub fn with_id(mut self, id: impl Into<String>) -> Self {
                self.0.element.set_attribute("id", id);
                self
            }

            /// Adds an element: an extension.
            #[must_use]
            pub fn with(mut self, extension: $crate::xmpp::codec::Element) -> Self {
                self.0.element.push(extension);
                self
            }

            /// The sender.
            #[must_use]
            pub const fn from(&self) -> Option<&$crate::xmpp::codec::Jid> {
                self.0.from.as_ref()
            }

            /// The recipient.
            #[must_use]
            pub const fn to(&self) -> Option<&$crate::xmpp::codec::Jid> {
                self.0.to.as_ref()
            }

            /// The id.
            #[must_use]
            pub fn id(&self) -> Option<&str> {
                self.0.element.attribute("id")
            }

            /// The element.
            #[must_use]
            pub const fn element(&self) -> &$crate::xmpp::codec::Element {
                &self.0.element
            }

            /// The first child of that name, such as an extension.
            #[must_use]
            pub fn child(&self, name: &str, ns: &str) -> Option<&$crate::xmpp::codec::Element> {
                self.0.element.child(name, ns)
            }

            /// The element.
            #[must_use]
            pub fn into_element(self) -> $crate::xmpp::codec::Element {
                self.0.element
            }
        }

        impl From<$kind> for $crate::xmpp::codec::Element {
            fn from(stanza: $kind) -> Self {
                stanza.0.element
            }
        }
    };
}
pub(super) use addressed;
