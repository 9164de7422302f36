//! The small services over UDP: [`UdpService`] answers datagrams one by one. The same services over streams are in
//! `sinew::protocols::wire`.

use std::{cell::RefCell, fmt, net::SocketAddr, str::FromStr};

use serde::{Deserialize, Deserializer, de};
use sinew::{
    application::{MultiService, Service, StartError, StopError},
    prelude::*,
    protocols::wire,
    reactor::Excerpt,
    transports::{DatagramConfig, Destination, reactors::Shard},
};

/// Datagrams from these ports are not answered: other small services are there, which would answer the answer, and so on. (So does the
/// inetd of BSD.)
const RESERVED: u16 = 1024;

/// Longest answer of `chargen` and `qotd` (RFC 864, RFC 865).
const ANSWER_MAX: usize = 512;

/// Where datagrams are received: `HOST:PORT`, or a port of all IPv4 addresses.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct UdpAddress(pub(crate) SocketAddr);

/// What is answered.
#[derive(Clone, Debug)]
pub(crate) enum Answer {
    Echo,
    Nothing,
    Characters,
    Daytime,
    Time,
    Quote(Bytes),
}

impl Answer {
    /// The answer to a datagram.
    fn to(&self, data: &[u8], reactor: &Reactor) -> Option<Bytes> {
        Some(match self {
            Self::Echo => Bytes::copy_from_slice(data),
            Self::Nothing => return None,
            Self::Characters => characters(reactor.random() as usize % (ANSWER_MAX + 1)),
            Self::Daytime => wire::Daytime::line(reactor.wall_clock()).into(),
            Self::Time => {
                let seconds = wire::Time::seconds_since_1900(reactor.wall_clock());
                Bytes::copy_from_slice(&seconds.to_be_bytes())
            }
            Self::Quote(quote) => quote.slice(..quote.len().min(ANSWER_MAX)),
        })
    }
}

/// Lines of printable characters, `len` bytes in all (RFC 864).
fn characters(len: usize) -> Bytes {
    let line = (b' '..=b'~').take(72).chain(*b"\r\n");
    line.cycle().take(len).collect::<Vec<u8>>().into()
}

/// Answers datagrams at some addresses. On several reactors, the first one does.
pub(crate) struct UdpService {
    addresses: Vec<UdpAddress>,
    answer: Answer,
    config: DatagramConfig,
    open: RefCell<Vec<DatagramTransport>>,
}

impl UdpService {
    pub(crate) fn new(addresses: Vec<UdpAddress>, answer: Answer) -> Self {
        Self { addresses, answer, config: DatagramConfig::default(), open: RefCell::default() }
    }

    /// Options of the sockets.
    pub(crate) fn config(mut self, config: DatagramConfig) -> Self {
        self.config = config;
        self
    }

    /// A service for streams, and this one beside it.
    pub(crate) fn beside(
        streams: Box<dyn Service>,
        addresses: &[UdpAddress],
        answer: Answer,
    ) -> Result<Box<dyn Service>, StartError> {
        if addresses.is_empty() {
            return Ok(streams);
        }
        let both = MultiService::new();
        both.add("streams", streams)?;
        both.add("datagrams", Self::new(addresses.to_vec(), answer))?;
        Ok(Box::new(both))
    }

    /// Where it listens.
    pub(crate) fn addresses(&self) -> Vec<SocketAddr> {
        self.open.borrow().iter().map(DatagramTransport::local).collect()
    }

    pub(crate) fn close(&self) {
        self.open.take().iter().for_each(DatagramTransport::stop);
    }
}

impl Service for UdpService {
    fn privileged_start(&self, reactor: &Reactor) -> Result<(), StartError> {
        if Shard::of(reactor).is_some_and(|shard| shard.index() > 0) {
            return Ok(());
        }
        for UdpAddress(addr) in &self.addresses {
            let answers = Answers { answer: self.answer.clone() };
            let socket = reactor
                .listen_udp_with(*addr, self.config.clone(), answers)
                .map_err(StartError::other)?;
            tracing::info!("listening on udp:{}", socket.local());
            self.open.borrow_mut().push(socket);
        }
        Ok(())
    }

    fn start(&self, reactor: &Reactor) -> Result<(), StartError> {
        if self.open.borrow().is_empty() { self.privileged_start(reactor) } else { Ok(()) }
    }

    fn stop(&self, reactor: &Reactor) -> Deferred<(), StopError> {
        self.close();
        Deferred::ready_on(reactor, ())
    }
}

struct Answers {
    answer: Answer,
}

impl DatagramProtocol for Answers {
    fn datagram_received(&mut self, transport: &DatagramTransport, data: &[u8], from: SocketAddr) {
        if from.port() < RESERVED || from == transport.local() {
            tracing::debug!(%from, "a datagram from a reserved port is not answered");
            return;
        }
        let answer = transport.reactor().and_then(|reactor| self.answer.to(data, &reactor));
        if let Some(answer) = answer {
            transport.send_to(&answer, from);
        }
    }
}

impl FromStr for UdpAddress {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let is_port = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        let with_host = if is_port { format!("0.0.0.0:{text}") } else { text.to_owned() };
        match Destination::from(with_host.as_str()) {
            Destination::Addr(addr) => Ok(Self(addr)),
            _ => Err(format!("{:?} is no IP address and port, as 127.0.0.1:7", Excerpt::new(text))),
        }
    }
}

impl fmt::Debug for UdpAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl<'de> Deserialize<'de> for UdpAddress {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_read() {
        for (text, addr) in [
            ("7", "0.0.0.0:7"),
            ("127.0.0.1:7", "127.0.0.1:7"),
            ("[::1]:7", "[::1]:7"),
            ("0", "0.0.0.0:0"),
        ] {
            assert_eq!(text.parse::<UdpAddress>().unwrap().0.to_string(), addr);
        }
        for text in ["", "host:7", "127.0.0.1", "70000"] {
            assert!(text.parse::<UdpAddress>().is_err(), "{text}");
        }
    }

    #[test]
    fn answers() {
        let reactor = Reactor::simulated(1);
        let to = |answer: Answer| answer.to(b"abc", &reactor);
        assert_eq!(to(Answer::Echo).unwrap(), "abc");
        assert_eq!(to(Answer::Nothing), None);
        assert_eq!(to(Answer::Time).unwrap().len(), 4);
        assert_eq!(to(Answer::Daytime).unwrap(), "Thu, 01 Jan 2026 00:00:00 GMT\r\n");
        assert!(to(Answer::Characters).unwrap().len() <= ANSWER_MAX);
        assert_eq!(
            characters(76),
            [&(b' '..=b'~').take(72).collect::<Vec<_>>()[..], b"\r\n !"].concat()
        );
        assert_eq!(to(Answer::Quote(vec![b'x'; 600].into())).unwrap().len(), ANSWER_MAX);
    }
}
