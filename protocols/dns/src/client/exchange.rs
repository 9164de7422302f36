//! One question to the servers in turn, until one answers: [`Exchange`]. Knows neither the cache nor aliases.
//!
//! | what happens | what follows |
//! |---|---|
//! | a response of "no error" or "no such name" | it is the answer |
//! | a response that was cut; too many datagrams that are not the response | the same server over TCP |
//! | "format error", "not implemented" or "bad version" to EDNS | the same server without EDNS, for 15 minutes |
//! | "bad cookie" | the same server once more, with the cookie that it has sent; then over TCP |
//! | any other response, and one that only refers to other servers; one that cannot be decoded | the next server; this one not again |
//! | silence, or a failure of the socket | the next server; this one again in the next round, with twice the time |

use std::{cell::RefCell, rc::Rc, time::Duration};

use sinew_transports::{
    Bytes,
    reactor::{Failure, Reactor},
};

use super::{
    LookupError, NameServer, ServerError, ServerFailure,
    link::Link,
    server::Over,
    servers::ServerState,
    shared::{Shared, count},
    udp::{self, Asked},
};
use crate::{
    codec::{
        Checked, EncodeError, Message, QuerySettings, Question, Record, RecordType, ResponseCode,
        SentQuery, UDP_PAYLOAD, cookie,
    },
    random::random,
};

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

/// A response, and its length.
pub(super) type Reply = (Message, usize);

/// Why a server has not answered.
enum AskError {
    Server(ServerError),
    Encode(EncodeError),
    GivenUp(Failure),
}

impl<E: Into<ServerError>> From<E> for AskError {
    fn from(error: E) -> Self {
        Self::Server(error.into())
    }
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

    fn failed(&self, state: &ServerState, cause: ServerError) {
        tracing::debug!(server = %state.server, %cause, "a name server has not answered");
        state.failed(self.reactor.now());
        let server = state.server.clone();
        self.failures.borrow_mut().push(ServerFailure { server, cause });
    }

    /// Asks one server, again where it needs another form of the question.
    async fn ask(&self, state: &ServerState, wait: Duration) -> Result<Reply, AskError> {
        let mut must_tcp = self.shared.settings().tcp;
        let mut bad_cookies = 0;
        loop {
            let has_edns = state.has_edns(self.reactor.now());
            let (message, len) = self.ask_once(state, wait, has_edns, must_tcp).await?;
            state.answered();
            if let Some(cookie) = cookie(&message) {
                state.received_cookie(cookie);
            }
            let code = message.metadata.response_code;
            let is_old = matches!(code, ResponseCode::FormErr | ResponseCode::NotImp);
            if has_edns && (is_old && message.edns.is_none() || code == ResponseCode::BADVERS) {
                state.has_no_edns(self.reactor.now());
            } else if code == ResponseCode::BADCOOKIE && bad_cookies < 2 {
                bad_cookies += 1;
                must_tcp |= bad_cookies == 2;
            } else {
                return Ok((message, len));
            }
        }
    }

    async fn ask_once(
        &self,
        state: &ServerState,
        wait: Duration,
        has_edns: bool,
        must_tcp: bool,
    ) -> Result<Reply, AskError> {
        let sent = self.encode(state, has_edns).map_err(AskError::Encode)?;
        if !must_tcp && state.server.over == Over::Udp {
            match self.over_udp(state, &sent, wait).await? {
                Asked::Response(Checked::Whole(message), len) => return Ok((*message, len)),
                Asked::Response(Checked::Malformed(error), _) => return Err(error.into()),
                Asked::Response(Checked::Truncated, _) | Asked::TooManyWrong => {}
            }
        }
        match over_link(self.shared, self.reactor, state, sent, wait, true).await? {
            (Checked::Whole(message), bytes) => Ok((*message, bytes.len())),
            (Checked::Malformed(error), _) => Err(error.into()),
            (Checked::Truncated, _) => Err(ServerError::Truncated.into()),
        }
    }

    fn encode(&self, state: &ServerState, has_edns: bool) -> Result<SentQuery, EncodeError> {
        let config = &self.shared.config;
        let random = || random(self.reactor);
        let mut settings = QuerySettings::new(random() as u16);
        if !has_edns {
            settings = settings.udp_payload(None);
        } else if config.cookies {
            settings = settings.cookie(state.cookie());
        }
        if config.random_case {
            settings = settings.case_bits(u128::from(random()) << 64 | u128::from(random()));
        }
        self.question.encode(&settings)
    }

    async fn over_udp(
        &self,
        state: &ServerState,
        sent: &SentQuery,
        wait: Duration,
    ) -> Result<Asked, AskError> {
        let _slot = self.shared.sockets.acquire().await.map_err(AskError::GivenUp)?;
        let stats = &self.shared.stats;
        count(&stats.udp);
        let wrong_max = self.shared.config.wrong_responses_max;
        let wrong = || count(&stats.wrong);
        let mut buffer = [0; UDP_PAYLOAD as usize];
        let addr = state.server.addr();
        let asking = udp::ask(self.reactor, addr, sent, &mut buffer, wrong_max, wrong);
        match self.reactor.timeout(wait, asking).await {
            Ok(asked) => Ok(asked?),
            Err(late) => Err(ServerError::TimedOut(late.after).into()),
        }
    }
}

/// Asks over TCP or TLS. A connection that was kept may have ended meanwhile: then another is made.
pub(super) async fn over_link(
    shared: &Rc<Shared>,
    reactor: &Reactor,
    state: &ServerState,
    sent: SentQuery,
    wait: Duration,
    may_change_id: bool,
) -> Result<(Checked, Bytes), ServerError> {
    count(&shared.stats.tcp);
    let asking = async {
        loop {
            let kept = state.link.borrow().clone().filter(|link| link.is_usable());
            let is_kept = kept.is_some();
            let link = kept.unwrap_or_else(|| {
                let endpoint = shared.endpoint(&state.server);
                let link = Link::open(reactor, &shared.config, endpoint, wait);
                state.link.replace(Some(link.clone()));
                link
            });
            match link.ask(reactor, sent.clone(), wait, may_change_id).await {
                Ok(answer) => return answer,
                Err(_) if is_kept => {
                    // Unless another question has done so already.
                    let mut current = state.link.borrow_mut();
                    if current.as_ref().is_some_and(|current| Rc::ptr_eq(current, &link)) {
                        *current = None;
                    }
                }
                Err(error) => return Err(error),
            }
        }
    };
    match reactor.timeout(wait, asking).await {
        Ok(answer) => answer,
        Err(late) => Err(ServerError::TimedOut(late.after)),
    }
}

/// Whether a response answers the question, if only by "no such name".
fn is_answer(message: &Message) -> bool {
    matches!(message.metadata.response_code, ResponseCode::NoError | ResponseCode::NXDomain)
}
