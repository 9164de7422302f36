//! The service: [`IrcService`], the ports; SIGHUP reads files again, and the end waits until what is registered is stored.

use std::{cell::RefCell, rc::Rc};

use sinew::{
    application::{Service, StartError, StopError},
    chat::irc::server::IrcServer,
    prelude::{Deferred, Reactor},
    reactor::{
        Signal, SignalWatch,
        source::{Handler, Ready, Registration},
    },
};

pub(super) struct IrcService {
    streams: Box<dyn Service>,
    server: IrcServer,
    running: RefCell<Option<Running>>,
}

/// What ends with the service.
struct Running {
    _signal: SignalWatch,
    _handler: Registration,
}

impl IrcService {
    pub(super) fn new(streams: Box<dyn Service>, server: IrcServer) -> Self {
        Self { streams, server, running: RefCell::default() }
    }
}

impl Service for IrcService {
    fn privileged_start(&self, reactor: &Reactor) -> Result<(), StartError> {
        self.streams.privileged_start(reactor)
    }

    fn start(&self, reactor: &Reactor) -> Result<(), StartError> {
        self.streams.start(reactor)?;
        let rehash = Rc::new(Rehash(self.server.clone()));
        let handler = reactor.register_unwatched(rehash).map_err(StartError::other)?;
        let token = handler.token().expect("it has just been registered");
        let signal = reactor.wake_on_signal(Signal::HUP, token).map_err(StartError::other)?;
        self.running.replace(Some(Running { _signal: signal, _handler: handler }));
        Ok(())
    }

    fn stop(&self, reactor: &Reactor) -> Deferred<(), StopError> {
        drop(self.running.take());
        let (server, handle) = (self.server.clone(), reactor.clone());
        let (promise, stopped) = reactor.promise();
        self.streams.stop(reactor).then(move |_, result| {
            server.flushed(&handle).then(move |_, _| promise.settle(result));
        });
        stopped
    }
}

/// Reads the files again when the signal comes.
struct Rehash(IrcServer);

impl Handler for Rehash {
    fn ready(self: Rc<Self>, reactor: &Reactor, _: Ready) {
        self.rescheduled(reactor);
    }

    fn rescheduled(self: Rc<Self>, reactor: &Reactor) {
        self.0.rehash(reactor).then(|_, read| match read {
            Ok(()) => tracing::info!("the message of the day and the bans were read again"),
            Err(error) => {
                tracing::error!(?error, "the files of the IRC server were not read again")
            }
        });
    }

    fn describe(&self) -> String {
        "irc: reading its files again".to_owned()
    }
}
