//! The handle that users hold: [`Transport`]. It asks; the loop does.

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
    producer::Feed,
    stream::{DIRECT_MIN, FileProducer, IdleTimeout, Stream},
};

/// One end of a connection, as a handle that is cheap to clone and may be kept anywhere on the reactor's thread.
///
/// Every call returns at once and calls nobody back; what it asks for is done by the loop. After the end of the connection
/// the handle is inert: its calls do nothing, and say so where they return something.
///
/// # Examples
///
/// A protocol may keep the transports of others, as in a chat room:
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

/// Names a connection of a reactor; not used again while anybody could mistake it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ConnectionId(Token);

/// Names a timer of a connection ([`Transport::call_later`]).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct TimerId(pub(crate) TimerKey);

/// What became of a write.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum WriteStatus {
    /// It will be sent.
    Ok,
    /// It will be sent, but more than the high watermark is queued now. What the system does not take when the loop comes by
    /// is told by [`writing_paused`](crate::Protocol::writing_paused), and its sinking by
    /// [`writing_resumed`](crate::Protocol::writing_resumed); a burst that it takes at once is told by neither, so wait
    /// after `writing_paused`, not after this.
    AboveHighWatermark,
    /// It was dropped: the connection is over or closing, or its output has been ended or has failed.
    Closed,
}

impl Transport {
    #[inline]
    pub(crate) fn inner(&self) -> &Stream {
        &self.0
    }

    // ---- writing ----

    /// Queues bytes for sending. They are copied; all that one callback writes leaves in one system call. A large write with
    /// nothing queued before it (16 KiB or more) goes to the system at once, and only what is left of it is copied.
    #[inline]
    pub fn write(&self, data: impl AsRef<[u8]>) -> WriteStatus {
        let data = data.as_ref();
        if data.len() >= DIRECT_MIN {
            return self.write_large(data);
        }
        self.enqueue(|queue| queue.push_slice(data))
    }

    /// Queues bytes for sending without copying them, if they are many (4 KiB or more); fewer are copied, and dropped at
    /// once.
    pub fn write_bytes(&self, bytes: Bytes) -> WriteStatus {
        if self.inner().takes_output() {
            self.enqueue(|queue| queue.push_bytes(bytes))
        } else {
            self.inner().defer_drop(bytes);
            WriteStatus::Closed
        }
    }

    /// Queues several pieces for sending, one after the other.
    pub fn write_vectored(&self, pieces: &[&[u8]]) -> WriteStatus {
        self.enqueue(|queue| pieces.iter().for_each(|piece| queue.push_slice(piece)))
    }

    /// Sends what a producer makes, piece by piece, as fast as the peer takes it. Several producers are asked one after
    /// the other. What is written while a producer is not done goes out between its pieces. A graceful close waits until
    /// all are done. `false`, with the producer dropped, if nothing can be sent any more.
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

    /// Has the producer be asked again that had said [`Production::Waiting`](crate::Production::Waiting).
    pub fn resume_producing(&self) {
        self.inner().resume_producing();
    }

    /// Sends a range of a file: `..` for all of it, as long as it is now. It is read piece by piece, on the loop's thread, as fast
    /// as the peer takes it. Files that do not know their length (of `/proc` and `/sys`, devices) are read to their end. If the file
    /// cannot be read, or is shorter than the range by the time, the connection ends as by [`fail`](Self::fail), with a
    /// [`SendFileError`]. `Ok(false)` if nothing can be sent any more.
    ///
    /// On Linux, into a socket of the kernel's with nothing around it (no TLS), it is not read at all: the kernel moves it, by
    /// [`sendfile(2)`](https://man7.org/linux/man-pages/man2/sendfile.2.html). What waits for room then is in no queue, and so
    /// counts for no watermark; and the peer may see what is written to the file until it has taken the bytes. Files that the
    /// kernel does not move are read, as everywhere else.
    ///
    /// # Errors
    ///
    /// [`SendFileError`], and nothing is sent: the file cannot be positioned, or the range begins past its end or ends before it
    /// begins.
    pub fn send_file(
        &self,
        file: File,
        range: impl RangeBounds<u64>,
    ) -> Result<bool, SendFileError> {
        Ok(self.feed(FileProducer::new(file, range)?))
    }

    /// How many bytes are queued and not yet taken by the system.
    #[must_use]
    pub fn queued(&self) -> usize {
        self.inner().queue_len()
    }

    // ---- descriptors ----

    /// Sends a descriptor to the peer, over a Unix socket: it goes with the first byte that is written after this, since the
    /// system sends none without a byte. Several go in the order in which they were given, up to 64 at a time. The peer has
    /// one of its own; this one is closed once it is sent, or when the connection ends before.
    ///
    /// # Errors
    ///
    /// [`SendDescriptorError`], which hands it back: this is no Unix socket, its output has ended, or too many wait.
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

    /// The next descriptor that the peer has sent, over a Unix socket that
    /// [takes them in](crate::StreamConfig::receive_descriptors). It is there by the time that
    /// [`data_received`](crate::Protocol::data_received) tells of the byte that it was sent with. Those that nobody takes
    /// are closed with the connection.
    #[cfg(unix)]
    #[must_use]
    pub fn take_descriptor(&self) -> Option<OwnedFd> {
        self.inner().take_descriptor()
    }

    // ---- ending ----

    /// Closes gracefully: no more input is delivered, what is queued is sent, then the connection is closed without
    /// cutting off what the peer has yet to read. Bounded by [`linger_timeout`](crate::StreamConfig::linger_timeout).
    pub fn lose_connection(&self) {
        self.inner().lose_connection();
    }

