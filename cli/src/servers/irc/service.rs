//! The service: [`IrcService`], the ports; SIGHUP reads files again, and the end waits until what is registered is stored.

use std::cell::RefCell;

use sinew::{
    application::{Service, StartError, StopError},
    chat::irc::server::IrcServer,
    prelude::{Deferred, Reactor},
};

use crate::servers::read_again::OnHangup;

pub(super) struct IrcService {
    streams: Box<dyn Service>,
    server: IrcServer,
    hangup: RefCell<Option<OnHangup>>,
}

impl IrcService {
    pub(super) fn new(streams: Box<dyn Service>, server: IrcServer) -> Self {
        Self { streams, server, hangup: RefCell::default() }
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

/// Reads the files again.
fn rehash(server: &IrcServer, reactor: &Reactor) {
    server.rehash(reactor).then(|_, read| match read {
        Ok(()) => tracing::info!("the message of the day and the bans were read again"),
        Err(error) => {
            tracing::error!(?error, "the files of the IRC server were not read again")
        }
    });
}
