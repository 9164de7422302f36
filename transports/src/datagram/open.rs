//! Opens datagram sockets, of the kernel or of a simulated network.

#[cfg(unix)]
use std::os::{fd::OwnedFd, unix::net::UnixDatagram};
use std::{
    io,
    net::{Ipv4Addr, Ipv6Addr, SocketAddr},
};

use mio::net::UdpSocket;
#[cfg(unix)]
use rustix::net::SocketType;
use sinew_reactor::{Excerpt, Reactor};
use socket2::{Domain, Protocol as IpProtocol, Socket, Type};

#[cfg(unix)]
use super::{DatagramAddr, socket::UnixDatagrams};
use super::{DatagramConfig, DatagramProtocol, UdpError, core::Opened, socket_io::SocketIo};
#[cfg(any(target_os = "linux", target_os = "android"))]
use super::{batch::Batched, packet_info::WithPacketInfo};
#[cfg(unix)]
use crate::{
    ConnectError, UnixAddr, UnixDatagramConfig, UnixListenError,
    unix::{
        listening::bind as bind_socket,
        socket::{check_kernel, open as open_socket},
    },
};
use crate::{
    DatagramTransport, Destination,
    names::lookup,
    net::{self, dialling::unusable},
    options,
    tcp::destination::why_bad,
};

/// Opens a socket for one address.
type Open = fn(&Reactor, SocketAddr, &DatagramConfig) -> Result<Opened<SocketAddr>, UdpError>;

/// Opens the first address that works.
pub(super) fn udp<P: DatagramProtocol>(
    reactor: &Reactor,
    at: Destination,
    config: DatagramConfig,
    protocol: P,
    open: Open,
) -> Result<DatagramTransport, UdpError> {
    let opened = addrs(reactor, at).and_then(|addrs| {
        let mut on_error = None;
        for addr in addrs {
            match open(reactor, addr, &config) {
                Ok(opened) => return Ok((addr, opened)),
                Err(error) => on_error = Some(error),
            }
        }
        Err(on_error.unwrap_or_else(|| UdpError::Resolve {
            source: io::Error::new(io::ErrorKind::NotFound, "the name has no address"),
        }))
    });
    match opened {
        Ok((addr, opened)) => opened
            .start(reactor, config, protocol)
            .map_err(|source| UdpError::Listen { addr, source }),
        Err(error) => {
            // Dropping the protocol may run user code, so the event loop drops it.
            reactor.defer_drop(protocol);
            Err(error)
        }
    }
}

fn addrs(reactor: &Reactor, at: Destination) -> Result<Vec<SocketAddr>, UdpError> {
    let bad = |text| io::Error::new(io::ErrorKind::InvalidInput, text);
    let addrs = match at {
        Destination::Addr(addr) => Ok([addr].into()),
        Destination::Any(addrs) => Ok(addrs),
        Destination::Name(host, port) => lookup::resolve_now(reactor, &host, port).map(Into::into),
        #[cfg(unix)]
        Destination::Unix(addr) => Err(bad(format!("{addr} is a Unix socket, not a UDP address"))),
        Destination::Bad(text) => {
            Err(bad(format!("{:?} is not host:port: {}", Excerpt::new(&text), why_bad(&text))))
        }
    };
    addrs.map_err(|source| UdpError::Resolve { source })
}

pub(super) fn listen(
    reactor: &Reactor,
    addr: SocketAddr,
    config: &DatagramConfig,
) -> Result<Opened<SocketAddr>, UdpError> {
    let on_error = |source| UdpError::Listen { addr, source };
    let socket: Box<dyn SocketIo<SocketAddr>> = match net::installed(reactor).map_err(on_error)? {
        Some(net) => Box::new(net.datagrams(addr, None).map_err(on_error)?),
        None => bound(addr, config).map(|socket| into_udp(socket, config)).map_err(on_error)?,
    };
    Ok(Opened { socket, peer: None, is_shared: false })
}

