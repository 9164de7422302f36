//! Credentials that do not count any more: [`Revoking`] knows who has logged in by which.

use std::{cell::RefCell, rc::Rc};

use sinew_auth::{BegunLogin, Identity, OpenSession, Sessions};

use super::user::UserId;

/// Who has logged in.
#[derive(Default)]
pub(super) struct Revoking {
    pub(super) accounts: Logins,
    pub(super) operators: Logins,
}

/// Logins of one kind.
#[derive(Default)]
pub(super) struct Logins {
    sessions: Sessions,
    /// Whose have just been ended.
    ended: Rc<RefCell<Vec<UserId>>>,
}

impl Logins {
    pub(super) fn begin(&self) -> BegunLogin {
        self.sessions.begin_login()
    }

    /// The credentials were right. `None` if they do not count any more.
    pub(super) fn succeeded(
        &self,
        begun: BegunLogin,
        identity: &Identity,
        id: UserId,
    ) -> Option<OpenSession> {
        let ended = Rc::clone(&self.ended);
        begun.succeeded(identity, move || {
            ended.borrow_mut().push(id);
            true
        })
    }

    /// Ends those of a user.
    pub(super) fn end(&self, name: &str) -> Vec<UserId> {
        self.sessions.end(name);
        self.ended.take()
    }
}
