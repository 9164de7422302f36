//! SASL (RFC 4422) at the server: [`SaslServer`] is one exchange. The messages are read in `codec/`; `exchange.rs` is what each
//! mechanism does with them, without waiting for anything.
//!
//! | state | what happens | next |
//! |---|---|---|
//! | `Idle` | `start` with a mechanism that may be used | as the exchange says |
//! | `Idle` | `start` with another one | `Idle`, an error |
//! | `Talking` | `respond` | as the exchange says |
//! | — | the exchange has a challenge | `Talking`, the challenge |
//! | — | it wants credentials checked, or the keys of a user | `Checking` |
//! | `Checking` | the answer is there | as the exchange says |
//! | — | the user is authenticated, and there is more to send | `Confirming`, a challenge |
//! | `Confirming` | `respond` with an empty message | `Over`, done |
//! | — | the user is authenticated | `Over`, done |
//! | any | something is wrong, or the client aborts | `Idle`, an error |
//! | `Checking`, `Over` | `start` or `respond` | `Idle` or `Over`, an error |

mod action;
mod exchange;
mod scram;

use std::{
    cell::{Cell, RefCell},
    fmt, mem,
    rc::Rc,
};

use sinew_transports::reactor::{Deferred, Promise, Reactor};

use self::{action::Action, exchange::Exchange};
use crate::{AuthError, Authenticator, Channel, Identity, Mechanism, SaslError, codec::encoding};

/// What a server does next.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ServerStep {
    /// Send this to the client, and give its response to [`SaslServer::respond`].
    Challenge(Vec<u8>),
    /// The client has logged in.
    Done {
        /// Who it is.
        identity: Identity,
        /// Data to send with the word of success, if the protocol [can](SaslServer::success_data).
        data: Option<Vec<u8>>,
    },
}

/// One exchange of SASL on a connection of a server, whichever the protocol is. Every step is answered later, since a check may take
/// time: read no further command of the client before it is.
///
/// After an error the exchange can be started anew; bound how often. An error comes late if a
/// [password was wrong](crate::FailureLimiter).
///
/// # Examples
///
/// ```
/// use sinew_auth::{Authenticator, Channel, SaslServer, ServerStep, Users};
/// use sinew_transports::reactor::Reactor;
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let users = Authenticator::new(Users::new().user("ann", "secret"));
/// let reactor = Reactor::new()?;
/// let mut exchange = SaslServer::new(&users, Channel::new().encrypted(true));
/// // A client of SMTP has sent `AUTH PLAIN AGFubgBzZWNyZXQ=`.
/// let step = exchange.start_encoded(&reactor, "PLAIN", Some(b"AGFubgBzZWNyZXQ="));
/// match reactor.run_until(step)?? {
///     ServerStep::Done { identity, .. } => assert_eq!(identity.name(), "ann"),
///     other => panic!("{other:?}"),
/// }
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct SaslServer(Rc<Inner>);

struct Inner {
    authenticator: Authenticator,
    channel: Channel,
    success_data: bool,
    /// The mechanism that was started last.
    mechanism: Cell<Option<Mechanism>>,
    state: RefCell<State>,
}

enum State {
    Idle,
    Talking(Exchange),
    /// The exchange is with the check.
    Checking,
    /// The last message of the server is on its way.
    Confirming(Identity),
    Over,
}

type Step = Deferred<ServerStep, SaslError>;

impl SaslServer {
    /// An exchange that has not begun.
    pub fn new(authenticator: &Authenticator, channel: Channel) -> Self {
        Self::with(authenticator, channel, false)
    }

    /// As [`new`](Self::new), for a protocol that can send data with the word of success, as XMPP can. In others such data is sent
    /// as a challenge, to which the client responds with nothing.
    pub fn success_data(authenticator: &Authenticator, channel: Channel) -> Self {
        Self::with(authenticator, channel, true)
    }

    fn with(authenticator: &Authenticator, channel: Channel, success_data: bool) -> Self {
        Self(Rc::new(Inner {
            authenticator: authenticator.clone(),
            channel,
            success_data,
            mechanism: Cell::new(None),
            state: RefCell::new(State::Idle),
        }))
    }

