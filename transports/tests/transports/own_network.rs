//! A network that somebody else has written, in the kernel's place: what `sinew_transports::net` promises to its author. It is one
//! host that talks to itself without any delay.

use crate::watchdog::watch_this_test;
use std::{
    cell::{Cell, RefCell},
    collections::{HashMap, VecDeque},
    io::{self, ErrorKind, IoSlice},
    net::{Ipv4Addr, SocketAddr},
    rc::{Rc, Weak},
    time::Duration,
};

use sinew_reactor::{Deferred, PacketInfo, Reactor, Ready, Token, WeakReactor};
use sinew_transports::{
    ConnectionLost, DatagramProtocol, DatagramTransport, ListenConfig, Peer, Protocol, ReactorTcp,
    ReactorUdp, Transport,
    net::{
        self, ByteStream, DatagramSocket, DialOptions, Found, InstallError, ListenOptions, Net,
        NetDial, NetListener, Received,
    },
};

const HERE: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 1);

/// One direction of a connection, or the input of a socket for datagrams.
struct Way<T> {
    items: RefCell<VecDeque<T>>,
    ended: Cell<bool>,
    reader: Cell<Option<Token>>,
    reactor: WeakReactor,
}

impl<T> Way<T> {
    fn new(reactor: &WeakReactor) -> Rc<Self> {
        let reader = Cell::new(None);
        let (items, ended) = (RefCell::default(), Cell::new(false));
        Rc::new(Self { items, ended, reader, reactor: reactor.clone() })
    }

    fn push(&self, items: impl IntoIterator<Item = T>) {
        self.items.borrow_mut().extend(items);
        self.wake();
    }

    fn end(&self) {
        self.ended.set(true);
        self.wake();
    }

    fn wake(&self) {
        if let (Some(reactor), Some(token)) = (self.reactor.upgrade(), self.reader.get()) {
            reactor.reschedule(token);
        }
    }
}

struct Stream {
    input: Rc<Way<u8>>,
    output: Rc<Way<u8>>,
}

impl ByteStream for Stream {
    fn read(&self, buffer: &mut [u8]) -> io::Result<usize> {
        let mut bytes = self.input.items.borrow_mut();
        if bytes.is_empty() && !self.input.ended.get() {
            return Err(ErrorKind::WouldBlock.into());
        }
        // As little as may be: the loop has to come again for the rest.
        let len = bytes.len().min(buffer.len()).min(3);
        buffer.iter_mut().zip(bytes.drain(..len)).for_each(|(to, from)| *to = from);
        Ok(len)
    }

    fn peek(&self) -> io::Result<usize> {
        match (self.input.items.borrow().is_empty(), self.input.ended.get()) {
            (true, false) => Err(ErrorKind::WouldBlock.into()),
            (is_empty, _) => Ok(usize::from(!is_empty)),
        }
    }

    fn write_vectored(&self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        slices.iter().for_each(|slice| self.output.push(slice.iter().copied()));
        Ok(slices.iter().map(|slice| slice.len()).sum())
    }

    fn close_write(&self) -> io::Result<()> {
        self.output.end();
        Ok(())
    }

    fn reset(&self) {}

    fn readiness(&self) -> Ready {
        match (self.input.items.borrow().is_empty(), self.input.ended.get()) {
            (true, false) => Ready::WRITE,
            (_, false) => Ready::READ | Ready::WRITE,
            (_, true) => Ready::READ | Ready::WRITE | Ready::READ_CLOSED,
        }
    }

    fn check(&self) -> io::Result<()> {
        Ok(())
    }

    fn register(&self, token: Token) {
        self.input.reader.set(Some(token));
    }
}

impl Drop for Stream {
    fn drop(&mut self) {
        self.output.end();
    }
}

struct Listener {
    addr: SocketAddr,
    waiting: Rc<Way<Stream>>,
    options: ListenOptions,
}

impl NetListener for Listener {
    fn register(&self, token: Token) {
        self.waiting.reader.set(Some(token));
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        Ok(self.addr)
    }

    fn accept(&self) -> io::Result<(Box<dyn ByteStream>, Peer)> {
        assert_eq!(self.options.backlog, 7, "as it was configured");
        let stream = self.waiting.items.borrow_mut().pop_front().ok_or(ErrorKind::WouldBlock)?;
        Ok((Box::new(stream), Peer::Inet((HERE, 9).into())))
    }

