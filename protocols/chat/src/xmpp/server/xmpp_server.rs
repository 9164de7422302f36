//! The server: [`XmppServer`], a [`Factory`] for ports of any kind. It calls what is user code, services and the store, and never with
//! a borrow held.

use std::{
    cell::{Cell, RefCell},
    collections::VecDeque,
    fmt,
    rc::{Rc, Weak},
    time::Duration,
};

use sinew_transports::{
    Factory, Peer,
    reactor::{Deferred, Excerpt, Failure, Promise, Reactor, WeakReactor, with_causes},
};

use super::{
    Router, ServerConfig, ServerReport, Service, StoreError, XmppServerConnection,
    account::{Entry, Loading},
    domain::{Domain, Later},
    inbound::is_stanza,
    store::AccountData,
};
use crate::xmpp::codec::{Element, Jid, StreamCondition};

/// Most logins that wait for the same account to be read.
const LOGINS_MAX: usize = 100;
/// Most accounts that are saved at once.
const SAVES_MAX: usize = 4;
/// After a failure.
const SAVE_AGAIN_AFTER: Duration = Duration::from_secs(1);
/// Most stanzas that are routed in one turn of the loop.
const ROUTED_MAX: usize = 256;

/// A server of XMPP for one domain, as a factory for any port: TCP, TLS, a Unix socket, memory, behind the PROXY protocol, in a network
/// simulation. Clones share everything, and may serve several ports of one reactor.
///
/// # Examples
///
/// ```
/// use sinew_auth::Users;
/// use sinew_chat::xmpp::server::{ServerConfig, XmppServer};
/// use sinew_transports::{ReactorTcp, reactor::Reactor};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let reactor = Reactor::new()?;
/// let users = Users::new().user("ann", "secret").user("bob", "secret");
/// // Without a certificate for STARTTLS, logins are for the same machine only.
/// let config = ServerConfig::new("example.org", users)?.requires_tls(false);
/// let port = reactor.listen_tcp("127.0.0.1:0", XmppServer::new(&reactor, config))?;
/// println!("{}", port.local());
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct XmppServer(pub(super) Rc<Core>);

pub(super) struct Core {
    pub(super) this: Weak<Self>,
    pub(super) reactor: WeakReactor,
    pub(super) config: Rc<ServerConfig>,
    pub(super) domain: RefCell<Domain>,
    /// What is routed, and what is given to services, from the loop.
    queue: RefCell<VecDeque<Work>>,
    is_scheduled: Cell<bool>,
    saves: Cell<usize>,
    /// Nothing is routed any more.
    is_stopped: Cell<bool>,
    /// Those who wait until everything is saved.
    waiting: RefCell<Vec<Promise<(), Failure>>>,
}

enum Work {
    Route(Element),
    Service(Rc<dyn Service>, Element),
}

impl XmppServer {
    /// A server without connections.
    #[must_use]
    pub fn new(reactor: &Reactor, config: ServerConfig) -> Self {
        let config = Rc::new(config);
        let domain = Domain::new(Rc::clone(&config), reactor.wall_clock());
        Self(Rc::new_cyclic(|this| Core {
            this: this.clone(),
            reactor: reactor.downgrade(),
            config,
            domain: RefCell::new(domain),
            queue: RefCell::default(),
            is_scheduled: Cell::new(false),
            saves: Cell::new(0),
            is_stopped: Cell::new(false),
            waiting: RefCell::default(),
        }))
    }

    /// Routes stanzas of others, such as those of a gateway.
    #[must_use]
    pub fn router(&self) -> Router {
        Router(Rc::downgrade(&self.0))
    }

    /// Resolves when all accounts that have changed and all messages for archives are stored, or could not be stored now, which is logged:
    /// [`accounts_unsaved`](ServerReport::accounts_unsaved) and [`archives_unwritten`](ServerReport::archives_unwritten) say how many
    /// those are.
    pub fn flushed(&self, reactor: &Reactor) -> Deferred<()> {
        let (promise, flushed) = reactor.promise();
        self.0.waiting.borrow_mut().push(promise);
        self.0.domain.borrow_mut().save_all();
        self.0.work_on_archives(reactor);
        self.0.save(reactor);
        flushed
    }

