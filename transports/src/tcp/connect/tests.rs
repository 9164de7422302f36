//! Connecting to several addresses in order, on real sockets. Timing of the attempts is tested in the simulated network.

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

/// A listening socket.
fn listener() -> (TcpListener, SocketAddr) {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let addr = listener.local_addr().unwrap();
    (listener, addr)
}

/// A bound socket that does not listen: connections to its port are refused.
fn bound_socket() -> (socket2::Socket, SocketAddr) {
    let socket = socket2::Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    socket.bind(&SocketAddr::from((Ipv4Addr::LOCALHOST, 0)).into()).unwrap();
    let addr = socket.local_addr().unwrap().as_socket().unwrap();
    (socket, addr)
}

#[test]
fn first_address_that_answers_is_used() {
    let ((_a, refused), (_b, also_refused)) = (bound_socket(), bound_socket());
    let ((_c, first_listener), (_d, second_listener)) = (listener(), listener());
    assert_eq!(connect_to(&[first_listener, second_listener]).unwrap(), first_listener);
    assert_eq!(connect_to(&[refused, second_listener, first_listener]).unwrap(), second_listener);
    assert_eq!(connect_to(&[refused, also_refused, first_listener]).unwrap(), first_listener);
}

#[test]
fn error_lists_every_failed_address() {
    let ((_a, refused), (_b, also_refused)) = (bound_socket(), bound_socket());
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
fn address_that_cannot_be_tried_is_skipped() {
    let (_c, first_listener) = listener();
    // Nothing can connect to port 0.
    let nobody = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    assert_eq!(connect_to(&[nobody, first_listener]).unwrap(), first_listener);
}
