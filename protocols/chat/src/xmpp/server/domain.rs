//! The state of a server: [`Domain`], accounts and sessions, and how stanzas get to them. What is user code is left for later
//! ([`Later`]): nothing here calls any.

use sinew_transports::reactor::with_causes;

use std::{
    collections::{HashMap, VecDeque},
    rc::Rc,
    time::{Duration, SystemTime},
};

use super::{
    ServerConfig, Service,
    account::{Account, Entry},
    archive::{ArchiveId, ArchiveQueue},
    bounce,
    questions::Questions,
    session::{SendLimits, Session, SessionId},
    store::AccountData,
};
use crate::xmpp::{
    codec::{Element, Jid, StanzaCondition, StanzaError, ns},
    copies::Copies,
};

/// Most results that wait until an account is stored.
const UNTOLD_MAX: usize = 1_000;

/// What is done when nothing is borrowed.
pub(super) enum Later {
    /// A stanza for a service.
    Service(Rc<dyn Service>, Element),
    /// An account has to be read.
    Load(Rc<str>),
    /// A session ends, unless it is resumed by then.
    Expire { id: SessionId, generation: u64, after: Duration },
}

pub(super) struct Domain {
    pub(super) config: Rc<ServerConfig>,
    pub(super) accounts: HashMap<Rc<str>, Entry>,
    pub(super) sessions: HashMap<SessionId, Session>,
    /// Sessions that can be resumed.
    pub(super) tokens: HashMap<Rc<str>, SessionId>,
    pub(super) connections: usize,
    /// No more than so many bytes wait for clients: `backlog.rs`.
    pub(super) backlog: usize,
    /// The bytes of the messages that wait for accounts in memory.
    pub(super) offline_bytes: usize,
    /// Accounts that are being read.
    pub(super) loads: usize,
    /// The bytes of what waits for them.
    pub(super) loading_bytes: usize,
    pub(super) later: Vec<Later>,
    /// Sessions that have exceeded a limit.
    pub(super) doomed: Vec<SessionId>,
    /// Questions to sessions.
    pub(super) questions: Questions,
    /// Accounts that have changed.
    pub(super) dirty: VecDeque<Rc<str>>,
    pub(super) wall: SystemTime,
    /// What waits for archives.
    pub(super) archives: ArchiveQueue,
    /// The last id that a message was given.
    pub(super) last_archived: ArchiveId,
    /// Messages are not archived, since too many wait for it.
    pub(super) is_archive_full: bool,
    /// The names of the services, in their order.
    pub(super) service_names: Vec<String>,
    /// Nobody logs in any more.
    pub(super) is_stopping: bool,
    /// How often credentials were revoked.
    pub(super) revocations: u64,
    last_session: u64,
    last_id: u64,
}

impl Domain {
    pub(super) fn new(config: Rc<ServerConfig>, wall: SystemTime) -> Self {
        let service_names = config.services.iter().map(|(_, service)| service.name()).collect();
        Self {
            config,
            accounts: HashMap::new(),
            sessions: HashMap::new(),
            tokens: HashMap::new(),
            connections: 0,
            backlog: 0,
            offline_bytes: 0,
            loads: 0,
            loading_bytes: 0,
            later: Vec::new(),
            doomed: Vec::new(),
            questions: Questions::default(),
            dirty: VecDeque::new(),
            wall,
            archives: ArchiveQueue::default(),
            last_archived: ArchiveId(0),
            is_archive_full: false,
            service_names,
            is_stopping: false,
            revocations: 0,
            last_session: 0,
            last_id: 0,
        }
    }

    /// An id for an iq of the server.
    pub(super) fn next_id(&mut self) -> String {
        self.last_id += 1;
        format!("server-{}", self.last_id)
    }

    pub(super) const fn next_session(&mut self) -> SessionId {
        self.last_session += 1;
        SessionId(self.last_session)
    }

    // ---- accounts ----

    pub(super) fn account(&self, account: &str) -> Option<&Account> {
        match self.accounts.get(account)? {
            Entry::Ready(account) => Some(account),
            Entry::Loading(_) => None,
        }
    }

    pub(super) fn account_mut(&mut self, account: &str) -> Option<&mut Account> {
        match self.accounts.get_mut(account)? {
            Entry::Ready(account) => Some(account),
            Entry::Loading(_) => None,
        }
    }

    pub(super) fn data(&self, account: &str) -> Option<&AccountData> {
        self.account(account).map(|account| &*account.data)
    }

    /// The data of an account, which will be saved.
    pub(super) fn change(&mut self, account: &str) -> Option<&mut AccountData> {
        let (name, _) = self.accounts.get_key_value(account)?;
        let name = Rc::clone(name);
        let Some(Entry::Ready(account)) = self.accounts.get_mut(account) else { return None };
        if !std::mem::replace(&mut account.is_dirty, true) {
            self.dirty.push_back(name);
        }
        Some(Rc::make_mut(&mut account.data))
    }