    /// Ends all sessions, also those that could have been resumed, lets nobody log in any more, and resolves when everything is stored:
    /// messages that were not acknowledged wait for their accounts. From then on nothing is routed, so that another server can have the
    /// store. The port is closed by the caller.
    pub fn stop(&self, reactor: &Reactor) -> Deferred<()> {
        self.with(reactor, Domain::stop);
        let this = self.clone();
        let (promise, stopped) = reactor.promise();
        self.flushed(reactor).then(move |_, flushed| {
            this.0.is_stopped.set(true);
            promise.settle(flushed);
        });
        stopped
    }

    /// Ends all sessions of an account, also those that wait to be resumed, with this stream error, and returns how many there were: for
    /// an account that may not log in any more ([`StreamCondition::NotAuthorized`]), or that has another password
    /// ([`StreamCondition::Reset`]). Messages that they have not acknowledged go to the store. Logins that have begun before are not
    /// finished, of whatever account they are: those clients log in again.
    ///
    /// Call it once the authenticator knows of the change.
    pub fn end_sessions(
        &self,
        reactor: &Reactor,
        account: &str,
        condition: StreamCondition,
    ) -> usize {
        self.with(reactor, |domain| domain.revoke(account, condition))
    }

    /// How many connections, sessions and accounts there are.
    #[must_use]
    pub fn report(&self) -> ServerReport {
        let domain = self.0.domain.borrow();
        let accounts = domain.accounts.values();
        ServerReport {
            connections: domain.connections,
            sessions: domain.sessions.len(),
            sessions_waiting: domain.sessions.values().filter(|session| session.wire.is_none()).count(),
            bytes_unread: domain.backlog_now(),
            accounts: accounts.len(),
            accounts_unsaved: accounts
                .filter(|entry| matches!(entry, Entry::Ready(account) if account.is_dirty || account.is_saving))
                .count(),
            archives_unwritten: domain.archives.unwritten(),
        }
    }

    /// A connection of this server with a client, for callers that establish connections themselves.
    #[must_use]
    pub fn connection(&self) -> XmppServerConnection {
        XmppServerConnection::new(self.clone())
    }

    /// Somebody has logged in. Resolves when the account is in memory, where it stays until the connection has gone; to `false`, if it
    /// could not be read, or if the server is stopping.
    pub(super) fn open_account(&self, reactor: &Reactor, account: &str) -> Deferred<bool> {
        let (promise, opened) = reactor.promise();
        self.with(reactor, |domain| match domain.accounts.get_mut(account) {
            _ if domain.is_stopping => promise.resolve(false),
            Some(Entry::Ready(account)) => {
                account.connections += 1;
                promise.resolve(true);
            }
            // Those who have given up are still among them.
            Some(Entry::Loading(loading)) if loading.logins.len() >= LOGINS_MAX => {
                promise.resolve(false);
            }
            Some(Entry::Loading(loading)) => loading.logins.push(promise),
            None => {
                let loading = Loading { logins: vec![promise], ..Loading::default() };
                domain.load(account.into(), loading);
            }
        });
        opened
    }

    /// Something of the domain, with the time of the loop; and then what it has left for later.
    pub(super) fn with<R>(&self, reactor: &Reactor, f: impl FnOnce(&mut Domain) -> R) -> R {
        let mut domain = self.0.domain.borrow_mut();
        domain.wall = reactor.wall_clock();
        let result = f(&mut domain);
        domain.end_doomed();
        drop(domain);
        self.0.after(reactor);
        result
    }
}

impl Core {
    pub(super) fn domain_jid(&self) -> Jid {
        self.config.domain.clone()
    }

    /// Routes a stanza in a later turn.
    pub(super) fn route(&self, stanza: Element) {
        if self.is_stopped.get() {
            return;
        }
        self.queue.borrow_mut().push_back(Work::Route(stanza));
        if let Some(reactor) = self.reactor.upgrade() {
            self.schedule(&reactor);
        }
    }

