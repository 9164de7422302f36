//! A question to the component: [`IqRequest`], which is answered exactly once.

use std::{
    fmt,
    rc::{Rc, Weak},
};

use super::{
    XmppComponent,
    xmpp_component::{Inner, answer_to},
};
use crate::xmpp::{
    client::SendError,
    codec::{Element, ErrorKind, Iq, StanzaCondition, StanzaError},
};

/// A get or a set that somebody has sent to an address of the component. Answer it now or later; if it is dropped, the answer is
/// `service-unavailable`, so that each question has one answer (RFC 6120 8.2.3).
#[must_use = "a question that is dropped is refused"]
pub struct IqRequest {
    /// Weak, since a handler may keep the question.
    component: Weak<Inner>,
    iq: Iq,
    connection: u64,
    is_answered: bool,
}

impl IqRequest {
    pub(super) fn new(component: &XmppComponent, iq: Iq) -> Self {
        let connection = component.connection_number();
        Self { component: Rc::downgrade(&component.0), iq, connection, is_answered: false }
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

    /// Answers it, from the address that was asked.
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
        let Some(component) = self.component.upgrade().map(XmppComponent) else {
            return Err(SendError::NotConnected);
        };
        // The server has answered for a connection that is lost.
        if component.connection_number() != self.connection {
            return Err(SendError::NotConnected);
        }
        let sent = component.send(answer_to(&self.iq, answer));
        if let Err(SendError::Encode(_) | SendError::TooLong { .. }) = &sent {
            let error = StanzaError::new(ErrorKind::Wait, StanzaCondition::InternalServerError);
            component.send(answer_to(&self.iq, Iq::failure(&self.iq, &error))).ok();
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
            tracing::debug!(%error, "a question of XMPP was not answered");
        }
    }
}

impl fmt::Debug for IqRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("IqRequest").field("iq", &self.iq).finish_non_exhaustive()
    }
}
