//! The place of a socket that is plainly TCP over IPv4: most are, so that it is to be small, and quick to use.

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

    /// See the head of this file. The socket is taken out for the time of a call.
    pub(in crate::stream) struct InlineSocket(Cell<Option<TcpStream>>);

    impl InlineSocket {
        pub(in crate::stream) fn new(socket: Option<TcpStream>) -> Self {
            Self(Cell::new(socket))
        }

        /// `None` if there is none here.
        pub(in crate::stream) fn receive(&self, buffer: &mut [u8]) -> Option<io::Result<usize>> {
            self.call(|socket| socket::receive(socket, buffer))
        }

        /// `None` if there is none here.
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