    fn is_ready(&self) -> bool {
        !self.waiting.items.borrow().is_empty()
    }
}

struct Dial(Stream);

impl NetDial for Dial {
    fn register(&self, token: Token) {
        // The stream goes on under the token of the dial.
        self.0.register(token);
        self.0.input.wake();
    }

    fn outcome(&self) -> Option<io::Result<()>> {
        Some(Ok(()))
    }

    fn into_stream(self: Box<Self>) -> io::Result<Box<dyn ByteStream>> {
        Ok(Box::new(self.0))
    }
}

type Datagram = (Vec<u8>, SocketAddr);

struct Socket {
    addr: SocketAddr,
    input: Rc<Way<Datagram>>,
    host: Rc<Host>,
}

impl DatagramSocket for Socket {
    fn register(&self, token: Token) {
        self.input.reader.set(Some(token));
    }

    fn receive(&self, buffer: &mut [u8]) -> io::Result<Received<SocketAddr>> {
        let next = self.input.items.borrow_mut().pop_front();
        let (data, from) = next.ok_or(ErrorKind::WouldBlock)?;
        let len = data.len().min(buffer.len());
        buffer[..len].copy_from_slice(&data[..len]);
        Ok(Received::new(len, from))
    }

    fn send(&self, data: &[u8], to: Option<&SocketAddr>, _: Option<&PacketInfo>) -> io::Result<()> {
        let to = to.ok_or(ErrorKind::NotConnected)?;
        if let Some(input) = self.host.sockets.borrow().get(to).and_then(Weak::upgrade) {
            input.push([(data.to_vec(), self.addr)]);
        }
        Ok(())
    }

    fn local(&self) -> io::Result<SocketAddr> {
        Ok(self.addr)
    }
}

struct Host {
    reactor: WeakReactor,
    ports: RefCell<HashMap<u16, Weak<Way<Stream>>>>,
    sockets: RefCell<HashMap<SocketAddr, Weak<Way<Datagram>>>>,
}

/// The host, as its reactor has it.
struct Own(Rc<Host>);

impl Net for Own {
    fn listen(
        &self,
        addr: SocketAddr,
        options: &ListenOptions,
    ) -> io::Result<Box<dyn NetListener>> {
        let waiting = Way::new(&self.0.reactor);
        self.0.ports.borrow_mut().insert(addr.port(), Rc::downgrade(&waiting));
        Ok(Box::new(Listener { addr, waiting, options: *options }))
    }

    fn dial(&self, addr: SocketAddr, _: &DialOptions) -> io::Result<Box<dyn NetDial>> {
        let port = self.0.ports.borrow().get(&addr.port()).and_then(Weak::upgrade);
        let port = port.ok_or(ErrorKind::ConnectionRefused)?;
        let (one, two) = (Way::new(&self.0.reactor), Way::new(&self.0.reactor));
        port.push([Stream { input: one.clone(), output: two.clone() }]);
        Ok(Box::new(Dial(Stream { input: two, output: one })))
    }

    fn datagrams(
        &self,
        addr: SocketAddr,
        _: Option<SocketAddr>,
    ) -> io::Result<Box<dyn DatagramSocket>> {
        let input = Way::new(&self.0.reactor);
        self.0.sockets.borrow_mut().insert(addr, Rc::downgrade(&input));
        Ok(Box::new(Socket { addr, input, host: self.0.clone() }))
    }

    fn resolve(&self, host: &str) -> Found {
        let found = self.resolve_now(host, 0).map(Vec::from);
        Deferred::ready_on(&self.0.reactor.upgrade().expect("it asks"), found)
    }

    fn resolve_now(&self, host: &str, port: u16) -> io::Result<VecDeque<SocketAddr>> {
        match host {
            "here" => Ok([(HERE, port).into()].into()),
            _ => Err(ErrorKind::NotFound.into()),
        }
    }
}

fn reactor() -> Reactor {
    let reactor = Reactor::simulated(1);
    let (ports, sockets) = (RefCell::default(), RefCell::default());
    let host = Rc::new(Host { reactor: reactor.downgrade(), ports, sockets });
    net::install(&reactor, Rc::new(Own(host))).expect("it is simulated, and has none");
    reactor
}

