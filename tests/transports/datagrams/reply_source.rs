//! A server bound to a wildcard address: it learns the destination address of each datagram (IP_PKTINFO), and answers
//! from it.

use std::{
    cell::RefCell,
    net::{IpAddr, SocketAddr, UdpSocket},
    rc::Rc,
};

use sinew::transports::{DatagramConfig, PacketInfo, ReactorUdp, SendStatus};

use super::fixture::{Callback, Fixture, nothing, remote, take};

/// The server's address, and the address used by clients: as they write it, and as it is reported.
const ASKED: [(&str, &str, &str); 5] = [
    ("0.0.0.0:0", "127.0.0.2", "127.0.0.2"),
    ("0.0.0.0:0", "127.0.0.3", "127.0.0.3"),
    ("0.0.0.0:0", "127.0.0.1", "127.0.0.1"),
    ("[::]:0", "127.0.0.2", "::ffff:127.0.0.2"),
    ("[::]:0", "::1", "::1"),
];

/// A client that accepts answers only from the queried address, as a resolver does.
fn asks(server: IpAddr, port: u16) -> UdpSocket {
    let (client, _) = remote(if server.is_ipv4() { "127.0.0.1:0" } else { "[::1]:0" });
    client.connect((server, port)).unwrap();
    client
}

fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

#[test]
fn answers_are_sent_from_the_queried_address() {
    Fixture::on_every_engine("asked", |fixture| {
        for (server, to, callbacks) in ASKED {
            for batch in [1, 4] {
                let infos: Rc<RefCell<Vec<Option<PacketInfo>>>> = Rc::default();
                let noted = infos.clone();
                let (protocol, _) =
                    fixture.watch(move |transport, event: &Callback<SocketAddr>| {
                        if let Callback::Datagram(data, from) = event {
                            noted.borrow_mut().push(transport.packet_info());
                            transport.send_to(data, *from);
                        } else {
                            assert_eq!(transport.packet_info(), None, "{event:?}");
                        }
                    });
                let config = DatagramConfig::default().max_len(2000).batch(batch).packet_info(true);
                let transport =
                    fixture.reactor().listen_udp_with(server, config, protocol).unwrap();
                let client = asks(ip(to), transport.local().port());
                for data in [&b"one"[..], b"", &[3; 2000]] {
                    client.send(data).unwrap();
                    let mut answer = None;
                    fixture.until("the answer", || {
                        answer = take(&client);
                        answer.is_some()
                    });
                    assert_eq!(answer.unwrap().0, data, "{server} asked at {to}");
                }
                assert_eq!(infos.borrow().len(), 3);
                for info in infos.borrow().iter().flatten() {
                    assert_eq!(
                        (info.to, info.local),
                        (ip(callbacks), Some(ip(callbacks))),
                        "{server}"
                    );
                    assert_ne!(info.interface, 0);
                }
                assert!(infos.borrow().iter().all(Option::is_some), "{server}");
                transport.stop();
                fixture.turn();
            }
        }
    });
}

/// Why the option exists: without it, the system chooses the source address by routing.
#[test]
fn without_the_option_the_destination_is_unknown() {
    Fixture::on_every_engine("not asked for", |fixture| {
        let (protocol, log) = fixture.watch(|transport, event: &Callback<SocketAddr>| {
            if let Callback::Datagram(data, from) = event {
                assert_eq!(transport.packet_info(), None);
                transport.send_to(data, *from);
            }
        });
        let transport = fixture.reactor().listen_udp("0.0.0.0:0", protocol).unwrap();
        let (client, _) = remote("127.0.0.1:0");
        let port = transport.local().port();
        client.send_to(b"hello", (ip("127.0.0.2"), port)).unwrap();
        fixture.until("the question", || !log.came().is_empty());
        let mut answer = None;
        fixture.until("the answer", || {
            answer = take(&client);
            answer.is_some()
        });
        assert_eq!(answer.unwrap().1, (ip("127.0.0.1"), port).into());
    });
}

