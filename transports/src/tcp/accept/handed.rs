//! The accept loop's part in a port that several reactors share: connections handed to other reactors and received from
//! them, and in a kernel's queue that is left to another process. Who gets which is decided in `sharing.rs`.

use std::rc::Rc;

use sinew_reactor::Reactor;

use super::{Acceptor, PortCore};
use crate::{
    Factory, Peer,
    sharing::{Handed, SentSocket, Share},
    stream::{StreamBuilder, socket::Socket},
};

impl<F: Factory> Acceptor<F> {
    /// Opens a connection from another reactor.
    pub(super) fn open_handed(self: &Rc<Self>, reactor: &Reactor, handed: Handed) {
        let Handed { socket, peer, moved } = handed;
        let mut socket = Socket::from(socket);
        let Some(moved) = moved else { return self.open(reactor, socket, peer) };
        let token = match socket.watch(reactor) {
            Ok(token) => token,
            Err(error) => {
                let what = "could not register a connection from another reactor; it is closed";
                return self.core.log_once(&error.into(), what);
            }
        };
        let shared = self.shared.clone();
        let builder = StreamBuilder { reactor, socket, token, peer, shared };
        builder.start_moved(moved, |peer| self.factory.borrow_mut().build_protocol(peer));
    }
}

impl PortCore {
    /// Whether no more connections can be accepted: here, or on any reactor that this one accepts for.
    pub(super) fn is_full_everywhere(&self) -> bool {
        match &self.config.share {
            Some(share) if share.distributes() => !share.has_room(self.config.connections_max),
            _ => self.is_full(),
        }
    }

    /// Tells the reactors that share this port how many connections are open here, and whether it takes more.
    pub(super) fn report(&self) {
        if let Some(share) = &self.config.share {
            share.set_open(self.open.get() + self.pending_proxies.borrow().len());
            share.set_accepting(!self.closed.get() && !self.paused.get());
        }
    }

    /// There is room again here: the reactor that accepts may have waited for that.
    pub(super) fn tell_acceptor(&self) {
        if let Some(share) = &self.config.share {
            share.has_room_again();
        }
    }

    /// Returns a connection that this reactor is to open; others are handed over.
    #[inline]
    pub(super) fn distribute(&self, socket: Socket, peer: Peer) -> Option<(Socket, Peer)> {
        match &self.config.share {
            Some(share) if share.distributes() => self.hand_over(share, socket, peer),
            _ => Some((socket, peer)),
        }
    }

    fn hand_over(&self, share: &Share, socket: Socket, peer: Peer) -> Option<(Socket, Peer)> {
        match SentSocket::try_from(socket) {
            Ok(socket) => {
                let (socket, peer) = share.distribute(socket, peer, self.config.connections_max)?;
                Some((socket.into(), peer))
            }
            Err(socket) => Some((socket, peer)),
        }
    }

    /// The next connection from another reactor, if it can be opened now.
    #[inline]
    pub(super) fn take_handed(&self) -> Option<Handed> {
        self.config.share.as_ref()?;
        self.take_from_inbox()
    }

    fn take_from_inbox(&self) -> Option<Handed> {
        let inbox = self.inbox.borrow();
        let inbox = inbox.as_ref().filter(|_| self.may_open())?;
        let was_full = inbox.is_full();
        let handed = inbox.take()?;
        if was_full {
            self.tell_acceptor();
        }
        Some(handed)
    }

    pub(super) fn has_handed(&self) -> bool {
        self.may_open() && self.inbox.borrow().as_ref().is_some_and(|inbox| !inbox.is_empty())
    }

    fn may_open(&self) -> bool {
        !self.closed.get() && !self.paused.get() && !self.is_full()
    }

    pub(crate) fn set_leaves_backlog(&self, leaves: bool) {
        self.leaves_backlog.set(leaves);
    }

    /// What the engine had accepted before the kernel's queue was left.
    #[inline]
    pub(super) fn take_accepted(&self, reactor: &Reactor) -> Option<(Socket, Peer)> {
        if self.leaves_backlog.get() { self.take_from_engine(reactor) } else { None }
    }

    fn take_from_engine(&self, reactor: &Reactor) -> Option<(Socket, Peer)> {
        if self.closed.get() {
            return None;
        }
        let listener = self.listener.borrow();
        listener.as_ref()?.take_accepted(reactor, self.registered_as())
    }
}
