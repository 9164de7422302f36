//! The handle of a client: [`IrcClient`]. What it sends is in `commands.rs`.

use std::{cell::RefCell, fmt, rc::Rc, time::Duration};

use sinew_transports::{
    ClientService, Factory, Peer, RetryConfig, TimerId,
    endpoint::ClientEndpoint,
    reactor::{Deferred, Reactor, WeakReactor},
};

use super::{
    IrcConfig, IrcConnection, IrcError, IrcHandler, Member, SendError, connection,
    dcc::Transfers,
    state::{Phase, State},
};
use crate::{
    attempt::{Attempt, Attempting, connect},
    irc::codec::{Isupport, MessageBuf},
    waiting::{Failed, Waiting},
};

/// A client of IRC: one connection at a time, and what is known of it. A handle: clones are the same client.
///
/// It is a [`Factory`], too, for connections that are made elsewhere; a second connection while there is one is refused.
///
/// # Examples
///
/// A bot that stays connected, and joins its channel again after each reconnect:
///
/// ```no_run
/// use sinew_chat::irc::client::{IrcClient, IrcConfig, IrcHandler, Said};
/// use sinew_transports::{RetryConfig, endpoint::ClientEndpoint, reactor::Reactor};
///
/// struct Log;
///
/// impl IrcHandler for Log {
///     fn privmsg(&mut self, _: &IrcClient, said: &Said<'_>) {
///         println!("{} <{}> {}", said.target, said.from.nick(), said.text);
///     }
/// }
///
/// fn main() -> Result<(), Box<dyn std::error::Error>> {
///     let reactor = Reactor::new()?;
///     let config = IrcConfig::new("logbot")?.join("#sinew")?;
///     let irc = IrcClient::new(&reactor, config, Log);
///     let endpoint: ClientEndpoint = "tcp:irc.example.net:6667".parse()?;
///     irc.keep_connected(&reactor, endpoint, RetryConfig::default());
///     reactor.run()?;
///     Ok(())
/// }
/// ```
pub struct IrcClient(pub(super) Rc<Inner>);

pub(super) struct Inner {
    pub(super) reactor: WeakReactor,
    pub(super) config: IrcConfig,
    /// Out of its cell while it is called.
    handler: RefCell<Option<Box<dyn IrcHandler>>>,
    pub(super) state: RefCell<State>,
    /// Those who wait for the welcome.
    pub(super) waiting: Waiting<IrcError>,
    /// The connection that [`connect`](IrcClient::connect) makes.
    pub(super) attempt: Attempt,
    /// Channels to be in, with their keys.
    pub(super) wanted: RefCell<Vec<(Vec<u8>, Option<String>)>>,
    pub(super) transfers: RefCell<Transfers>,
}

impl IrcClient {
    /// A client that is not connected yet.
    #[must_use]
    pub fn new(reactor: &Reactor, config: IrcConfig, handler: impl IrcHandler) -> Self {
        let wanted = config.channels.iter();
        let wanted = wanted.map(|(channel, key)| (channel.clone().into_bytes(), key.clone()));
        Self(Rc::new(Inner {
            reactor: reactor.downgrade(),
            handler: RefCell::new(Some(Box::new(handler))),
            state: RefCell::new(State::new(&config, 0)),
            waiting: Waiting::new(|reason| IrcError::Lost { reason }),
            attempt: Attempt::default(),
            wanted: RefCell::new(wanted.collect()),
            transfers: RefCell::default(),
            config,
        }))
    }

    /// Connects once. The result comes with the welcome of the server; the connection lives until [`quit`](Self::quit), or until it is
    /// lost. Cancelling the deferred, or dropping it, before it has a result gives the connection up.
    ///
    /// # Errors
    ///
    /// [`IrcError`]; [`IrcError::Connected`] also while a connection is being made, or if one that was made elsewhere was faster.
    pub fn connect(
        &self,
        reactor: &Reactor,
        endpoint: impl Into<ClientEndpoint>,
    ) -> Deferred<(), IrcError> {
        connect(self, reactor, endpoint.into())
    }

    /// Connects, and again whenever the connection is lost, until [`ClientService::stop`]. The service has started already.
    pub fn keep_connected(
        &self,
        reactor: &Reactor,
        endpoint: impl Into<ClientEndpoint>,
        retry: RetryConfig,
    ) -> ClientService<IrcConnection> {
        let service = ClientService::with(reactor, endpoint, retry, self.clone());
        service.start();
        service
    }

    /// Resolves with the welcome of the server: at once if the client is online. Attempts of [`keep_connected`](Self::keep_connected)
    /// that make no connection are no end of it: those of [`connect`](Self::connect) are.
    ///
    /// # Errors
    ///
    /// [`IrcError`]: the next connection ends before the welcome.
    pub fn when_signed_on(&self) -> Deferred<(), IrcError> {
        let (promise, welcomed) = self.0.reactor.promise();
        match self.is_online() {
            true => promise.resolve(()),
            false => drop(self.0.waiting.push(promise)),
        }
        welcomed
    }

    /// Whether the server has welcomed the client, and the connection is there.
    #[must_use]
    pub fn is_online(&self) -> bool {
        self.0.state.borrow().phase == Phase::Online
    }

    /// The nick that the client has, or tries to get.
    #[must_use]
    pub fn nick(&self) -> String {
        String::from_utf8_lossy(&self.0.state.borrow().nick).into_owned()
    }

