//! A name server for tests: [`TestServer`]. It answers from a few records, and misbehaves as a test wants. On sockets of the system, or on a
//! host of a simulated network.

use std::{
    cell::RefCell,
    fmt,
    net::{IpAddr, SocketAddr},
    rc::Rc,
    time::Duration,
};

use sinew_protocols::basic::{FrameHandler, FrameTransport, Framed, Int16, send_int16};
use sinew_transports::{
    DatagramConfig, DatagramProtocol, DatagramTransport, Factory, ListenError, Peer, ReactorTcp,
    ReactorUdp, Transport, UdpError, reactor::Reactor,
};

use crate::codec::{
    Message, MessageLimits, Name, OpCode, RData, Record, RecordType, ResponseCode, decode, encode,
    encode_within, is_query, rdata,
};

/// A name server whose answers a test sets. Cheap to clone.
///
/// # Examples
///
/// ```
/// use sinew_dns::{client::{DnsConfig, DnsResolver}, testing::TestServer};
/// use sinew_transports::reactor::Reactor;
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let reactor = Reactor::new()?;
/// let server = TestServer::new().addr("db.example", [192, 0, 2, 7]);
/// let at = server.listen(&reactor, "127.0.0.1:0".parse()?)?;
/// let resolver = DnsResolver::new(&reactor, DnsConfig::default().servers([at]));
/// let found = reactor.run_until(resolver.addresses("db.example"))??;
/// assert_eq!(found[0].ip().to_string(), "192.0.2.7");
/// assert_eq!(server.asked().len(), 2); // A and AAAA
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Default)]
#[must_use]
pub struct TestServer(Rc<Script>);

#[derive(Default)]
struct Script {
    records: RefCell<Vec<Record>>,
    react: RefCell<Option<React>>,
    asked: RefCell<Vec<Asked>>,
    /// The socket that was opened last.
    udp: RefCell<Option<DatagramTransport>>,
}

type React = Rc<dyn Fn(&Asked) -> Reaction>;

/// A question that the server was asked.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Asked {
    /// The whole query.
    pub query: Message,
    /// Its bytes.
    pub bytes: Vec<u8>,
    /// Whether it came over TCP.
    pub over_tcp: bool,
    /// Who asks.
    pub from: Option<SocketAddr>,
}

impl Asked {
    /// The name, in lower case, with a dot at its end.
    #[must_use]
    pub fn name(&self) -> String {
        self.query
            .queries
            .first()
            .map(|query| query.name().to_lowercase().to_ascii())
            .unwrap_or_default()
    }

    /// The type.
    #[must_use]
    pub fn record_type(&self) -> RecordType {
        self.query.queries.first().map_or(RecordType::ZERO, |query| query.query_type())
    }
}

/// What the server does with a query.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Reaction {
    /// It answers from its records.
    Usual,
    /// It does not answer.
    Drop,
    /// It answers with this code, and nothing else.
    Code(ResponseCode),
    /// It answers that the response was cut (TC); over TCP as usual.
    Truncate,
    /// It sends this message, whatever it is.
    Message(Box<Message>),
    /// It sends these bytes, each as a datagram or frame.
    Raw(Vec<Vec<u8>>),
    /// It does all of this, in order.
    All(Vec<Self>),
    /// It does that later.
    After(Duration, Box<Self>),
    /// It closes the connection; over UDP it does not answer.
    Close,
}

