//! UDP: receiving, sending, errors, and the end of a socket.

use std::{
    cell::Cell,
    io,
    net::{SocketAddr, UdpSocket},
    rc::Rc,
    time::Duration,
};

use sinew::transports::{DatagramConfig, DatagramTransport, ReactorUdp, SendStatus, UdpError};

use super::fixture::{Callback, Fixture, echo, nothing, remote, take};

const ANY: &str = "127.0.0.1:0";

fn asked() -> Callback<SocketAddr> {
    Callback::Stopped("stopped by this side".to_owned())
}

#[test]
fn a_conversation() {
    Fixture::on_every_engine("a conversation", |fixture| {
        for any in [ANY, "[::1]:0"] {
            let before = fixture.reactor().stats().handlers;
            let (protocol, log) = fixture.watch(echo);
            let transport = fixture.reactor().listen_udp(any, protocol).unwrap();
            let local = transport.local();
            let (remote, from) = remote(any);
            let datagrams = [b"hello".to_vec(), vec![], vec![7; 60_000], b"again".to_vec()];
            for datagram in &datagrams {
                remote.send_to(datagram, local).unwrap();
                let mut answer = None;
                fixture.until("the answer", || {
                    answer = take(&remote);
                    answer.is_some()
                });
                assert!(answer == Some((datagram.clone(), local)));
                assert!(
                    log.callbacks().last() == Some(&Callback::Datagram(datagram.clone(), from))
                );
            }
            assert_eq!((transport.stats().received, transport.stats().sent), (4, 4));
            fixture.assert_asleep();
            transport.stop();
            assert!(!log.is_stopped(), "it is the loop that tells");
            fixture.turn();
            assert_eq!(log.callbacks().last(), Some(&asked()));
            assert_eq!(fixture.reactor().stats().handlers, before);
            drop(UdpSocket::bind(local).expect("the port is free again"));
        }
    });
}

#[test]
fn after_the_end_it_is_inert() {
    Fixture::on_every_engine("after the end", |fixture| {
        let (protocol, log) = fixture.watch(nothing);
        let transport = fixture.reactor().listen_udp(ANY, protocol).unwrap();
        let (remote, to) = remote(ANY);
        assert_eq!(transport.send_to(b"before the loop turns", to), SendStatus::Sent);
        transport.call_later(Duration::ZERO).unwrap();
        transport.stop();
        transport.stop();
        remote.send_to(b"too late", transport.local()).unwrap();
        assert_eq!(transport.send_to(b"too late", to), SendStatus::Closed);
        assert!(transport.call_later(Duration::ZERO).is_none());
        fixture.turn();
        assert_eq!(log.callbacks(), [Callback::Started, asked()]);
        assert!(!transport.is_receiving() && transport.is_stopped() && transport.queued() == 0);
        transport.resume_receiving();
        transport.join_multicast([224, 0, 0, 1], 0).unwrap_err();
        fixture.turn();
        assert_eq!((log.callbacks().len(), fixture.reactor().stats().timers), (2, 0));
        assert_eq!(take(&remote).map(|(data, _)| data), Some(b"before the loop turns".to_vec()));
    });
}

#[test]
fn truncated_datagrams_are_not_delivered() {
    Fixture::on_every_engine("cut off", |fixture| {
        for batch in [1, 3] {
            let (protocol, log) = fixture.watch(nothing);
            let config = DatagramConfig::default().max_len(10).batch(batch);
            let transport = fixture.reactor().listen_udp_with(ANY, config, protocol).unwrap();
            let (remote, _) = remote(ANY);
            for len in [9, 10, 11, 60_000, 0] {
                remote.send_to(&vec![1; len], transport.local()).unwrap();
            }
            fixture.until("the last", || log.came().contains(&vec![]));
            assert_eq!(log.came(), [vec![1; 9], vec![1; 10], vec![]]);
            assert_eq!((transport.stats().received, transport.stats().truncated), (3, 2));
        }
    });
}

