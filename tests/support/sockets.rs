//! Sockets for far ends: clients, listeners, and listeners that are of no use.

use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};

use socket2::{Domain, SockRef, Socket, Type};

/// The receive buffer of a narrow far end (the kernel doubles it), or what a narrow wire holds.
pub(crate) const NARROW: usize = 16 * 1024;

/// How much goes into a connection before its far end has to read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Width {
    /// What the system gives.
    Wide,
    /// As little as the system allows.
    Narrow,
}

pub(crate) fn any_port() -> SocketAddr {
    (Ipv4Addr::LOCALHOST, 0).into()
}

/// A path for a Unix socket that is nobody's.
#[cfg(unix)]
pub(crate) fn free_path() -> std::path::PathBuf {
    use std::sync::atomic::{AtomicUsize, Ordering};
    static NEXT: AtomicUsize = AtomicUsize::new(0);
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    std::env::temp_dir().join(format!("sinew-{}-{number}.sock", std::process::id()))
}

/// A client's socket, connected to a port. The backlog takes it, whether or not somebody accepts.
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

/// A listener whose accepted sockets are as wide as asked. It does not block.
pub(crate) fn listener(width: Width) -> TcpListener {
    let listener = TcpListener::bind(any_port()).expect("a free port");
    if width == Width::Narrow {
        // Accepted sockets inherit it.
        SockRef::from(&listener).set_recv_buffer_size(NARROW).expect("a small receive buffer");
    }
    listener.set_nonblocking(true).expect("a listener can be made non-blocking");
    listener
}

/// An address that is ours, and where nobody listens as long as this socket lives.
pub(crate) fn deaf() -> (Socket, SocketAddr) {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    socket.bind(&any_port().into()).unwrap();
    let addr = socket.local_addr().unwrap().as_socket().unwrap();
    (socket, addr)
}

/// A listener with a full backlog, so that who connects waits for ever.
pub(crate) struct Full {
    pub(crate) addr: SocketAddr,
    _listener: Socket,
    _waiting: Vec<Socket>,
}

pub(crate) fn full() -> Full {
    let listener = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    listener.bind(&any_port().into()).unwrap();
    listener.listen(0).unwrap();
    let addr = listener.local_addr().unwrap().as_socket().unwrap();
    let waiting = (0..8)
        .map(|_| {
            let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
            socket.set_nonblocking(true).unwrap();
            // In progress, for ever.
            let _ = socket.connect(&addr.into());
            socket
        })
        .collect();
    Full { addr, _listener: listener, _waiting: waiting }
}