/// The server could not listen.
#[derive(thiserror::Error)]
#[non_exhaustive]
pub enum TestServerError {
    /// Over UDP.
    #[error(transparent)]
    Udp(#[from] UdpError),
    /// Over TCP.
    #[error(transparent)]
    Tcp(#[from] ListenError),
}

sinew_transports::reactor::error_debug!(TestServerError);

/// Ports that are tried, until one is free for UDP and TCP.
const PORTS_TRIED: usize = 16;

impl TestServer {
    /// A server without records: no name exists.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a record.
    pub fn record(self, record: Record) -> Self {
        self.0.records.borrow_mut().push(record);
        self
    }

    /// Adds data at a name, with a TTL of 300 s.
    ///
    /// # Panics
    ///
    /// If `name` is no name.
    pub fn data(self, name: &str, data: RData) -> Self {
        self.record(Record::from_rdata(absolute(name), 300, data))
    }

    /// Adds an address of a name.
    ///
    /// # Panics
    ///
    /// If `name` is no name.
    pub fn addr(self, name: &str, ip: impl Into<IpAddr>) -> Self {
        match ip.into() {
            IpAddr::V4(ip) => self.data(name, RData::A(ip.into())),
            IpAddr::V6(ip) => self.data(name, RData::AAAA(ip.into())),
        }
    }

    /// Adds an alias.
    ///
    /// # Panics
    ///
    /// If one of the two is no name.
    pub fn alias(self, name: &str, to: &str) -> Self {
        let data = RData::CNAME(rdata::CNAME(absolute(to)));
        self.data(name, data)
    }

    /// Adds the start of authority of a zone, so that it can be cached for `minimum` seconds that something is not there.
    ///
    /// # Panics
    ///
    /// If `zone` is no name.
    pub fn zone(self, zone: &str, minimum: u32) -> Self {
        let soa = rdata::SOA::new(
            absolute("ns.test"),
            absolute("admin.test"),
            1,
            3600,
            600,
            86_400,
            minimum,
        );
        self.data(zone, RData::SOA(soa))
    }

    /// Sets what the server does with each query.
    pub fn react(self, react: impl Fn(&Asked) -> Reaction + 'static) -> Self {
        self.0.react.replace(Some(Rc::new(react)));
        self
    }

    /// Forgets its records.
    pub fn clear(&self) {
        self.0.records.borrow_mut().clear();
    }

    /// What it was asked so far, in order.
    #[must_use]
    pub fn asked(&self) -> Vec<Asked> {
        self.0.asked.borrow().clone()
    }

    /// Listens over UDP and TCP on an address, with port 0 on any that is free for both. Returns the address.
    ///
    /// # Errors
    ///
    /// [`TestServerError`].
    pub fn listen(
        &self,
        reactor: &Reactor,
        addr: SocketAddr,
    ) -> Result<SocketAddr, TestServerError> {
        let mut tries = if addr.port() == 0 { PORTS_TRIED } else { 1 };
        loop {
            let config = DatagramConfig::default();
            let udp = reactor.listen_udp_with(addr, config, OverUdp(self.clone()))?;
            tries -= 1;
            match reactor.listen_tcp(udp.local(), self.factory()) {
                Ok(port) => {
                    self.0.udp.replace(Some(udp));
                    return Ok(port.local());
                }
                Err(error) if tries == 0 => return Err(error.into()),
                Err(_) => udp.stop(),
            }
        }
    }

    /// Sends a datagram that answers nothing from its socket, as a forger does that sends with its address.
    pub fn send_to(&self, bytes: &[u8], to: SocketAddr) {
        if let Some(udp) = &*self.0.udp.borrow() {
            udp.send_to(bytes, to);
        }
    }

    /// A factory for connections, to listen with TLS or on any endpoint.
    pub fn factory(&self) -> impl Factory + use<> {
        let server = self.clone();
        move |_: &Peer| Framed::<Int16, _>::new(OverTcp(server.clone()))
    }

    /// The response of its records to a query.
    #[must_use]
    pub fn response(&self, query: &Message) -> Message {
        let mut response = Message::response(query.metadata.id, query.metadata.op_code);
        response.metadata.recursion_desired = query.metadata.recursion_desired;
        response.metadata.recursion_available = true;
        response.add_queries(query.queries.iter().cloned());
        if let Some(edns) = &query.edns {
            let mut ours = crate::codec::Edns::new();
            ours.set_max_payload(1232);
            ours.set_dnssec_ok(edns.flags().dnssec_ok);
            response.set_edns(ours);
        }
        let Some(asked) = query.queries.first().filter(|_| query.metadata.op_code == OpCode::Query)
        else {
            return response;
        };
        self.answer(&mut response, asked.name().clone(), asked.query_type());
        response
    }

    fn answer(&self, response: &mut Message, mut name: Name, record_type: RecordType) {
        let records = self.0.records.borrow();
        for _ in 0..32 {
            let here = || records.iter().filter(|record| record.name == name);
            let found: Vec<_> =
                here().filter(|record| record.record_type() == record_type).cloned().collect();
            let alias = here().find_map(|record| match &record.data {
                RData::CNAME(to) => Some((record.clone(), to.0.clone())),
                _ => None,
            });
            if !found.is_empty() {
                response.add_answers(found);
                return;
            }
            let Some((record, to)) = alias else { break };
            response.add_answer(record);
            name = to;
        }
        let is_known = |record: &Record| name.zone_of(&record.name);
        if !records.iter().any(is_known) {
            response.metadata.response_code = ResponseCode::NXDomain;
        }
        let soa = records.iter().filter(|record| record.record_type() == RecordType::SOA);
        response.add_authorities(soa.filter(|soa| soa.name.zone_of(&name)).cloned());
    }

    /// Notes a query, and decides what to do.
    fn received(
        &self,
        bytes: &[u8],
        over_tcp: bool,
        from: Option<SocketAddr>,
    ) -> Option<(Asked, Reaction)> {
        if !is_query(bytes) {
            return None;
        }
        let query = decode(bytes, &MessageLimits::response()).ok()?;
        let asked = Asked { query, bytes: bytes.to_vec(), over_tcp, from };
        self.0.asked.borrow_mut().push(asked.clone());
        let react = self.0.react.borrow().clone();
        let reaction = react.map_or(Reaction::Usual, |react| react(&asked));
        Some((asked, reaction))
    }

    /// Carries a reaction out. `send` sends a message, and for `None` closes.
    fn carry_out(&self, reactor: Option<&Reactor>, asked: &Asked, reaction: Reaction, send: &Send) {
        let limit = match (&asked.query.edns, asked.over_tcp) {
            (_, true) => usize::from(u16::MAX),
            (Some(edns), false) => usize::from(edns.max_payload().clamp(512, 1232)),
            (None, false) => 512,
        };
        let send_message = |message: &Message| {
            if let Ok(bytes) = encode(message, usize::from(u16::MAX)) {
                send(Some(&bytes));
            }
        };
        match reaction {
            Reaction::Truncate if !asked.over_tcp => {
                let mut response = self.response(&asked.query);
                response.answers.clear();
                response.metadata.truncation = true;
                send_message(&response);
            }
            Reaction::Usual | Reaction::Truncate => {
                if let Ok(bytes) = encode_within(self.response(&asked.query), limit) {
                    send(Some(&bytes));
                }
            }
            Reaction::Drop => {}
            Reaction::Code(code) => {
                let mut response =
                    Message::response(asked.query.metadata.id, asked.query.metadata.op_code);
                response.add_queries(asked.query.queries.iter().cloned());
                response.metadata.response_code = code;
                send_message(&response);
            }
            Reaction::Message(message) => send_message(&message),
            Reaction::Raw(all) => all.iter().for_each(|bytes| send(Some(bytes))),
            Reaction::All(all) => {
                all.into_iter().for_each(|reaction| self.carry_out(reactor, asked, reaction, send));
            }
            Reaction::After(delay, reaction) => {
                let (server, asked, send) = (self.clone(), asked.clone(), send.clone());
                if let Some(reactor) = reactor {
                    reactor.call_later(delay, move |reactor| {
                        server.carry_out(Some(reactor), &asked, *reaction, &send);
                    });
                }
            }
            Reaction::Close => send(None),
        }
    }
}

type Send = Rc<dyn Fn(Option<&[u8]>)>;

struct OverUdp(TestServer);

impl DatagramProtocol for OverUdp {
    fn datagram_received(&mut self, transport: &DatagramTransport, data: &[u8], from: SocketAddr) {
        let Some((asked, reaction)) = self.0.received(data, false, Some(from)) else { return };
        let to = transport.clone();
        let send: Send = Rc::new(move |bytes| {
            if let Some(bytes) = bytes {
                to.send_to(bytes, from);
            }
        });
        self.0.carry_out(transport.reactor().as_ref(), &asked, reaction, &send);
    }
}

struct OverTcp(TestServer);

impl FrameHandler<Int16> for OverTcp {
    fn frame_received(&mut self, transport: &mut FrameTransport<'_, Int16>, frame: &[u8]) {
        let Some((asked, reaction)) = self.0.received(frame, true, None) else { return };
        let to: Transport = (**transport).clone();
        let reactor = to.reactor();
        let send: Send = Rc::new(move |bytes| match bytes {
            Some(bytes) => {
                let _ = send_int16(&to, bytes);
            }
            None => to.lose_connection(),
        });
        self.0.carry_out(reactor.as_ref(), &asked, reaction, &send);
    }
}

impl fmt::Debug for TestServer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TestServer")
            .field("records", &self.0.records.borrow().len())
            .field("asked", &self.0.asked.borrow().len())
            .finish_non_exhaustive()
    }
}

fn absolute(name: &str) -> Name {
    let mut name = Name::from_ascii(name).expect("the test gives a name");
    name.set_fqdn(true);
    name
}
