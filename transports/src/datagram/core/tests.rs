//! Errors of datagram sockets, injected by a scripted socket, since no system produces all of them on demand.

use std::{net::IpAddr, time::Duration};

use sinew_reactor::RegisterError;

use super::*;

type Addr = std::net::SocketAddr;

/// Results of the calls, in order. After them, receiving returns `WouldBlock`, and sending succeeds.
#[derive(Default)]
struct Script {
    receives: RefCell<VecDeque<io::Result<Received<Addr>>>>,
    sends: RefCell<VecDeque<io::Error>>,
    sent: RefCell<Vec<(Vec<u8>, Option<IpAddr>)>>,
    calls: Cell<usize>,
}

struct Scripted(Rc<Script>);

impl SocketIo<Addr> for Scripted {
    fn register(&mut self, reactor: &Reactor) -> Result<Token, RegisterError> {
        reactor.reserve()
    }

    fn receive(&self, _: &mut [u8]) -> io::Result<Received<Addr>> {
        self.0.calls.set(self.0.calls.get() + 1);
        let next = self.0.receives.borrow_mut().pop_front();
        next.unwrap_or_else(|| Err(ErrorKind::WouldBlock.into()))
    }

    fn send(&self, data: &[u8], _: Option<&Addr>, from: Option<&PacketInfo>) -> io::Result<()> {
        if let Some(error) = self.0.sends.borrow_mut().pop_front() {
            return Err(error);
        }
        self.0.sent.borrow_mut().push((data.to_vec(), from.and_then(|from| from.local)));
        Ok(())
    }

    fn local(&self) -> io::Result<Addr> {
        Ok(addr(1))
    }

    fn peer(&self) -> io::Result<Addr> {
        Ok(addr(2))
    }

    fn is_unwatched(&self) -> bool {
        true
    }

    fn tells_of_room(&self) -> bool {
        false
    }
}

/// Callbacks received, as text.
type Callbacks = Rc<RefCell<Vec<String>>>;

/// Records callbacks, and answers datagrams.
struct Recorder(Callbacks);

impl DatagramProtocol for Recorder {
    fn datagram_received(&mut self, transport: &DatagramTransport, data: &[u8], from: Addr) {
        self.0.borrow_mut().push(format!("{} from {from}", data.len()));
        transport.send_to(b"answer", from);
    }

    fn send_failed(&mut self, _: &DatagramTransport, failed: &SendFailed) {
        self.0.borrow_mut().push(failed.to_string());
    }

    fn connection_refused(&mut self, _: &DatagramTransport) {
        self.0.borrow_mut().push("refused".to_owned());
    }

    fn stopped(&mut self, _: &DatagramTransport, reason: &Stopped) {
        self.0.borrow_mut().push(format!("stopped: {reason}"));
    }
}

fn addr(port: u16) -> Addr {
    ([127, 0, 0, 1], port).into()
}

fn errno(number: i32) -> io::Error {
    io::Error::from_raw_os_error(number)
}

fn opened(peer: Option<Addr>, config: DatagramConfig) -> Fixture {
    let (script, callbacks) = (Rc::<Script>::default(), Callbacks::default());
    let reactor = Reactor::simulated(1);
    let socket = Box::new(Scripted(script.clone()));
    let opened = Opened { socket, peer, is_shared: false };
    let transport = opened.start(&reactor, config, Recorder(callbacks.clone())).unwrap();
    reactor.advance(Duration::ZERO).unwrap();
    Fixture { reactor, script, callbacks, transport }
}

/// A scripted socket with its protocol.
struct Fixture {
    reactor: Reactor,
    script: Rc<Script>,
    callbacks: Callbacks,
    transport: DatagramTransport,
}

impl Fixture {
    fn receives(&self, results: impl IntoIterator<Item = io::Result<Received<Addr>>>) {
        self.script.receives.borrow_mut().extend(results);
        self.reactor.reschedule(self.transport.0.token);
        self.pass(Duration::ZERO);
    }

    fn pass(&self, time: Duration) {
        self.reactor.advance(time).unwrap();
    }

    fn take_callbacks(&self) -> Vec<String> {
        self.callbacks.take()
    }
}

fn datagram(len: usize, from: u16) -> io::Result<Received<Addr>> {
    Ok(Received { len, from: addr(from), info: None })
}

/// All errors that Linux maps ICMP to (icmp_err_convert[], and ICMPv6's), and those of a local packet filter.
#[cfg(target_os = "linux")]
const NETWORK_ERRORS: [i32; 12] = [
    libc::EHOSTUNREACH,
    libc::ENETUNREACH,
    libc::EACCES,
    libc::EPERM,
    libc::EHOSTDOWN,
    libc::ENONET,
    libc::ENOPROTOOPT,
    libc::EPROTO,
    libc::EOPNOTSUPP,
    libc::EMSGSIZE,
    libc::ENETDOWN,
    libc::ECONNREFUSED,
];

#[cfg(target_os = "linux")]
#[test]
fn icmp_errors_do_not_close_a_connected_socket() {
    for number in NETWORK_ERRORS {
        let fixture = opened(Some(addr(2)), DatagramConfig::default());
        let expected = match number {
            libc::ECONNREFUSED => "refused".to_owned(),
            _ => format!("could not send to {}: {}", addr(2), errno(number)),
        };
        // Spread out, as for a client that only sends: no datagram is received in between.
        for _ in 0..100 {
            fixture.receives([Err(errno(number))]);
            assert_eq!(fixture.take_callbacks(), [&*expected], "{number}");
        }
        // A burst.
        fixture.receives((0..1000).map(|_| Err(errno(number))));
        fixture.pass(Duration::from_secs(60));
        assert!(fixture.script.receives.borrow().is_empty() && !fixture.transport.is_stopped());
        fixture.take_callbacks();
        fixture.receives([datagram(7, 2)]);
        assert_eq!(fixture.take_callbacks(), [format!("7 from {}", addr(2))]);
    }
}