#[test]
fn batches_are_as_datagrams_one_by_one() {
    Fixture::on_every_engine("batches", |fixture| {
        let stops_at = |data: &[u8]| data == [30; 30];
        let (protocol, log) =
            fixture.watch(move |transport: &DatagramTransport, callbacks: &Callback<_>| {
                match callbacks {
                    // In the middle of a batch.
                    Callback::Datagram(data, _) if data.len() == 3 => transport.pause_receiving(),
                    Callback::Datagram(data, _) if stops_at(data) => transport.stop(),
                    _ => {}
                }
            });
        let config = DatagramConfig::default().max_len(30).batch(8).max_per_turn(5);
        let transport = fixture.reactor().listen_udp_with(ANY, config, protocol).unwrap();
        let (remote, _) = remote(ANY);
        for len in 0..40_u8 {
            remote.send_to(&vec![len; len.into()], transport.local()).unwrap();
        }
        let expected = |up_to: u8| (0..=up_to).map(|len| vec![len; len.into()]).collect::<Vec<_>>();
        fixture.until("the pause", || !transport.is_receiving());
        fixture.assert_asleep();
        assert_eq!(log.came(), expected(3));
        transport.resume_receiving();
        fixture.until("the end", || log.is_stopped());
        assert_eq!(log.came(), expected(30));
        assert_eq!((transport.stats().received, transport.stats().truncated), (31, 0));
    });
}

#[test]
fn a_connected_socket_receives_only_from_its_peer_and_reports_refusal() {
    Fixture::on_every_engine("connected", |fixture| {
        let (peer, to) = remote(ANY);
        let (protocol, log) = fixture.watch(nothing);
        let transport = fixture.reactor().connect_udp(to, protocol).unwrap();
        assert_eq!(transport.peer(), Some(to));
        let (stranger, _) = remote(ANY);
        stranger.send_to(b"psst", transport.local()).unwrap();
        assert_eq!(transport.send(b"hello"), SendStatus::Sent);
        let (data, from) = take(&peer).unwrap();
        assert_eq!((data, from), (b"hello".to_vec(), transport.local()));
        peer.send_to(b"welcome", from).unwrap();
        fixture.until("the answer", || log.has(&Callback::Datagram(b"welcome".to_vec(), to)));
        drop(peer);
        // The first send returns the error, and the second is sent all the same.
        for round in 1..=3 {
            assert_eq!(transport.send(b"anybody?"), SendStatus::Sent);
            let refused = || {
                log.callbacks().iter().filter(|callbacks| **callbacks == Callback::Refused).count()
                    >= round
            };
            fixture.until("the refusal", refused);
        }
        assert_eq!(log.came(), [b"welcome".to_vec()]);
        assert_eq!((log.failures(), transport.stats().failed), (vec![], 0));
        fixture.assert_asleep();
    });
}

#[test]
fn unconnected_sockets_do_not_report_refusal() {
    Fixture::on_every_engine("unconnected", |fixture| {
        let (protocol, log) = fixture.watch(echo);
        let transport = fixture.reactor().listen_udp(ANY, protocol).unwrap();
        let (nobody, to) = remote(ANY);
        drop(nobody);
        for _ in 0..3 {
            assert_eq!(transport.send_to(b"anybody?", to), SendStatus::Sent);
            fixture.turn();
        }
        let (remote, _) = remote(ANY);
        remote.send_to(b"hello", transport.local()).unwrap();
        fixture.until("the answer", || take(&remote).is_some());
        assert!(!log.has(&Callback::Refused) && log.failures().is_empty());
    });
}

