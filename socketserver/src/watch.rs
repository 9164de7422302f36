//! The server's socket on the reactor. On Windows only mio's sockets can be watched, so there a duplicate handle of the
//! socket is registered.

#[cfg(unix)]
pub(crate) use unix::Watched;
#[cfg(windows)]
pub(crate) use windows::Watched;

#[cfg(unix)]
mod unix {
    use std::{io, os::fd::AsFd};

    use sinew_reactor::{Interest, Reactor, RegisterError, Token};

    use crate::{Address, Request, Socket};

    /// A registered socket. The registration ends before the socket is closed, which is kept open here until then.
    #[derive(Debug)]
    pub(crate) struct Watched {
        pub(crate) token: Token,
        _socket: Socket,
    }

    impl Watched {
        pub(crate) fn register(reactor: &Reactor, socket: Socket) -> Result<Self, RegisterError> {
            let token = reactor.register_source(&mut socket.as_fd(), Interest::READ)?;
            Ok(Self { token, _socket: socket })
        }

        /// Called after the hook returned `WouldBlock`. No more to do on this platform.
        pub(crate) fn drained(&self) -> Option<io::Result<(Request, Address)>> {
            None
        }
    }
}

#[cfg(windows)]
mod windows {
    use std::{io, net};

    use mio::net::{TcpListener, UdpSocket};
    use sinew_reactor::{Interest, Reactor, RegisterError, Token};

    use crate::{Address, Request, Socket};

    /// A registered socket. The registration ends before the socket is closed, which is kept open here until then.
    #[derive(Debug)]
    pub(crate) struct Watched {
        pub(crate) token: Token,
        source: Source,
    }

    #[derive(Debug)]
    enum Source {
        Tcp(TcpListener),
        Udp(UdpSocket),
    }

    impl Watched {
        pub(crate) fn register(reactor: &Reactor, socket: Socket) -> Result<Self, RegisterError> {
            let duplicate = socket.raw().try_clone().map_err(RegisterError::Io)?;
            let (token, source) =
                if socket.raw().r#type().map_err(RegisterError::Io)? == socket2::Type::STREAM {
                    let mut source = TcpListener::from_std(net::TcpListener::from(duplicate));
                    (reactor.register_source(&mut source, Interest::READ)?, Source::Tcp(source))
                } else {
                    let mut source = UdpSocket::from_std(net::UdpSocket::from(duplicate));
                    (reactor.register_source(&mut source, Interest::READ)?, Source::Udp(source))
                };
            Ok(Self { token, source })
        }

        /// mio rearms its readiness only after one of its own calls has returned `WouldBlock`. The call may find a new
        /// connection.
        pub(crate) fn drained(&self) -> Option<io::Result<(Request, Address)>> {
            match &self.source {
                Source::Tcp(listener) => match listener.accept() {
                    Ok((stream, address)) => Some(adopt(stream).map(|it| (it, address.into()))),
                    Err(_) => None,
                },
                Source::Udp(socket) => {
                    let _ = socket.try_io(|| Err::<(), _>(io::ErrorKind::WouldBlock.into()));
                    None
                }
            }
        }
    }

    fn adopt(stream: mio::net::TcpStream) -> io::Result<Request> {
        let socket = socket2::Socket::from(net::TcpStream::from(stream));
        socket.set_nonblocking(false)?;
        Ok(Request::Stream(Socket::new(socket)))
    }
}