struct Echo;

impl Protocol for Echo {
    fn data_received(&mut self, transport: &Transport, data: &[u8]) {
        transport.write(data);
    }
}

/// Says something, and ends when it has come back.
struct Client {
    got: Rc<RefCell<Vec<u8>>>,
    lost: Rc<RefCell<Vec<String>>>,
}

impl Protocol for Client {
    fn connection_made(&mut self, transport: &Transport) {
        transport.write(b"hello, network");
    }

    fn data_received(&mut self, transport: &Transport, data: &[u8]) {
        self.got.borrow_mut().extend(data);
        if self.got.borrow().len() == 14 {
            transport.lose_connection();
        }
    }

    fn connection_lost(&mut self, _: &Transport, reason: &ConnectionLost) {
        self.lost.borrow_mut().push(reason.to_string());
    }
}

#[test]
fn streams_run_over_a_network_of_ones_own() {
    watch_this_test();
    let reactor = reactor();
    let config = ListenConfig::default().backlog(7);
    let port = reactor.listen_tcp_with("here:80", config, |_: &Peer| Echo).expect("a port");
    assert_eq!(port.local(), SocketAddr::from((HERE, 80)));
    let (got, lost) = <(Rc<RefCell<Vec<u8>>>, Rc<RefCell<Vec<String>>>)>::default();
    let (client_got, client_lost) = (got.clone(), lost.clone());
    let factory = move |_: &Peer| Client { got: client_got.clone(), lost: client_lost.clone() };
    let connecting = reactor.connect_tcp("here:80", factory);
    reactor.advance(Duration::from_secs(1)).expect("the loop turns");
    assert!(connecting.take().expect("it is settled").is_ok(), "somebody listens");
    assert_eq!(&**got.borrow(), b"hello, network");
    assert_eq!(*lost.borrow(), [ConnectionLost::Closed.to_string()]);
    assert_eq!(reactor.stats().connections, 0);
}

#[test]
fn its_errors_reach_the_user() {
    watch_this_test();
    let reactor = reactor();
    let connecting = reactor.connect_tcp("here:81", |_: &Peer| Echo);
    let nowhere = reactor.connect_tcp("there:80", |_: &Peer| Echo);
    reactor.advance(Duration::from_secs(1)).expect("the loop turns");
    let error = connecting.take().expect("it is settled").map(drop).unwrap_err().to_string();
    assert!(error.contains("refused"), "{error}");
    let error = nowhere.take().expect("it is settled").map(drop).unwrap_err().to_string();
    assert!(error.contains("the name does not exist"), "{error}");
}

struct Answers(Rc<RefCell<Vec<Vec<u8>>>>);

impl DatagramProtocol for Answers {
    fn datagram_received(&mut self, transport: &DatagramTransport, data: &[u8], from: SocketAddr) {
        self.0.borrow_mut().push(data.to_vec());
        if data == b"ping" {
            transport.send_to(b"pong", from);
        }
    }
}

#[test]
fn datagrams_run_over_a_network_of_ones_own() {
    watch_this_test();
    let reactor = reactor();
    let (one, two) = <(Rc<RefCell<Vec<Vec<u8>>>>, Rc<RefCell<Vec<Vec<u8>>>>)>::default();
    let _server = reactor.listen_udp("here:53", Answers(one.clone())).expect("a socket");
    let client = reactor.listen_udp("here:5353", Answers(two.clone())).expect("a socket");
    client.send_to(b"ping", (HERE, 53).into());
    reactor.advance(Duration::from_secs(1)).expect("the loop turns");
    assert_eq!(*one.borrow(), [b"ping"]);
    assert_eq!(*two.borrow(), [b"pong"]);
}

#[test]
fn only_a_simulated_reactor_takes_one_and_only_one() {
    let reactor = reactor();
    let (ports, sockets) = (RefCell::default(), RefCell::default());
    let own = || {
        let host = Host { reactor: reactor.downgrade(), ports, sockets };
        Rc::new(Own(Rc::new(host)))
    };
    let own = own();
    assert_eq!(net::install(&reactor, own.clone()), Err(InstallError::Installed));
    let real = Reactor::new().expect("a reactor");
    assert_eq!(net::install(&real, own), Err(InstallError::NotSimulated));
}
