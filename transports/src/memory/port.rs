//! Listening ports in memory: names within a reactor to listen on and connect to, and the connections between them. Makes no
//! system calls.

use std::{
    cell::{Cell, RefCell},
    collections::{HashMap, VecDeque},
    io::{self, IoSlice},
    net::SocketAddr,
    rc::{Rc, Weak},
    sync::Arc,
};

use sinew_reactor::{Reactor, Ready, Token, WeakReactor};

use crate::{
    Address, ConnectConfig, ConnectError, Connecting, Factory, ListenConfig, ListenError,
    ListeningPort, Peer, immediate_connect,
    net::{ByteStream, NetListener, listener::Listener},
    stream::socket::Socket,
    tcp,
};

/// Bytes in flight in one direction at which a write would block, like a socket's buffer.
const CAPACITY: usize = 256 * 1024;

/// The names in use within a reactor.
#[derive(Default)]
struct Names(RefCell<HashMap<Arc<str>, Weak<Backlog>>>);

/// Connections that wait to be accepted.
struct Backlog {
    waiting: RefCell<VecDeque<End>>,
    max: usize,
    token: Cell<Option<Token>>,
    reactor: WeakReactor,
}

struct MemoryListener(Rc<Backlog>);

pub(crate) fn listen<F: Factory>(
    reactor: &Reactor,
    name: &str,
    config: ListenConfig,
    factory: F,
) -> Result<ListeningPort<Address>, ListenError> {
    let names = reactor.local::<Names>();
    let mut names = names.0.borrow_mut();
    names.retain(|_, backlog| backlog.strong_count() > 0);
    let name: Arc<str> = name.into();
    let addr = Address::Memory(name.clone());
    if names.contains_key(&name) {
        reactor.defer_drop(factory);
        let source = io::Error::new(io::ErrorKind::AddrInUse, "another port listens on this name");
        return Err(ListenError::Other { at: addr.to_string(), source });
    }
    let backlog = Rc::new(Backlog {
        waiting: RefCell::default(),
        max: usize::try_from(config.backlog).unwrap_or_default().max(1),
        token: Cell::default(),
        reactor: reactor.downgrade(),
    });
    names.insert(name, Rc::downgrade(&backlog));
    drop(names);
    if let Some(share) = &config.share {
        share.opened_for_itself();
    }
    let listener = Listener::Other(Box::new(MemoryListener(backlog)));
    tcp::open(reactor, listener, addr.clone(), config, None, factory)
        .map_err(|error| ListenError::Other { at: addr.to_string(), source: error.into() })
}

impl NetListener for MemoryListener {
    fn register(&self, token: Token) {
        self.0.token.set(Some(token));
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        Err(io::ErrorKind::Unsupported.into())
    }

    fn accept(&self) -> io::Result<(Box<dyn ByteStream>, Peer)> {
        match self.0.waiting.borrow_mut().pop_front() {
            Some(end) => Ok((Box::new(end), Peer::Memory)),
            None => Err(io::ErrorKind::WouldBlock.into()),
        }
    }

    fn is_ready(&self) -> bool {
        !self.0.waiting.borrow().is_empty()
    }
}

impl Drop for MemoryListener {
    /// Resets the connections that were not accepted, as a kernel does when a listening socket closes.
    fn drop(&mut self) {
        let waiting = self.0.waiting.take();
        waiting.iter().for_each(ByteStream::reset);
    }
}

impl Backlog {
    fn push(&self, end: End) -> bool {
        let mut waiting = self.waiting.borrow_mut();
        if waiting.len() >= self.max {
            return false;
        }
        waiting.push_back(end);
        if let (Some(reactor), Some(token)) = (self.reactor.upgrade(), self.token.get()) {
            reactor.reschedule(token);
        }
        true
    }
}

/// Connects to a name, from the event loop. Succeeds or fails at once.
pub(crate) fn connect<F: Factory>(
    reactor: &Reactor,
    name: &str,
    config: ConnectConfig,
    factory: F,
) -> Connecting<F::Protocol> {
    let name = name.to_owned();
    immediate_connect::connect_now(reactor, config, factory, move |reactor| {
        match dial(reactor, &name) {
            Ok((token, socket)) => Ok((socket, token, Peer::Memory)),
            Err(source) => {
                let to = Address::Memory((&*name).into()).to_string();
                Err(ConnectError::Other { to, source })
            }
        }
    })
}

/// Makes a connection and puts its far end into the backlog of a name.
fn dial(reactor: &Reactor, name: &str) -> io::Result<(Token, Socket)> {
    let found = reactor.local::<Names>().0.borrow().get(name).and_then(Weak::upgrade);
    let backlog = found.ok_or_else(|| {
        io::Error::new(io::ErrorKind::ConnectionRefused, "no port listens on this name")
    })?;
    let (near, far) = End::pair(reactor);
    let mut socket = Socket::from(Box::new(near) as Box<dyn ByteStream>);
    let token = socket.watch(reactor)?;
    if backlog.push(far) {
        return Ok((token, socket));
    }
    reactor.deregister(token, true);
    Err(io::Error::new(io::ErrorKind::ConnectionRefused, "the backlog is full"))
}