#[test]
fn send_failures_name_the_destination() {
    Fixture::on_every_engine("not sent", |fixture| {
        let (protocol, log) = fixture.watch(nothing);
        let transport = fixture.reactor().listen_udp(ANY, protocol).unwrap();
        let (remote, here) = remote(ANY);
        let other_family: SocketAddr = "[::1]:9".parse().unwrap();
        let broadcast: SocketAddr = "255.255.255.255:9".parse().unwrap();
        for (data, to) in [(vec![0; 66_000], here), (vec![0], other_family), (vec![0], broadcast)] {
            assert_eq!(transport.send_to(&data, to), SendStatus::Failed);
            assert!(
                log.failures().iter().all(|(callbacks, _)| *callbacks != Some(to)),
                "the loop tells"
            );
            fixture.until("the failure", || {
                log.failures().iter().any(|(callbacks, _)| *callbacks == Some(to))
            });
        }
        assert_eq!(transport.send(b"to nobody in particular"), SendStatus::Failed);
        fixture.until("the failure", || log.failures().iter().any(|(to, _)| to.is_none()));
        assert_eq!(transport.stats().failed, 4);
        // The errors have no lasting effect.
        assert_eq!(transport.send_to(b"x", here), SendStatus::Sent);
        assert_eq!(take(&remote).unwrap().0, b"x");
        // However many fail, the number of pending error reports is bounded.
        for _ in 0..1000 {
            transport.send_to(&[0; 66_000], here);
        }
        fixture.until("the failures", || log.failures().len() >= 4 + 64);
        fixture.turn();
        assert_eq!((log.failures().len(), transport.stats().failed), (4 + 64, 1004));
    });
}

#[test]
fn receiving_may_be_paused() {
    Fixture::on_every_engine("paused", |fixture| {
        let (protocol, log) =
            fixture.watch(|transport: &DatagramTransport, callbacks: &Callback<_>| {
                if matches!(callbacks, Callback::Datagram(..)) {
                    transport.pause_receiving();
                }
            });
        let transport = fixture.reactor().listen_udp(ANY, protocol).unwrap();
        let (remote, _) = remote(ANY);
        for n in 0..4_u8 {
            remote.send_to(&[n], transport.local()).unwrap();
        }
        for count in 1..=4 {
            fixture.until("one more", || log.came().len() == count);
            fixture.assert_asleep();
            assert_eq!(log.came().len(), count, "one at a time");
            assert!(!transport.is_receiving());
            transport.resume_receiving();
        }
        assert_eq!(log.came(), [[0], [1], [2], [3]]);
    });
}

#[test]
fn datagrams_per_turn_are_bounded() {
    Fixture::on_every_engine("a share", |fixture| {
        for batch in [1, 32] {
            let (protocol, log) = fixture.watch(nothing);
            let config = DatagramConfig::default().max_len(1).max_per_turn(8).batch(batch);
            let transport = fixture.reactor().listen_udp_with(ANY, config, protocol).unwrap();
            fixture.turn();
            let (remote, _) = remote(ANY);
            for n in 0..100_u8 {
                remote.send_to(&[n], transport.local()).unwrap();
            }
            let mut before = 0;
            fixture.until("all of them", || {
                let came = log.came().len();
                // Polled again after the events of the same turn, it may get two shares in it.
                assert!(came - before <= 16, "{came} after {before}");
                before = came;
                came == 100
            });
        }
    });
}

#[test]
fn stopping_in_a_callback_is_the_end_of_callbacks() {
    Fixture::on_every_engine("stopping inside", |fixture| {
        let (protocol, log) =
            fixture.watch(|transport: &DatagramTransport, callbacks: &Callback<_>| {
                if matches!(callbacks, Callback::Datagram(..)) {
                    transport.stop();
                }
            });
        let transport = fixture.reactor().listen_udp(ANY, protocol).unwrap();
        let (remote, _) = remote(ANY);
        for n in 0..10_u8 {
            remote.send_to(&[n], transport.local()).unwrap();
        }
        fixture.until("the end", || log.is_stopped());
        assert_eq!(log.came(), [[0]]);
    });
}

