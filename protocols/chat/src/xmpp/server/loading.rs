//! Accounts that are being read, and what waits for them. A store may be slow, so all of that is bounded.

use std::rc::Rc;

use super::{
    account::{Account, Entry, Loading},
    bounce,
    domain::{Domain, Later},
    store::AccountData,
};
use crate::xmpp::codec::{Element, StanzaCondition, StanzaError, ns};

/// Most stanzas that wait for an account to be read.
const LOADING_MAX: usize = 1_000;
/// Most accounts that are read at once because of stanzas, not of logins.
const LOADS_MAX: usize = 1_000;
/// Most bytes of the stanzas that wait for accounts.
const LOADING_BYTES_MAX: usize = 16 << 20;

impl Domain {
    /// A stanza waits until an account is read. A store may be slow, and clients name what accounts they like.
    pub(super) fn wait_for(&mut self, local: &str, stanza: Element) {
        let max = LOADING_BYTES_MAX - self.loading_bytes;
        let len = stanza.encode_at_most(ns::CLIENT, max).map(|text| text.len());
        let loads = self.loads;
        match (self.accounts.get_mut(local), len) {
            (Some(Entry::Loading(loading)), Ok(len)) if loading.stanzas.len() < LOADING_MAX => {
                loading.stanzas.push(stanza);
                loading.bytes += len;
                self.loading_bytes += len;
            }
            (None, Ok(bytes)) if loads < LOADS_MAX => {
                self.loading_bytes += bytes;
                let loading = Loading { stanzas: vec![stanza], bytes, ..Loading::default() };
                self.load(local.into(), loading);
            }
            _ => self.refuse(&stanza, &bounce::wait(StanzaCondition::ResourceConstraint)),
        }
    }

    pub(super) fn load(&mut self, account: Rc<str>, loading: Loading) {
        let idle_max = self.config.accounts_cached_max;
        if self.accounts.len() >= idle_max.saturating_add(self.sessions.len()) {
            self.forget_idle_accounts(None);
        }
        self.accounts.insert(Rc::clone(&account), Entry::Loading(loading));
        self.loads += 1;
        self.later.push(Later::Load(account));
    }

    /// What has waited for an account, which is not being read any more.
    fn take_loading(&mut self, account: &str) -> Option<Loading> {
        if !matches!(self.accounts.get(account)?, Entry::Loading(_)) {
            return None;
        }
        let Some(Entry::Loading(loading)) = self.accounts.remove(account) else { return None };
        self.loads -= 1;
        self.loading_bytes -= loading.bytes;
        Some(loading)
    }

    /// An account was read; `None`: there is none. What has waited for it goes on.
    pub(super) fn loaded(&mut self, account: &Rc<str>, data: Option<AccountData>, exists: bool) {
        let Some(loading) = self.take_loading(account) else { return };
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
        let len = |message: &Element| message.encode(ns::CLIENT).map_or(0, |text| text.len());
        let offline = ready.data.offline.iter().map(len).sum();
        self.accounts.insert(Rc::clone(account), Entry::Ready(ready));
        self.offline_has(account, offline);
        if is_new && !loading.logins.is_empty() {
            // From its first login on the account exists.
            self.change(account);
        }
        loading.logins.into_iter().for_each(|login| login.resolve(true));
        loading.stanzas.into_iter().for_each(|stanza| self.route(stanza));
    }

    /// An account could not be read.
    pub(super) fn not_loaded(&mut self, account: &str) {
        let Some(loading) = self.take_loading(account) else { return };
        loading.logins.into_iter().for_each(|login| login.resolve(false));
        for stanza in loading.stanzas {
            self.refuse(&stanza, &bounce::wait(StanzaCondition::InternalServerError));
        }
    }
}
