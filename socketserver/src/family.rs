//! The four socket families as types: [`Tcp`], [`Udp`], [`UnixStream`] and [`UnixDatagram`]. No behaviour here.

use std::fmt;

#[cfg(unix)]
use crate::address::Unix;
use crate::{Request, address::Inet};

mod sealed {
    #[allow(unnameable_types, reason = "that is how a trait is sealed")]
    pub trait Sealed {}
}
use sealed::Sealed;

/// The kind of request: a connection ([`Stream`]) or a datagram ([`Datagram`]).
pub trait Kind: Sealed + Sized + 'static {
    /// The request as its handler receives it.
    type Request: fmt::Debug;

    #[doc(hidden)]
    fn take(request: &Request) -> Option<Self::Request>;
}

/// Requests are connections.
#[derive(Debug)]
pub enum Stream {}

/// Requests are datagrams.
#[derive(Debug)]
pub enum Datagram {}

/// The family of a server's socket.
pub trait Family: Sealed + 'static {
    /// The kind of its requests.
    type Kind: Kind;
    /// The kind of its address.
    type Domain;

    #[doc(hidden)]
    const IS_STREAM: bool;
}

/// TCP.
#[derive(Debug)]
pub enum Tcp {}

/// UDP.
#[derive(Debug)]
pub enum Udp {}

/// Unix stream sockets.
#[cfg(unix)]
#[derive(Debug)]
pub enum UnixStream {}

/// Unix datagram sockets.
#[cfg(unix)]
#[derive(Debug)]
pub enum UnixDatagram {}

impl Sealed for Stream {}
impl Sealed for Datagram {}
impl Sealed for Tcp {}
impl Sealed for Udp {}
#[cfg(unix)]
impl Sealed for UnixStream {}
#[cfg(unix)]
impl Sealed for UnixDatagram {}

impl Family for Tcp {
    type Kind = Stream;
    type Domain = Inet;
    const IS_STREAM: bool = true;
}

impl Family for Udp {
    type Kind = Datagram;
    type Domain = Inet;
    const IS_STREAM: bool = false;
}

#[cfg(unix)]
impl Family for UnixStream {
    type Kind = Stream;
    type Domain = Unix;
    const IS_STREAM: bool = true;
}

#[cfg(unix)]
impl Family for UnixDatagram {
    type Kind = Datagram;
    type Domain = Unix;
    const IS_STREAM: bool = false;
}
