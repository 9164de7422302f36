//! Rooms as a service of a server: [`RoomService`]. It routes what the rooms say, and stores those that are kept.

use std::{
    cell::{Cell, RefCell},
    collections::BTreeMap,
    fmt,
    path::PathBuf,
    rc::Rc,
    time::Duration,
};

use sinew_transports::reactor::{Deferred, Failure, Promise, Reactor, WeakReactor};

use super::{RoomChange, RoomStoreError, Rooms, RoomsConfig, room_folder::RoomFolder};
use crate::xmpp::{
    codec::{Element, Jid},
    server::{Router, Service},
};

/// After a failure.
const SAVE_AGAIN_AFTER: Duration = Duration::from_secs(1);

/// Rooms at a domain of their own (XEP-0045). A handle: clones are the same rooms. Give it to
/// [`ServerConfig::service`](crate::xmpp::server::ServerConfig::service), with the same domain.
///
/// # Examples
///
/// ```
/// use sinew_auth::Users;
/// use sinew_chat::xmpp::server::{
///     ServerConfig,
///     rooms::{RoomService, RoomsConfig},
/// };
/// use sinew_transports::reactor::Reactor;
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let reactor = Reactor::new()?;
/// let domain = "rooms.example.org";
/// let rooms = RoomService::new(&reactor, domain.parse()?, RoomsConfig::default());
/// let users = Users::new().user("ann", "secret");
/// let config = ServerConfig::new("example.org", users)?.service(domain, rooms)?;
/// # drop(config);
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct RoomService(Rc<Inner>);

/// What a service of rooms has now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct RoomsReport {
    /// Rooms, also empty ones that are kept.
    pub rooms: usize,
    /// Occupants of all rooms.
    pub occupants: usize,
    /// Rooms whose last change is not stored yet.
    pub unsaved: usize,
}

struct Inner {
    reactor: WeakReactor,
    name: String,
    rooms: RefCell<Rooms>,
    folder: Option<RoomFolder>,
    /// What was not stored yet: the last change of each room.
    unsaved: RefCell<BTreeMap<Jid, RoomChange>>,
    is_saving: Cell<bool>,
    /// Those who wait until everything is stored.
    waiting: RefCell<Vec<Promise<(), Failure>>>,
}

impl RoomService {
    /// Rooms in memory: also persistent ones are there no longer than this.
    #[must_use]
    pub fn new(reactor: &Reactor, domain: Jid, config: RoomsConfig) -> Self {
        Self::with(reactor, config.name.clone(), Rooms::new(domain, config), None)
    }

    /// Rooms of which the persistent ones are in a folder, which is made when something is first stored. It is read now: call this
    /// before the loop runs. Only one program may have the folder at a time.
    ///
    /// A file is written beside its place, synchronised (`fsync`) and renamed, on a thread of the pool: after a crash, each file is the
    /// old one or the new one, whole.
    ///
    /// # Errors
    ///
    /// [`RoomStoreError`].
    pub fn in_folder(
        reactor: &Reactor,
        domain: Jid,
        config: RoomsConfig,
        folder: impl Into<PathBuf>,
    ) -> Result<Self, RoomStoreError> {
        let folder = RoomFolder::new(folder.into());
        let (name, max) = (config.name.clone(), config.rooms_max);
        let mut rooms = Rooms::new(domain, config);
        for (path, record) in folder.read(max)? {
            let restored = rooms.restore(&record);
            restored.map_err(|source| RoomStoreError::Record { path, source })?;
        }
        Ok(Self::with(reactor, name, rooms, Some(folder)))
    }

    fn with(reactor: &Reactor, name: String, rooms: Rooms, folder: Option<RoomFolder>) -> Self {
        Self(Rc::new(Inner {
            reactor: reactor.downgrade(),
            name,
            rooms: RefCell::new(rooms),
            folder,
            unsaved: RefCell::default(),
            is_saving: Cell::new(false),
            waiting: RefCell::default(),
        }))
    }

    /// How many rooms and occupants there are.
    #[must_use]
    pub fn report(&self) -> RoomsReport {
        let rooms = self.0.rooms.borrow();
        RoomsReport {
            rooms: rooms.rooms().count(),
            occupants: rooms.rooms().map(|room| room.occupants().count()).sum(),
            unsaved: self.0.unsaved.borrow().len() + usize::from(self.0.is_saving.get()),
        }
    }

    /// Resolves when all rooms that have changed are stored. Wait for it at the end of a program.
    pub fn flushed(&self, reactor: &Reactor) -> Deferred<()> {
        let (promise, flushed) = reactor.promise();
        self.0.waiting.borrow_mut().push(promise);
        self.save(reactor);
        flushed
    }

    /// Stores one change after the other.
    fn save(&self, reactor: &Reactor) {
        if self.0.is_saving.get() {
            return;
        }
        let next = self.0.unsaved.borrow_mut().pop_first();
        let (Some((room, change)), Some(folder)) = (next, self.0.folder.clone()) else {
            return self.0.waiting.take().into_iter().for_each(|promise| promise.resolve(()));
        };
        self.0.is_saving.set(true);
        let (this, kept) = (Rc::downgrade(&self.0), (room.clone(), change.clone()));
        let stored = reactor.defer_to_thread(move || folder.store(&room, &change));
        stored.then(move |reactor, stored: Result<Result<(), RoomStoreError>, _>| {
            let Some(this) = this.upgrade().map(Self) else { return };
            this.0.is_saving.set(false);
            let error = match stored {
                Ok(Ok(())) => return this.save(reactor),
                Ok(Err(error)) => error.to_string(),
                Err(error) => error.to_string(),
            };
            let (room, change) = kept;
            tracing::error!(%room, error, "an XMPP room was not stored; it will be tried again");
            // A later change counts, if there is one.
            this.0.unsaved.borrow_mut().entry(room).or_insert(change);
            reactor.call_later(SAVE_AGAIN_AFTER, move |reactor| this.save(reactor));
        });
    }
}

impl Service for RoomService {
    fn stanza_received(&self, router: &Router, stanza: Element) {
        let Some(reactor) = self.0.reactor.upgrade() else { return };
        let mut rooms = self.0.rooms.borrow_mut();
        let out = rooms.stanza_received(stanza, reactor.wall_clock());
        let changes = rooms.take_changes();
        drop(rooms);
        for stanza in out {
            router.route(stanza);
        }
        if self.0.folder.is_some() && !changes.is_empty() {
            self.0.unsaved.borrow_mut().extend(changes);
            self.save(&reactor);
        }
    }

    fn name(&self) -> String {
        self.0.name.clone()
    }
}

impl fmt::Debug for RoomService {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RoomService").field("name", &self.0.name).finish_non_exhaustive()
    }
}