    /// Starts, by the mechanism with this name, perhaps with the first message of the client.
    ///
    /// # Errors
    ///
    /// [`SaslError`].
    pub fn start(&self, reactor: &Reactor, mechanism: &str, initial: Option<&[u8]>) -> Step {
        if !matches!(*self.0.state.borrow(), State::Idle) {
            return Deferred::failed_on(reactor, SaslError::OutOfOrder);
        }
        let exchange = mechanism.parse().and_then(|mechanism: Mechanism| {
            self.0.authenticator.allows(mechanism, &self.0.channel)?;
            self.bounded(initial.unwrap_or_default())?;
            self.0.mechanism.set(Some(mechanism));
            Exchange::new(mechanism, &self.0.authenticator, &self.0.channel)
        });
        let begun = exchange.and_then(|mut exchange| {
            let action = exchange.begin(initial)?;
            Ok((exchange, action))
        });
        self.deferred(reactor, begun)
    }

    /// Gives it the response of the client to a challenge.
    ///
    /// # Errors
    ///
    /// [`SaslError`].
    pub fn respond(&self, reactor: &Reactor, response: &[u8]) -> Step {
        let state = self.0.state.replace(State::Idle);
        match state {
            State::Talking(mut exchange) => {
                let action = self.bounded(response).and_then(|()| exchange.respond(response));
                self.deferred(reactor, action.map(|action| (exchange, action)))
            }
            State::Confirming(identity) if response.is_empty() => {
                self.0.state.replace(State::Over);
                Deferred::ready_on(reactor, ServerStep::Done { identity, data: None })
            }
            State::Confirming(_) => {
                Deferred::failed_on(reactor, SaslError::Malformed("it is not empty"))
            }
            State::Idle | State::Checking | State::Over => {
                self.0.state.replace(state);
                Deferred::failed_on(reactor, SaslError::OutOfOrder)
            }
        }
    }

    /// As [`start`](Self::start), with a message in base64, or `=` for an empty one.
    ///
    /// # Errors
    ///
    /// [`SaslError`].
    pub fn start_encoded(
        &self,
        reactor: &Reactor,
        mechanism: &str,
        initial: Option<&[u8]>,
    ) -> Step {
        let max = self.0.authenticator.config().message_max;
        match initial.map(|text| encoding::decode_initial(text, max)).transpose() {
            Ok(initial) => {
                self.start(reactor, mechanism, initial.as_ref().map(|initial| initial.as_slice()))
            }
            Err(error) => Deferred::failed_on(reactor, error),
        }
    }

    /// As [`respond`](Self::respond), with a message in base64, or `*` to abort.
    ///
    /// # Errors
    ///
    /// [`SaslError`].
    pub fn respond_encoded(&self, reactor: &Reactor, response: &[u8]) -> Step {
        let max = self.0.authenticator.config().message_max;
        match encoding::decode_response(response, max) {
            Ok(response) => self.respond(reactor, &response),
            Err(error) => {
                self.abort();
                Deferred::failed_on(reactor, error)
            }
        }
    }

    /// Ends the exchange before its time: the client has said so in the words of the protocol. It can be started anew.
    pub fn abort(&self) {
        let state = self.0.state.replace(State::Idle);
        if matches!(state, State::Checking | State::Over) {
            self.0.state.replace(state);
        }
    }

    /// The channel, with the mechanism for the log.
    fn channel(&self) -> Channel {
        let channel = self.0.channel.clone();
        match self.0.mechanism.get() {
            Some(mechanism) => channel.mechanism(mechanism.name()),
            None => channel,
        }
    }

    fn bounded(&self, message: &[u8]) -> Result<(), SaslError> {
        let max = self.0.authenticator.config().message_max;
        if message.len() > max { Err(SaslError::TooLong { max }) } else { Ok(()) }
    }

    fn deferred(&self, reactor: &Reactor, next: Result<(Exchange, Action), SaslError>) -> Step {
        let (promise, step) = reactor.promise();
        self.go_on(reactor, next, promise);
        step
    }

