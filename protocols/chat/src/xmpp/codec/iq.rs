//! Questions and answers (RFC 6120 8.2.3): [`Iq`].

use super::{
    Element, Jid, StanzaError, StanzaProblem,
    stanza::{Addressed, addressed},
    stanza_error::words,
};

words! {
    /// What an iq is.
    IqKind {
        /// A question.
        Get = "get",
        /// A request to change something.
        Set = "set",
        /// The answer to either.
        Result = "result",
        /// The answer that it has failed.
        Error = "error",
    }
}

/// A question or an answer: one child if it is a get or a set, at most one if it is a result, and always an id if it was received.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Iq(pub(super) Addressed);

addressed!(Iq);

impl Iq {
    fn new(kind: IqKind) -> Self {
        let mut addressed = Addressed::new("iq");
        addressed.element.set_attribute("type", kind.as_str());
        Self(addressed)
    }

    /// A question. Without a recipient it is for the own account.
    #[must_use]
    pub fn get(payload: Element) -> Self {
        Self::new(IqKind::Get).with(payload)
    }

    /// A request to change something.
    #[must_use]
    pub fn set(payload: Element) -> Self {
        Self::new(IqKind::Set).with(payload)
    }

    /// The answer to an iq.
    #[must_use]
    pub fn result(to: &Self, payload: Option<Element>) -> Self {
        let answer = Self::new(IqKind::Result).answering(to);
        match payload {
            Some(payload) => answer.with(payload),
            None => answer,
        }
    }

    /// The answer that an iq has failed.
    #[must_use]
    pub fn failure(to: &Self, error: &StanzaError) -> Self {
        let answer = Self::new(IqKind::Error).answering(to);
        let error = error.to_element(answer.0.element.ns());
        answer.with(error)
    }

    fn answering(mut self, question: &Self) -> Self {
        if let Some(id) = question.id() {
            self = self.with_id(id);
        }
        match question.from() {
            Some(from) => self.with_to(Jid::clone(from)),
            None => self,
        }
    }

    /// What it is.
    #[must_use]
    pub fn kind(&self) -> IqKind {
        let word = self.0.element.attribute("type");
        word.and_then(IqKind::from_word).unwrap_or(IqKind::Error)
    }

    /// Whether it has to be answered.
    #[must_use]
    pub fn is_request(&self) -> bool {
        matches!(self.kind(), IqKind::Get | IqKind::Set)
    }

    /// What it asks, or what the answer is.
    #[must_use]
    pub fn payload(&self) -> Option<&Element> {
        self.0.element.children().next()
    }

    /// The error, if it is one.
    #[must_use]
    pub fn error(&self) -> Option<StanzaError> {
        (self.kind() == IqKind::Error).then(|| StanzaError::of(&self.0.element))
    }
}

impl TryFrom<Element> for Iq {
    type Error = StanzaProblem;

    fn try_from(element: Element) -> Result<Self, StanzaProblem> {
        let addressed = Addressed::read(element, "iq")?;
        let kind = addressed.element.attribute("type").and_then(IqKind::from_word);
        let children = addressed.element.children().take(2).count();
        match (kind, children) {
            _ if addressed.element.attribute("id").is_none_or(str::is_empty) => {
                Err(StanzaProblem::NoId)
            }
            (Some(IqKind::Get | IqKind::Set), 1)
            | (Some(IqKind::Result), 0 | 1)
            | (Some(IqKind::Error), _) => Ok(Self(addressed)),
            _ => Err(StanzaProblem::Iq),
        }
    }
}
