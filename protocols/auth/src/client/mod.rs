//! SASL (RFC 4422) at the client: [`SaslClient`] is one exchange, which [`ClientLogin`] begins.
//!
//! | state | what happens | next |
//! |---|---|---|
//! | `First` | `initial`, or `respond` to an empty challenge | as the mechanism says |
//! | `Password`, `Token`, `Digest` | `respond` | `Sent` |
//! | `Scram` | `respond` to the first message of the server | `Deriving`, and `Signature` when the keys are derived |
//! | `Signature` | `respond` or `finish` with the signature that is expected | `Sent` |
//! | `Sent` | `finish` without data | `Over` |
//! | any | anything else | `Over`, an error |

mod login;
mod scram;

use std::{cell::RefCell, fmt, rc::Rc};

use sinew_transports::reactor::{Deferred, Reactor};

pub use self::login::ClientLogin;
use self::scram::{ScramClient, Signature};
use crate::{
    Mechanism, SaslError, Secret,
    codec::{cram_md5, encoding},
};

/// Longest message of a server.
const MESSAGE_MAX: usize = 64 * 1024;

/// One exchange of SASL on a connection of a client, whichever the protocol is; from [`ClientLogin::choose`].
///
/// Responses come later, since the keys of SCRAM are derived on a thread. A failure that the protocol says in its own words ends the
/// exchange; after a success, call [`finish`](Self::finish).
///
/// # Examples
///
/// ```
/// use sinew_auth::{Channel, ClientLogin};
///
/// let login = ClientLogin::password("ann", "secret");
/// let exchange = login.choose(["LOGIN", "PLAIN"], &Channel::new().encrypted(true))?;
/// assert_eq!(exchange.mechanism().name(), "PLAIN");
/// assert_eq!(exchange.initial_encoded()?.as_deref(), Some("AGFubgBzZWNyZXQ="));
/// // … which the server of SMTP answers with 235.
/// exchange.finish(None)?;
/// # Ok::<(), sinew_auth::SaslError>(())
/// ```
#[derive(Clone)]
pub struct SaslClient(Rc<Inner>);

struct Inner {
    mechanism: Mechanism,
    state: RefCell<State>,
    /// What the server has said before it refused a token.
    refusal: RefCell<Option<String>>,
}

enum State {
    /// The first message, if the client speaks first, and what follows it.
    First(Vec<u8>, Box<Self>),
    /// The name and the password, each in answer to a challenge.
    User(String, Secret),
    Password(Secret),
    /// A token was sent. The server says why it does not like it.
    Token {
        answer: &'static [u8],
    },
    Digest(String, Secret),
    Scram(Box<ScramClient>),
    Deriving,
    Signature(Signature),
    Sent,
    Over,
}

impl SaslClient {
    fn new(mechanism: Mechanism, state: State) -> Self {
        let (state, refusal) = (RefCell::new(state), RefCell::default());
        Self(Rc::new(Inner { mechanism, state, refusal }))
    }

    /// The mechanism to name to the server.
    #[must_use]
    pub fn mechanism(&self) -> Mechanism {
        self.0.mechanism
    }

    /// The first message, to send with the name of the mechanism if the protocol allows it. If it is not asked for, it is the
    /// response to an empty challenge. `None` if the server speaks first.
    ///
    /// # Errors
    ///
    /// [`SaslError::OutOfOrder`] if the exchange has begun.
    pub fn initial(&self) -> Result<Option<Vec<u8>>, SaslError> {
        let state = self.0.state.replace(State::Over);
        match state {
            State::First(message, next) => {
                self.0.state.replace(*next);
                Ok(Some(message))
            }
            state @ (State::User(..) | State::Digest(..)) => {
                self.0.state.replace(state);
                Ok(None)
            }
            _ => Err(SaslError::OutOfOrder),
        }
    }

