//! The service: [`IrcService`], the ports; SIGHUP reads files again, and the end waits until what is registered is stored.

use std::{cell::RefCell, rc::Rc};

use sinew::{
    application::{Service, StartError, StopError},
    auth::PasswordFile,
    chat::irc::server::IrcServer,
    prelude::{Deferred, Reactor},
};

use crate::servers::read_again::OnHangup;

pub(super) struct IrcService {
    streams: Box<dyn Service>,
    server: IrcServer,
    accounts: Option<Rc<PasswordFile>>,
    hangup: RefCell<Option<OnHangup>>,
}

impl IrcService {
    pub(super) fn new(
        streams: Box<dyn Service>,
        server: IrcServer,
        accounts: Option<Rc<PasswordFile>>,
    ) -> Self {
        Self { streams, server, accounts, hangup: RefCell::default() }
    }
}

impl Service for IrcService {
    fn privileged_start(&self, reactor: &Reactor) -> Result<(), StartError> {
        self.streams.privileged_start(reactor)
    }

    fn start(&self, reactor: &Reactor) -> Result<(), StartError> {
        self.streams.start(reactor)?;
        let (server, accounts) = (self.server.clone(), self.accounts.clone());
        let hangup = OnHangup::call(reactor, "irc: reading its files again", move |reactor| {
            read_again(&server, accounts.as_deref(), reactor);
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

/// Reads the files again: the accounts first, since clients are told then which mechanisms are offered.
fn read_again(server: &IrcServer, accounts: Option<&PasswordFile>, reactor: &Reactor) {
    let Some(accounts) = accounts else { return rehash(server, reactor) };
    let server = server.clone();
    accounts.reload(reactor).then(move |reactor, read| {
        if let Err(error) = read {
            tracing::error!(?error, "the accounts of the IRC server were not read again");
        }
        rehash(&server, reactor);
    });
}

fn rehash(server: &IrcServer, reactor: &Reactor) {
    server.rehash(reactor).then(|_, read| match read {
        Ok(()) => tracing::info!("the message of the day and the bans were read again"),
        Err(error) => {
            tracing::error!(?error, "the files of the IRC server were not read again")
        }
    });
}