    /// Whether something has changed that is not stored yet, and has not failed to be.
    pub(super) fn is_saving(&self) -> bool {
        self.accounts.values().any(|entry| match entry {
            Entry::Ready(account) => account.is_saving || account.is_dirty && !account.has_failed,
            Entry::Loading(_) => false,
        })
    }

    /// What has changed is saved now, also what could not be saved before.
    pub(super) fn save_all(&mut self) {
        self.archives.retry(None);
        for (name, entry) in &mut self.accounts {
            if let Entry::Ready(account) = entry
                && std::mem::take(&mut account.has_failed)
                && account.is_dirty
            {
                self.dirty.push_back(Rc::clone(name));
            }
        }
    }

    /// The bare address of an account.
    pub(super) fn bare(&self, account: &str) -> Option<Jid> {
        format!("{account}@{}", self.config.domain).parse().ok()
    }

    pub(super) fn sessions_of(&self, account: &str) -> Vec<SessionId> {
        self.account(account).map(|account| account.sessions.clone()).unwrap_or_default()
    }

    /// The sessions of an account of which this is true.
    pub(super) fn sessions_where(
        &self,
        account: &str,
        is: impl Fn(&Session) -> bool,
    ) -> Vec<SessionId> {
        let mut sessions = self.sessions_of(account);
        sessions.retain(|id| self.sessions.get(id).is_some_and(&is));
        sessions
    }

    /// The session that has this full address.
    pub(super) fn session_at(&self, jid: &Jid) -> Option<SessionId> {
        let account = self.account(jid.local()?)?;
        let is = |id: &&SessionId| self.sessions.get(id).is_some_and(|session| session.jid == *jid);
        account.sessions.iter().find(is).copied()
    }

    /// Whether this is the domain of the server.
    pub(super) fn is_mine(&self, jid: &Jid) -> bool {
        jid.domain() == self.config.domain.domain()
    }

    // ---- routing ----

    /// Sends a stanza to a session.
    pub(super) fn send(&mut self, id: SessionId, stanza: Element) {
        self.send_copy(id, stanza, None);
    }

    /// Sends a stanza to a session, which others are perhaps sent as well.
    pub(super) fn send_copy(&mut self, id: SessionId, stanza: Element, copies: Option<Copies>) {
        let text = match stanza.encode_shared(ns::CLIENT, self.config.send_queue_max) {
            Ok(text) => text,
            // Too long for any client, or no XML.
            Err(error) if stanza.name() == "iq" => {
                tracing::debug!(error = %with_causes(&error), "an iq is not sent");
                return self.iq_unsent(id, &stanza);
            }
            Err(error) => {
                return tracing::debug!(error = %with_causes(&error), "a stanza that is no XML is not sent");
            }
        };
        let limits = self.send_limits();
        // Once for the connection, and once until it is acknowledged.
        self.backlog_grows(text.len().saturating_mul(2));
        if let Some(session) = self.sessions.get_mut(&id)
            && !session.send(stanza, text, copies, limits)
        {
            self.doomed.push(id);
        }
    }

    pub(super) fn send_limits(&self) -> SendLimits {
        let (stanzas, bytes) = (self.config.unacknowledged_max, self.config.send_queue_max);
        SendLimits { stanzas, bytes }
    }

    /// An iq cannot be written: a question is refused, and an answer is replaced.
    fn iq_unsent(&mut self, id: SessionId, iq: &Element) {
        let error = bounce::modify(StanzaCondition::PolicyViolation);
        if matches!(iq.attribute("type"), Some("result")) {
            return self.send(id, bounce::instead_of(iq, &error));
        }
        let address = |name| iq.attribute(name).and_then(|jid| jid.parse::<Jid>().ok());
        if let (Some(from), Some(to)) = (address("from"), address("to")) {
            let id = iq.attribute("id").unwrap_or_default();
            self.questions.answered(&to, &from, id, &self.config.domain);
        }
        self.refuse(iq, &error);
    }

    /// Sends a copy to each, addressed to it.
    pub(super) fn send_to_all(&mut self, ids: &[SessionId], stanza: &Element) {
        for id in ids {
            let Some(session) = self.sessions.get(id) else { continue };
            let copy = stanza.clone().with_attribute("to", session.jid.to_string());
            self.send(*id, copy);
        }
    }

    /// Answers a stanza with an error, where that is allowed.
    pub(super) fn refuse(&mut self, stanza: &Element, error: &StanzaError) {
        if let Some(answer) = bounce::error_of(stanza, error) {
            self.route(answer);
        }
    }

    /// Answers an iq.
    pub(super) fn answer(&mut self, iq: &Element, payload: Option<Element>) {
        self.route(bounce::result_of(iq, payload));
    }

