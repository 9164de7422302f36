//! The users of servers of instant messages, and who of them is signed on: [`Realm`]. Servers of OSCAR and of TOC share one, so that their
//! users talk to each other. Knows no protocol of either.

use std::{
    cell::{Cell, RefCell},
    collections::{HashMap, HashSet},
    fmt,
    rc::Rc,
    time::{Duration, Instant, UNIX_EPOCH},
};

use sinew_auth::{AuthError, Authenticator, Channel, Credentials, Secret, Users};
use sinew_transports::reactor::{Deferred, Reactor};

use super::{Buddy, Event, Message, ScreenName, password::digest};

/// The most names on a list of buddies.
pub(super) const BUDDIES_MAX: usize = 400;

/// How many messages a user may send at once, and how long it takes until another is allowed.
const BURST: u32 = 20;
const MESSAGE_EVERY: Duration = Duration::from_millis(500);

/// Users in memory, with their passwords. A handle: clones are the same users.
///
/// # Examples
///
/// ```
/// use sinew_chat::historical::{Realm, oscar::OscarServer, toc::TocServer};
/// use sinew_transports::{ReactorTcp, reactor::Reactor};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let reactor = Reactor::new()?;
/// let realm = Realm::new([("Ann".parse()?, "secret".into()), ("Bob".parse()?, "hunter2".into())]);
/// let oscar = reactor.listen_tcp("127.0.0.1:0", OscarServer::new(&realm))?;
/// let toc = reactor.listen_tcp("127.0.0.1:0", TocServer::new(&realm))?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct Realm(Rc<Inner>);

struct Inner {
    /// By normalized name.
    accounts: HashMap<String, (ScreenName, Secret)>,
    authenticator: Authenticator,
    online: RefCell<HashMap<String, Online>>,
    next_session: Cell<u64>,
}

/// A user that is signed on.
struct Online {
    session: u64,
    buddy: Buddy,
    watches: HashSet<String>,
    allowance: Allowance,
    door: Rc<dyn Door>,
}

/// The connection of a user, by which events reach it.
pub(super) trait Door {
    fn tell(&self, event: &Event);

    /// The same user has signed on elsewhere.
    fn replaced(&self);
}

/// What a user shows to prove that it is one.
#[derive(Debug)]
pub(super) enum Proof {
    Password(Secret),
    /// The MD5 of a key, the password, and the name of the network.
    Digest {
        key: Vec<u8>,
        digest: Vec<u8>,
        password_is_digested: bool,
    },
}

/// A user's being signed on, which ends when this is dropped.
pub(super) struct Presence {
    realm: Realm,
    name: ScreenName,
    session: u64,
}

/// Messages that may be sent, refilled with time.
struct Allowance {
    left: u32,
    since: Instant,
}

/// Why a message was not passed on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Unsent {
    NotOnline,
    TooFast,
}

impl Realm {
    /// These users, with their passwords. Of two of the same name the later counts.
    #[must_use]
    pub fn new(users: impl IntoIterator<Item = (ScreenName, Secret)>) -> Self {
        let (mut accounts, mut checked) = (HashMap::new(), Users::new());
        for (name, password) in users {
            let key = name.normalized().to_owned();
            checked = checked.user(key.clone(), password.clone());
            accounts.insert(key, (name, password));
        }
        let (online, next_session) = (RefCell::default(), Cell::new(0));
        let authenticator = Authenticator::new(checked);
        Self(Rc::new(Inner { accounts, authenticator, online, next_session }))
    }

    /// The names of those who are signed on, in no order.
    #[must_use]
    pub fn online(&self) -> Vec<ScreenName> {
        self.0.online.borrow().values().map(|online| online.buddy.name.clone()).collect()
    }

    /// Checks who it is. Failures are answered late and bounded, by the authenticator.
    pub(super) fn check(
        &self,
        reactor: &Reactor,
        channel: &Channel,
        name: &ScreenName,
        proof: Proof,
    ) -> Deferred<ScreenName, AuthError> {
        let account = self.0.accounts.get(name.normalized());
        let password = match (proof, account) {
            (Proof::Password(password), _) => password,
            (Proof::Digest { key, digest: given, password_is_digested }, Some((_, password)))
                if sinew_auth::is_equal(
                    &digest(&key, password.bytes(), password_is_digested),
                    &given,
                ) =>
            {
                password.clone()
            }
            // Longer than any password, so it is wrong, and is counted as such.
            (Proof::Digest { .. }, _) => Secret::from(vec![b'?'; 2_000]),
        };
        let shown = account.map_or_else(|| name.clone(), |(name, _)| name.clone());
        let credentials = Credentials::password(name.normalized(), password);
        let checked = self.0.authenticator.check(reactor, channel, credentials);
        checked.map(move |checked| checked.map(|_| shown))
    }

