//! What a listening port and a connection need to know of the reactors that share the port: the counterpart of
//! `reactors/`, which starts them. Data that several threads use, written when a connection opens, moves or ends, and
//! never for a message.

use std::{
    any::Any,
    cell::{Cell, OnceCell},
    fmt,
    sync::{
        Arc, OnceLock, PoisonError, RwLock,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
};
#[cfg(unix)]
use std::{net::TcpStream, os::unix::net::UnixStream};

#[cfg(not(unix))]
use mio::net::TcpStream;
use sinew_reactor::{Reactor, Remote};

use crate::{
    Address, Peer,
    mailbox::{Mailbox, NotQueued},
};

/// Connections on their way to a reactor, for each port. Above it, another reactor is chosen, or they wait in the
/// backlog of the listening socket.
const HANDED_MAX: usize = 256;

/// Whether the system distributes the connections among the sockets of one port (`SO_REUSEPORT`).
const SYSTEM_BALANCES: bool = cfg!(any(target_os = "linux", target_os = "android"));

/// How accepted connections are distributed among the reactors of [`Reactors`](crate::reactors::Reactors).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Distribution {
    /// By the system where it does that: on Linux, each reactor has a TCP socket of its own on the same address
    /// (`SO_REUSEPORT`, socket(7)), and the kernel chooses one by a hash of the addresses. Elsewhere, and for Unix sockets
    /// and sockets opened by others, as [`RoundRobin`](Self::RoundRobin). The default.
    #[default]
    System,
    /// The first reactor accepts, and hands the sockets to all in turn.
    RoundRobin,
    /// The first reactor accepts, and hands each socket to the reactor with the fewest open connections of this port. For
    /// connections that last long, which a hash distributes unevenly.
    LeastLoaded,
}

/// Which reactors have a listening socket of a shared port.
#[derive(Clone, Debug)]
enum Mode {
    /// Each has one on the same address.
    EachListens(Address),
    /// The first has one, and hands the connections over.
    FirstAccepts(Address),
    /// Each has one of its own, which the others cannot reach: a name in memory.
    EachForItself,
    /// It cannot be shared: the first has it.
    OnlyFirst,
}

/// A listening port of several reactors.
pub(crate) struct SharedPort {
    /// Set by the first reactor, when it has opened the port.
    mode: OnceLock<Mode>,
    distribution: Distribution,
    /// Where the search for the next reactor begins.
    next: AtomicUsize,
    slots: Box<[Slot]>,
}

/// The port on one reactor. Aligned, so that two reactors never write to one cache line.
#[repr(align(128))]
struct Slot {
    /// Connections of this port open here. Written by this reactor's thread only.
    open: AtomicUsize,
    is_accepting: AtomicBool,
    handed: Arc<Mailbox<Handed>>,
}

/// The share of one reactor in a port: what its [`ListenConfig`](crate::ListenConfig) carries.
#[derive(Clone)]
pub(crate) struct Share {
    pub(crate) port: Arc<SharedPort>,
    pub(crate) shard: usize,
}

/// How this reactor opens a shared port.
pub(crate) enum Opening {
    /// As usual, and then [`Share::opened`] or [`Share::opened_in_kernel`] is called.
    First,
    /// On this address, and with `SO_REUSEPORT` if `true`.
    At(Address, bool),
    /// Not at all: connections are handed over by another reactor.
    Elsewhere(Address),
}

/// A kernel socket that can leave its thread.
pub(crate) enum SentSocket {
    Tcp(TcpStream),
    #[cfg(unix)]
    Unix(UnixStream),
}

/// A connection on its way to another reactor.
pub(crate) struct Handed {
    pub(crate) socket: SentSocket,
    pub(crate) peer: Peer,
    /// What a connection takes along that was open already: a `Moved`, which the stream knows. `None` for one that has just
    /// been accepted.
    pub(crate) moved: Option<Box<dyn Any + Send>>,
}

