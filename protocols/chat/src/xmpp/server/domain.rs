//! The state of a server: [`Domain`], accounts and sessions, and how stanzas get to them. What is user code is left for later
//! ([`Later`]): nothing here calls any.

use std::{
    collections::{HashMap, VecDeque},
    rc::Rc,
    time::{Duration, SystemTime},
};

use super::{
    ServerConfig, Service,
    account::{Account, Entry, Loading},
    bounce,
    session::{SendLimits, Session, SessionId},
    store::AccountData,
};
use crate::xmpp::codec::{Element, Jid, StanzaCondition, StanzaError, ns};

/// Most stanzas that wait for an account to be read.
const LOADING_MAX: usize = 1_000;

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
    pub(super) later: Vec<Later>,
    /// Sessions that have exceeded a limit.
    pub(super) doomed: Vec<SessionId>,
    /// Accounts that have changed.
    pub(super) dirty: VecDeque<Rc<str>>,
    pub(super) wall: SystemTime,
    /// The names of the services, in their order.
    pub(super) service_names: Vec<String>,
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
            later: Vec::new(),
            doomed: Vec::new(),
            dirty: VecDeque::new(),
            wall,
            service_names,
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

    /// Whether something has changed that is not stored yet.
    pub(super) fn has_unsaved(&self) -> bool {
        let is_unsaved = |entry: &Entry| matches!(entry, Entry::Ready(account) if account.is_dirty || account.is_saving);
        self.accounts.values().any(is_unsaved)
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
        let text = match stanza.encode(ns::CLIENT) {
            Ok(text) => text,
            Err(error) => return tracing::debug!(%error, "a stanza that is no XML is not sent"),
        };
        let limits = SendLimits {
            stanzas: self.config.unacknowledged_max,
            bytes: self.config.send_queue_max,
        };
        if let Some(session) = self.sessions.get_mut(&id)
            && !session.send(stanza, text, limits)
        {
            self.doomed.push(id);
        }
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
        match self.accounts.get_mut(local) {
            Some(Entry::Ready(_)) => self.deliver(stanza, from, to),
            // Nobody of an account that is not in memory is there.
            _ if is_for_those_present(&stanza) => {}
            Some(Entry::Loading(loading)) if loading.stanzas.len() < LOADING_MAX => {
                loading.stanzas.push(stanza);
            }
            Some(Entry::Loading(_)) => {
                self.refuse(&stanza, &bounce::wait(StanzaCondition::ResourceConstraint));
            }
            None => {
                let loading = Loading { stanzas: vec![stanza], ..Loading::default() };
                self.load(local.into(), loading);
            }
        }
    }

    pub(super) fn load(&mut self, account: Rc<str>, loading: Loading) {
        let idle_max = self.config.accounts_cached_max;
        if self.accounts.len() >= idle_max.saturating_mul(2).saturating_add(self.sessions.len()) {
            self.accounts
                .retain(|_, entry| !matches!(entry, Entry::Ready(account) if account.is_idle()));
        }
        self.accounts.insert(Rc::clone(&account), Entry::Loading(loading));
        self.later.push(Later::Load(account));
    }

    /// An account was read; `None`: there is none. What has waited for it goes on.
    pub(super) fn loaded(&mut self, account: &Rc<str>, data: Option<AccountData>, exists: bool) {
        let Some(Entry::Loading(loading)) = self.accounts.remove(account) else { return };
        let is_new = data.is_none();
        if is_new && !exists && loading.logins.is_empty() {
            // RFC 6121 8.5.1: of presence, whatever it is, nobody hears anything.
            for stanza in loading.stanzas.iter().filter(|stanza| stanza.name() != "presence") {
                self.refuse(stanza, &StanzaError::service_unavailable());
            }
            return;
        }
        let ready = Account {
            data: Rc::new(data.unwrap_or_default()),
            connections: loading.logins.len(),
            ..Account::default()
        };
        self.accounts.insert(Rc::clone(account), Entry::Ready(ready));
        if is_new && !loading.logins.is_empty() {
            // From its first login on the account exists.
            self.change(account);
        }
        loading.logins.into_iter().for_each(|login| login.resolve(true));
        loading.stanzas.into_iter().for_each(|stanza| self.route(stanza));
    }

    /// An account could not be read.
    pub(super) fn not_loaded(&mut self, account: &str) {
        let Some(Entry::Loading(loading)) = self.accounts.remove(account) else { return };
        loading.logins.into_iter().for_each(|login| login.resolve(false));
        for stanza in loading.stanzas {
            self.refuse(&stanza, &bounce::wait(StanzaCondition::InternalServerError));
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
            Some(id) => self.send(id, iq),
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
