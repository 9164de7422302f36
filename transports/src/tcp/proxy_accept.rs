//! Accepted connections that wait for the PROXY protocol header: [`PendingProxy`]. No protocol is built before the header is complete;
//! failures until then are only logged.

use std::{
    cell::{Cell, RefCell},
    fmt, io,
    rc::Rc,
    sync::Arc,
};

use sinew_reactor::{Handler, Reactor, Ready, TimerKey, Token};

use crate::{
    Peer,
    proxy::{Header, HeaderReader, Proxied, ProxyConfig, ProxyError},
    stream::socket::Socket,
};

/// The listening port that accepted the socket.
pub(super) trait ProxyPort: 'static {
    /// A header is awaited until this timer fires.
    fn proxy_pending(&self, token: Token, timer: TimerKey);
    /// It is no longer awaited.
    fn proxy_done(&self, reactor: &Reactor, token: Token);
    /// Starts a connection whose header has been received.
    fn proxy_accepted(
        self: Rc<Self>,
        reactor: &Reactor,
        socket: Socket,
        token: Token,
        peer: Peer,
        ready: Ready,
    );
}

/// The handler of a connection until its PROXY header is complete.
pub(super) struct PendingProxy<P: ProxyPort> {
    port: Rc<P>,
    token: Token,
    peer: Peer,
    socket: RefCell<Option<Socket>>,
    reader: RefCell<HeaderReader>,
    /// Readiness reported so far, passed on to the stream.
    ready: Cell<Ready>,
}

/// Starts waiting for the header of an accepted socket.
pub(super) fn await_header<P: ProxyPort>(
    port: &Rc<P>,
    reactor: &Reactor,
    config: &ProxyConfig,
    token: Token,
    socket: Socket,
    peer: Peer,
) {
    let timer: TimerKey = reactor.arm_timer(token, config.timeout);
    port.proxy_pending(token, timer);
    let pending = Rc::new(PendingProxy {
        port: port.clone(),
        token,
        peer,
        socket: RefCell::new(Some(socket)),
        reader: RefCell::new(HeaderReader::new(config.header_len_max)),
        ready: Cell::default(),
    });
    reactor.bind(token, pending.clone());
    // The header has often arrived already.
    pending.try_header(reactor);
}

impl<P: ProxyPort> PendingProxy<P> {
    fn try_header(self: Rc<Self>, reactor: &Reactor) {
        match self.read() {
            Ok(None) => {}
            Ok(Some(header)) => self.header_received(reactor, header),
            Err(error) => self.reject(reactor, &error),
        }
    }

    /// Reads the header and no byte beyond it. `None` while it is incomplete.
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

    fn header_received(self: Rc<Self>, reactor: &Reactor, header: Header) {
        let Some(socket) = self.take_socket(reactor) else { return };
        let peer = match header {
            Header::Local => self.peer.clone(),
            Header::Proxied { ends, tlvs } => {
                Peer::Proxied(Arc::new(Proxied { via: self.peer.clone(), ends, tlvs }))
            }
        };
        // Readiness for bytes after the header has been reported already, so it is passed on.
        let (port, ready) = (self.port.clone(), self.ready.get());
        port.proxy_accepted(reactor, socket, self.token, peer, ready);
    }

    fn reject(&self, reactor: &Reactor, why: &dyn fmt::Display) {
        tracing::debug!(peer = %self.peer, %why, "connection closed: no PROXY protocol header");
        if let Some(socket) = self.take_socket(reactor) {
            reactor.deregister(self.token, true);
            drop(socket);
        }
    }

    /// Takes the socket and removes this connection from the pending ones. `None` if that was done before.
    fn take_socket(&self, reactor: &Reactor) -> Option<Socket> {
        let socket = self.socket.take()?;
        self.port.proxy_done(reactor, self.token);
        Some(socket)
    }
}

impl<P: ProxyPort> Handler for PendingProxy<P> {
    fn ready(self: Rc<Self>, reactor: &Reactor, ready: Ready) {
        self.ready.set(self.ready.get() | ready);
        self.try_header(reactor);
    }

    fn rescheduled(self: Rc<Self>, reactor: &Reactor) {
        self.try_header(reactor);
    }

    fn timer(self: Rc<Self>, reactor: &Reactor, _: TimerKey) {
        self.reject(reactor, &"timed out");
    }

    fn shutdown(self: Rc<Self>, reactor: &Reactor) {
        self.reject(reactor, &"the reactor is shutting down");
    }

    fn panicked(self: Rc<Self>, reactor: &Reactor, message: &str) -> bool {
        self.reject(reactor, &message);
        true
    }

    fn describe(&self) -> String {
        format!("a connection awaiting its PROXY header, {}", self.peer)
    }
}

impl From<ProxyError> for io::Error {
    fn from(error: ProxyError) -> Self {
        Self::new(io::ErrorKind::InvalidData, error)
    }
}
