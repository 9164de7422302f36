//! What a connection waits for, and what it is told then: [`Waiting`], [`Answer`].

use std::{cell::RefCell, rc::Rc};

use sinew_auth::{AuthError, SaslError};
use sinew_transports::{Transport, reactor::Failure};

use super::{MaildropError, open_maildrop::OpenMaildrop};

/// Something that is open. No command is handled meanwhile.
pub(super) struct Waiting {
    /// Stops the work, if that may be.
    pub(super) cancel: Option<Box<dyn FnOnce()>>,
}

/// It is there.
pub(super) enum Answer {
    /// A step of the login.
    Login(Result<LoginStep, LoginError>),
    /// A list or a message has been passed to the transport.
    Sent,
    /// The messages have been deleted.
    Finished(Result<(), MaildropError>),
}

pub(super) enum LoginStep {
    Challenge(Vec<u8>),
    Open(Rc<OpenMaildrop>),
}

/// Why there is no maildrop.
#[derive(thiserror::Error)]
pub(super) enum LoginError {
    #[error(transparent)]
    Sasl(#[from] SaslError),
    #[error(transparent)]
    Auth(#[from] AuthError),
    #[error(transparent)]
    Maildrop(#[from] MaildropError),
    #[error(transparent)]
    GivenUp(#[from] Failure),
    /// Meanwhile.
    #[error("the credentials have changed")]
    Changed,
}

sinew_transports::reactor::error_debug!(LoginError);

/// Where the answer is put.
#[derive(Clone, Default)]
pub(super) struct Place(Rc<RefCell<Option<Answer>>>);

impl Place {
    pub(super) fn take(&self) -> Option<Answer> {
        self.0.take()
    }

    /// Puts it there, and wakes the connection.
    pub(super) fn put(&self, answer: Answer, transport: &Transport) {
        self.0.replace(Some(answer));
        transport.resume_reading();
    }
}
