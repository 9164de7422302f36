//! Multicast and broadcast, on the loopback interface of Linux.

use std::{
    io,
    net::{IpAddr, Ipv4Addr, SocketAddr},
};

use sinew::transports::{
    DatagramConfig, DatagramOptionError, DatagramTransport, Interface, ReactorUdp, SendStatus,
};

use super::fixture::{Callback, Fixture, nothing};

const GROUP: Ipv4Addr = Ipv4Addr::new(239, 255, 77, 1);

/// Two members of a group, and a sender that has not joined.
fn members(
    fixture: &Fixture,
    name: impl Into<Interface>,
) -> [(DatagramTransport, std::rc::Rc<super::fixture::Log<SocketAddr>>); 3] {
    let interface = name.into();
    let config = || DatagramConfig::default().reuse_address(true);
    let (protocol, first_log) = fixture.watch(nothing);
    let first = fixture.reactor().listen_udp_with("0.0.0.0:0", config(), protocol).unwrap();
    let (protocol, second_log) = fixture.watch(nothing);
    let second = fixture.reactor().listen_udp_with(first.local(), config(), protocol).unwrap();
    let (protocol, sender_log) = fixture.watch(nothing);
    let sender = fixture.reactor().listen_udp("0.0.0.0:0", protocol).unwrap();
    for member in [&first, &second] {
        member.join_multicast(GROUP, interface.clone()).unwrap();
    }
    sender.set_multicast_interface(interface).unwrap();
    sender.set_multicast_ttl(0).unwrap();
    sender.set_multicast_loop(true).unwrap();
    [(first, first_log), (second, second_log), (sender, sender_log)]
}

#[test]
fn members_receive_multicast() {
    Fixture::on_every_engine("a group", |fixture| {
        let interfaces =
            [Interface::from(Ipv4Addr::LOCALHOST), Interface::from("lo"), Interface::from(1)];
        for interface in interfaces {
            let [(first, first_log), (second, second_log), (sender, _)] =
                members(fixture, interface.clone());
            let group: SocketAddr = (GROUP, first.local().port()).into();
            assert_eq!(sender.send_to(b"all", group), SendStatus::Sent);
            fixture.until("both", || first_log.came().len() == 1 && second_log.came().len() == 1);
            second.leave_multicast(GROUP, interface.clone()).unwrap();
            let left = second.leave_multicast(GROUP, interface.clone()).unwrap_err();
            assert!(left.to_string().contains("239.255.77.1"), "{left}");
            sender.send_to(b"the rest", group);
            fixture.until("the first", || first_log.came().len() == 2);
            // A socket bound to this address receives what any socket of this machine has joined, so the second may
            // receive it, too.
            assert_eq!(first_log.came(), [&b"all"[..], b"the rest"]);
            for transport in [first, second, sender] {
                transport.stop();
            }
        }
    });
}

#[test]
fn groups_of_ipv6() {
    Fixture::on_every_engine("a group of IPv6", |fixture| {
        // Interface-local scope: it never leaves the machine.
        let group: IpAddr = "ff01::77:1".parse().unwrap();
        let (protocol, log) = fixture.watch(nothing);
        let member = fixture.reactor().listen_udp("[::]:0", protocol).unwrap();
        member.join_multicast(group, Interface::Any).unwrap();
        let (protocol, sender_log) = fixture.watch(nothing);
        let sender = fixture.reactor().listen_udp("[::]:0", protocol).unwrap();
        sender.set_multicast_interface("lo").unwrap();
        sender.set_multicast_interface(Interface::Any).unwrap();
        sender.set_multicast_ttl(1).unwrap();
        sender.set_multicast_loop(true).unwrap();
        let to = (group, member.local().port()).into();
        if sender.send_to(b"all", to) == SendStatus::Failed {
            fixture.until("why", || !sender_log.failures().is_empty());
            let (_, why) = sender_log.failures().remove(0);
            assert!(why.contains("unreachable"), "{why}");
            return println!("skipped: no interface of this machine has groups of IPv6");
        }
        fixture.until("it", || log.came() == [b"all".to_vec()]);
        member.leave_multicast(group, Interface::Any).unwrap();
        let error = member.join_multicast(group, Ipv4Addr::LOCALHOST).unwrap_err();
        assert!(matches!(error, DatagramOptionError::Group { group: named, .. } if named == group));
    });
}

