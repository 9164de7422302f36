//! Who has been accepted and not let in yet: a proxy must say first for whom it connects. No protocol is built for a [`PendingProxy`]
//! before that; whatever goes wrong until then costs a line in the log.

use std::{
    cell::{Cell, RefCell},
    fmt, io,
    rc::Rc,
    sync::Arc,
};

use sinew_reactor::{Handler, Reactor, Ready, TimerKey, Token};

use super::accept::Acceptor;
use crate::{
    Factory, Peer,
    proxy::{Header, HeaderReader, Proxied, ProxyConfig, ProxyError},
    stream::socket::Socket,
};

/// A connection whose header is still to come: its handler until then.
pub(super) struct PendingProxy<F: Factory> {
    acceptor: Rc<Acceptor<F>>,
    token: Token,
    peer: Peer,
    socket: RefCell<Option<Socket>>,
    reader: RefCell<HeaderReader>,
    /// What was said of the socket so far, for whoever takes it over.
    ready: Cell<Ready>,
}

/// Lets a registered socket wait for its header.
pub(super) fn enter<F: Factory>(
    acceptor: &Rc<Acceptor<F>>,
    reactor: &Reactor,
    config: &ProxyConfig,
    token: Token,
    socket: Socket,
    peer: Peer,
) {
    let timer: TimerKey = reactor.arm_timer(token, config.timeout);
    acceptor.core.proxy_pending(token, timer);
    let guest = Rc::new(PendingProxy {
        acceptor: acceptor.clone(),
        token,
        peer,
        socket: RefCell::new(Some(socket)),
        reader: RefCell::new(HeaderReader::new(config.header_len_max)),
        ready: Cell::default(),
    });
    reactor.bind(token, guest.clone());
    // Most often it is there already.
    guest.listen(reactor);
}

impl<F: Factory> PendingProxy<F> {
    fn listen(self: Rc<Self>, reactor: &Reactor) {
        match self.read() {
            Ok(None) => {}
            Ok(Some(header)) => self.let_in(reactor, header),
            Err(error) => self.turn_away(reactor, &error),
        }
    }

    /// Reads the header and not a byte more. `None` while it is not all there.
    fn read(&self) -> io::Result<Option<Header>> {
        let socket = self.socket.borrow();
        let Some(socket) = &*socket else { return Ok(None) };
        let mut reader = self.reader.borrow_mut();
        let mut buffer = [0; 512];
        loop {
            let wanted = reader.wanted().min(buffer.len());
            let len = match socket.read(&mut buffer[..wanted]) {
                Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
                Ok(len) => len,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(None),
                Err(error) => return Err(error),
            };
            let header = reader.received(&buffer[..len]).map_err(io::Error::from)?;
            if header.is_some() {
                return Ok(header);
            }
        }
    }

    fn let_in(self: Rc<Self>, reactor: &Reactor, header: Header) {
        let Some(socket) = self.leave(reactor) else { return };
        let peer = match header {
            Header::Local => self.peer.clone(),
            Header::Proxied { ends, tlvs } => {
                Peer::Proxied(Arc::new(Proxied { via: self.peer.clone(), ends, tlvs }))
            }
        };
        // What came behind the header has been told of already.
        self.acceptor.admit(reactor, socket, self.token, peer, self.ready.get());
    }

    fn turn_away(&self, reactor: &Reactor, why: &dyn fmt::Display) {
        tracing::debug!(peer = %self.peer, %why, "no header of the PROXY protocol; closed");
        if let Some(socket) = self.leave(reactor) {
            reactor.deregister(self.token, true);
            drop(socket);
        }
    }

    /// It is no guest any more. `None` if it was not.
    fn leave(&self, reactor: &Reactor) -> Option<Socket> {
        let socket = self.socket.take()?;
        self.acceptor.core.proxy_done(reactor, self.token);
        Some(socket)
    }
}

impl<F: Factory> Handler for PendingProxy<F> {
    fn ready(self: Rc<Self>, reactor: &Reactor, ready: Ready) {
        self.ready.set(self.ready.get() | ready);
        self.listen(reactor);
    }

    fn rescheduled(self: Rc<Self>, reactor: &Reactor) {
        self.listen(reactor);
    }

    fn timer(self: Rc<Self>, reactor: &Reactor, _: TimerKey) {
        self.turn_away(reactor, &"it took too long");
    }

    fn shutdown(self: Rc<Self>, reactor: &Reactor) {
        self.turn_away(reactor, &"the reactor stops");
    }

    fn panicked(self: Rc<Self>, reactor: &Reactor, message: &str) -> bool {
        self.turn_away(reactor, &message);
        true
    }

    fn describe(&self) -> String {
        format!("a proxy before its header, {}", self.peer)
    }
}

impl From<ProxyError> for io::Error {
    fn from(error: ProxyError) -> Self {
        Self::new(io::ErrorKind::InvalidData, error)
    }
}