#[test]
fn a_panic_loses_one_datagram_only() {
    Fixture::on_every_engine("a panic", |fixture| {
        let (protocol, log) = fixture.watch(
            |transport: &DatagramTransport, callbacks: &Callback<_>| match callbacks {
                Callback::Datagram(data, _) => assert_ne!(data, b"bad"),
                Callback::Timer(_) => panic!("in timer_fired"),
                Callback::Started => {
                    transport.call_later(Duration::ZERO);
                    panic!("in started")
                }
                _ => panic!("in any other"),
            },
        );
        let transport = fixture.reactor().listen_udp(ANY, protocol).unwrap();
        let (remote, _) = remote(ANY);
        for data in [&b"good"[..], b"bad", b"bad", b"still good"] {
            remote.send_to(data, transport.local()).unwrap();
        }
        fixture.until("the last", || log.came().len() == 4);
        fixture.until("the timer", || {
            log.callbacks().iter().any(|callbacks| matches!(callbacks, Callback::Timer(_)))
        });
        assert_eq!(fixture.reactor().stats().panics, 4);
        fixture.assert_asleep();
        transport.stop();
        fixture.turn();
        assert!(log.is_stopped() && fixture.reactor().stats().panics == 5);
    });
}

#[test]
fn timers_end_with_the_socket() {
    Fixture::on_every_engine("timers", |fixture| {
        let (protocol, log) = fixture.watch(nothing);
        let transport = fixture.reactor().listen_udp(ANY, protocol).unwrap();
        let first = transport.call_later(Duration::from_millis(1)).unwrap();
        let second = transport.call_later(Duration::from_millis(1)).unwrap();
        transport.call_later(Duration::from_secs(1000)).unwrap();
        assert!(transport.cancel_timer(second) && !transport.cancel_timer(second));
        fixture.until("the timer", || log.has(&Callback::Timer(first)));
        assert!(!log.has(&Callback::Timer(second)) && !transport.cancel_timer(first));
        transport.stop();
        fixture.turn();
        assert_eq!(fixture.reactor().stats().timers, 0);
    });
}

#[test]
fn a_stopped_reactor_ends_the_socket() {
    Fixture::on_every_engine("the reactor stops", |fixture| {
        let (protocol, log) = fixture.watch(nothing);
        let transport = fixture.reactor().listen_udp(ANY, protocol).unwrap();
        fixture.reactor().call_soon(|reactor| reactor.stop().unwrap());
        fixture.reactor().run().unwrap();
        let shutdown = Callback::Stopped("the reactor was shut down".to_owned());
        assert_eq!(log.callbacks(), [Callback::Started, shutdown]);
        drop(UdpSocket::bind(transport.local()).expect("the port is free again"));
    });
}

#[test]
fn an_unavailable_address_is_named() {
    Fixture::on_every_engine("errors", |fixture| {
        let (_taken, addr) = remote(ANY);
        let dropped = Rc::new(Cell::new(0));
        struct Counted(Rc<Cell<u32>>);
        impl Drop for Counted {
            fn drop(&mut self) {
                self.0.set(self.0.get() + 1);
            }
        }
        impl sinew::transports::DatagramProtocol for Counted {
            fn datagram_received(&mut self, _: &DatagramTransport, _: &[u8], _: SocketAddr) {}
        }
        let protocol = || Counted(dropped.clone());
        let error = fixture.reactor().listen_udp(addr, protocol()).unwrap_err();
        let UdpError::Listen { addr: named, source } = &error else { panic!("{error:?}") };
        assert_eq!((*named, source.kind()), (addr, io::ErrorKind::AddrInUse));
        assert!(error.to_string().contains(&addr.to_string()));
        let error = fixture.reactor().listen_udp("nonsense", protocol()).unwrap_err();
        assert!(error.to_string().contains("nonsense"), "{error}");
        let elsewhere: SocketAddr = "192.0.2.1:1".parse().unwrap();
        let error = fixture.reactor().listen_udp(elsewhere, protocol()).unwrap_err();
        assert!(matches!(error, UdpError::Listen { addr, .. } if addr == elsewhere));
        let config = DatagramConfig::default().bind(addr);
        let error = fixture.reactor().connect_udp_with(elsewhere, config, protocol()).unwrap_err();
        assert!(matches!(error, UdpError::Listen { addr: named, .. } if named == addr));
        assert_eq!(dropped.get(), 0, "no call runs what is the user's");
        fixture.turn();
        assert_eq!(dropped.get(), 4);
    });
}