/// One direction of a connection: data in flight, and the state that its reader sees.
#[derive(Default)]
struct Pipe {
    bytes: RefCell<VecDeque<u8>>,
    /// The writer has ended its output (FIN).
    ended: Cell<bool>,
    /// The writer has reset the connection.
    reset: Cell<bool>,
    /// The reader is closed.
    closed: Cell<bool>,
    /// The reader's token.
    reader: Cell<Option<Token>>,
}

impl Pipe {
    /// The result of a read of an empty buffer. Data that arrived before a reset is read first, as on a socket.
    fn empty_read_result(&self) -> io::Result<usize> {
        match (self.reset.get(), self.ended.get()) {
            (true, _) => Err(io::ErrorKind::ConnectionReset.into()),
            (false, true) => Ok(0),
            (false, false) => Err(io::ErrorKind::WouldBlock.into()),
        }
    }
}

/// One end of a connection.
struct End {
    incoming: Rc<Pipe>,
    outgoing: Rc<Pipe>,
    reactor: WeakReactor,
    reset: Cell<bool>,
}

impl End {
    fn pair(reactor: &Reactor) -> (Self, Self) {
        let (one, two) = (Rc::<Pipe>::default(), Rc::<Pipe>::default());
        let end = |incoming: &Rc<Pipe>, outgoing: &Rc<Pipe>| Self {
            incoming: incoming.clone(),
            outgoing: outgoing.clone(),
            reactor: reactor.downgrade(),
            reset: Cell::new(false),
        };
        (end(&one, &two), end(&two, &one))
    }

    /// Reschedules the other end.
    fn wake_peer(&self) {
        if let (Some(reactor), Some(token)) = (self.reactor.upgrade(), self.outgoing.reader.get()) {
            reactor.reschedule(token);
        }
    }
}

impl ByteStream for End {
    fn read(&self, buffer: &mut [u8]) -> io::Result<usize> {
        let mut bytes = self.incoming.bytes.borrow_mut();
        let len = bytes.len().min(buffer.len());
        if len == 0 && !buffer.is_empty() {
            return self.incoming.empty_read_result();
        }
        let was_full = bytes.len() >= CAPACITY;
        buffer.iter_mut().zip(bytes.drain(..len)).for_each(|(to, from)| *to = from);
        if bytes.is_empty() {
            // An idle connection keeps no buffer.
            *bytes = VecDeque::new();
        }
        if was_full {
            self.wake_peer();
        }
        Ok(len)
    }

    fn write_vectored(&self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        let pipe = &self.outgoing;
        if pipe.ended.get() || pipe.closed.get() || self.incoming.reset.get() {
            return Err(io::ErrorKind::BrokenPipe.into());
        }
        let mut bytes = pipe.bytes.borrow_mut();
        let before = bytes.len();
        for slice in slices {
            let room = CAPACITY.saturating_sub(bytes.len());
            bytes.extend(&slice[..slice.len().min(room)]);
        }
        let written = bytes.len() - before;
        if written > 0 {
            self.wake_peer();
        } else if slices.iter().any(|slice| !slice.is_empty()) {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        Ok(written)
    }

    fn peek(&self) -> io::Result<usize> {
        match self.incoming.bytes.borrow().is_empty() {
            true => self.incoming.empty_read_result(),
            false => Ok(1),
        }
    }

    fn short_read_drains(&self, _: bool) -> bool {
        true
    }

    fn check(&self) -> io::Result<()> {
        match self.incoming.reset.get() {
            true => Err(io::ErrorKind::ConnectionReset.into()),
            false => Ok(()),
        }
    }

    fn close_write(&self) -> io::Result<()> {
        self.outgoing.ended.set(true);
        self.wake_peer();
        Ok(())
    }

    fn reset(&self) {
        self.reset.set(true);
    }

    fn readiness(&self) -> Ready {
        let mut ready = Ready::NONE;
        if self.incoming.ended.get() || self.incoming.reset.get() {
            ready = Ready::READ | Ready::READ_CLOSED;
        } else if !self.incoming.bytes.borrow().is_empty() {
            ready = Ready::READ;
        }
        let is_over = self.outgoing.closed.get() || self.incoming.reset.get();
        if is_over || self.outgoing.bytes.borrow().len() < CAPACITY {
            ready = ready | Ready::WRITE;
        }
        ready
    }

    fn register(&self, token: Token) {
        self.incoming.reader.set(Some(token));
    }
}

impl Drop for End {
    fn drop(&mut self) {
        // Like TCP: a close with unread data resets the connection (RFC 9293, section 3.6.1).
        let unread = !self.incoming.bytes.take().is_empty();
        self.incoming.closed.set(true);
        self.incoming.reader.set(None);
        if self.reset.get() || unread {
            self.outgoing.reset.set(true);
        }
        self.outgoing.ended.set(true);
        self.wake_peer();
    }
}
