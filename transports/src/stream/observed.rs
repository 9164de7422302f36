//! A socket that is watched: [`Observed`] forwards every call and tells a [`StreamObserver`].

use std::io::{self, IoSlice};

use super::{socket::Socket, wrapper::Wrapper};
use crate::{Transport, net::StreamObserver};

/// See the head of this file. The observer goes first, so that it is dropped before the socket is closed.
struct Observed {
    observer: Box<dyn StreamObserver>,
    socket: Socket,
}

impl Wrapper for Observed {
    fn inner(&self) -> &Socket {
        &self.socket
    }

    fn read(&self, buffer: &mut [u8]) -> io::Result<usize> {
        let result = self.socket.read(buffer);
        self.observer.read(result.as_ref().map(|len| &buffer[..*len]));
        result
    }

    fn completed(&self, result: Result<&[u8], &io::Error>) {
        self.observer.read(result);
    }

    fn write_vectored(&self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        let result = self.socket.write_vectored(slices);
        self.observer.written(slices, result.as_ref().copied());
        result
    }

    fn close_write(&self) -> io::Result<()> {
        let result = self.socket.close_write();
        self.observer.write_closed(result.as_ref().copied());
        result
    }

    fn check(&self) -> io::Result<()> {
        let result = self.socket.check();
        self.observer.checked(result.as_ref().copied());
        result
    }

    fn reset(&self) {
        self.observer.reset();
        self.socket.reset();
    }
}

impl Transport {
    /// Puts an observer around the connection's socket, for as long as the connection lives; for tests and recordings. From then on the
    /// connection takes no shortcuts, such as `sendfile(2)` and `splice(2)`. To be called from a callback of the protocol; of a
    /// connection that is over it does nothing.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::{cell::Cell, io, rc::Rc, time::Duration};
    /// use sinew_transports::{
    ///     Protocol, StreamConfig, Transport, memory,
    ///     net::StreamObserver,
    ///     reactor::Reactor,
    /// };
    ///
    /// struct Counter(Rc<Cell<usize>>);
    ///
    /// impl StreamObserver for Counter {
    ///     fn read(&self, result: Result<&[u8], &io::Error>) {
    ///         self.0.set(self.0.get() + result.map_or(0, <[u8]>::len));
    ///     }
    ///     fn written(&self, _: &[io::IoSlice<'_>], _: Result<usize, &io::Error>) {}
    ///     fn write_closed(&self, _: Result<(), &io::Error>) {}
    ///     fn checked(&self, _: Result<(), &io::Error>) {}
    ///     fn reset(&self) {}
    /// }
    ///
    /// struct Observed(Rc<Cell<usize>>);
    ///
    /// impl Protocol for Observed {
    ///     fn connection_made(&mut self, transport: &Transport) {
    ///         transport.observe(Box::new(Counter(self.0.clone())));
    ///     }
    ///     fn data_received(&mut self, _: &Transport, _: &[u8]) {}
    /// }
    ///
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let (reactor, seen) = (Reactor::simulated(0), Rc::new(Cell::new(0)));
    /// let (_, wire) = memory::connect(&reactor, StreamConfig::default(), Observed(seen.clone()))?;
    /// wire.receive(b"hello");
    /// reactor.advance(Duration::ZERO)?;
    /// assert_eq!(seen.get(), 5);
    /// # Ok(())
    /// # }
    /// ```
    pub fn observe(&self, observer: Box<dyn StreamObserver>) {
        self.inner().wrap_socket(|socket| Socket::Other(Box::new(Observed { observer, socket })));
    }
}
