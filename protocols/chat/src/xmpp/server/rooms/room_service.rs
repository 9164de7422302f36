//! Rooms as a service of a server: [`RoomService`]. It routes what the rooms say, and stores those that are kept.

use std::{cell::RefCell, fmt, path::PathBuf, rc::Rc};

use sinew_transports::reactor::{Deferred, Failure, Promise, Reactor, WeakReactor};

use super::{
    RoomChange, RoomStoreError, Rooms, RoomsConfig,
    room_folder::RoomFolder,
    unsaved_rooms::{Attempt, UnsavedRooms},
};
use crate::xmpp::{
    codec::{Element, Jid},
    server::{Router, Service},
};

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
    unsaved: RefCell<UnsavedRooms>,
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
            unsaved: self.0.unsaved.borrow().len(),
        }
    }

    /// Resolves when all rooms that have changed are stored, or could not be stored now, which is logged:
    /// [`unsaved`](RoomsReport::unsaved) says how many those are. Wait for it at the end of a program.
    pub fn flushed(&self, reactor: &Reactor) -> Deferred<()> {
        let (promise, flushed) = reactor.promise();
        self.0.waiting.borrow_mut().push(promise);
        self.0.unsaved.borrow_mut().all_again();
        self.save(reactor);
        flushed
    }

    /// Stores what is next, a few rooms at a time.
    fn save(&self, reactor: &Reactor) {
        let Some(folder) = &self.0.folder else { return self.tell_flushed() };
        loop {
            let next = self.0.unsaved.borrow_mut().begin();
            let Some((room, change)) = next else { break };
            let (folder, of_thread) = (folder.clone(), (room.clone(), change.clone()));
            let stored = reactor.defer_to_thread(move || folder.store(&of_thread.0, &of_thread.1));
            let this = Rc::downgrade(&self.0);
            stored.then(move |reactor, stored: Result<Result<(), RoomStoreError>, _>| {
                let Some(this) = this.upgrade().map(Self) else { return };
                let error = match stored {
                    Ok(Ok(())) => None,
                    Ok(Err(error)) => Some(error.to_string()),
                    Err(error) => Some(error.to_string()),
                };
                this.ended(reactor, room, change, error);
                this.save(reactor);
            });
        }
        self.tell_flushed();
    }

    /// A room was stored, or was not: it is tried again later, and the log has one line of it.
    fn ended(&self, reactor: &Reactor, room: Jid, change: RoomChange, error: Option<String>) {
        let failed = error.is_some().then_some(change);
        let attempt = self.0.unsaved.borrow_mut().ended(&room, failed);
        let error = error.unwrap_or_default();
        let Attempt::Failed { failures, again } = attempt else {
            if attempt == Attempt::StoredAgain {
                tracing::info!(%room, "the XMPP room is stored now");
            }
            return;
        };
        if failures == 1 || !self.0.waiting.borrow().is_empty() {
            tracing::error!(%room, error, "an XMPP room was not stored; it will be tried again");
        } else {
            tracing::debug!(%room, error, failures, "an XMPP room was not stored again");
        }
        let this = Rc::downgrade(&self.0);
        reactor.call_later(again, move |reactor| {
            if let Some(this) = this.upgrade().map(Self) {
                this.0.unsaved.borrow_mut().again(&room, failures);
                this.save(reactor);
            }
        });
    }

    fn tell_flushed(&self) {
        if self.0.unsaved.borrow().is_idle() {
            self.0.waiting.take().into_iter().for_each(|promise| promise.resolve(()));
        }
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
            for (room, change) in changes {
                self.0.unsaved.borrow_mut().changed(room, change);
            }
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