impl SharedPort {
    pub(crate) fn new(shards: usize, distribution: Distribution) -> Arc<Self> {
        let slot = |_| Slot {
            open: AtomicUsize::new(0),
            is_accepting: AtomicBool::new(false),
            handed: Arc::new(Mailbox::new(HANDED_MAX)),
        };
        Arc::new(Self {
            mode: OnceLock::new(),
            distribution,
            next: AtomicUsize::new(0),
            slots: (0..shards).map(slot).collect(),
        })
    }

    /// The first reactor has opened the port. A kind of endpoint that has not said how it is shared is not.
    pub(crate) fn settle(&self) {
        let _ = self.mode.set(Mode::OnlyFirst);
    }

    pub(crate) fn is_only_first(&self) -> bool {
        matches!(self.mode.get(), Some(Mode::OnlyFirst))
    }

    fn is_distributed_here(&self) -> bool {
        matches!(self.mode.get(), Some(Mode::FirstAccepts(_)))
    }
}

impl Slot {
    /// Open connections and those on their way; `None` if no more are accepted now.
    fn load(&self, max: usize) -> Option<usize> {
        if !self.is_accepting.load(Ordering::Acquire) {
            return None;
        }
        let waiting = self.handed.waiting().filter(|waiting| *waiting < self.handed.capacity())?;
        let load = self.open.load(Ordering::Relaxed) + waiting;
        (load < max).then_some(load)
    }
}

impl Share {
    fn slot(&self) -> &Slot {
        &self.port.slots[self.shard]
    }

    // ---- opening the port ----

    pub(crate) fn opening(&self) -> Opening {
        match self.port.mode.get() {
            Some(Mode::EachListens(addr)) => Opening::At(addr.clone(), true),
            Some(Mode::FirstAccepts(addr)) if self.shard == 0 => Opening::At(addr.clone(), false),
            Some(Mode::FirstAccepts(addr)) => Opening::Elsewhere(addr.clone()),
            Some(Mode::EachForItself | Mode::OnlyFirst) | None => Opening::First,
        }
    }

    /// Whether the first listening socket must have `SO_REUSEPORT`, for those of the other reactors.
    pub(crate) fn wants_reuse_port(&self) -> bool {
        SYSTEM_BALANCES && self.port.distribution == Distribution::System
    }

    /// The first reactor has opened a TCP socket that others can open, too, if it has `SO_REUSEPORT`.
    pub(crate) fn opened(&self, addr: impl Into<Address>, reuse_port: bool) {
        let addr = addr.into();
        let _ = self.port.mode.set(match reuse_port {
            true => Mode::EachListens(addr),
            false => Mode::FirstAccepts(addr),
        });
    }

    /// Each reactor has a port of its own.
    pub(crate) fn opened_for_itself(&self) {
        let _ = self.port.mode.set(Mode::EachForItself);
    }

    /// The queue of connections for this reactor.
    pub(crate) fn mailbox(&self) -> &Arc<Mailbox<Handed>> {
        &self.slot().handed
    }

    // ---- what the port of this reactor reports ----

    pub(crate) fn set_open(&self, connections: usize) {
        self.slot().open.store(connections, Ordering::Relaxed);
    }

    pub(crate) fn set_accepting(&self, accepting: bool) {
        self.slot().is_accepting.store(accepting, Ordering::Release);
    }

    /// There is room again: the reactor that accepts may have waited for that.
    pub(crate) fn has_room_again(&self) {
        if self.shard != 0 && self.port.is_distributed_here() {
            self.port.slots[0].handed.wake();
        }
    }

    // ---- distributing ----

    /// Whether this reactor accepts for all.
    pub(crate) fn distributes(&self) -> bool {
        self.shard == 0 && self.port.is_distributed_here()
    }

    /// Whether any reactor takes another connection. `max` is the limit of connections of each.
    pub(crate) fn has_room(&self, max: usize) -> bool {
        self.port.slots.iter().any(|slot| slot.load(max).is_some())
    }

