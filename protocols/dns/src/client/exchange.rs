//! One question to the servers in turn, until one answers: [`Exchange`]. Knows neither the cache nor aliases; `asker.rs` asks one server.
//!
//! | what happens | what follows |
//! |---|---|
//! | a response of "no error" or "no such name" | it is the answer |
//! | any other response, and one that only refers to other servers; one that cannot be decoded | the next server; this one not again |
//! | silence, or a failure of the socket | the next server; this one again in the next round, with twice the time |

use std::{cell::RefCell, rc::Rc, time::Duration};

use sinew_transports::reactor::Reactor;

use super::{
    LookupError, NameServer, ServerError, ServerFailure,
    asker::{Ask, AskError, Reply},
    servers::ServerState,
    shared::Shared,
};
use crate::codec::{Message, Question, Record, RecordType, ResponseCode};

/// Longest wait for one server, whatever the round.
const WAIT_MAX: Duration = Duration::from_secs(30);

/// A question on its way.
pub(super) struct Exchange<'a> {
    pub(super) shared: &'a Rc<Shared>,
    pub(super) reactor: &'a Reactor,
    pub(super) question: &'a Question,
    /// The attempts that have failed.
    pub(super) failures: &'a RefCell<Vec<ServerFailure>>,
}

impl Exchange<'_> {
    /// Asks all servers in turn.
    pub(super) async fn with_all(&self) -> Result<Reply, LookupError> {
        let settings = self.shared.settings();
        let mut servers = self.shared.servers.in_order(settings.rotate, self.reactor.now());
        if servers.is_empty() {
            return Err(LookupError::NoServers);
        }
        for round in 0..settings.attempts {
            let wait = settings.timeout.saturating_mul(1 << round.min(8)).min(WAIT_MAX);
            let mut next = Vec::new();
            for state in servers {
                match self.ask(&state, wait).await {
                    Ok((message, _)) if self.is_referral(&message) => {
                        self.failed(&state, ServerError::Referral);
                    }
                    Ok((message, len)) if is_answer(&message) => return Ok((message, len)),
                    Ok((message, _)) => {
                        let code = message.metadata.response_code;
                        self.failed(&state, ServerError::Response(code));
                    }
                    Err(AskError::Server(cause)) => {
                        let may_answer_yet = !matches!(cause, ServerError::Malformed(_));
                        self.failed(&state, cause);
                        if may_answer_yet {
                            next.push(state);
                        }
                    }
                    Err(AskError::Encode(error)) => return Err(error.into()),
                    Err(AskError::GivenUp(failure)) => return Err(failure.into()),
                }
            }
            if next.is_empty() {
                break;
            }
            servers = next;
        }
        Err(LookupError::Failed {
            name: Box::new(self.question.name().clone()),
            record_type: self.question.record_type(),
            servers: self.failures.borrow().clone().into(),
        })
    }

    /// Asks one server, and takes whatever it answers.
    pub(super) async fn with_one(&self, server: &NameServer) -> Result<Reply, LookupError> {
        let settings = self.shared.settings();
        let state = self.shared.servers.one(self.reactor, server);
        for round in 0..settings.attempts {
            let wait = settings.timeout.saturating_mul(1 << round.min(8)).min(WAIT_MAX);
            match self.ask(&state, wait).await {
                Ok(reply) => return Ok(reply),
                Err(AskError::Server(cause)) => self.failed(&state, cause),
                Err(AskError::Encode(error)) => return Err(error.into()),
                Err(AskError::GivenUp(failure)) => return Err(failure.into()),
            }
        }
        Err(LookupError::Failed {
            name: Box::new(self.question.name().clone()),
            record_type: self.question.record_type(),
            servers: self.failures.borrow().clone().into(),
        })
    }

    /// Whether a server was asked to ask others, does not do that, and knows only who may know.
    fn is_referral(&self, message: &Message) -> bool {
        let is_ns = |record: &Record| record.record_type() == RecordType::NS;
        self.question.is_recursion_desired()
            && !message.metadata.recursion_available
            && !message.metadata.authoritative
            && message.metadata.response_code == ResponseCode::NoError
            && message.answers.is_empty()
            && message.authorities.iter().any(is_ns)
    }

    async fn ask(&self, server: &ServerState, wait: Duration) -> Result<Reply, AskError> {
        let (reactor, question) = (self.reactor, self.question);
        let must_tcp = self.shared.settings().tcp;
        let ask = Ask { reactor, server, question, wait, must_tcp, sent: None };
        self.shared.asker.ask(ask).await
    }

    fn failed(&self, state: &ServerState, cause: ServerError) {
        tracing::debug!(server = %state.server, %cause, "a name server has not answered");
        state.failed(self.reactor.now());
        let server = state.server.clone();
        self.failures.borrow_mut().push(ServerFailure { server, cause });
    }
}

/// Whether a response answers the question, if only by "no such name".
fn is_answer(message: &Message) -> bool {
    matches!(message.metadata.response_code, ResponseCode::NoError | ResponseCode::NXDomain)
}
