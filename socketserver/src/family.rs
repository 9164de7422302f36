//! The four kinds of server, as types: [`Tcp`], [`Udp`], [`UnixStream`] and [`UnixDatagram`]. Nothing happens here.

use std::fmt;

#[cfg(unix)]
use crate::address::Unix;
use crate::{Request, address::Inet};

mod sealed {
    #[allow(unnameable_types, reason = "that is what seals")]
    pub trait Sealed {}
}
use sealed::Sealed;

/// What a request is: a connection ([`Stream`]) or a datagram ([`Datagram`]).
pub trait Kind: Sealed + Sized + 'static {
    /// What a handler of this kind gets.
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

/// What a server listens to.
pub trait Family: Sealed + 'static {
    /// What its requests are.
    type Kind: Kind;
    /// What it is bound to.
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

/// Streams of Unix sockets.
#[cfg(unix)]
#[derive(Debug)]
pub enum UnixStream {}

/// Datagrams of Unix sockets.
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