/// A datagram sent to someone else is not an answer.
#[test]
fn other_datagrams_use_the_systems_source_address() {
    Fixture::on_every_engine("passed on", |fixture| {
        let (other, other_addr) = remote("127.0.0.1:0");
        let (protocol, _) = fixture.watch(move |transport, event: &Callback<SocketAddr>| {
            if let Callback::Datagram(data, _) = event {
                transport.send_to(data, other_addr);
            }
        });
        let config = DatagramConfig::default().packet_info(true);
        let transport = fixture.reactor().listen_udp_with("0.0.0.0:0", config, protocol).unwrap();
        let port = transport.local().port();
        asks(ip("127.0.0.2"), port).send(b"pass it on").unwrap();
        let mut passed = None;
        fixture.until("what is passed on", || {
            passed = take(&other);
            passed.is_some()
        });
        assert_eq!(passed, Some((b"pass it on".to_vec(), (ip("127.0.0.1"), port).into())));
    });
}

/// Answers sent later, with the stored destination; from a chosen address, with and without the option; and from a
/// foreign address.
#[test]
fn a_datagram_may_leave_from_any_address_of_the_machine() {
    Fixture::on_every_engine("from anywhere", |fixture| {
        let kept: Rc<RefCell<Vec<(SocketAddr, PacketInfo)>>> = Rc::default();
        let keeps = kept.clone();
        let (protocol, log) = fixture.watch(move |transport, event: &Callback<SocketAddr>| {
            if let Callback::Datagram(_, from) = event {
                keeps.borrow_mut().push((*from, transport.packet_info().unwrap()));
            }
        });
        let config = DatagramConfig::default().packet_info(true);
        let transport = fixture.reactor().listen_udp_with("0.0.0.0:0", config, protocol).unwrap();
        let client = asks(ip("127.0.0.2"), transport.local().port());
        client.send(b"?").unwrap();
        fixture.until("the question", || !kept.borrow().is_empty());
        let (from, info) = kept.borrow()[0];
        assert_eq!(transport.send_from(b"answer", from, info), SendStatus::Sent);
        assert_eq!(take(&client).unwrap().0, b"answer");
        let elsewhere = [(ip("192.0.2.1"), from), (ip("2001:db8::1"), from)];
        for (own, to) in elsewhere {
            assert_eq!(transport.send_from(b"x", to, own), SendStatus::Failed, "{own}");
        }
        fixture.until("the failures", || log.failures().len() == 2);
        assert!(log.failures()[1].1.contains("2001:db8::1"), "{:?}", log.failures());

        for (server, own, any) in
            [("0.0.0.0:0", "127.0.0.7", "127.0.0.1:0"), ("[::]:0", "127.0.0.7", "127.0.0.1:0")]
        {
            let (protocol, _) = fixture.watch(nothing);
            let transport = fixture.reactor().listen_udp(server, protocol).unwrap();
            let (client, mut to) = remote(any);
            if transport.local().is_ipv6() {
                let IpAddr::V4(v4) = to.ip() else { unreachable!("it is 127.0.0.1") };
                to = (v4.to_ipv6_mapped(), to.port()).into();
            }
            assert_eq!(transport.send_from(b"chosen", to, ip(own)), SendStatus::Sent, "{server}");
            assert_eq!(take(&client).unwrap().1.ip(), ip(own), "{server}");
        }
    });
}

/// A panic ends the current delivery: a later datagram is not an answer to it.
#[test]
fn a_panic_is_no_answer() {
    Fixture::on_every_engine("a panic while answering", |fixture| {
        let (protocol, log) = fixture.watch(|_, event: &Callback<SocketAddr>| {
            assert!(!matches!(event, Callback::Datagram(..)), "a panic");
        });
        let config = DatagramConfig::default().packet_info(true);
        let transport = fixture.reactor().listen_udp_with("0.0.0.0:0", config, protocol).unwrap();
        let (client, addr) = remote("127.0.0.1:0");
        let port = transport.local().port();
        client.send_to(b"?", (ip("127.0.0.2"), port)).unwrap();
        fixture.until("the question", || !log.came().is_empty());
        fixture.turn();
        assert_eq!(
            (transport.packet_info(), transport.send_to(b"!", addr)),
            (None, SendStatus::Sent)
        );
        assert_eq!(take(&client).unwrap().1, (ip("127.0.0.1"), port).into());
    });
}