    /// Ends the output once all that is queued has been sent (FIN); input goes on.
    pub fn close_write(&self) {
        self.inner().close_write();
    }

    /// A value when the connection is over and its protocol has been told. Many may wait.
    pub fn when_lost(&self) -> Deferred<()> {
        self.inner().when_lost()
    }

    /// Drops the connection and what is queued at once; the peer sees a reset. Over a Unix socket it sees a plain end, unless
    /// something that it had sent was unread.
    pub fn abort(&self) {
        self.inner().end_now(ConnectionLost::Aborted);
    }

    /// Closes gracefully, as [`lose_connection`](Self::lose_connection), because of an error that the protocol is told as
    /// [`ConnectionLost::Protocol`], however the close goes. The first error counts.
    pub fn fail(&self, error: impl Into<Box<dyn Error>>) {
        self.inner().fail(error.into());
    }

    /// Whether the connection is closing or over, from this side.
    #[must_use]
    pub fn is_closing(&self) -> bool {
        !self.inner().is_open()
    }

    // ---- reading ----

    /// Stops delivery of input, from this very moment, until [`resume_reading`](Self::resume_reading). That the peer has reset the
    /// connection is heard all the same: at once on mio, within a second on the other engines. What had arrived before that is
    /// kept for [`linger_timeout`](crate::StreamConfig::linger_timeout), then the end is told.
    pub fn pause_reading(&self) {
        self.inner().pause_reading();
    }

    /// Goes on with the delivery of input, from the loop.
    pub fn resume_reading(&self) {
        self.inner().resume_reading();
    }

    /// Whether input may be delivered now: not paused, not over the high watermark, not closing. A protocol that cuts its
    /// input into frames asks this before it hands over the next.
    #[must_use]
    #[inline]
    pub fn is_reading(&self) -> bool {
        self.inner().is_reading()
    }

    /// Whether the connection is on its way to TLS, since `start_tls`, which needs the feature `tls`. What a protocol still keeps
    /// of the input now was sent in the clear, and must not be taken for what comes after
    /// [`tls_started`](crate::Protocol::tls_started).
    #[must_use]
    pub fn is_starting_tls(&self) -> bool {
        self.inner().is_handshaking()
    }

    /// Whether this connection stops reading by itself while it is over its high watermark. As configured by
    /// [`StreamConfig::auto_pause`](crate::StreamConfig::auto_pause) at first.
    pub fn set_auto_pause(&self, auto_pause: bool) {
        self.inner().set_auto_pause(auto_pause);
    }

    // ---- time ----

    /// Has [`timer_fired`](crate::Protocol::timer_fired) called once, after `delay`. The timer dies with the connection.
    /// `None` if it is over already.
    pub fn call_later(&self, delay: Duration) -> Option<TimerId> {
        self.inner().call_later(delay).map(TimerId)
    }

    /// Takes back a timer. `false` if it has fired or been cancelled already.
    pub fn cancel_timer(&self, timer: TimerId) -> bool {
        self.inner().cancel_timer(timer.0)
    }

    /// Has [`idle_timeout`](crate::Protocol::idle_timeout) called whenever nothing was received or sent for so long;
    /// `None` switches it off. No time at all counts as a millisecond.
    ///
    /// A connection has one such timeout, this or that of [`set_read_timeout`](Self::set_read_timeout): the last one that was set.
    pub fn set_idle_timeout(&self, timeout: impl Into<Option<Duration>>) {
        self.set_timeout(timeout.into(), true);
    }

    /// As [`set_idle_timeout`](Self::set_idle_timeout), but only what is received counts: a peer that is silent for so long is idle,
    /// however much is sent to it, as a silent member of a busy room is. Time in which its input is not taken (paused, or over the
    /// high watermark) does not count.
    pub fn set_read_timeout(&self, timeout: impl Into<Option<Duration>>) {
        self.set_timeout(timeout.into(), false);
    }

    fn set_timeout(&self, after: Option<Duration>, counts_sent: bool) {
        if let Some(reactor) = self.inner().live_reactor() {
            self.arm_idle(&reactor, after.map(|after| IdleTimeout { after, counts_sent }));
        }
    }

    // ---- knowing ----

    /// The other end.
    #[must_use]
    pub fn peer(&self) -> Peer {
        self.inner().peer()
    }

    /// The address of this end; `None` if it has none or the connection is over.
    #[must_use]
    pub fn local(&self) -> Option<SocketAddr> {
        self.inner().local_addr()
    }

    /// The connection's name.
    #[must_use]
    pub fn id(&self) -> ConnectionId {
        ConnectionId(self.inner().token())
    }

    /// The reactor that this connection lives on, or `None` if it has been dropped. In a callback there always is one, for the
    /// loop makes the call; a handle that was kept may outlive its reactor.
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
    pub fn reactor(&self) -> Option<Reactor> {
        self.inner().reactor()
    }

    /// Whether a port has accepted the connection: the peer opened it.
    #[must_use]
    pub fn is_accepted(&self) -> bool {
        self.inner().is_accepted()
    }

    /// Whether small writes go out at once (`TCP_NODELAY`).
    ///
    /// # Errors
    ///
    /// If the system refuses, or the connection is over. Streams that are not TCP take no notice.
    pub fn set_no_delay(&self, no_delay: bool) -> io::Result<()> {
        self.inner().set_no_delay(no_delay)
    }

    /// Has the kernel ask an idle peer whether it is still there (`SO_KEEPALIVE`): after so long, or as a [`Keepalive`] says in full.
    /// `None` switches it off.
    ///
    /// # Errors
    ///
    /// If the system refuses, or the connection is over. Streams that are not TCP take no notice.
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
