//! The user's handle of a connection: [`Transport`]. Its methods record requests; the event loop performs them.

#[cfg(unix)]
use std::os::fd::OwnedFd;
use std::{
    error::Error, fmt, fs::File, io, net::SocketAddr, ops::RangeBounds, rc::Rc, time::Duration,
};

use bytes::Bytes;
use sinew_reactor::{Deferred, Reactor, TimerKey, Token};

#[cfg(unix)]
use crate::SendDescriptorError;
use crate::{
    ConnectionLost, Keepalive, Peer, Producer, SendFileError,
    config::IdleTimeout,
    producer::Feed,
    stream::{DIRECT_MIN, FileProducer, Stream},
};

/// The handle of a connection, cheap to clone, which may be stored anywhere on the reactor's thread.
///
/// Each method returns at once and never calls user code; the event loop does the work. After the end of the connection the
/// handle is inert: its methods do nothing, and their return values say so.
///
/// # Examples
///
/// A protocol may store the transports of other connections, as in a chat room:
///
/// ```
/// use std::{cell::RefCell, rc::Rc};
/// use sinew_transports::{ConnectionLost, Protocol, Transport};
///
/// struct Chat { room: Rc<RefCell<Vec<Transport>>> }
///
/// impl Protocol for Chat {
///     fn connection_made(&mut self, transport: &Transport) {
///         self.room.borrow_mut().push(transport.clone());
///     }
///     fn data_received(&mut self, _: &Transport, data: &[u8]) {
///         for member in self.room.borrow().iter() {
///             member.write(data);
///         }
///     }
///     fn connection_lost(&mut self, transport: &Transport, _: &ConnectionLost) {
///         self.room.borrow_mut().retain(|member| member.id() != transport.id());
///     }
/// }
/// ```
#[derive(Clone)]
pub struct Transport(pub(crate) Rc<Stream>);

/// Identifies a connection within its reactor. Contains a generation number, so that it is not reused for another connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ConnectionId(Token);

/// Identifies a timer of a connection ([`Transport::call_later`]).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct TimerId(pub(crate) TimerKey);

/// Result of a write.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum WriteStatus {
    /// The data will be sent.
    Ok,
    /// The data will be sent, but more than the high watermark is queued now. If the kernel does not accept it at the next flush,
    /// [`writing_paused`](crate::Protocol::writing_paused) is called, and
    /// [`writing_resumed`](crate::Protocol::writing_resumed) at the low watermark. If the kernel accepts it at once, neither is
    /// called, so stop producing after `writing_paused`, not after this value.
    AboveHighWatermark,
    /// The data was dropped: the connection is closing or over, or its output has been ended or has failed.
    Closed,
}

impl ConnectionId {
    pub(crate) const fn of(token: Token) -> Self {
        Self(token)
    }

    pub(crate) const fn token(self) -> Token {
        self.0
    }

    /// The id as a number, to be named outside of the process.
    #[must_use]
    pub const fn to_bits(self) -> u64 {
        self.0.to_bits()
    }

    /// The id with this number. Any number is one; a wrong one belongs to no connection.
    #[must_use]
    pub const fn from_bits(bits: u64) -> Self {
        Self(Token::from_bits(bits))
    }
}

impl fmt::Display for ConnectionId {
    /// A short word without spaces, for [`from_str`](std::str::FromStr): hexadecimal.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&format!("{:x}", self.to_bits()))
    }
}

impl std::str::FromStr for ConnectionId {
    type Err = std::num::ParseIntError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        u64::from_str_radix(text, 16).map(Self::from_bits)
    }
}

impl Transport {
    #[inline]
    pub(crate) fn inner(&self) -> &Stream {
        &self.0
    }

    // ---- writing ----

    /// Queues bytes for sending, by copy. Everything that one callback writes is sent in one system call. A large write (16 KiB
    /// or more) with nothing queued before it goes to the kernel at once, and only what the kernel does not accept is copied.
    #[inline]
    pub fn write(&self, data: impl AsRef<[u8]>) -> WriteStatus {
        let data = data.as_ref();
        if data.len() >= DIRECT_MIN {
            return self.write_large(data);
        }
        self.enqueue(|queue| queue.push_slice(data))
    }