    /// Answers an iq that may have changed an account, when the change is stored.
    pub(super) fn answer_when_stored(
        &mut self,
        account: &str,
        iq: &Element,
        payload: Option<Element>,
    ) {
        let is_request = matches!(iq.attribute("type"), Some("set"));
        match self.account_mut(account).filter(|account| account.is_dirty && is_request) {
            Some(account) if account.untold.len() < UNTOLD_MAX => {
                account.untold.push(bounce::result_of(iq, payload));
            }
            Some(_) => self.refuse(iq, &bounce::wait(StanzaCondition::ResourceConstraint)),
            None => self.answer(iq, payload),
        }
    }

    /// An account was saved, or could not be: those who have changed it are told.
    pub(super) fn tell(&mut self, results: Vec<Element>, is_saved: bool) {
        for result in results {
            let error = bounce::wait(StanzaCondition::InternalServerError);
            self.route(if is_saved { result } else { bounce::instead_of(&result, &error) });
        }
    }

    /// Brings a stanza to where its `to` says.
    pub(super) fn route(&mut self, stanza: Element) {
        let address = |name| stanza.attribute(name).and_then(|jid| jid.parse::<Jid>().ok());
        let (Some(from), Some(to)) = (address("from"), address("to")) else {
            return tracing::debug!("a stanza without addresses is dropped");
        };
        if self.is_mine(&to) {
            return match to.local() {
                Some(_) => self.route_to_account(stanza, &from, &to),
                None => self.server_received(&stanza),
            };
        }
        let service =
            self.config.services.iter().find(|(domain, _)| domain.domain() == to.domain());
        match service {
            Some((_, service)) => self.later.push(Later::Service(Rc::clone(service), stanza)),
            None => self.refuse(&stanza, &bounce::cancel(StanzaCondition::RemoteServerNotFound)),
        }
    }

    fn route_to_account(&mut self, stanza: Element, from: &Jid, to: &Jid) {
        let Some(local) = to.local() else { return };
        match self.accounts.get(local) {
            Some(Entry::Ready(_)) => self.deliver(stanza, from, to),
            // Nobody of an account that is not in memory is there.
            _ if is_for_those_present(&stanza) => {}
            _ => self.wait_for(local, stanza),
        }
    }

    /// A stanza for an account that is in memory.
    fn deliver(&mut self, stanza: Element, from: &Jid, to: &Jid) {
        let Some(account) = to.local().and_then(|local| self.accounts.get_key_value(local)) else {
            return;
        };
        let account = Rc::clone(account.0);
        if self.is_blocked(&account, from) {
            // What is for many is dropped: to a room, an error says that the client is gone.
            let is_for_many = matches!(stanza.attribute("type"), Some("groupchat" | "headline"));
            if stanza.name() == "iq" || (stanza.name() == "message" && !is_for_many) {
                self.refuse(&stanza, &StanzaError::service_unavailable());
            }
            // It was asked before it was blocked, and its words are not passed on.
            let is_answer = bounce::is_answer(&stanza);
            if let Some(id) = Some(to).filter(|_| is_answer).and_then(|to| self.session_at(to)) {
                self.send(id, bounce::instead_of(&stanza, &StanzaError::service_unavailable()));
            }
            return;
        }
        match stanza.name() {
            "message" => self.message_to(&account, stanza, from, to),
            "presence" => self.presence_to(&account, stanza, from, to),
            "iq" => self.iq_to(&account, stanza, from, to),
            name => tracing::debug!(name, "what is no stanza is dropped"),
        }
    }

    fn iq_to(&mut self, account: &Rc<str>, iq: Element, from: &Jid, to: &Jid) {
        let is_request = matches!(iq.attribute("type"), Some("get" | "set"));
        if to.is_bare() {
            // Answers to what the server has sent for the account say nothing.
            if is_request {
                self.account_asked(account, &iq, from);
            }
            return;
        }
        match self.session_at(to) {
            Some(id) => {
                if is_request {
                    let given_up = self.questions.asked(&iq, from, to, &self.config.domain);
                    for question in given_up {
                        self.refuse(&question, &bounce::wait(StanzaCondition::ResourceConstraint));
                    }
                }
                self.send(id, iq);
            }
            None => self.refuse(&iq, &StanzaError::service_unavailable()),
        }
    }
}

/// Whether nobody misses it if nobody is there.
fn is_for_those_present(stanza: &Element) -> bool {
    let kind = stanza.attribute("type");
    match stanza.name() {
        "presence" => {
            !matches!(kind, Some("subscribe" | "subscribed" | "unsubscribe" | "unsubscribed"))
        }
        "iq" => !matches!(kind, Some("get" | "set")),
        _ => kind == Some("error"),
    }
}