    fn schedule(&self, reactor: &Reactor) {
        if self.queue.borrow().is_empty() || self.is_scheduled.replace(true) {
            return;
        }
        let this = self.this.clone();
        reactor.call_soon(move |reactor| {
            if let Some(this) = this.upgrade() {
                this.is_scheduled.set(false);
                this.work(reactor);
            }
        });
    }

    /// Routes what is in line. After a panic of a service the rest is routed in the next turn.
    fn work(&self, reactor: &Reactor) {
        let rest = Rest(self, reactor);
        for _ in 0..ROUTED_MAX {
            let work = self.queue.borrow_mut().pop_front();
            match work {
                Some(Work::Route(stanza)) if !is_stanza(&stanza) => {
                    tracing::debug!("what is no stanza is not routed");
                }
                Some(Work::Route(stanza)) => {
                    self.with(reactor, |domain| domain.service_sent(stanza))
                }
                Some(Work::Service(service, stanza)) => {
                    service.stanza_received(&Router(self.this.clone()), stanza);
                }
                None => break,
            }
        }
        drop(rest);
        // Somebody may wait for the end of the queue.
        self.save(reactor);
    }

    pub(super) fn with(&self, reactor: &Reactor, f: impl FnOnce(&mut Domain)) {
        if let Some(this) = self.this.upgrade() {
            XmppServer(this).with(reactor, f);
        }
    }

    /// Does what was left.
    fn after(&self, reactor: &Reactor) {
        let later = std::mem::take(&mut self.domain.borrow_mut().later);
        for later in later {
            match later {
                Later::Service(service, stanza) => {
                    self.queue.borrow_mut().push_back(Work::Service(service, stanza));
                }
                Later::Load(account) => self.load(reactor, account),
                Later::Expire { id, generation, after } => {
                    let this = self.this.clone();
                    let expiry = reactor.call_later(after, move |reactor| {
                        let Some(this) = this.upgrade() else { return };
                        this.with(reactor, |domain| domain.expire(id, generation));
                    });
                    self.domain.borrow_mut().expires(id, generation, expiry);
                }
            }
        }
        self.schedule(reactor);
        self.work_on_archives(reactor);
        self.save(reactor);
    }

    fn load(&self, reactor: &Reactor, account: Rc<str>) {
        let this = self.this.clone();
        // What is user code is called from the loop, so that its panics are not those of a connection.
        reactor.call_soon(move |reactor| {
            let Some(core) = this.upgrade() else { return };
            let unread =
                Unread { core: Rc::clone(&core), account: Rc::clone(&account), is_read: false };
            let exists = core.config.has_account.as_ref().is_some_and(|has| has(&account));
            let read = core.config.store.load(reactor, &account);
            read.then(move |reactor, read| unread.read(reactor, read, exists));
        });
    }

    /// Saves what has changed, a few accounts at a time. Changes while an account is saved are saved next.
    fn save(&self, reactor: &Reactor) {
        while self.saves.get() < SAVES_MAX {
            let mut domain = self.domain.borrow_mut();
            let Some(name) = domain.dirty.pop_front() else { break };
            let account = domain.account_mut(&name).filter(|account| account.is_dirty);
            let Some(account) = account else { continue };
            if std::mem::replace(&mut account.is_saving, true) {
                // It comes back when that is done.
                continue;
            }
            drop(domain);
            self.saves.set(self.saves.get() + 1);
            let saving = Saving { core: self.this.clone(), name, is_done: false };
            // As in `load`.
            reactor.call_soon(move |reactor| {
                if let Some(core) = saving.core.upgrade() {
                    core.save_one(reactor, saving);
                }
            });
        }
        if !self.waiting.borrow().is_empty() && self.is_idle() {
            self.waiting.take().into_iter().for_each(|promise| promise.resolve(()));
        }
    }

    /// Whether nothing waits to be routed, read or stored.
    fn is_idle(&self) -> bool {
        let domain = self.domain.borrow();
        self.queue.borrow().is_empty()
            && !domain.is_saving()
            && domain.archives.is_idle()
            && !domain.accounts.values().any(|entry| matches!(entry, Entry::Loading(_)))
    }

