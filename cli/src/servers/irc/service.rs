//! The service: [`IrcService`], the ports; SIGHUP reads files again, and the end waits until what is registered is stored.

use std::{cell::RefCell, time::Duration};

use sinew::{
    application::{Service, StartError, StopError},
    chat::irc::server::IrcServer,
    prelude::{Deferred, Reactor},
};

use super::Users;
use crate::servers::{
    read_again::OnHangup,
    user_changes::{WatchedUsers, end_sessions},
};

pub(super) struct IrcService {
    streams: Box<dyn Service>,
    server: IrcServer,
    hangup: RefCell<Option<OnHangup>>,
    users: Users,
    /// How often their files are looked at.
    every: Duration,
    watching: RefCell<Vec<WatchedUsers>>,
}

impl IrcService {
    pub(super) fn new(
        streams: Box<dyn Service>,
        server: IrcServer,
        users: Users,
        every: Duration,
    ) -> Self {
        let (hangup, watching) = (RefCell::default(), RefCell::default());
        Self { streams, server, hangup, users, every, watching }
    }

    /// Looks after the files of accounts and operators.
    fn watch(&self, reactor: &Reactor) -> Result<(), StartError> {
        let mut watching = self.watching.borrow_mut();
        if let Some(accounts) = self.users.accounts.clone() {
            let server = self.server.clone();
            watching.push(accounts.watch(reactor, self.every, move |reactor, changes| {
                end_sessions(changes, |account, _| server.end_sessions(reactor, account));
                server.tell_mechanisms(reactor);
            })?);
        }
        if let Some(operators) = self.users.operators.clone() {
            let server = self.server.clone();
            watching.push(operators.watch(reactor, self.every, move |reactor, changes| {
                end_sessions(changes, |name, _| server.end_operators(reactor, name));
            })?);
        }
        Ok(())
    }
}

impl Service for IrcService {
    fn privileged_start(&self, reactor: &Reactor) -> Result<(), StartError> {
        self.streams.privileged_start(reactor)
    }

    fn start(&self, reactor: &Reactor) -> Result<(), StartError> {
        self.streams.start(reactor)?;
        let server = self.server.clone();
        let hangup = OnHangup::call(reactor, "irc: reading its files again", move |reactor| {
            rehash(&server, reactor);
        })?;
        self.hangup.replace(Some(hangup));
        self.watch(reactor)
    }

    fn stop(&self, reactor: &Reactor) -> Deferred<(), StopError> {
        drop(self.hangup.take());
        drop(self.watching.take());
        let (server, handle) = (self.server.clone(), reactor.clone());
        let (promise, stopped) = reactor.promise();
        self.streams.stop(reactor).then(move |_, result| {
            server.flushed(&handle).then(move |_, _| promise.settle(result));
        });
        stopped
    }
}

/// Reads the files again.
fn rehash(server: &IrcServer, reactor: &Reactor) {
    server.rehash(reactor).then(|_, read| match read {
        Ok(()) => tracing::info!("the message of the day and the bans were read again"),
        Err(error) => {
            tracing::error!(?error, "the files of the IRC server were not read again")
        }
    });
}
