//! The service: [`IrcService`], the ports; SIGHUP reads files again, and the end waits until what is registered is stored.

use std::{cell::RefCell, path::PathBuf};

use sinew::{
    application::{Service, StartError, StopError},
    chat::irc::server::IrcServer,
    prelude::{Deferred, Reactor},
};

use crate::servers::{read_again::OnHangup, users_file};

pub(super) struct IrcService {
    streams: Box<dyn Service>,
    server: IrcServer,
    /// Of accounts and operators.
    users: Vec<PathBuf>,
    hangup: RefCell<Option<OnHangup>>,
}

impl IrcService {
    pub(super) fn new(streams: Box<dyn Service>, server: IrcServer, users: Vec<PathBuf>) -> Self {
        Self { streams, server, users, hangup: RefCell::default() }
    }
}

impl Service for IrcService {
    fn privileged_start(&self, reactor: &Reactor) -> Result<(), StartError> {
        self.streams.privileged_start(reactor)
    }

    fn start(&self, reactor: &Reactor) -> Result<(), StartError> {
        self.streams.start(reactor)?;
        let (server, users) = (self.server.clone(), self.users.clone());
        let hangup = OnHangup::call(reactor, "irc: reading its files again", move |reactor| {
            rehash(&server, reactor);
            warn_of(users.clone(), reactor);
        })?;
        self.hangup.replace(Some(hangup));
        Ok(())
    }

    fn stop(&self, reactor: &Reactor) -> Deferred<(), StopError> {
        drop(self.hangup.take());
        let (server, handle) = (self.server.clone(), reactor.clone());
        let (promise, stopped) = reactor.promise();
        self.streams.stop(reactor).then(move |_, result| {
            server.flushed(&handle).then(move |_, _| promise.settle(result));
        });
        stopped
    }
}

/// Warns of files of users that everyone may read. They are read again with the next login.
fn warn_of(users: Vec<PathBuf>, reactor: &Reactor) {
    let exposed = move || users.iter().filter_map(|path| users_file::exposed(path)).collect();
    reactor.defer_to_thread(exposed).then(|_, warnings: Result<Vec<String>, _>| {
        warnings.into_iter().flatten().for_each(|warning| tracing::warn!("{warning}"));
    });
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
