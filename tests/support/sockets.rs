//! Sockets for remote ends: clients, listeners, and addresses that refuse or never answer.

use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};

use socket2::{Domain, SockRef, Socket, Type};

/// Receive buffer of a narrow socket (the kernel doubles it), or capacity of a narrow in-memory connection.
pub(crate) const NARROW: usize = 16 * 1024;

/// How much data fits into a connection before the remote end has to read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Width {
    /// The system's default.
    Wide,
    /// The system's minimum.
    Narrow,
}

pub(crate) fn any_port() -> SocketAddr {
    (Ipv4Addr::LOCALHOST, 0).into()
}

/// An unused path for a Unix socket.
#[cfg(unix)]
pub(crate) fn free_path() -> std::path::PathBuf {
    use std::sync::atomic::{AtomicUsize, Ordering};
    static NEXT: AtomicUsize = AtomicUsize::new(0);
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    std::env::temp_dir().join(format!("sinew-{}-{number}.sock", std::process::id()))
}

/// Connects a client socket. The connection completes through the backlog, even if nothing is accepted.
pub(crate) fn dial(addr: SocketAddr, width: Width) -> TcpStream {
    let socket = Socket::new(Domain::for_address(addr), Type::STREAM, None).expect("a socket");
    if width == Width::Narrow {
        socket.set_recv_buffer_size(NARROW).expect("a small receive buffer");
    }
    socket.connect(&addr.into()).expect("somebody listens");
    let socket = TcpStream::from(socket);
    socket.set_nodelay(true).expect("TCP_NODELAY can be set");
    socket
}

/// A nonblocking listener whose accepted sockets have this width.
pub(crate) fn listener(width: Width) -> TcpListener {
    let listener = TcpListener::bind(any_port()).expect("a free port");
    if width == Width::Narrow {
        // Inherited by accepted sockets.
        SockRef::from(&listener).set_recv_buffer_size(NARROW).expect("a small receive buffer");
    }
    listener.set_nonblocking(true).expect("a listener can be made non-blocking");
    listener
}

/// A local address that refuses connections as long as this socket exists.
pub(crate) fn refusing_address() -> (Socket, SocketAddr) {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    socket.bind(&any_port().into()).unwrap();
    let addr = socket.local_addr().unwrap().as_socket().unwrap();
    (socket, addr)
}

/// A listener with a full backlog: connecting to it never completes.
pub(crate) struct FullBacklog {
    pub(crate) addr: SocketAddr,
    _listener: Socket,
    _waiting: Vec<Socket>,
}

pub(crate) fn full_backlog() -> FullBacklog {
    let listener = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    listener.bind(&any_port().into()).unwrap();
    listener.listen(0).unwrap();
    let addr = listener.local_addr().unwrap().as_socket().unwrap();
    let waiting = (0..8)
        .map(|_| {
            let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
            socket.set_nonblocking(true).unwrap();
            // Never completes.
            let _ = socket.connect(&addr.into());
            socket
        })
        .collect();
    FullBacklog { addr, _listener: listener, _waiting: waiting }
}