    /// What the server has said of its features.
    #[must_use]
    pub fn isupport(&self) -> Rc<Isupport> {
        Rc::clone(&self.0.state.borrow().isupport)
    }

    /// Whether a capability is on.
    #[must_use]
    pub fn has_capability(&self, name: &str) -> bool {
        self.0.state.borrow().has(name)
    }

    /// Whether the client has logged in to an account on this connection.
    #[must_use]
    pub fn is_logged_in(&self) -> bool {
        self.0.state.borrow().is_logged_in
    }

    /// The channels that the client is in.
    #[must_use]
    pub fn channels(&self) -> Vec<Vec<u8>> {
        self.0.state.borrow().channels.names().map(<[u8]>::to_vec).collect()
    }

    /// The members of a channel that the client is in.
    #[must_use]
    pub fn members(&self, channel: impl AsRef<[u8]>) -> Option<Vec<Member>> {
        let state = self.0.state.borrow();
        state.channels.members(state.isupport.case_mapping(), channel.as_ref())
    }

    /// The topic of a channel that the client is in; empty if there is none.
    #[must_use]
    pub fn topic(&self, channel: impl AsRef<[u8]>) -> Option<Vec<u8>> {
        let state = self.0.state.borrow();
        state.channels.topic(state.isupport.case_mapping(), channel.as_ref()).map(<[u8]>::to_vec)
    }

    /// The message of the day, line by line.
    #[must_use]
    pub fn motd(&self) -> Vec<Vec<u8>> {
        self.0.state.borrow().motd.clone()
    }

    /// There is no welcome: those who wait are told when the value is dropped.
    pub(super) fn failed(&self, error: IrcError) -> Failed<IrcError> {
        self.0.waiting.fail(error, self.0.attempt.waiter())
    }

    /// Calls the handler. No cell is borrowed meanwhile.
    pub(super) fn call(&self, f: impl FnOnce(&mut dyn IrcHandler, &Self)) {
        let handler = self.0.handler.borrow_mut().take();
        let mut taken = Taken { client: self, handler };
        if let Some(handler) = &mut taken.handler {
            f(&mut **handler, self);
        }
    }

    /// Queues a message, behind those that wait.
    pub(super) fn queue(&self, message: &MessageBuf) -> Result<(), SendError> {
        let line = message.encode()?;
        let max = self.0.config.queue_max;
        let mut state = self.0.state.borrow_mut();
        if state.phase != Phase::Online {
            return Err(SendError::NotConnected);
        }
        if state.outgoing.len() >= max {
            return Err(SendError::QueueFull { max });
        }
        state.outgoing.push(line);
        drop(state);
        self.flush();
        Ok(())
    }

    /// Sends what may be sent now.
    pub(super) fn flush(&self) {
        let Some(reactor) = self.0.reactor.upgrade() else { return };
        let now = reactor.now();
        let mut state = self.0.state.borrow_mut();
        let Some(transport) = state.transport.clone() else { return };
        while let Some(line) = state.outgoing.next(now) {
            transport.write_bytes(line);
        }
        if state.send_timer.is_none()
            && let Some(wait) = state.outgoing.next_in(now)
        {
            // Timers may be early by their resolution.
            state.send_timer = transport.call_later(wait.max(Duration::from_millis(1)));
        }
    }

    /// The timer of the queue, if this is it.
    pub(super) fn is_send_timer(&self, timer: TimerId) -> bool {
        self.0.state.borrow_mut().send_timer.take_if(|running| *running == timer).is_some()
    }
}

/// The handler while it is called. It goes back into its cell also if it panics.
struct Taken<'a> {
    client: &'a IrcClient,
    handler: Option<Box<dyn IrcHandler>>,
}

impl Drop for Taken<'_> {
    fn drop(&mut self) {
        if self.handler.is_some() {
            *self.client.0.handler.borrow_mut() = self.handler.take();
        }
    }
}

impl Factory for IrcClient {
    type Protocol = IrcConnection;

    fn build_protocol(&mut self, _: &Peer) -> Option<IrcConnection> {
        let mut state = self.0.state.borrow_mut();
        if state.phase != Phase::Offline {
            return None;
        }
        *state = State::new(&self.0.config, state.generation + 1);
        drop(state);
        Some(connection::new(self.clone()))
    }
}

impl Attempting for IrcClient {
    type Error = IrcError;

    fn attempt(&self) -> &Attempt {
        &self.0.attempt
    }

    fn waiting(&self) -> &Waiting<IrcError> {
        &self.0.waiting
    }

    fn connected() -> IrcError {
        IrcError::Connected
    }

    fn is_offline(&self) -> bool {
        self.0.state.borrow().phase == Phase::Offline
    }

    fn connection_number(&self) -> u64 {
        self.0.state.borrow().generation
    }

    fn abort_unless_online(&self) {
        let state = self.0.state.borrow();
        let transport = state.transport.clone().filter(|_| state.phase != Phase::Online);
        drop(state);
        if let Some(transport) = transport {
            transport.abort();
        }
    }

    fn weak(&self) -> Box<dyn FnOnce() -> Option<Self>> {
        let weak = Rc::downgrade(&self.0);
        Box::new(move || weak.upgrade().map(Self))
    }
}

impl Clone for IrcClient {
    fn clone(&self) -> Self {
        Self(Rc::clone(&self.0))
    }
}

impl fmt::Debug for IrcClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let phase = self.0.state.try_borrow().ok().map(|state| state.phase);
        f.debug_struct("IrcClient").field("phase", &phase).finish_non_exhaustive()
    }
}
