//! Datagram protocols on the hosts of a simulated network.

use std::{
    cell::RefCell,
    net::{IpAddr, SocketAddr},
    rc::Rc,
    time::Duration,
};

use sinew_testkit::sim::Network;
use sinew_transports::{
    DatagramConfig, DatagramProtocol, DatagramTransport, PacketInfo, ReactorUdp, SendFailed,
    SendStatus, Stopped,
};

fn secs(n: u64) -> Duration {
    Duration::from_secs(n)
}

/// Received datagrams and their senders.
type Received = Rc<RefCell<Vec<(Vec<u8>, SocketAddr)>>>;

/// Records datagrams, failures and the end; echoes datagrams if `answers` is set.
struct Datagrams {
    received: Received,
    ended: Rc<RefCell<Vec<String>>>,
    answers: bool,
}

impl DatagramProtocol for Datagrams {
    fn datagram_received(&mut self, transport: &DatagramTransport, data: &[u8], from: SocketAddr) {
        self.received.borrow_mut().push((data.to_vec(), from));
        if self.answers {
            assert_eq!(transport.send_to(data, from), SendStatus::Sent);
        }
    }

    fn send_failed(&mut self, _: &DatagramTransport, failed: &SendFailed) {
        self.ended.borrow_mut().push(failed.to_string());
    }

    fn stopped(&mut self, _: &DatagramTransport, reason: &Stopped) {
        self.ended.borrow_mut().push(reason.to_string());
    }
}

/// The same protocols as on kernel sockets.
#[test]
fn datagram_protocols_run_on_simulated_hosts() {
    let network = Network::new(13);
    let (server, client) = (network.host("server"), network.host("client"));
    let [asked, answered, stranger]: [Received; 3] = Default::default();
    let ended: Rc<RefCell<Vec<String>>> = Rc::default();
    let protocol = |received: &Received, answers| Datagrams {
        received: received.clone(),
        ended: ended.clone(),
        answers,
    };
    let echo = protocol(&asked, true);
    let echo = server.reactor().listen_udp("0.0.0.0:7", echo).unwrap();
    let to = SocketAddr::new(server.addr(), 7);
    let asks = client.reactor().connect_udp("server:7", protocol(&answered, false)).unwrap();
    assert_eq!((asks.peer(), asks.local().ip()), (Some(to), client.addr()));
    let other = client.reactor().listen_udp("0.0.0.0:0", protocol(&stranger, false)).unwrap();
    asks.send(b"hello");
    other.send_to(b"psst", asks.local());
    other.send_to(b"hello, too", to);
    network.run_for(secs(1)).unwrap();
    assert_eq!(
        *answered.borrow(),
        [(b"hello".to_vec(), to)],
        "a connected socket receives from its peer only"
    );
    assert_eq!(*stranger.borrow(), [(b"hello, too".to_vec(), to)]);
    assert_eq!(asked.borrow()[0], (b"hello".to_vec(), asks.local()));
    // Errors: a datagram longer than the MTU, an address in use, and multicast, which is not supported.
    assert_eq!(other.send_to(&[0; 2_000], to), SendStatus::Failed);
    let error = server.reactor().listen_udp("0.0.0.0:7", protocol(&asked, true)).unwrap_err();
    assert!(error.to_string().contains("0.0.0.0:7"), "{error}");
    asks.join_multicast([224, 0, 0, 1], 0).unwrap_err();
    network.run_for(secs(1)).unwrap();
    assert!(ended.borrow()[0].contains(&to.to_string()), "{ended:?}");
    // `stopped` is called for a socket that is stopped, but not in a killed process, whose port is free again.
    assert_eq!(client.descriptors(), 2);
    asks.stop();
    server.kill();
    network.run_for(secs(1)).unwrap();
    assert_eq!((ended.borrow().len(), client.descriptors(), server.descriptors()), (2, 1, 0));
    assert_eq!(ended.borrow()[1], "stopped by this side");
    assert!(echo.is_stopped());
    server.restart();
    network.run_for(secs(1)).unwrap();
    server.reactor().listen_udp("0.0.0.0:7", protocol(&asked, true)).unwrap();
    other.send_to(b"again", to);
    network.run_for(secs(1)).unwrap();
    assert_eq!(stranger.borrow().last(), Some(&(b"again".to_vec(), to)));
}

/// As with the kernel, packet info has the address that the request was sent to, and the answer leaves from it.
#[test]
fn hosts_answer_from_the_address_asked() {
    struct Echo(Rc<RefCell<Vec<PacketInfo>>>);
    impl DatagramProtocol for Echo {
        fn datagram_received(
            &mut self,
            transport: &DatagramTransport,
            data: &[u8],
            from: SocketAddr,
        ) {
            self.0.borrow_mut().extend(transport.packet_info());
            transport.send_to(data, from);
        }
    }
    for packet_info in [false, true] {
        let network = Network::new(13);
        let host = network.host("server");
        let (infos, answers): (Rc<RefCell<Vec<PacketInfo>>>, Received) = Default::default();
        let config = DatagramConfig::default().packet_info(packet_info);
        let server =
            host.reactor().listen_udp_with("0.0.0.0:7", config, Echo(infos.clone())).unwrap();
        let to: SocketAddr = "127.0.0.9:7".parse().unwrap();
        let config = DatagramConfig::default().bind((host.addr(), 0).into());
        let client = Datagrams { received: answers.clone(), ended: Rc::default(), answers: false };
        let client = host.reactor().connect_udp_with(to, config, client).unwrap();
        client.send(b"hello");
        network.run_for(secs(1)).unwrap();
        // Without packet info, the host chooses the source address, which is not the one asked.
        let expected: &[_] = if packet_info { &[(b"hello".to_vec(), to)] } else { &[] };
        assert_eq!(*answers.borrow(), expected);
        let expected: &[_] = if packet_info { &[to.ip().into()] } else { &[] };
        assert_eq!(*infos.borrow(), expected);
        let elsewhere: IpAddr = [192, 0, 2, 1].into();
        assert_eq!(server.send_from(b"x", client.local(), elsewhere), SendStatus::Failed);
    }
}
