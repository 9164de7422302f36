//! ICMP errors of routers and firewalls, sent by a raw socket.

use std::{
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    time::{Duration, Instant},
};

use sinew::prelude::*;
use socket2::{Domain, Protocol, Socket, Type};

use super::fixture::{Callback, Fixture, nothing, remote};

/// Type and code: network, host and, by a filter, communication administratively prohibited (RFC 792, RFC 1812
/// 5.2.7.1); protocol unreachable; parameter problem. For IPv6 administratively prohibited, by policy and by route
/// (RFC 4443 3.1). Linux reports others only with `IP_RECVERR` (ip(7)).
const V4: [(u8, u8); 5] = [(3, 9), (3, 10), (3, 13), (3, 2), (12, 0)];
const V6: [(u8, u8); 3] = [(1, 1), (1, 5), (1, 6)];

/// More than the number of consecutive errors after which a socket is closed.
const MANY: usize = 40;

#[test]
fn icmp_prohibited_does_not_end_a_connected_socket() {
    for (any, kinds) in [("127.0.0.1:0", &V4[..]), ("[::1]:0", &V6)] {
        let v6 = any.starts_with('[');
        let (domain, protocol) = match v6 {
            true => (Domain::IPV6, Protocol::ICMPV6),
            false => (Domain::IPV4, Protocol::ICMPV4),
        };
        let router = match Socket::new(domain, Type::RAW, Some(protocol)) {
            Ok(router) => router,
            Err(error) => {
                println!("skipped: ICMP cannot be sent ({error}); it takes CAP_NET_RAW");
                continue;
            }
        };
        Fixture::on_every_engine("ICMP", |fixture| {
            for &(kind, code) in kinds {
                let (peer, to) = remote(any);
                let (protocol, log) = fixture.watch(nothing);
                let transport = fixture.reactor().connect_udp(to, protocol).unwrap();
                fixture.turn();
                let message = about(kind, code, transport.local(), to);
                let failures = || log.failures().len();
                for round in 1..=MANY {
                    router.send_to(&message, &SocketAddr::new(to.ip(), 0).into()).unwrap();
                    let start = Instant::now();
                    while failures() < round {
                        assert!(!log.is_stopped(), "after {round} of {kind}/{code}");
                        assert!(start.elapsed() < Duration::from_secs(10), "{kind}/{code}");
                        fixture.turn();
                    }
                }
                assert!(!log.is_stopped() && log.failures().iter().all(|(of, _)| *of == Some(to)));
                peer.send_to(b"here I am", transport.local()).unwrap();
                fixture
                    .until("the peer", || log.has(&Callback::Datagram(b"here I am".to_vec(), to)));
                fixture.assert_asleep();
            }
        });
    }
}

/// The ICMP message about a datagram from `from` to `to`.
fn about(kind: u8, code: u8, from: SocketAddr, to: SocketAddr) -> Vec<u8> {
    let mut message = vec![kind, code, 0, 0, 0, 0, 0, 0];
    match (from.ip(), to.ip()) {
        (IpAddr::V4(from), IpAddr::V4(to)) => message.extend(v4_header(from, to)),
        (IpAddr::V6(from), IpAddr::V6(to)) => message.extend(v6_header(from, to)),
        _ => unreachable!("both are of one family"),
    }
    message.extend(from.port().to_be_bytes());
    message.extend(to.port().to_be_bytes());
    message.extend([0, 8, 0, 0]);
    // The kernel computes the checksum of ICMPv6.
    if from.is_ipv4() {
        let sum = checksum(&message);
        message[2..4].copy_from_slice(&sum.to_be_bytes());
    }
    message
}

/// RFC 791 3.1, without a header checksum, which is not verified there.
fn v4_header(from: Ipv4Addr, to: Ipv4Addr) -> Vec<u8> {
    let mut header = vec![0x45, 0, 0, 28, 0, 0, 0, 0, 64, 17, 0, 0];
    header.extend(from.octets());
    header.extend(to.octets());
    header
}

/// RFC 8200 3.
fn v6_header(from: Ipv6Addr, to: Ipv6Addr) -> Vec<u8> {
    let mut header = vec![0x60, 0, 0, 0, 0, 8, 17, 64];
    header.extend(from.octets());
    header.extend(to.octets());
    header
}

/// RFC 1071.
fn checksum(message: &[u8]) -> u16 {
    let words =
        message.chunks_exact(2).map(|word| u32::from(u16::from_be_bytes([word[0], word[1]])));
    let sum: u32 = words.sum();
    let sum = (sum & 0xffff) + (sum >> 16);
    !(((sum & 0xffff) + (sum >> 16)) as u16)
}
