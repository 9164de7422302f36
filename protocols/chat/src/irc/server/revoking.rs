//! Credentials that do not count any more: [`Revoking`] knows who has logged in by which, and what the server does with them is here, too.

use std::{cell::RefCell, rc::Rc};

use sinew_auth::{BegunLogin, Identity, OpenSession, Sessions};
use sinew_transports::reactor::Reactor;

use super::{IrcServer, network::Network, outgoing::Outgoing, user::UserId};

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

    fn end(&self, name: &str) -> Vec<UserId> {
        self.sessions.end(name);
        self.ended.take()
    }
}

impl IrcServer {
    /// Ends the connections of all clients that have logged in to an account, and returns how many there were: for an account that may not
    /// be used any more, or has another password. Others see them quit. Logins to the account that have begun before are refused.
    ///
    /// Call it once the authenticator knows of the change.
    pub fn end_sessions(&self, reactor: &Reactor, account: &str) -> usize {
        self.with(reactor, |network| {
            let ended = network.revoking.accounts.end(account);
            for id in &ended {
                network.leave(*id, b"The credentials are not valid any more", true);
            }
            ended.len()
        })
    }

    /// Those who have become operators of the server by this name (OPER) are none any more, and are told so by MODE; returns how many there were.
    /// The clients stay. An OPER by the name that has begun before is refused.
    ///
    /// Call it once the authenticator of operators knows of the change.
    pub fn end_operators(&self, reactor: &Reactor, name: &str) -> usize {
        self.with(reactor, |network| {
            let ended = network.revoking.operators.end(name);
            ended.into_iter().filter(|id| network.end_operator(*id)).count()
        })
    }
}

impl Network {
    /// Whether it was one.
    fn end_operator(&mut self, id: UserId) -> bool {
        let Some(user) = self.users.get_mut(&id) else { return false };
        user.oper = None;
        if !std::mem::take(&mut user.modes.is_operator) {
            return false;
        }
        let source = user.source();
        let mode = Outgoing::new(&source, "MODE").param(&user.nick).param("-o");
        let mode = mode.account(user.account.as_deref());
        self.send(id, &mode);
        true
    }
}