    /// Queues bytes for sending, without a copy from 4 KiB on (zero-copy). Fewer bytes are copied and the value is dropped at
    /// once.
    pub fn write_bytes(&self, bytes: Bytes) -> WriteStatus {
        if self.inner().takes_output() {
            self.enqueue(|queue| queue.push_bytes(bytes))
        } else {
            self.inner().defer_drop(bytes);
            WriteStatus::Closed
        }
    }

    /// Queues several slices for sending, in order.
    pub fn write_vectored(&self, pieces: &[&[u8]]) -> WriteStatus {
        self.enqueue(|queue| pieces.iter().for_each(|piece| queue.push_slice(piece)))
    }

    /// Sends the output of a producer, piece by piece, as fast as the peer receives it (backpressure). Several producers run one
    /// after the other. What is written while a producer runs is sent between its pieces. A graceful close waits until all are
    /// done. Returns `false`, with the producer dropped, if nothing can be sent any more.
    pub fn stream(&self, producer: impl Producer) -> bool {
        self.feed(producer)
    }

    fn feed(&self, feed: impl Feed + 'static) -> bool {
        let taken = self.inner().takes_output();
        if taken {
            self.inner().add_producer(Box::new(feed));
        } else {
            self.inner().defer_drop(feed);
        }
        taken
    }

    /// Calls the producer again after it returned [`Production::Waiting`](crate::Production::Waiting).
    pub fn resume_producing(&self) {
        self.inner().resume_producing();
    }

    /// Sends a range of a file: `..` for all of it, up to its present length. The file is read piece by piece, on the event
    /// loop's thread, as fast as the peer receives it. Files without a known length (of `/proc` and `/sys`, devices) are read to
    /// their end. If a read fails, or the file has become shorter than the range, the connection ends as by [`fail`](Self::fail),
    /// with a [`SendFileError`]. Returns `Ok(false)` if nothing can be sent any more.
    ///
    /// On Linux, to a plain kernel socket (no TLS), the kernel copies the file to the socket by itself, by
    /// [`sendfile(2)`](https://man7.org/linux/man-pages/man2/sendfile.2.html) (zero-copy). Bytes that wait for room in the socket
    /// are then in no queue and count for no watermark, and the peer may see later changes of the file until it has received the
    /// bytes. Files that the kernel cannot send this way are read, as on other systems.
    ///
    /// # Errors
    ///
    /// [`SendFileError`], and nothing is sent: the file is not seekable, or the range begins past its end or ends before it
    /// begins.
    pub fn send_file(
        &self,
        file: File,
        range: impl RangeBounds<u64>,
    ) -> Result<bool, SendFileError> {
        Ok(self.feed(FileProducer::new(file, range)?))
    }

    /// Bytes that are queued and not yet accepted by the kernel.
    #[must_use]
    pub fn queued(&self) -> usize {
        self.inner().queue_len()
    }

    // ---- file descriptors ----

    /// Sends a file descriptor to the peer over a Unix socket. It is sent with the first byte written after this call, since the
    /// kernel sends no descriptor without a byte. Several are sent in order, up to 64 at a time. The peer receives a duplicate;
    /// this descriptor is closed once it is sent, or when the connection ends.
    ///
    /// # Errors
    ///
    /// [`SendDescriptorError`], which returns it: this is not a Unix socket, its output has ended, or too many are queued.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::{fs::File, io};
    /// use sinew_transports::Transport;
    ///
    /// fn hand_over(transport: &Transport, file: File) -> io::Result<()> {
    ///     transport.send_descriptor(file).map_err(io::Error::other)?;
    ///     transport.write(b"here is the file\n");
    ///     Ok(())
    /// }
    /// ```
    #[cfg(unix)]
    pub fn send_descriptor(
        &self,
        descriptor: impl Into<OwnedFd>,
    ) -> Result<(), SendDescriptorError> {
        self.inner().send_descriptor(descriptor.into())
    }

