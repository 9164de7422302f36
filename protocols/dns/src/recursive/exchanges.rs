//! Queries to servers. Those who ask a server the same at the same time share one query, so that a
//! forger has only one to guess (RFC 5452, section 5).

use std::{io, rc::Rc, time::Duration};

use sinew_transports::reactor::Reactor;

use super::{
    RecursiveError, exchanged::Exchanged, facts::Key, inner::Inner, upstreams::Upstream, work::Work,
};
use crate::{
    client::{
        ServerError,
        asker::{Ask, AskError, Sent},
    },
    codec::Question,
    counter::count,
};

impl Work<'_> {
    /// Asks one server, with all others who ask it the same.
    pub(super) async fn exchange(
        &self,
        upstream: &Rc<Upstream>,
        question: &Question,
        round: u32,
    ) -> Result<Rc<Exchanged>, RecursiveError> {
        let max = self.inner.config.queries_max;
        if self.queries.get() >= max {
            return Err(self.too_many_queries(max));
        }
        let key =
            Key::new(question.name().clone(), question.record_type(), question.is_dnssec_ok());
        let wait = upstream.wait(self.inner.config.timeout, round);
        let start = || {
            let (inner, reactor) = (self.inner.clone(), self.reactor.clone());
            let (in_flight, question) = (InFlight::new(upstream), question.clone());
            async move {
                let exchanged = inner.exchange(&reactor, &in_flight.0, &question, wait).await;
                Ok(Rc::new(exchanged))
            }
        };
        let in_flight_max = self.inner.config.in_flight_max;
        let is_busy = upstream.in_flight.get() >= in_flight_max;
        // A busy server is sent nothing new.
        let exchanges_max = if is_busy { 0 } else { usize::MAX };
        let exchanges = &self.inner.exchanges;
        let joined = exchanges.join(self.reactor, &(upstream.addr, key), exchanges_max, start);
        let Some(joined) = joined else {
            let busy = ServerError::Busy { max: in_flight_max };
            return Ok(Rc::new(Exchanged { result: Err(AskError::Server(busy)), queries: 0 }));
        };
        let exchanged = joined.result.await?;
        self.queries.set(self.queries.get() + exchanged.queries.max(1));
        Ok(exchanged)
    }
}

impl Inner {
    async fn exchange(
        &self,
        reactor: &Reactor,
        upstream: &Upstream,
        question: &Question,
        wait: Duration,
    ) -> Exchanged {
        let sent = Sent::default();
        let server = &upstream.state;
        let ask = Ask { reactor, server, question, wait, must_tcp: false, sent: Some(&sent) };
        let result = self.asker.ask(ask).await;
        let now = reactor.now();
        let begun = sent.last_at.get().unwrap_or(now);
        match &result {
            Ok(_) => upstream.answered(now - begun),
            Err(AskError::Server(cause)) => {
                count(&self.counters.unanswered);
                if is_unreachable(cause) {
                    self.upstreams.set_unreachable(upstream.addr, now);
                }
                if !matches!(cause, ServerError::Malformed(_)) {
                    upstream.failed(begun, now);
                }
            }
            Err(AskError::Encode(_) | AskError::GivenUp(_)) => {}
        }
        Exchanged { result, queries: sent.count.get() }
    }
}

/// Whether the system has no way to such addresses.
fn is_unreachable(cause: &ServerError) -> bool {
    use io::ErrorKind::{AddrNotAvailable, NetworkUnreachable, Unsupported};
    match cause {
        ServerError::Io(error) => {
            matches!(error.kind(), AddrNotAvailable | NetworkUnreachable | Unsupported)
        }
        _ => false,
    }
}

/// A query that waits for a server, until it is dropped.
struct InFlight(Rc<Upstream>);

impl InFlight {
    fn new(upstream: &Rc<Upstream>) -> Self {
        upstream.in_flight.set(upstream.in_flight.get() + 1);
        Self(upstream.clone())
    }
}

impl Drop for InFlight {
    fn drop(&mut self) {
        self.0.in_flight.set(self.0.in_flight.get() - 1);
    }
}