    fn save_one(&self, reactor: &Reactor, saving: Saving) {
        let mut domain = self.domain.borrow_mut();
        let Some(account) = domain.account_mut(&saving.name) else { return };
        account.is_dirty = false;
        account.telling = std::mem::take(&mut account.untold);
        let data = Rc::clone(&account.data);
        drop(domain);
        let saved = self.config.store.save(reactor, &saving.name, &data);
        saved.then(move |reactor, saved| {
            saving.done(reactor, saved.map_err(|error| error.to_string()));
        });
    }

    fn saved(&self, reactor: &Reactor, name: &Rc<str>, saved: Result<(), String>) {
        self.saves.set(self.saves.get().saturating_sub(1));
        let mut domain = self.domain.borrow_mut();
        let Some(account) = domain.account_mut(name) else { return };
        account.is_saving = false;
        let (told, is_saved) = (std::mem::take(&mut account.telling), saved.is_ok());
        match saved {
            Ok(()) => {
                account.has_failed = false;
                if account.is_dirty {
                    domain.dirty.push_back(Rc::clone(name));
                }
            }
            Err(error) => {
                tracing::error!(account = %Excerpt::new(&**name), error, "an XMPP account was not saved; it will be tried again");
                (account.is_dirty, account.has_failed) = (true, true);
                let (this, name) = (self.this.clone(), Rc::clone(name));
                reactor.call_later(SAVE_AGAIN_AFTER, move |reactor| {
                    let Some(this) = this.upgrade() else { return };
                    this.domain.borrow_mut().dirty.push_back(name);
                    this.save(reactor);
                });
            }
        }
        drop(domain);
        // Others have their turn, also after a failure.
        self.with(reactor, |domain| domain.tell(told, is_saved));
    }
}

/// Has the rest of the queue routed in the next turn, also after a panic.
struct Rest<'a>(&'a Core, &'a Reactor);

impl Drop for Rest<'_> {
    fn drop(&mut self) {
        self.0.schedule(self.1);
    }
}

/// An account that is being read. If the store panics, or forgets its promise, it is one that could not be read.
struct Unread {
    core: Rc<Core>,
    account: Rc<str>,
    is_read: bool,
}

impl Unread {
    fn read(
        mut self,
        reactor: &Reactor,
        read: Result<Option<AccountData>, StoreError>,
        exists: bool,
    ) {
        self.is_read = true;
        self.core.with(reactor, |domain| match read {
            Ok(data) => domain.loaded(&self.account, data, exists),
            Err(error) => {
                tracing::error!(account = %Excerpt::new(&*self.account), error = %with_causes(&error), "an XMPP account was not read");
                domain.not_loaded(&self.account);
            }
        });
    }
}

impl Drop for Unread {
    fn drop(&mut self) {
        if self.is_read {
            return;
        }
        let (core, account) = (Rc::clone(&self.core), Rc::clone(&self.account));
        if let Some(reactor) = self.core.reactor.upgrade() {
            reactor
                .call_soon(move |reactor| core.with(reactor, |domain| domain.not_loaded(&account)));
        }
    }
}

/// An account that is being saved. If the store panics, it was not.
struct Saving {
    core: Weak<Core>,
    name: Rc<str>,
    is_done: bool,
}

impl Saving {
    fn done(mut self, reactor: &Reactor, saved: Result<(), String>) {
        self.is_done = true;
        if let Some(core) = self.core.upgrade() {
            core.saved(reactor, &self.name, saved);
        }
    }
}

impl Drop for Saving {
    fn drop(&mut self) {
        let Some(core) = self.core.upgrade().filter(|_| !self.is_done) else { return };
        let name = Rc::clone(&self.name);
        if let Some(reactor) = core.reactor.upgrade() {
            reactor.call_soon(move |reactor| {
                core.saved(reactor, &name, Err("the store has panicked".to_owned()));
            });
        }
    }
}

impl Factory for XmppServer {
    type Protocol = XmppServerConnection;

    fn build_protocol(&mut self, _: &Peer) -> Option<XmppServerConnection> {
        Some(self.connection())
    }
}

impl fmt::Debug for XmppServer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("XmppServer").field("config", &self.0.config).finish_non_exhaustive()
    }
}