pub(super) fn connect(
    reactor: &Reactor,
    addr: SocketAddr,
    config: &DatagramConfig,
) -> Result<Opened<SocketAddr>, UdpError> {
    let on_error = |source| UdpError::Connect { addr, source };
    let socket: Box<dyn SocketIo<SocketAddr>> = match net::installed(reactor).map_err(on_error)? {
        Some(net) => {
            let from = config.bind.unwrap_or_else(|| unspecified(addr));
            Box::new(net.datagrams(from, Some(addr)).map_err(on_error)?)
        }
        None => {
            let socket = match config.bind {
                Some(from) => {
                    bound(from, config).map_err(|source| UdpError::Listen { addr: from, source })?
                }
                // Connecting binds it.
                None => unbound(addr, config).map_err(on_error)?,
            };
            let connected = socket.connect(&addr.into());
            connected.map_err(|error| on_error(unusable(addr, error)))?;
            into_udp(socket, config)
        }
    };
    Ok(Opened { socket, peer: Some(addr), is_shared: false })
}

/// The unspecified address of the same family.
fn unspecified(addr: SocketAddr) -> SocketAddr {
    match addr {
        SocketAddr::V4(_) => (Ipv4Addr::UNSPECIFIED, 0).into(),
        SocketAddr::V6(_) => (Ipv6Addr::UNSPECIFIED, 0).into(),
    }
}

fn bound(addr: SocketAddr, config: &DatagramConfig) -> io::Result<Socket> {
    let socket = unbound(addr, config)?;
    socket.bind(&addr.into()).map_err(|error| unusable(addr, error))?;
    Ok(socket)
}

/// An unbound socket of this address family.
fn unbound(addr: SocketAddr, config: &DatagramConfig) -> io::Result<Socket> {
    let socket = nonblocking(Domain::for_address(addr))?;
    if config.reuse_address {
        socket.set_reuse_address(true)?;
    }
    options::set_reuse_port(&socket, config.reuse_port)?;
    if addr.is_ipv6() {
        socket.set_only_v6(config.v6_only)?;
    }
    set_options(&socket, addr.is_ipv6(), config)?;
    Ok(socket)
}

/// A socket that is non-blocking from the start, by one system call.
#[cfg(any(target_os = "linux", target_os = "android"))]
fn nonblocking(domain: Domain) -> io::Result<Socket> {
    Socket::new(domain, Type::DGRAM.nonblocking(), Some(IpProtocol::UDP))
}

#[cfg(not(any(target_os = "linux", target_os = "android")))]
fn nonblocking(domain: Domain) -> io::Result<Socket> {
    let socket = Socket::new(domain, Type::DGRAM, Some(IpProtocol::UDP))?;
    socket.set_nonblocking(true)?;
    Ok(socket)
}

/// Sets the options that can be set on a bound socket.
fn set_options(socket: &Socket, is_v6: bool, config: &DatagramConfig) -> io::Result<()> {
    if config.broadcast {
        socket.set_broadcast(true)?;
    }
    if config.packet_info {
        options::set_packet_info(socket, is_v6)?;
    }
    config.size_buffers(socket)?;
    config.dscp.map_or(Ok(()), |dscp| dscp.set_on(socket, is_v6))
}

fn into_udp(socket: Socket, config: &DatagramConfig) -> Box<dyn SocketIo<SocketAddr>> {
    let socket = UdpSocket::from_std(socket.into());
    #[cfg(any(target_os = "linux", target_os = "android"))]
    {
        if config.batch > 1 {
            let (room, with_packet_info) = (config.room(), config.packet_info);
            return Box::new(Batched::new(socket, config.batch, room, with_packet_info));
        }
        if config.packet_info {
            return Box::new(WithPacketInfo(socket));
        }
    }
    #[cfg(not(any(target_os = "linux", target_os = "android")))]
    let _ = config;
    Box::new(socket)
}

