//! Messages (RFC 6121 5): [`Message`].

use super::{
    Element, Jid, StanzaError, StanzaProblem, ns,
    stanza::{Addressed, addressed},
    stanza_error::words,
};

words! {
    /// How a message is meant.
    MessageKind {
        /// It stands alone.
        Normal = "normal",
        /// It is part of a conversation.
        Chat = "chat",
        /// It is in a room.
        Groupchat = "groupchat",
        /// It is news, which is not to be answered.
        Headline = "headline",
        /// An earlier message was not delivered.
        Error = "error",
    }
}

/// A message.
///
/// # Examples
///
/// ```
/// use sinew_chat::xmpp::codec::Message;
///
/// let message = Message::chat("ann@example.org".parse()?).with_body("1 < 2");
/// assert_eq!(
///     message.element().encode("jabber:client")?,
///     "<message to='ann@example.org' type='chat'><body>1 &lt; 2</body></message>"
/// );
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message(pub(super) Addressed);

addressed!(Message);

impl Message {
    /// A message of this kind to somebody.
    #[must_use]
    pub fn new(kind: MessageKind, to: Jid) -> Self {
        let mut message = Self(Addressed::new("message")).with_to(to);
        if kind != MessageKind::Normal {
            message.0.element.set_attribute("type", kind.as_str());
        }
        message
    }

    /// A message of a conversation.
    #[must_use]
    pub fn chat(to: Jid) -> Self {
        Self::new(MessageKind::Chat, to)
    }

    /// A message to all in a room.
    #[must_use]
    pub fn groupchat(room: Jid) -> Self {
        Self::new(MessageKind::Groupchat, room)
    }

    /// Adds a body.
    #[must_use]
    pub fn with_body(self, body: impl Into<String>) -> Self {
        self.with(Element::new("body", ns::CLIENT).with_text(body))
    }

    /// Adds a subject.
    #[must_use]
    pub fn with_subject(self, subject: impl Into<String>) -> Self {
        self.with(Element::new("subject", ns::CLIENT).with_text(subject))
    }

    /// Adds the id of the conversation.
    #[must_use]
    pub fn with_thread(self, thread: impl Into<String>) -> Self {
        self.with(Element::new("thread", ns::CLIENT).with_text(thread))
    }

    /// How it is meant. An unknown type is [`Normal`](MessageKind::Normal) (RFC 6121 5.2.2).
    #[must_use]
    pub fn kind(&self) -> MessageKind {
        let word = self.0.element.attribute("type");
        word.and_then(MessageKind::from_word).unwrap_or(MessageKind::Normal)
    }

    /// The first body.
    #[must_use]
    pub fn body(&self) -> Option<String> {
        self.child("body", ns::CLIENT).map(Element::text)
    }

    /// The first subject.
    #[must_use]
    pub fn subject(&self) -> Option<String> {
        self.child("subject", ns::CLIENT).map(Element::text)
    }

    /// The id of the conversation.
    #[must_use]
    pub fn thread(&self) -> Option<String> {
        self.child("thread", ns::CLIENT).map(Element::text)
    }

    /// An answer to it: to its sender, or to all in the room, of the same kind and in the same thread. `None` for what is never to be
    /// answered, errors and headlines (RFC 6121 5.2.2), and for a message without a sender.
    ///
    /// # Examples
    ///
    /// ```
    /// use sinew_chat::xmpp::codec::Message;
    ///
    /// let question = Message::groupchat("room@muc.example.org".parse()?)
    ///     .with_from("room@muc.example.org/ann".parse()?)
    ///     .with_body("anybody there?");
    /// let answer = question.reply("yes").expect("it is from somebody");
    /// assert_eq!(answer.to(), Some(&"room@muc.example.org".parse()?));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn reply(&self, body: impl Into<String>) -> Option<Self> {
        let from = self.from()?;
        let to = match self.kind() {
            MessageKind::Error | MessageKind::Headline => return None,
            MessageKind::Groupchat => from.bare(),
            MessageKind::Normal | MessageKind::Chat => from.clone(),
        };
        let answer = Self::new(self.kind(), to).with_body(body);
        Some(match self.thread() {
            Some(thread) => answer.with_thread(thread),
            None => answer,
        })
    }

    /// Whether it says that it is older than its arrival (XEP-0203): it waited for the account, or is of the history of a room.
    #[must_use]
    pub fn is_delayed(&self) -> bool {
        self.child("delay", ns::DELAY).is_some()
    }

    /// The error, if it is one.
    #[must_use]
    pub fn error(&self) -> Option<StanzaError> {
        (self.kind() == MessageKind::Error).then(|| StanzaError::of(&self.0.element))
    }
}

impl TryFrom<Element> for Message {
    type Error = StanzaProblem;

    fn try_from(element: Element) -> Result<Self, StanzaProblem> {
        Addressed::read(element, "message").map(Self)
    }
}