    /// Does what an exchange wants, until there is a step to take.
    fn go_on(
        &self,
        reactor: &Reactor,
        next: Result<(Exchange, Action), SaslError>,
        promise: Promise<ServerStep, SaslError>,
    ) {
        let (authenticator, channel) = (&self.0.authenticator, &self.channel());
        let (exchange, action) = match next {
            Ok(next) => next,
            Err(error) => return self.fail(reactor, error, promise),
        };
        match action {
            Action::Challenge(challenge) => {
                self.0.state.replace(State::Talking(exchange));
                promise.resolve(ServerStep::Challenge(challenge));
            }
            Action::Check(credentials) => {
                self.judged(
                    exchange,
                    authenticator.check(reactor, channel, credentials),
                    None,
                    promise,
                );
            }
            Action::ScramKeys(user, hash) => {
                self.0.state.replace(State::Checking);
                let this = self.clone();
                let keys = authenticator.scram_keys(reactor, channel, &user, hash);
                keys.then(move |reactor, keys| {
                    this.told(reactor, exchange, keys, promise, Exchange::keys)
                });
            }
            Action::Password(user) => {
                self.0.state.replace(State::Checking);
                let this = self.clone();
                let stored = authenticator.stored(reactor, channel, &user, crate::Form::Password);
                stored.then(move |reactor, stored| {
                    this.told(reactor, exchange, stored, promise, Exchange::password);
                });
            }
            Action::Accept(user, data) => {
                self.judged(
                    exchange,
                    authenticator.judge(reactor, channel, &user, true),
                    data,
                    promise,
                );
            }
            Action::Refuse(user) => {
                self.judged(
                    exchange,
                    authenticator.judge(reactor, channel, &user, false),
                    None,
                    promise,
                );
            }
        }
    }

    /// What the exchange has asked for is there.
    fn told<T>(
        &self,
        reactor: &Reactor,
        mut exchange: Exchange,
        told: Result<T, AuthError>,
        promise: Promise<ServerStep, SaslError>,
        give: impl FnOnce(&mut Exchange, T) -> Result<Action, SaslError>,
    ) {
        let action = told.map_err(SaslError::from).and_then(|told| give(&mut exchange, told));
        self.go_on(reactor, action.map(|action| (exchange, action)), promise);
    }

    /// Waits for the verdict. `data` is for the client, if it is accepted.
    fn judged(
        &self,
        mut exchange: Exchange,
        verdict: Deferred<Identity, AuthError>,
        data: Option<Vec<u8>>,
        promise: Promise<ServerStep, SaslError>,
    ) {
        self.0.state.replace(State::Checking);
        let this = self.clone();
        verdict.then(move |reactor, verdict| match verdict {
            // What the user may act as is decided by user code, which only the loop calls.
            Ok(identity) => this.accept(reactor, exchange, identity, data, promise),
            Err(error) => match exchange.refusal(error) {
                Ok(challenge) => {
                    this.0.state.replace(State::Talking(exchange));
                    promise.resolve(ServerStep::Challenge(challenge));
                }
                Err(error) => this.fail(reactor, error, promise),
            },
        });
    }

    fn accept(
        &self,
        reactor: &Reactor,
        mut exchange: Exchange,
        identity: Identity,
        data: Option<Vec<u8>>,
        promise: Promise<ServerStep, SaslError>,
    ) {
        let authorize_as = exchange.authorize_as.take();
        match (self.0.authenticator.authorize(identity, authorize_as), data) {
            (Ok(identity), Some(data)) if !self.0.success_data => {
                self.0.state.replace(State::Confirming(identity));
                promise.resolve(ServerStep::Challenge(data));
            }
            (Ok(identity), data) => {
                self.0.state.replace(State::Over);
                promise.resolve(ServerStep::Done { identity, data });
            }
            (Err(error), _) => self.fail(reactor, error, promise),
        }
    }

    fn fail(&self, reactor: &Reactor, error: SaslError, promise: Promise<ServerStep, SaslError>) {
        drop(mem::replace(&mut *self.0.state.borrow_mut(), State::Idle));
        self.0.authenticator.log_exchange(reactor, &self.channel(), &error);
        promise.reject(error);
    }
}

impl fmt::Debug for SaslServer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = match &*self.0.state.borrow() {
            State::Idle => "idle",
            State::Talking(_) => "talking",
            State::Checking => "checking",
            State::Confirming(_) => "confirming",
            State::Over => "over",
        };
        f.debug_struct("SaslServer").field("state", &state).finish_non_exhaustive()
    }
}