    /// The next file descriptor that the peer has sent, over a Unix socket that is configured to [receive
    /// them](crate::StreamConfig::receive_descriptors). It is available when [`data_received`](crate::Protocol::data_received) is
    /// called with the byte that it was sent with. Descriptors that are not taken are closed with the connection.
    #[cfg(unix)]
    #[must_use]
    pub fn take_descriptor(&self) -> Option<OwnedFd> {
        self.inner().take_descriptor()
    }

    // ---- closing ----

    /// Closes gracefully: delivers no more input, sends what is queued, then closes without a reset that could discard data in
    /// flight (lingering close). Bounded by [`linger_timeout`](crate::StreamConfig::linger_timeout).
    pub fn lose_connection(&self) {
        self.inner().lose_connection();
    }

    /// Half-close: ends the output (FIN) once everything queued has been sent. Input continues.
    pub fn close_write(&self) {
        self.inner().close_write();
    }

    /// Resolves when the connection is over and its protocol's `connection_lost` has returned. May be called any number of times.
    pub fn when_lost(&self) -> Deferred<()> {
        self.inner().when_lost()
    }

    /// Drops the connection and its queue at once; the peer receives a reset. A Unix socket has no reset: its peer sees an end of
    /// stream, or a reset if it had sent data that was not read.
    pub fn abort(&self) {
        self.inner().disconnect(ConnectionLost::Aborted);
    }

    /// Closes gracefully, as [`lose_connection`](Self::lose_connection), because of an error. `connection_lost` receives it as
    /// [`ConnectionLost::Protocol`], however the close goes. Only the first error counts.
    pub fn fail(&self, error: impl Into<Box<dyn Error>>) {
        self.inner().fail(error.into());
    }

    /// Whether this side is closing the connection, or it is over.
    #[must_use]
    pub fn is_closing(&self) -> bool {
        !self.inner().is_open()
    }

    // ---- reading ----

    /// Stops the delivery of input at once, until [`resume_reading`](Self::resume_reading). A reset by the peer is still
    /// detected: at once on mio, within a second on the other engines. Data that arrived before the reset is then kept for
    /// [`linger_timeout`](crate::StreamConfig::linger_timeout), after which `connection_lost` is called.
    pub fn pause_reading(&self) {
        self.inner().pause_reading();
    }

    /// Resumes the delivery of input, from the event loop.
    pub fn resume_reading(&self) {
        self.inner().resume_reading();
    }

    /// Whether input may be delivered now: not paused, not above the high watermark, not closing. A framing protocol checks this
    /// before it delivers the next frame of its buffer.
    #[must_use]
    #[inline]
    pub fn is_reading(&self) -> bool {
        self.inner().is_reading()
    }

    /// Whether `start_tls` (feature `tls`) was called and its handshake is not complete. Input that a protocol still holds now
    /// was received in plaintext, and must not be taken for input after [`tls_started`](crate::Protocol::tls_started).
    #[must_use]
    pub fn is_starting_tls(&self) -> bool {
        self.inner().is_handshaking()
    }

    /// Whether this connection stops reading by itself while it is above its high watermark. The initial value is
    /// [`StreamConfig::auto_pause`](crate::StreamConfig::auto_pause).
    pub fn set_auto_pause(&self, auto_pause: bool) {
        self.inner().set_auto_pause(auto_pause);
    }

    // ---- time ----

    /// Calls [`timer_fired`](crate::Protocol::timer_fired) once, after `delay`. The timer is cancelled when the connection ends.
    /// Returns `None` if it is over already.
    pub fn call_later(&self, delay: Duration) -> Option<TimerId> {
        self.inner().call_later(delay).map(TimerId)
    }

    /// Cancels a timer. Returns `false` if it has fired or been cancelled already.
    pub fn cancel_timer(&self, timer: TimerId) -> bool {
        self.inner().cancel_timer(timer.0)
    }