/// As with a security module that forbids recvmsg(2).
#[cfg(target_os = "linux")]
#[test]
fn endless_errors_do_not_take_all_of_the_loops_time() {
    let fixture = opened(Some(addr(2)), DatagramConfig::default());
    fixture.receives((0..100_000).map(|_| Err(errno(libc::EACCES))));
    let (calls, turns) = (fixture.script.calls.get(), fixture.reactor.stats().turns);
    fixture.pass(Duration::from_secs(1));
    let calls = fixture.script.calls.get() - calls;
    assert!((100..=200).contains(&calls), "{calls} calls in a second");
    assert!(fixture.reactor.stats().turns - turns < 100);
    assert!(!fixture.transport.is_stopped());
}

#[test]
fn consecutive_errors_of_the_socket_close_it() {
    let broken = || io::Error::other("the socket is broken");
    let fixture = opened(Some(addr(2)), DatagramConfig::default());
    // Spread out, they do not.
    for _ in 0..100 {
        fixture.receives([Err(broken())]);
    }
    assert!(!fixture.transport.is_stopped() && fixture.take_callbacks().len() == 100);
    fixture.receives((0..ERRORS_MAX - 1).map(|_| Err(broken())).chain([datagram(1, 2)]));
    assert!(!fixture.transport.is_stopped());
    fixture.take_callbacks();
    fixture.receives((0..ERRORS_MAX).map(|_| Err(broken())));
    assert_eq!(fixture.take_callbacks().last().unwrap(), "stopped: the socket is broken");
}

#[cfg(target_os = "linux")]
#[test]
fn pending_error_of_an_earlier_datagram_does_not_fail_this_one() {
    for number in NETWORK_ERRORS {
        let fixture = opened(Some(addr(2)), DatagramConfig::default());
        fixture.script.sends.borrow_mut().push_back(errno(number));
        assert_eq!(fixture.transport.send(b"x"), crate::SendStatus::Sent, "{number}");
        fixture.pass(Duration::ZERO);
        let callbacks = fixture.take_callbacks();
        let expected = if number == libc::ECONNREFUSED { "refused" } else { "could not send" };
        assert!(callbacks.len() == 1 && callbacks[0].contains(expected), "{callbacks:?}");
        // Returned twice, it concerns this datagram, and is reported once.
        fixture.script.sends.borrow_mut().extend([errno(number), errno(number)]);
        assert_eq!(fixture.transport.send(b"x"), crate::SendStatus::Failed, "{number}");
        fixture.pass(Duration::ZERO);
        let failures =
            fixture.take_callbacks().iter().filter(|callbacks| *callbacks != "refused").count();
        assert_eq!(failures, 1, "{number}");
        // `WouldBlock` after a pending error queues the datagram.
        fixture.script.sends.borrow_mut().extend([errno(number), ErrorKind::WouldBlock.into()]);
        assert_eq!(fixture.transport.send(b"x"), crate::SendStatus::Queued, "{number}");
        fixture.pass(Duration::ZERO);
        assert_eq!(fixture.take_callbacks().len(), 1, "{number}");
    }
}

#[test]
fn datagrams_from_before_connecting_are_dropped() {
    let fixture = opened(Some(addr(2)), DatagramConfig::default());
    fixture.receives([datagram(1, 3), datagram(2, 2), datagram(3, 3), datagram(4, 2)]);
    assert_eq!(
        fixture.take_callbacks(),
        [format!("2 from {}", addr(2)), format!("4 from {}", addr(2))]
    );
    let stats = fixture.transport.stats();
    assert_eq!((stats.received, stats.wrong_sender), (2, 2));
}

/// Even if it has to wait in the queue; datagrams to others are not affected.
#[test]
fn answer_leaves_from_the_address_asked() {
    let own: IpAddr = [127, 0, 0, 9].into();
    let informed = || Ok(Received { len: 1, from: addr(3), info: Some(own.into()) });
    let fixture = opened(None, DatagramConfig::default().packet_info(true));
    fixture.receives([informed()]);
    fixture.script.sends.borrow_mut().push_back(ErrorKind::WouldBlock.into());
    fixture.receives([informed()]);
    assert_eq!(fixture.transport.queued(), 1);
    fixture.pass(SEND_RETRY * 2);
    assert_eq!(fixture.transport.packet_info(), None, "outside of the callback");
    fixture.transport.send_to(b"later", addr(3));
    fixture.transport.send_from(b"chosen", addr(3), own);
    let sent = |data: &[u8], from| (data.to_vec(), from);
    let answers = [sent(b"answer", Some(own)), sent(b"answer", Some(own))];
    assert_eq!(fixture.script.sent.borrow()[..2], answers);
    assert_eq!(
        fixture.script.sent.borrow()[2..],
        [sent(b"later", None), sent(b"chosen", Some(own))]
    );
    // Not used unless configured.
    let fixture = opened(None, DatagramConfig::default());
    fixture.receives([informed()]);
    assert_eq!(*fixture.script.sent.borrow(), [sent(b"answer", None)]);
}
