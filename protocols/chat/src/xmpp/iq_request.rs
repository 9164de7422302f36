//! A question to a client or a component: [`IqRequest`], which is answered exactly once.

use sinew_transports::reactor::with_causes;

use std::{
    fmt,
    rc::{Rc, Weak},
};

use super::{
    client::SendError,
    codec::{Element, ErrorKind, Iq, StanzaCondition, StanzaError},
};

/// What is asked: a client or a component.
pub(in crate::xmpp) trait Asked: 'static {
    /// Sends the answer to a question that came in the session, or by the connection, with this number. There is none for one that is over.
    ///
    /// # Errors
    ///
    /// [`SendError`].
    fn answer(self: Rc<Self>, number: u64, question: &Iq, answer: Iq) -> Result<(), SendError>;
}

/// A get or a set that somebody has sent to a client, or to an address of a component. Answer it now or later; if it is dropped, the
/// answer is `service-unavailable`, so that each question has one answer (RFC 6120 8.2.3).
#[must_use = "a question that is dropped is refused"]
pub struct IqRequest {
    /// Weak, since a handler may keep the question.
    asked: Weak<dyn Asked>,
    iq: Iq,
    number: u64,
    is_answered: bool,
}

impl IqRequest {
    pub(in crate::xmpp) fn new(asked: &Rc<impl Asked>, number: u64, iq: Iq) -> Self {
        let asked = Rc::downgrade(asked);
        Self { asked, iq, number, is_answered: false }
    }

    /// The question, with its sender and its recipient.
    #[must_use]
    pub const fn iq(&self) -> &Iq {
        &self.iq
    }

    /// What it asks.
    #[must_use]
    pub fn payload(&self) -> Option<&Element> {
        self.iq.payload()
    }

    /// Answers it, a component from the address that was asked.
    ///
    /// # Errors
    ///
    /// [`SendError`]. If XML cannot hold the answer, or it is too long, the question is answered with `internal-server-error`.
    pub fn result(mut self, payload: Option<Element>) -> Result<(), SendError> {
        self.answer(Iq::result(&self.iq, payload))
    }

    /// Answers that it has failed.
    ///
    /// # Errors
    ///
    /// As [`result`](Self::result).
    pub fn error(mut self, error: &StanzaError) -> Result<(), SendError> {
        self.answer(Iq::failure(&self.iq, error))
    }

    fn answer(&mut self, answer: Iq) -> Result<(), SendError> {
        self.is_answered = true;
        let Some(asked) = self.asked.upgrade() else {
            return Err(SendError::NotConnected);
        };
        let sent = Rc::clone(&asked).answer(self.number, &self.iq, answer);
        if let Err(SendError::Encode(_) | SendError::TooLong { .. }) = &sent {
            let error = StanzaError::new(ErrorKind::Wait, StanzaCondition::InternalServerError);
            let failure = Iq::failure(&self.iq, &error);
            asked.answer(self.number, &self.iq, failure).ok();
        }
        sent
    }
}

impl Drop for IqRequest {
    fn drop(&mut self) {
        if !self.is_answered
            && let Err(error) =
                self.answer(Iq::failure(&self.iq, &StanzaError::service_unavailable()))
        {
            tracing::debug!(error = %with_causes(&error), "a question of XMPP was not answered");
        }
    }
}

impl fmt::Debug for IqRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("IqRequest").field("iq", &self.iq).finish_non_exhaustive()
    }
}