    /// Signs a user on. One of the same name is signed off.
    pub(super) fn sign_on(
        &self,
        reactor: &Reactor,
        name: &ScreenName,
        watches: HashSet<String>,
        door: Rc<dyn Door>,
    ) -> Presence {
        let session = self.0.next_session.get();
        self.0.next_session.set(session + 1);
        let since = reactor.wall_clock().duration_since(UNIX_EPOCH).unwrap_or_default();
        let signed_on = u32::try_from(since.as_secs()).unwrap_or(u32::MAX);
        let buddy = Buddy { name: name.clone(), is_away: false, signed_on };
        let allowance = Allowance { left: BURST, since: reactor.now() };
        let online = Online { session, buddy: buddy.clone(), watches, allowance, door };
        let before = self.0.online.borrow_mut().insert(name.normalized().to_owned(), online);
        if let Some(before) = before {
            before.door.replaced();
        }
        let presence = Presence { realm: self.clone(), name: name.clone(), session };
        self.tell_watchers(name, &Event::Arrived(buddy));
        presence
    }

    fn tell_watchers(&self, of: &ScreenName, event: &Event) {
        let online = self.0.online.borrow();
        let watch = |online: &&Online| online.watches.contains(of.normalized());
        let doors: Vec<_> = online.values().filter(watch).map(|one| Rc::clone(&one.door)).collect();
        drop(online);
        doors.iter().for_each(|door| door.tell(event));
    }
}

impl Presence {
    /// What others see of this user.
    pub(super) fn buddy(&self) -> Option<Buddy> {
        self.with(|online| online.buddy.clone())
    }

    fn with<T>(&self, f: impl FnOnce(&mut Online) -> T) -> Option<T> {
        let mut online = self.realm.0.online.borrow_mut();
        let own = online.get_mut(self.name.normalized());
        own.filter(|own| own.session == self.session).map(f)
    }

    /// Watches these users, or not any more. Those of them that are signed on arrive.
    pub(super) fn watch(&self, names: &[ScreenName], watch: bool) {
        let door = self.with(|own| {
            for name in names {
                if !watch {
                    own.watches.remove(name.normalized());
                } else if own.watches.len() < BUDDIES_MAX {
                    own.watches.insert(name.normalized().to_owned());
                }
            }
            Rc::clone(&own.door)
        });
        if let Some(door) = door.filter(|_| watch) {
            for name in names {
                self.realm.tell_of(name, &*door);
            }
        }
    }

    /// Tells of all watched users that are signed on.
    pub(super) fn tell_of_all(&self) {
        let all = self.with(|own| (own.watches.clone(), Rc::clone(&own.door)));
        for name in all.iter().flat_map(|(watches, _)| watches) {
            if let (Ok(name), Some((_, door))) = (name.parse(), &all) {
                self.realm.tell_of(&name, &**door);
            }
        }
    }

    /// Passes a message on.
    pub(super) fn send(
        &self,
        now: Instant,
        to: &ScreenName,
        text: String,
        is_automatic: bool,
    ) -> Result<(), Unsent> {
        if !self.with(|own| own.allowance.take(now)).unwrap_or(false) {
            return Err(Unsent::TooFast);
        }
        let online = self.realm.0.online.borrow();
        let door = online.get(to.normalized()).map(|online| Rc::clone(&online.door));
        drop(online);
        let message = Message { from: self.name.clone(), text, is_automatic };
        door.ok_or(Unsent::NotOnline)?.tell(&Event::Message(message));
        Ok(())
    }

    /// Is away, or is back.
    pub(super) fn set_away(&self, is_away: bool) {
        let buddy = self.with(|own| {
            own.buddy.is_away = is_away;
            own.buddy.clone()
        });
        if let Some(buddy) = buddy {
            self.realm.tell_watchers(&self.name, &Event::Arrived(buddy));
        }
    }
}

impl Realm {
    fn tell_of(&self, name: &ScreenName, door: &dyn Door) {
        let online = self.0.online.borrow();
        let buddy = online.get(name.normalized()).map(|online| online.buddy.clone());
        drop(online);
        if let Some(buddy) = buddy {
            door.tell(&Event::Arrived(buddy));
        }
    }
}

impl Drop for Presence {
    fn drop(&mut self) {
        if self.with(|_| ()).is_none() {
            return;
        }
        let gone = self.realm.0.online.borrow_mut().remove(self.name.normalized());
        // What a connection holds may be anything: not while the table is borrowed.
        drop(gone);
        self.realm.tell_watchers(&self.name, &Event::Departed(self.name.clone()));
    }
}

impl Allowance {
    fn take(&mut self, now: Instant) -> bool {
        let passed = now.saturating_duration_since(self.since);
        let more = u32::try_from(passed.as_millis() / MESSAGE_EVERY.as_millis()).unwrap_or(BURST);
        if more > 0 {
            self.left = self.left.saturating_add(more).min(BURST);
            self.since = now;
        }
        let is_allowed = self.left > 0;
        self.left = self.left.saturating_sub(1);
        is_allowed
    }
}

impl fmt::Debug for Realm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Realm")
            .field("users", &self.0.accounts.len())
            .field("online", &self.0.online.borrow().len())
            .finish_non_exhaustive()
    }
}