#[cfg(unix)]
pub(crate) fn listen_unix<P: DatagramProtocol<UnixAddr>>(
    reactor: &Reactor,
    addr: UnixAddr,
    config: UnixDatagramConfig,
    protocol: P,
) -> Result<DatagramTransport<UnixAddr>, UnixListenError> {
    let on_error = |source| UnixListenError::Listen { addr: addr.clone(), source };
    let opened = check_kernel(reactor).map_err(on_error).and_then(|()| {
        let (socket, file) = bind_socket(&addr, SocketType::DGRAM, &config.file)?;
        let socket = Socket::from(socket);
        config.datagrams.size_buffers(&socket).map_err(on_error)?;
        let socket = Box::new(UnixDatagrams::new(socket.into(), false, file));
        Ok(Opened { socket, peer: None, is_shared: false })
    });
    match opened {
        Ok(opened) => opened.start(reactor, config.datagrams, protocol).map_err(on_error),
        Err(error) => {
            reactor.defer_drop(protocol);
            Err(error)
        }
    }
}

#[cfg(unix)]
pub(crate) fn connect_unix<P: DatagramProtocol<UnixAddr>>(
    reactor: &Reactor,
    addr: UnixAddr,
    config: UnixDatagramConfig,
    protocol: P,
) -> Result<DatagramTransport<UnixAddr>, ConnectError> {
    let on_error = |source| ConnectError::ConnectUnix { addr: addr.clone(), source };
    let open = || {
        if addr.is_too_long() {
            return Err(ConnectError::TooLong { addr: addr.clone() });
        }
        check_kernel(reactor).map_err(on_error)?;
        let (socket, file) = match &config.bind {
            Some(bind) => bind_socket(bind, SocketType::DGRAM, &config.file)?,
            None => (open_socket(SocketType::DGRAM).map_err(on_error)?, None),
        };
        let socket = Socket::from(socket);
        config.datagrams.size_buffers(&socket).map_err(on_error)?;
        let system = addr.to_system().map_err(on_error)?;
        rustix::net::connect(&socket, &system).map_err(|error| on_error(error.into()))?;
        let socket = Box::new(UnixDatagrams::new(socket.into(), true, file));
        Ok(Opened { socket, peer: Some(addr.clone()), is_shared: false })
    };
    match open() {
        Ok(opened) => opened.start(reactor, config.datagrams, protocol).map_err(on_error),
        Err(error) => {
            reactor.defer_drop(protocol);
            Err(error)
        }
    }
}

/// Takes over an existing UDP socket.
#[cfg(unix)]
pub(crate) fn adopt_udp<P: DatagramProtocol>(
    reactor: &Reactor,
    descriptor: OwnedFd,
    config: DatagramConfig,
    protocol: P,
) -> io::Result<DatagramTransport> {
    let socket = Socket::from(descriptor);
    let prepared = socket.local_addr().and_then(|addr| {
        set_options(&socket, addr.is_ipv6(), &config)?;
        let peer = socket.peer_addr().ok().and_then(|peer| peer.as_socket());
        Ok(Opened { socket: into_udp(socket, &config), peer, is_shared: true })
    });
    start(reactor, prepared, config, protocol)
}

/// Takes over an existing Unix datagram socket.
#[cfg(unix)]
pub(crate) fn adopt_unix<P: DatagramProtocol<UnixAddr>>(
    reactor: &Reactor,
    descriptor: OwnedFd,
    config: DatagramConfig,
    protocol: P,
) -> io::Result<DatagramTransport<UnixAddr>> {
    let socket = Socket::from(descriptor);
    let prepared = config.size_buffers(&socket).map(|()| {
        let socket = UnixDatagram::from(OwnedFd::from(socket));
        let peer = socket.peer_addr().ok().map(|peer| UnixAddr::from_std(&peer));
        let socket = Box::new(UnixDatagrams::new(socket, peer.is_some(), None));
        Opened { socket, peer, is_shared: true }
    });
    start(reactor, prepared, config, protocol)
}

#[cfg(unix)]
fn start<A: DatagramAddr, P: DatagramProtocol<A>>(
    reactor: &Reactor,
    prepared: io::Result<Opened<A>>,
    config: DatagramConfig,
    protocol: P,
) -> io::Result<DatagramTransport<A>> {
    match prepared {
        Ok(opened) => opened.start(reactor, config, protocol),
        Err(error) => {
            // Dropping the protocol may run user code, so the event loop drops it.
            reactor.defer_drop(protocol);
            Err(error)
        }
    }
}