/// Not on the loopback interface, where everything sent is received. With a TTL of 0 it does not leave the machine.
#[test]
fn multicast_loopback_can_be_disabled() {
    Fixture::on_every_engine("the loop", |fixture| {
        let (protocol, log) = fixture.watch(nothing);
        let transport = fixture.reactor().listen_udp("0.0.0.0:0", protocol).unwrap();
        if let Err(error) = transport.join_multicast(GROUP, Interface::Any) {
            assert!(matches!(error, DatagramOptionError::NoInterface { .. }), "{error:?}");
            return println!("skipped: no interface of this machine has groups");
        }
        transport.set_multicast_ttl(0).unwrap();
        let to: SocketAddr = (GROUP, transport.local().port()).into();
        for (on, data) in [(true, b"1"), (false, b"2"), (true, b"3")] {
            transport.set_multicast_loop(on).unwrap();
            assert_eq!(transport.send_to(data, to), SendStatus::Sent);
        }
        fixture.until("the last", || log.came().contains(&b"3".to_vec()));
        assert_eq!(log.came(), [b"1", b"3"]);
    });
}

#[test]
fn errors_name_the_cause() {
    Fixture::on_every_engine("errors", |fixture| {
        let (protocol, _) = fixture.watch(nothing);
        let transport = fixture.reactor().listen_udp("127.0.0.1:0", protocol).unwrap();
        let error = transport.join_multicast(GROUP, "nosuch0").unwrap_err();
        assert!(matches!(&error, DatagramOptionError::NoInterface { interface, .. }
            if *interface == Interface::Name("nosuch0".to_owned())));
        assert!(error.to_string().starts_with("no interface nosuch0: "), "{error}");
        let error = transport.join_multicast(GROUP, 4_000_000).unwrap_err();
        assert!(matches!(error, DatagramOptionError::NoInterface { .. }), "{error:?}");
        let error = transport.set_multicast_interface("nosuch0").unwrap_err();
        assert!(error.to_string().contains("nosuch0"), "{error}");
        let nowhere = Ipv4Addr::new(192, 0, 2, 1);
        transport.join_multicast(GROUP, nowhere).unwrap_err();
        let none = Ipv4Addr::new(127, 0, 0, 1);
        let error = transport.join_multicast(none, Interface::Any).unwrap_err();
        let DatagramOptionError::Group { group, .. } = &error else { panic!("{error:?}") };
        assert_eq!(*group, none);
        transport.set_ttl(5).unwrap();
    });
}

#[test]
fn broadcasts_are_sent_if_enabled() {
    Fixture::on_every_engine("broadcast", |fixture| {
        let (protocol, log) = fixture.watch(nothing);
        let listener = fixture.reactor().listen_udp("0.0.0.0:0", protocol).unwrap();
        let to: SocketAddr = (Ipv4Addr::new(127, 255, 255, 255), listener.local().port()).into();
        let (protocol, sender_log) = fixture.watch(nothing);
        let sender = fixture.reactor().listen_udp("127.0.0.1:0", protocol).unwrap();
        assert_eq!(sender.send_to(b"not yet", to), SendStatus::Failed);
        fixture.until("the failure", || !sender_log.failures().is_empty());
        let denied = io::Error::from_raw_os_error(rustix::io::Errno::ACCESS.raw_os_error());
        assert_eq!(sender_log.failures(), [(Some(to), denied.to_string())]);
        sender.set_broadcast(true).unwrap();
        assert_eq!(sender.send_to(b"all", to), SendStatus::Sent);
        fixture.until("it", || log.has(&Callback::Datagram(b"all".to_vec(), sender.local())));
        let config = DatagramConfig::default().broadcast(true);
        let (protocol, _) = fixture.watch(nothing);
        let other = fixture.reactor().listen_udp_with("127.0.0.1:0", config, protocol).unwrap();
        assert_eq!(other.send_to(b"too", to), SendStatus::Sent);
        fixture.until("it", || log.came() == [&b"all"[..], b"too"]);
    });
}
