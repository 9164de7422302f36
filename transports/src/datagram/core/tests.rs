//! A socket that says what it is told to say, errors above all: no system can be made to say all of them.

use std::{net::IpAddr, time::Duration};

use sinew_reactor::RegisterError;

use super::*;

type Addr = std::net::SocketAddr;

/// What comes of each call, in the order of the calls. When nothing is left, a receive would block, and a send is taken.
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

/// What a protocol was told, in words.
type Told = Rc<RefCell<Vec<String>>>;

/// Notes what it is told, and answers.
struct Notes(Told);

impl DatagramProtocol for Notes {
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

fn opened(peer: Option<Addr>, config: DatagramConfig) -> Stage {
    let (script, told) = (Rc::<Script>::default(), Told::default());
    let reactor = Reactor::simulated(1);
    let socket = Box::new(Scripted(script.clone()));
    let opened = Opened { socket, peer, is_shared: false };
    let transport = opened.start(&reactor, config, Notes(told.clone())).unwrap();
    reactor.advance(Duration::ZERO).unwrap();
    Stage { reactor, script, told, transport }
}

/// A socket with its protocol.
struct Stage {
    reactor: Reactor,
    script: Rc<Script>,
    told: Told,
    transport: DatagramTransport,
}

impl Stage {
    fn receives(&self, results: impl IntoIterator<Item = io::Result<Received<Addr>>>) {
        self.script.receives.borrow_mut().extend(results);
        self.reactor.reschedule(self.transport.0.token);
        self.pass(Duration::ZERO);
    }

    fn pass(&self, time: Duration) {
        self.reactor.advance(time).unwrap();
    }