    /// Hands an accepted connection to the reactor whose turn it is. Returns it if it is this reactor's.
    pub(crate) fn distribute(
        &self,
        socket: SentSocket,
        peer: Peer,
        max: usize,
    ) -> Option<(SentSocket, Peer)> {
        let chosen = self.choose(max);
        if chosen == self.shard {
            return Some((socket, peer));
        }
        let handed = Handed { socket, peer, moved: None };
        match self.port.slots[chosen].handed.send(handed) {
            Ok(()) => None,
            // It has ended this very moment.
            Err((Handed { socket, peer, .. }, _)) => Some((socket, peer)),
        }
    }

    /// The reactor for the next connection; this one if none has room.
    fn choose(&self, max: usize) -> usize {
        let shards = self.port.slots.len();
        let first = self.port.next.load(Ordering::Relaxed);
        let in_turn = (0..shards).map(|n| (first + n) % shards);
        let loads = in_turn.filter_map(|shard| Some((shard, self.port.slots[shard].load(max)?)));
        let chosen = match self.port.distribution {
            // The first of those that are equal.
            Distribution::LeastLoaded => loads.min_by_key(|(_, load)| *load),
            Distribution::System | Distribution::RoundRobin => { loads }.next(),
        };
        let chosen = chosen.map_or(self.shard, |(shard, _)| shard);
        self.port.next.store((chosen + 1) % shards, Ordering::Relaxed);
        chosen
    }

    /// Whether the port of that reactor takes a connection that is open already.
    pub(crate) fn can_take(&self, shard: usize) -> Result<(), NotQueued> {
        let slot = &self.port.slots[shard];
        match slot.handed.waiting() {
            Some(waiting) if slot.is_accepting.load(Ordering::Acquire) => {
                if waiting < slot.handed.capacity() { Ok(()) } else { Err(NotQueued::Full) }
            }
            _ => Err(NotQueued::Closed),
        }
    }

    /// Sends a connection to the port of that reactor; closes it if that has ended meanwhile.
    pub(crate) fn send(&self, shard: usize, handed: Handed) -> bool {
        self.port.slots[shard].handed.send(handed).is_ok()
    }
}

impl fmt::Debug for Share {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Share").field("shard", &self.shard).finish_non_exhaustive()
    }
}

/// The remotes of the reactors that run together.
pub(crate) struct Remotes(Box<[RemoteCell]>);

/// The remote of a reactor while it runs. The lock is held for a clone.
#[repr(align(128))]
#[derive(Default)]
struct RemoteCell(RwLock<Option<Remote>>);

impl Remotes {
    pub(crate) fn new(shards: usize) -> Self {
        Self((0..shards).map(|_| RemoteCell::default()).collect())
    }

    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    /// `None` if it does not run, or there is none with that index.
    pub(crate) fn get(&self, shard: usize) -> Option<Remote> {
        self.0.get(shard)?.0.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(crate) fn set(&self, shard: usize, remote: Option<Remote>) {
        *self.0[shard].0.write().unwrap_or_else(PoisonError::into_inner) = remote;
    }
}

/// A reactor's place among those that it runs with: kept in the reactor.
#[derive(Default)]
pub(crate) struct Membership(OnceCell<Member>);

pub(crate) struct Member {
    pub(crate) shard: usize,
    pub(crate) remotes: Arc<Remotes>,
    /// It stops: a request to stop must not be made twice, since a second one ends the drain.
    pub(crate) is_stopping: Cell<bool>,
}

impl Membership {
    pub(crate) fn join(reactor: &Reactor, shard: usize, remotes: Arc<Remotes>) {
        let member = Member { shard, remotes, is_stopping: Cell::new(false) };
        let _ = reactor.local::<Self>().0.set(member);
    }

    pub(crate) fn member(&self) -> Option<&Member> {
        self.0.get()
    }
}
