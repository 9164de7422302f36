//! A host with a server, and a connection to it whose bytes a test sees.

use std::{
    cell::{Cell, RefCell},
    net::SocketAddr,
    rc::Rc,
    time::Duration,
};

use sinew_dns::{
    codec::{Message, MessageLimits, Name, QuerySettings, Question, RecordType, decode},
    server::DnsServer,
    zone::Zone,
};
use sinew_testkit::sim::Host;
use sinew_transports::{ConnectionLost, Peer, Protocol, ReactorTcp, Transport, reactor::Reactor};

use crate::support::World;

pub(crate) fn name(text: &str) -> Name {
    Name::from_ascii(text).unwrap()
}

pub(crate) fn zone(text: &str) -> Zone {
    Zone::parse(text, &name("example.")).unwrap()
}

/// A host with a server on port 53.
pub(crate) fn serve(
    world: &World,
    host: &str,
    server: impl Fn(&Reactor) -> DnsServer + 'static,
) -> (Host, SocketAddr) {
    let host = world.network.host(host);
    let at = SocketAddr::new(host.addr(), 53);
    host.boot(move |reactor| drop(server(reactor).listen(reactor, at).unwrap()));
    world.network.run_for(Duration::ZERO).unwrap();
    (host, at)
}

/// A frame with a query.
pub(crate) fn frame(id: u16, asked: &str, record_type: RecordType) -> Vec<u8> {
    let sent = Question::new(name(asked), record_type).encode(&QuerySettings::new(id)).unwrap();
    let len = u16::try_from(sent.bytes().len()).unwrap();
    [&len.to_be_bytes()[..], sent.bytes()].concat()
}

/// What a test knows of a connection.
#[derive(Clone, Default)]
pub(crate) struct Raw(Rc<Inner>);

#[derive(Default)]
struct Inner {
    received: RefCell<Vec<u8>>,
    transport: RefCell<Option<Transport>>,
    is_lost: Cell<bool>,
}

struct RawEnd(Raw);

impl Protocol for RawEnd {
    fn connection_made(&mut self, transport: &Transport) {
        self.0.0.transport.replace(Some(transport.clone()));
    }

    fn data_received(&mut self, _: &Transport, data: &[u8]) {
        self.0.0.received.borrow_mut().extend_from_slice(data);
    }

    fn connection_lost(&mut self, _: &Transport, _: &ConnectionLost) {
        self.0.0.is_lost.set(true);
    }
}

impl Raw {
    /// Connects, and waits for that.
    pub(crate) fn connect(world: &World, to: SocketAddr) -> Self {
        let raw = Self::default();
        let of_end = raw.clone();
        world.reactor().connect_tcp(to, move |_: &Peer| RawEnd(of_end.clone())).detach();
        let seen = raw.clone();
        let is_there = move || seen.0.transport.borrow().is_some();
        world.network.run_until(Duration::from_secs(10), is_there).unwrap();
        raw
    }

    pub(crate) fn transport(&self) -> Transport {
        self.0.transport.borrow().clone().unwrap()
    }

    pub(crate) fn write(&self, bytes: &[u8]) {
        self.transport().write(bytes);
    }

    pub(crate) fn is_lost(&self) -> bool {
        self.0.is_lost.get()
    }

    pub(crate) fn received_len(&self) -> usize {
        self.0.received.borrow().len()
    }

    /// The whole messages so far.
    pub(crate) fn messages(&self) -> Vec<Message> {
        let received = self.0.received.borrow();
        let (mut messages, mut rest) = (Vec::new(), received.as_slice());
        while let Some((len, after)) = rest.split_first_chunk::<2>() {
            let len = usize::from(u16::from_be_bytes(*len));
            let Some((message, after)) = after.split_at_checked(len) else { break };
            messages.push(decode(message, &MessageLimits::response()).unwrap());
            rest = after;
        }
        messages
    }

    pub(crate) fn ids(&self) -> Vec<u16> {
        self.messages().iter().map(|message| message.metadata.id).collect()
    }
}