    /// Calls [`idle_timeout`](crate::Protocol::idle_timeout) whenever nothing was received or sent for this long; `None` turns it
    /// off. Zero counts as one millisecond.
    ///
    /// A connection has one such timeout: this call and [`set_read_timeout`](Self::set_read_timeout) replace each other's.
    pub fn set_idle_timeout(&self, timeout: impl Into<Option<Duration>>) {
        self.set_timeout(timeout.into(), true);
    }

    /// Like [`set_idle_timeout`](Self::set_idle_timeout), but only received data counts as activity: a peer that sends nothing
    /// for this long is idle, however much is sent to it, like a silent member of a busy chat room. Time in which its input is
    /// not read (paused, or above the high watermark) does not count.
    pub fn set_read_timeout(&self, timeout: impl Into<Option<Duration>>) {
        self.set_timeout(timeout.into(), false);
    }

    fn set_timeout(&self, after: Option<Duration>, counts_sent: bool) {
        if let Some(reactor) = self.inner().live_reactor() {
            self.arm_idle(&reactor, after.map(|after| IdleTimeout { after, counts_sent }));
        }
    }

    // ---- properties ----

    /// The address of the other end.
    #[must_use]
    pub fn peer(&self) -> Peer {
        self.inner().peer()
    }

    /// The address of this end; `None` if it has no address or the connection is over.
    #[must_use]
    pub fn local(&self) -> Option<SocketAddr> {
        self.inner().local_addr()
    }

    /// The connection's identifier.
    #[must_use]
    pub fn id(&self) -> ConnectionId {
        ConnectionId(self.inner().token())
    }

    /// The reactor of this connection, or `None` if it has been dropped. In a callback there always is one; a stored handle may
    /// outlive its reactor.
    ///
    /// # Examples
    ///
    /// ```
    /// use sinew_transports::{Protocol, Transport};
    ///
    /// struct StopsTheLoop;
    ///
    /// impl Protocol for StopsTheLoop {
    ///     fn data_received(&mut self, transport: &Transport, _: &[u8]) {
    ///         let Some(reactor) = transport.reactor() else { return };
    ///         let _ = reactor.stop(); // an error says that it stops already
    ///     }
    /// }
    /// ```
    #[must_use]
    #[inline]
    pub fn reactor(&self) -> Option<Reactor> {
        self.inner().reactor()
    }

    /// Whether the connection is encrypted by TLS, or its handshake is under way.
    #[must_use]
    pub fn is_tls(&self) -> bool {
        self.inner().is_layered()
    }

    /// Whether a port accepted the connection, so that the peer opened it.
    #[must_use]
    pub fn is_accepted(&self) -> bool {
        self.inner().is_accepted()
    }

    /// Sets whether small writes are sent at once (`TCP_NODELAY`).
    ///
    /// # Errors
    ///
    /// If the kernel refuses, or the connection is over. No effect on streams that are not TCP.
    pub fn set_no_delay(&self, no_delay: bool) -> io::Result<()> {
        self.inner().set_no_delay(no_delay)
    }

    /// Turns on TCP keepalive (`SO_KEEPALIVE`): probes of an idle peer, after this time, or as a [`Keepalive`] specifies. `None`
    /// turns it off.
    ///
    /// # Errors
    ///
    /// If the kernel refuses, or the connection is over. No effect on streams that are not TCP.
    pub fn set_keepalive(&self, keepalive: impl Into<Keepalive>) -> io::Result<()> {
        self.inner().set_keepalive(keepalive.into())
    }
}

impl PartialEq for Transport {
    /// Whether both are handles of the same connection.
    fn eq(&self, other: &Self) -> bool {
        Rc::ptr_eq(&self.0, &other.0)
    }
}

impl Eq for Transport {}

impl fmt::Debug for Transport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Transport")
            .field("peer", &self.peer())
            .field("queued", &self.queued())
            .field("closing", &self.is_closing())
            .finish()
    }
}
