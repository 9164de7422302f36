//! A connection to a server, over TCP or TLS: [`Link`]. Many questions are in flight on it, and answers come in any order (RFC 7766).
//! Matching is the work of `RequestClient`; when to connect is decided in `exchange.rs`.

use std::{
    cell::RefCell,
    fmt,
    rc::{Rc, Weak},
    time::Duration,
};

use sinew_protocols::basic::{AnswersById, Int16, RequestClient, RequestError};
use sinew_transports::{
    Bytes, ConnectConfig, StreamConfig,
    endpoint::ClientEndpoint,
    reactor::{Deferred, Failure, Promise, Reactor},
};

use super::{
    ServerError,
    ask_config::AskConfig,
    slots::{Slot, Slots},
};
use crate::{
    codec::{Checked, MessageLimits, RawHeader, SentQuery},
    random::random,
};

type Client = RequestClient<Int16, AnswersById<u16>>;

/// Waits for the connection, or knows that there will be none.
type Waiting = Promise<(), LinkFailure>;

/// A connection, or one that is being made.
pub(super) struct Link {
    state: RefCell<State>,
    slots: Rc<Slots>,
}

enum State {
    Connecting(Vec<Waiting>),
    Open(Client),
    Failed(ServerError),
}

/// An error that waiting tasks receive.
#[derive(Clone)]
struct LinkFailure(ServerError);

impl From<Failure> for LinkFailure {
    fn from(failure: Failure) -> Self {
        Self(ServerError::Connection(failure.to_string().into()))
    }
}

impl fmt::Display for LinkFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl Link {
    /// Begins to connect. Without an endpoint, it has failed already.
    pub(super) fn open(
        reactor: &Reactor,
        config: &AskConfig,
        endpoint: Result<ClientEndpoint, ServerError>,
        wait: Duration,
    ) -> Rc<Self> {
        let slots = Slots::new(reactor.downgrade(), config.tcp_in_flight_max);
        let link = Rc::new(Self { state: RefCell::new(State::Connecting(Vec::new())), slots });
        let stream = StreamConfig::default().idle_timeout(config.tcp_idle);
        let connect = ConnectConfig::default().timeout(wait).stream(stream);
        let id_of = |frame: &[u8]| RawHeader::read(frame).ok().map(|header| header.id);
        let connecting = endpoint.map(|endpoint| {
            RequestClient::by_id(Int16::default(), id_of)
                .outstanding_max(usize::from(u16::MAX))
                .connect_config(connect)
                .connect(reactor, endpoint)
        });
        match connecting {
            Ok(connecting) => {
                let until_known = UntilKnown(Rc::downgrade(&link));
                connecting.then(move |_, connected| {
                    if let Some(link) = until_known.0.upgrade() {
                        let failed = |error| ServerError::Connection(format!("{error}").into());
                        link.connected(connected.map_err(failed));
                    }
                });
            }
            Err(error) => link.connected(Err(error)),
        }
        link
    }

    fn connected(&self, connected: Result<Client, ServerError>) {
        let (state, result) = match connected {
            Ok(client) => (State::Open(client), Ok(())),
            Err(error) => (State::Failed(error.clone()), Err(LinkFailure(error))),
        };
        if let State::Connecting(waiting) = self.state.replace(state) {
            waiting.into_iter().for_each(|promise| promise.settle(result.clone()));
        }
    }

    /// Whether questions can be asked, now or soon.
    pub(super) fn is_usable(&self) -> bool {
        match &*self.state.borrow() {
            State::Connecting(_) => true,
            State::Open(client) => client.is_connected(),
            State::Failed(_) => false,
        }
    }

    /// Asks. The outer result says that the connection is gone: another may do.
    pub(super) async fn ask(
        &self,
        reactor: &Reactor,
        mut sent: SentQuery,
        wait: Duration,
        may_change_id: bool,
    ) -> Result<Result<(Checked, Bytes), ServerError>, ServerError> {
        let (client, _slot) = self.client(reactor).await?;
        // Another question may be in flight under the same identifier.
        let answer = loop {
            match client.ask_as_within(wait, sent.id(), sent.bytes()).await {
                Err(RequestError::IdInUse) if may_change_id => sent.set_id(random(reactor) as u16),
                answer => break answer,
            }
        };
        match answer {
            Ok(answer) => Ok(match sent.check(&answer, &MessageLimits::response()) {
                Ok(checked) => Ok((checked, answer)),
                Err(_) => Err(ServerError::Mismatch),
            }),
            Err(RequestError::TimedOut { after }) => Ok(Err(ServerError::TimedOut(after))),
            Err(error) => Err(ServerError::Connection(error.to_string().into())),
        }
    }

    /// The client, when it is connected and has room.
    async fn client(&self, reactor: &Reactor) -> Result<(Client, Slot), ServerError> {
        let connected = match &mut *self.state.borrow_mut() {
            State::Connecting(waiting) => {
                let (promise, connected) = reactor.promise();
                waiting.push(promise);
                Some(connected)
            }
            _ => None,
        };
        if let Some(connected) = connected {
            let connected: Deferred<(), LinkFailure> = connected;
            connected.await.map_err(|failure| failure.0)?;
        }
        let given_up = |failure: Failure| ServerError::Connection(failure.to_string().into());
        let slot = self.slots.acquire().await.map_err(given_up)?;
        match &*self.state.borrow() {
            State::Open(client) => Ok((client.clone(), slot)),
            State::Failed(error) => Err(error.clone()),
            State::Connecting(_) => unreachable!("a link never goes back to connecting"),
        }
    }
}

impl fmt::Debug for Link {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Link").field("usable", &self.is_usable()).finish_non_exhaustive()
    }
}

/// In the callback of a connection that is being made. The end of a run drops it without a call.
struct UntilKnown(Weak<Link>);

impl Drop for UntilKnown {
    fn drop(&mut self) {
        if let Some(link) = self.0.upgrade()
            && matches!(*link.state.borrow(), State::Connecting(_))
        {
            link.connected(Err(ServerError::Connection("the run of the reactor has ended".into())));
        }
    }
}
