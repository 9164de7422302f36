//! A barrier at which handlers wait until the test releases them: [`Gate`].

use std::net::{SocketAddr, TcpListener, TcpStream};

use socket2::SockRef;

use super::process::TEST_TIMEOUT;

/// A handler with the command `gate` connects here, and continues when its connection ends.
pub(crate) struct Gate {
    listener: TcpListener,
}

impl Gate {
    pub(crate) fn open() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        SockRef::from(&listener).set_read_timeout(Some(TEST_TIMEOUT)).unwrap();
        Self { listener }
    }

    pub(crate) fn address(&self) -> String {
        self.listener.local_addr().unwrap().to_string()
    }

    /// The next handler that waits here. Dropping the result releases it.
    pub(crate) fn arrived(&self) -> TcpStream {
        self.listener.accept().unwrap().0
    }

    /// Whether another handler waits here already.
    pub(crate) fn has_more(&self) -> bool {
        self.listener.set_nonblocking(true).unwrap();
        let more = self.listener.accept().is_ok();
        self.listener.set_nonblocking(false).unwrap();
        more
    }

    /// The handler's side: waits at the gate.
    pub(crate) fn pass() {
        let address: SocketAddr = std::env::var("SINEW_GATE").unwrap().parse().unwrap();
        let mut gate = TcpStream::connect(address).unwrap();
        let _ = std::io::Read::read(&mut gate, &mut [0]);
    }
}
