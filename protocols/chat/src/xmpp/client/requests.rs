//! Questions that wait for their answers: [`Requests`]. Answers count by their id and their sender. Pure, but for promises, which call
//! nobody.

use std::collections::BTreeMap;

use sinew_transports::reactor::{DelayedCall, Promise};

use super::RequestError;
use crate::xmpp::codec::{Iq, IqKind, Jid};

#[derive(Default)]
pub(in crate::xmpp) struct Requests {
    waiting: BTreeMap<String, Request>,
    last: u64,
}

struct Request {
    to: Option<Jid>,
    timer: DelayedCall,
    promise: Promise<Iq, RequestError>,
}

impl Requests {
    pub(in crate::xmpp) fn next_id(&mut self) -> String {
        self.last += 1;
        format!("s{}", self.last)
    }

    pub(in crate::xmpp) fn len(&self) -> usize {
        self.waiting.len()
    }

    /// Forgets those whose deferred was cancelled.
    pub(in crate::xmpp) fn prune(&mut self) {
        self.waiting.retain(|_, request| {
            let is_pending = request.promise.is_pending();
            if !is_pending {
                request.timer.cancel();
            }
            is_pending
        });
    }

    pub(in crate::xmpp) fn push(
        &mut self,
        id: String,
        to: Option<Jid>,
        timer: DelayedCall,
        promise: Promise<Iq, RequestError>,
    ) {
        self.waiting.insert(id, Request { to, timer, promise });
    }

    /// An answer has come. Returns whether somebody waited for it.
    pub(in crate::xmpp) fn answered(&mut self, me: &Jid, answer: Iq) -> bool {
        let Some(id) = answer.id().map(str::to_owned) else { return false };
        let is_from_it = self
            .waiting
            .get(&id)
            .is_some_and(|request| is_from(request.to.as_ref(), me, answer.from()));
        if !is_from_it {
            return false;
        }
        let Some(request) = self.waiting.remove(&id) else { return false };
        request.timer.cancel();
        request.promise.settle(match answer.error() {
            Some(error) if answer.kind() == IqKind::Error => Err(RequestError::Refused(error)),
            _ => Ok(answer),
        });
        true
    }

    pub(in crate::xmpp) fn fail(&mut self, id: &str, error: RequestError) {
        if let Some(request) = self.waiting.remove(id) {
            request.timer.cancel();
            request.promise.reject(error);
        }
    }

    /// The session is over.
    pub(in crate::xmpp) fn fail_all(&mut self) {
        for request in std::mem::take(&mut self.waiting).into_values() {
            request.timer.cancel();
            request.promise.reject(RequestError::Lost);
        }
    }
}

/// Whether an answer is from whom was asked. The own server answers for the account, with either name or none (RFC 6120 8.1.2.1, 10.3).
pub(super) fn is_from(asked: Option<&Jid>, me: &Jid, from: Option<&Jid>) -> bool {
    let is_own = |jid: &Jid| *jid == me.bare();
    match (asked, from) {
        (None, None) => true,
        (None, Some(from)) => is_own(from) || from == me || *from == me.of_domain(),
        (Some(asked), None) => is_own(asked) || *asked == me.of_domain(),
        (Some(asked), Some(from)) => asked == from,
    }
}
