//! Where handlers wait until a test lets them go on: [`Gate`].

use std::net::{SocketAddr, TcpListener, TcpStream};

use socket2::SockRef;

use super::process::PATIENCE;

/// A handler that is told `gate` connects here, and goes on when its connection ends.
pub(crate) struct Gate {
    listener: TcpListener,
}

impl Gate {
    pub(crate) fn open() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        SockRef::from(&listener).set_read_timeout(Some(PATIENCE)).unwrap();
        Self { listener }
    }

    pub(crate) fn address(&self) -> String {
        self.listener.local_addr().unwrap().to_string()
    }

    /// The next handler that has come here. Dropping this lets it go on.
    pub(crate) fn arrived(&self) -> TcpStream {
        self.listener.accept().unwrap().0
    }

    /// Whether one more is here already.
    pub(crate) fn has_more(&self) -> bool {
        self.listener.set_nonblocking(true).unwrap();
        let more = self.listener.accept().is_ok();
        self.listener.set_nonblocking(false).unwrap();
        more
    }

    /// What a handler does.
    pub(crate) fn pass() {
        let address: SocketAddr = std::env::var("SINEW_GATE").unwrap().parse().unwrap();
        let mut gate = TcpStream::connect(address).unwrap();
        let _ = std::io::Read::read(&mut gate, &mut [0]);
    }
}