    /// The response to a challenge.
    ///
    /// # Errors
    ///
    /// [`SaslError`]. The exchange is over then: end it in the words of the protocol, with `*` in most.
    pub fn respond(&self, reactor: &Reactor, challenge: &[u8]) -> Deferred<Vec<u8>, SaslError> {
        if challenge.len() > MESSAGE_MAX {
            self.0.state.replace(State::Over);
            return Deferred::failed_on(reactor, SaslError::TooLong { max: MESSAGE_MAX });
        }
        let state = self.0.state.replace(State::Over);
        let (response, next) = match state {
            State::First(message, next) if challenge.is_empty() => (message, *next),
            State::User(user, password) => (user.into_bytes(), State::Password(password)),
            State::Password(password) => (password.bytes().to_vec(), State::Sent),
            State::Token { answer } => {
                *self.0.refusal.borrow_mut() =
                    Some(String::from_utf8_lossy(challenge).into_owned());
                (answer.to_vec(), State::Over)
            }
            State::Digest(user, password) => {
                let digest = cram_md5::digest(password.bytes(), challenge);
                (format!("{user} {digest}").into_bytes(), State::Sent)
            }
            State::Scram(scram) => return self.derive(reactor, *scram, challenge),
            State::Signature(expected) => match expected.verify(challenge) {
                Ok(()) => (Vec::new(), State::Sent),
                Err(error) => return Deferred::failed_on(reactor, error),
            },
            _ => return Deferred::failed_on(reactor, SaslError::OutOfOrder),
        };
        self.0.state.replace(next);
        Deferred::ready_on(reactor, response)
    }

    /// The server has refused the exchange, which is over. If it was bound to the connection and the server has not even challenged it, the
    /// log says that the server may have another channel binding: see [`ClientLogin`]. Returns whether that may be so.
    pub fn refused(&self) -> bool {
        let state = self.0.state.replace(State::Over);
        let is_binding =
            matches!((&state, self.0.mechanism), (State::Scram(_), Mechanism::ScramPlus(_)));
        if is_binding {
            tracing::warn!(
                mechanism = %self.0.mechanism,
                "a server has refused a login that is bound to the connection before its first challenge: \
                 if it has another channel binding, turn off `ClientLogin::channel_binding`"
            );
        }
        is_binding
    }

    fn derive(
        &self,
        reactor: &Reactor,
        scram: ScramClient,
        challenge: &[u8],
    ) -> Deferred<Vec<u8>, SaslError> {
        let challenge = match scram.challenged(challenge) {
            Ok(challenge) => challenge,
            Err(error) => return Deferred::failed_on(reactor, error),
        };
        self.0.state.replace(State::Deriving);
        let this = self.clone();
        reactor.defer_to_thread(move || challenge.answer()).map(move |answer| {
            let (last, signature) = answer?;
            this.0.state.replace(State::Signature(signature));
            Ok(last.into_bytes())
        })
    }

    /// As [`initial`](Self::initial), in base64; `=` for an empty message.
    ///
    /// # Errors
    ///
    /// As [`initial`](Self::initial).
    pub fn initial_encoded(&self) -> Result<Option<String>, SaslError> {
        Ok(self.initial()?.map(|message| match message.is_empty() {
            true => "=".to_owned(),
            false => encoding::encode(&message),
        }))
    }

    /// As [`respond`](Self::respond), in base64.
    ///
    /// # Errors
    ///
    /// As [`respond`](Self::respond).
    pub fn respond_encoded(
        &self,
        reactor: &Reactor,
        challenge: &[u8],
    ) -> Deferred<String, SaslError> {
        match encoding::decode(challenge, MESSAGE_MAX) {
            Ok(challenge) => {
                let response = self.respond(reactor, &challenge);
                response.map(|response| Ok(encoding::encode(&response?)))
            }
            Err(error) => {
                self.0.state.replace(State::Over);
                Deferred::failed_on(reactor, error)
            }
        }
    }

    /// The server has said that the login is a success, perhaps with data.
    ///
    /// # Errors
    ///
    /// [`SaslError::ServerNotVerified`] if the server has not proved that it knows the password, though the mechanism demands it. Close
    /// the connection then.
    pub fn finish(&self, data: Option<&[u8]>) -> Result<(), SaslError> {
        let state = self.0.state.replace(State::Over);
        match (state, data) {
            (State::Signature(expected), Some(data)) => expected.verify(data),
            (State::Signature(_) | State::Scram(_) | State::Deriving, _) => {
                Err(SaslError::ServerNotVerified)
            }
            (State::Sent | State::Token { .. }, None | Some(b"")) => Ok(()),
            _ => Err(SaslError::OutOfOrder),
        }
    }

    /// Why the server has not accepted a token, as it has said: JSON in most cases (RFC 7628 3.2.2).
    #[must_use]
    pub fn refusal(&self) -> Option<String> {
        self.0.refusal.borrow().clone()
    }
}

impl fmt::Debug for SaslClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SaslClient").field("mechanism", &self.0.mechanism).finish_non_exhaustive()
    }
}
