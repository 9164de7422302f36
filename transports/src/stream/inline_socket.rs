//! Inline storage for a plain IPv4 TCP socket, which most connections have: small, and fast to use.

#[cfg(any(target_os = "linux", target_os = "android"))]
mod sys;
#[cfg(any(target_os = "linux", target_os = "android"))]
pub(super) use sys::InlineSocket;

#[cfg(not(any(target_os = "linux", target_os = "android")))]
pub(super) use elsewhere::InlineSocket;

#[cfg(not(any(target_os = "linux", target_os = "android")))]
mod elsewhere {
    use std::{cell::Cell, io};

    use crate::stream::socket::{self, TcpStream};

    /// The socket, taken out for the duration of a call.
    pub(in crate::stream) struct InlineSocket(Cell<Option<TcpStream>>);

    impl InlineSocket {
        pub(in crate::stream) fn new(socket: Option<TcpStream>) -> Self {
            Self(Cell::new(socket))
        }

        /// Returns `None` if there is no socket here.
        pub(in crate::stream) fn receive(&self, buffer: &mut [u8]) -> Option<io::Result<usize>> {
            self.call(|socket| socket::receive(socket, buffer))
        }

        /// Returns `None` if there is no socket here.
        pub(in crate::stream) fn send(&self, data: &[u8]) -> Option<io::Result<usize>> {
            self.call(|socket| socket::send(socket, data))
        }

        fn call<R>(&self, call: impl FnOnce(&TcpStream) -> R) -> Option<R> {
            let socket = self.0.take()?;
            let result = call(&socket);
            self.0.set(Some(socket));
            Some(result)
        }

        pub(in crate::stream) fn take(&self) -> Option<TcpStream> {
            self.0.take()
        }

        pub(in crate::stream) fn put(&self, socket: TcpStream) {
            self.0.set(Some(socket));
        }
    }
}
