//! Presence (RFC 6121 4): [`Presence`].

use super::{
    Element, Jid, StanzaError, StanzaProblem, ns,
    stanza::{Addressed, addressed},
    stanza_error::words,
};

words! {
    /// What presence says.
    PresenceKind {
        /// The sender is there. It has no word in XML: the attribute is left out.
        Available = "",
        /// The sender is not there any more.
        Unavailable = "unavailable",
        /// The sender wants to see the presence of the recipient.
        Subscribe = "subscribe",
        /// The sender lets the recipient see its presence.
        Subscribed = "subscribed",
        /// The sender does not want to see it any more.
        Unsubscribe = "unsubscribe",
        /// The sender does not let it be seen, or not any more.
        Unsubscribed = "unsubscribed",
        /// A server asks for it.
        Probe = "probe",
        /// Earlier presence was not accepted.
        Error = "error",
    }
}

words! {
    /// How available somebody is.
    Show {
        /// Away for a moment.
        Away = "away",
        /// Wants to talk.
        Chat = "chat",
        /// Does not want to be disturbed.
        DoNotDisturb = "dnd",
        /// Away for longer.
        ExtendedAway = "xa",
    }
}

/// Presence.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Presence(pub(super) Addressed);

addressed!(Presence);

impl Presence {
    /// Presence of this kind, without a recipient.
    #[must_use]
    pub fn new(kind: PresenceKind) -> Self {
        let mut presence = Self(Addressed::new("presence"));
        if kind != PresenceKind::Available {
            presence.0.element.set_attribute("type", kind.as_str());
        }
        presence
    }

    /// Presence of this kind to somebody: a subscription, or the entry of a room.
    #[must_use]
    pub fn directed(kind: PresenceKind, to: Jid) -> Self {
        Self::new(kind).with_to(to)
    }

    /// The sender is there.
    #[must_use]
    pub fn available() -> Self {
        Self::new(PresenceKind::Available)
    }

    /// Says how available.
    #[must_use]
    pub fn with_show(self, show: Show) -> Self {
        self.with(Element::new("show", ns::CLIENT).with_text(show.as_str()))
    }

    /// Says it in words.
    #[must_use]
    pub fn with_status(self, status: impl Into<String>) -> Self {
        self.with(Element::new("status", ns::CLIENT).with_text(status))
    }

    /// Messages go to the resource with the highest priority; to none with a negative one.
    #[must_use]
    pub fn with_priority(self, priority: i8) -> Self {
        self.with(Element::new("priority", ns::CLIENT).with_text(priority.to_string()))
    }

    /// What it says; `None` for an unknown type, which is to be ignored.
    #[must_use]
    pub fn kind(&self) -> Option<PresenceKind> {
        match self.0.element.attribute("type") {
            None => Some(PresenceKind::Available),
            Some("") => None,
            Some(word) => PresenceKind::from_word(word),
        }
    }

    /// How available; `None` if nothing is said, or what is not known.
    #[must_use]
    pub fn show(&self) -> Option<Show> {
        Show::from_word(&self.child("show", ns::CLIENT)?.text())
    }

    /// The words.
    #[must_use]
    pub fn status(&self) -> Option<String> {
        self.child("status", ns::CLIENT).map(Element::text)
    }

    /// The priority; 0 if none is said.
    #[must_use]
    pub fn priority(&self) -> i8 {
        let priority = self.child("priority", ns::CLIENT).map(Element::text);
        priority.and_then(|priority| priority.trim().parse().ok()).unwrap_or(0)
    }

    /// The error, if it is one.
    #[must_use]
    pub fn error(&self) -> Option<StanzaError> {
        (self.kind() == Some(PresenceKind::Error)).then(|| StanzaError::of(&self.0.element))
    }
}

impl TryFrom<Element> for Presence {
    type Error = StanzaProblem;

    fn try_from(element: Element) -> Result<Self, StanzaProblem> {
        Addressed::read(element, "presence").map(Self)
    }
}
