//! Several addresses of a real system, in order. How they are tried over time is tested in the simulated network.

use std::net::{Ipv4Addr, TcpListener};

use super::*;
use crate::Protocol;

struct Quiet;

impl Protocol for Quiet {
    fn data_received(&mut self, _: &Transport, _: &[u8]) {}
}

/// Connects to the first of `addrs` that answers.
fn connect_to(addrs: &[SocketAddr]) -> Result<SocketAddr, ConnectError> {
    let reactor = Reactor::new().unwrap();
    let connecting =
        connect(&reactor, addrs.into(), ConnectConfig::default(), None, |_: &Peer| Quiet);
    let connection = reactor.run_until(connecting).unwrap()?;
    Ok(connection.transport().peer().socket_addr().unwrap())
}

/// Somebody who listens.
fn listener() -> (TcpListener, SocketAddr) {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let addr = listener.local_addr().unwrap();
    (listener, addr)
}

/// A socket that keeps its port from being listened on.
fn deaf() -> (socket2::Socket, SocketAddr) {
    let socket = socket2::Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    socket.bind(&SocketAddr::from((Ipv4Addr::LOCALHOST, 0)).into()).unwrap();
    let addr = socket.local_addr().unwrap().as_socket().unwrap();
    (socket, addr)
}

#[test]
fn the_first_address_that_answers_is_taken() {
    let ((_a, refused), (_b, also_refused)) = (deaf(), deaf());
    let ((_c, one), (_d, two)) = (listener(), listener());
    assert_eq!(connect_to(&[one, two]).unwrap(), one);
    assert_eq!(connect_to(&[refused, two, one]).unwrap(), two);
    assert_eq!(connect_to(&[refused, also_refused, one]).unwrap(), one);
}

#[test]
fn every_failure_is_told() {
    let ((_a, refused), (_b, also_refused)) = (deaf(), deaf());
    let error = connect_to(&[refused, also_refused]).unwrap_err();
    assert!(error.is_refused());
    let ConnectError::AllFailed { tried, .. } = &error else { panic!("{error}") };
    let addrs: Vec<_> = tried.iter().filter_map(|tried| tried.addr.socket_addr()).collect();
    assert_eq!(addrs, [refused, also_refused]);
    for addr in addrs {
        assert!(error.to_string().contains(&format!("{addr}: ")), "{error}");
    }
}

#[test]
fn an_address_that_cannot_even_be_tried_is_passed_over() {
    let (_c, one) = listener();
    // Port 0 is nobody's.
    let nobody = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    assert_eq!(connect_to(&[nobody, one]).unwrap(), one);
}