    fn take_told(&self) -> Vec<String> {
        self.told.take()
    }
}

fn datagram(len: usize, from: u16) -> io::Result<Received<Addr>> {
    Ok(Received { len, from: addr(from), info: None })
}

/// All that Linux makes of ICMP (icmp_err_convert[] and ICMPv6's), and what a filter of this system says.
#[cfg(target_os = "linux")]
const OF_THE_NETWORK: [i32; 12] = [
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
fn what_icmp_says_of_a_datagram_does_not_end_a_connected_socket() {
    for number in OF_THE_NETWORK {
        let stage = opened(Some(addr(2)), DatagramConfig::default());
        let expected = match number {
            libc::ECONNREFUSED => "refused".to_owned(),
            _ => format!("could not send to {}: {}", addr(2), errno(number)),
        };
        // Spread out, as answers to a client that only sends: never has anything been received in between.
        for _ in 0..100 {
            stage.receives([Err(errno(number))]);
            assert_eq!(stage.take_told(), [&*expected], "{number}");
        }
        // All at once, and for a long time.
        stage.receives((0..1000).map(|_| Err(errno(number))));
        stage.pass(Duration::from_secs(60));
        assert!(stage.script.receives.borrow().is_empty() && !stage.transport.is_stopped());
        stage.take_told();
        stage.receives([datagram(7, 2)]);
        assert_eq!(stage.take_told(), [format!("7 from {}", addr(2))]);
    }
}

/// As a security module that forbids recvmsg(2) does.
#[cfg(target_os = "linux")]
#[test]
fn an_error_without_end_does_not_have_all_of_the_loops_time() {
    let stage = opened(Some(addr(2)), DatagramConfig::default());
    stage.receives((0..100_000).map(|_| Err(errno(libc::EACCES))));
    let (calls, turns) = (stage.script.calls.get(), stage.reactor.stats().turns);
    stage.pass(Duration::from_secs(1));
    let calls = stage.script.calls.get() - calls;
    assert!((100..=200).contains(&calls), "{calls} calls in a second");
    assert!(stage.reactor.stats().turns - turns < 100);
    assert!(!stage.transport.is_stopped());
}

#[test]
fn nothing_but_errors_of_its_own_is_the_end() {
    let broken = || io::Error::other("the socket is broken");
    let stage = opened(Some(addr(2)), DatagramConfig::default());
    // One now and then is none of them.
    for _ in 0..100 {
        stage.receives([Err(broken())]);
    }
    assert!(!stage.transport.is_stopped() && stage.take_told().len() == 100);
    stage.receives((0..ERRORS_MAX - 1).map(|_| Err(broken())).chain([datagram(1, 2)]));
    assert!(!stage.transport.is_stopped());
    stage.take_told();
    stage.receives((0..ERRORS_MAX).map(|_| Err(broken())));
    assert_eq!(stage.take_told().last().unwrap(), "stopped: the socket is broken");
}

#[cfg(target_os = "linux")]
#[test]
fn what_a_send_is_told_of_an_earlier_one_does_not_cost_this_one() {
    for number in OF_THE_NETWORK {
        let stage = opened(Some(addr(2)), DatagramConfig::default());
        stage.script.sends.borrow_mut().push_back(errno(number));
        assert_eq!(stage.transport.send(b"x"), crate::SendStatus::Sent, "{number}");
        stage.pass(Duration::ZERO);
        let told = stage.take_told();
        let expected = if number == libc::ECONNREFUSED { "refused" } else { "could not send" };
        assert!(told.len() == 1 && told[0].contains(expected), "{told:?}");
        // Said twice, it was said of this one, and is told once.
        stage.script.sends.borrow_mut().extend([errno(number), errno(number)]);
        assert_eq!(stage.transport.send(b"x"), crate::SendStatus::Failed, "{number}");
        stage.pass(Duration::ZERO);
        let failures = stage.take_told().iter().filter(|told| *told != "refused").count();
        assert_eq!(failures, 1, "{number}");
        // And what is full is full.
        stage.script.sends.borrow_mut().extend([errno(number), ErrorKind::WouldBlock.into()]);
        assert_eq!(stage.transport.send(b"x"), crate::SendStatus::Queued, "{number}");
        stage.pass(Duration::ZERO);
        assert_eq!(stage.take_told().len(), 1, "{number}");
    }
}

#[test]
fn strangers_of_before_it_was_connected_are_not_heard() {
    let stage = opened(Some(addr(2)), DatagramConfig::default());
    stage.receives([datagram(1, 3), datagram(2, 2), datagram(3, 3), datagram(4, 2)]);
    assert_eq!(stage.take_told(), [format!("2 from {}", addr(2)), format!("4 from {}", addr(2))]);
    let stats = stage.transport.stats();
    assert_eq!((stats.received, stats.strangers), (2, 2));
}

/// Also when it had to wait, and only the one who asked is answered so.
#[test]
fn an_answer_leaves_from_where_it_was_asked() {
    let own: IpAddr = [127, 0, 0, 9].into();
    let informed = || Ok(Received { len: 1, from: addr(3), info: Some(own.into()) });
    let stage = opened(None, DatagramConfig::default().packet_info(true));
    stage.receives([informed()]);
    stage.script.sends.borrow_mut().push_back(ErrorKind::WouldBlock.into());
    stage.receives([informed()]);
    assert_eq!(stage.transport.queued(), 1);
    stage.pass(RETRY * 2);
    assert_eq!(stage.transport.packet_info(), None, "it is over");
    stage.transport.send_to(b"later", addr(3));
    stage.transport.send_from(b"chosen", addr(3), own);
    let sent = |data: &[u8], from| (data.to_vec(), from);
    let answers = [sent(b"answer", Some(own)), sent(b"answer", Some(own))];
    assert_eq!(stage.script.sent.borrow()[..2], answers);
    assert_eq!(stage.script.sent.borrow()[2..], [sent(b"later", None), sent(b"chosen", Some(own))]);
    // What was not asked for is not used.
    let stage = opened(None, DatagramConfig::default());
    stage.receives([informed()]);
    assert_eq!(*stage.script.sent.borrow(), [sent(b"answer", None)]);
}
