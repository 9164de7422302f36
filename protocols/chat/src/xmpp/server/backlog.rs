//! What waits in the whole server for clients that do not read, or do not acknowledge: the bound of its sum.
//!
//! | counted | where |
//! |---|---|
//! | bytes that a connection has not taken | of each session |
//! | stanzas that are not acknowledged, also while a session waits to be resumed | of each session |
//! | what waits for an inactive client | of each session |
//! | messages for accounts without clients, of the accounts in memory | at most half of the limit |
//!
//! An exact sum takes a look at each session. So what is sent is added to the last exact sum, as if nobody had read since then, and only
//! when that exceeds the limit the sum is counted again. Sessions then end until an eighth of the limit is free: thus at least
//! so much is sent between two counts.

use super::{
    account::Entry,
    domain::Domain,
    session::{Session, SessionId},
};
use crate::xmpp::codec::{StreamCondition, StreamError};

/// How much of the limit is free after a count.
const FREE: usize = 8;

/// With more in its queue, a session is not told why it ends.
const TOLD_MAX: usize = 64 << 10;

impl Domain {
    /// More waits than before, at most so much.
    pub(super) const fn backlog_grows(&mut self, bytes: usize) {
        self.backlog = self.backlog.saturating_add(bytes);
    }

    /// Bytes that wait, of all sessions and of all accounts in memory.
    pub(super) fn backlog_now(&self) -> usize {
        let sessions = self.sessions.values().map(Session::waiting);
        sessions.fold(self.offline_bytes, usize::saturating_add)
    }

    /// Ends those sessions for which most waits, if too much waits for all together. Returns whether any has ended: what it has not
    /// received may wait for others then.
    pub(super) fn bound_backlog(&mut self) -> bool {
        let max = self.config.unread_total_max;
        if self.backlog <= max {
            return false;
        }
        let kept = max - max / FREE;
        self.backlog = self.backlog_now();
        if self.backlog > kept && self.offline_bytes > 0 {
            self.forget_idle_accounts(None);
            self.backlog = self.backlog_now();
        }
        if self.backlog <= kept {
            return false;
        }
        let sessions = self.sessions.iter();
        let mut longest: Vec<(usize, SessionId)> =
            sessions.map(|(id, session)| (session.waiting(), *id)).collect();
        longest.retain(|(bytes, _)| *bytes > 0);
        longest.sort_unstable();
        let mut has_ended = false;
        while self.backlog > kept
            && let Some((bytes, id)) = longest.pop()
        {
            self.backlog -= bytes.min(self.backlog);
            self.end_for_room(id, bytes);
            has_ended = true;
        }
        has_ended
    }

    /// Ends a session since too much waits for all. It is told if it reads, as one that does not acknowledge; else that would wait, too.
    fn end_for_room(&mut self, id: SessionId, bytes: usize) {
        let Some(session) = self.sessions.get_mut(&id) else { return };
        tracing::info!(jid = %session.jid, bytes, "a session of XMPP ends: too much waits for all sessions, and most for this one");
        if let Some(wire) =
            session.wire.take_if(|wire| wire.queued() > (bytes / FREE).min(TOLD_MAX))
        {
            wire.abort();
        }
        let mut error = StreamError::new(StreamCondition::ResourceConstraint);
        error.text = Some("too much waits for all sessions, and most for this one".to_owned());
        self.kick(id, &error);
    }

    /// Whether a message may wait for an account, beside those that wait for others. If not, accounts without a session are forgotten first:
    /// they are stored.
    pub(super) fn has_room_offline(&mut self, account: &str, bytes: usize) -> bool {
        let max = self.config.unread_total_max / 2;
        if self.offline_bytes.saturating_add(bytes) > max {
            self.forget_idle_accounts(Some(account));
        }
        self.offline_bytes.saturating_add(bytes) <= max
    }

    /// The messages that wait for an account have so many bytes now.
    pub(super) fn offline_has(&mut self, account: &str, bytes: usize) {
        let Some(account) = self.account_mut(account) else { return };
        let before = std::mem::replace(&mut account.offline_bytes, bytes);
        self.offline_bytes = self.offline_bytes.saturating_sub(before).saturating_add(bytes);
        self.backlog_grows(bytes.saturating_sub(before));
    }

    /// Accounts that nobody uses are read again when they are needed; all but one that is.
    pub(super) fn forget_idle_accounts(&mut self, but: Option<&str>) {
        self.accounts.retain(|name, entry| {
            but == Some(&**name) || !matches!(entry, Entry::Ready(account) if account.is_idle())
        });
        let ready = self.accounts.values().map(|entry| match entry {
            Entry::Ready(account) => account.offline_bytes,
            Entry::Loading(_) => 0,
        });
        self.offline_bytes = ready.sum();
    }
}
