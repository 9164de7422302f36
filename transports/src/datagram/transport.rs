//! The user's handle of a datagram socket: [`DatagramTransport`]. It sends at once if the socket has room; everything else is done
//! by the event loop.

use std::{fmt, io::ErrorKind, net::SocketAddr, rc::Rc, time::Duration};

use sinew_reactor::{PacketInfo, Reactor};

use super::{DatagramAddr, Stopped, core::Core, queue::Pushed};
use crate::TimerId;

/// A handle of a datagram socket. Cheap to clone; may be kept anywhere on the reactor's thread.
///
/// No method calls back into user code. After the end the handle is inert: methods do nothing, and say so where they return a value.
///
/// # Examples
///
/// ```
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use std::net::SocketAddr;
/// use sinew_reactor::Reactor;
/// use sinew_transports::{DatagramProtocol, DatagramTransport, ReactorUdp};
///
/// struct SaysOk;
///
/// impl DatagramProtocol for SaysOk {
///     fn datagram_received(&mut self, transport: &DatagramTransport, _: &[u8], from: SocketAddr) {
///         transport.send_to(b"ok", from);
///     }
/// }
///
/// let reactor = Reactor::new()?;
/// let transport = reactor.listen_udp("127.0.0.1:0", SaysOk)?;
/// println!("listening on {}", transport.local());
/// transport.stop();
/// # Ok(())
/// # }
/// ```
pub struct DatagramTransport<A: DatagramAddr = SocketAddr>(pub(super) Rc<Core<A>>);

/// The result of sending a datagram. `Sent` does not imply that it arrives.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum SendStatus {
    /// The kernel has accepted it.
    Sent,
    /// The socket's buffer is full; it is in the send queue.
    Queued,
    /// It is in the send queue, and this many others were dropped to make room ([`Overflow::DropOldest`](crate::Overflow)).
    Displaced(usize),
    /// The send queue is full ([`Overflow::Refuse`](crate::Overflow)).
    Refused,
    /// It was dropped, since the send queue is full ([`Overflow::DropNewest`](crate::Overflow)).
    Dropped,
    /// The system refused it. [`send_failed`](crate::DatagramProtocol::send_failed) will be called with the cause.
    Failed,
    /// The socket is closed.
    Closed,
}

/// Counters of a datagram socket.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct DatagramStats {
    /// Datagrams delivered.
    pub received: u64,
    /// Datagrams accepted by the kernel.
    pub sent: u64,
    /// Datagrams dropped on receipt, since they were longer than [`max_len`](crate::DatagramConfig::max_len).
    pub truncated: u64,
    /// Datagrams dropped or refused, since the send queue was full.
    pub overflowed: u64,
    /// Datagrams that could not be sent or, on a connected socket, were reported as undelivered.
    pub failed: u64,
    /// Datagrams dropped, since they came from other senders than the peer, before the socket was connected.
    pub wrong_sender: u64,
}

impl<A: DatagramAddr> DatagramTransport<A> {
    // ---- sending ----

    /// Sends a datagram to an address, at once if the socket has room. With
    /// [`DatagramConfig::packet_info`](crate::DatagramConfig::packet_info), an answer from within
    /// [`datagram_received`](crate::DatagramProtocol::datagram_received) has the address that the request was sent to as its source.
    pub fn send_to(&self, data: impl AsRef<[u8]>, to: A) -> SendStatus {
        let from = self.0.answers_from(&to);
        self.submit(data.as_ref(), Some(to), from)
    }

    /// Sends a datagram to the peer of a connected socket, at once if the socket has room.
    pub fn send(&self, data: impl AsRef<[u8]>) -> SendStatus {
        self.submit(data.as_ref(), None, None)
    }

    fn submit(&self, data: &[u8], to: Option<A>, from: Option<PacketInfo>) -> SendStatus {
        let core = &*self.0;
        let flags = core.flags.get();
        if flags.closing {
            return SendStatus::Closed;
        }
        // Queued datagrams go first.
        if !flags.blocked && core.queue.borrow().is_empty() {
            match core.send_now(data, to.as_ref(), from.as_ref()) {
                Ok(()) => return SendStatus::Sent,
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    core.block();
                }
                Err(error) => {
                    core.failed(to, error);
                    return SendStatus::Failed;
                }
            }
        }
        let pushed = core.queue.borrow_mut().push(data, (to, from), &core.config);
        let (status, lost) = match pushed {
            Pushed::Queued => (SendStatus::Queued, 0),
            Pushed::Displaced(count) => (SendStatus::Displaced(count), count),
            Pushed::Dropped => (SendStatus::Dropped, 1),
            Pushed::Refused => {
                core.update(|flags| flags.resume_owed = true);
                (SendStatus::Refused, 1)
            }
        };
        core.count(|stats| stats.overflowed += lost as u64);
        status
    }

    /// Number of datagrams in the send queue.
    #[must_use]
    pub fn queued(&self) -> usize {
        self.0.queue.borrow().len()
    }

    // ---- receiving ----

    /// In [`datagram_received`](crate::DatagramProtocol::datagram_received): the local address that the datagram was sent
    /// to, and the interface that it came in by. `None` elsewhere, and without
    /// [`DatagramConfig::packet_info`](crate::DatagramConfig::packet_info).
    #[must_use]
    pub fn packet_info(&self) -> Option<PacketInfo> {
        self.0.packet_info()
    }

    /// Stops receiving until [`resume_receiving`](Self::resume_receiving). Datagrams wait in the kernel's buffer, and are dropped
    /// when it is full.
    pub fn pause_receiving(&self) {
        self.0.update(|flags| flags.paused = true);
        self.0.reschedule();
    }

    /// Resumes receiving, from the event loop.
    pub fn resume_receiving(&self) {
        self.0.update(|flags| flags.paused = false);
        self.0.reschedule();
    }

    /// Whether datagrams are received: neither paused nor stopped.
    #[must_use]
    pub fn is_receiving(&self) -> bool {
        let flags = self.0.flags.get();
        !flags.paused && !flags.closing
    }

    // ---- ending ----

    /// Closes the socket: receives no more, sends queued datagrams as far as the socket has room, then the
    /// event loop closes it and calls [`stopped`](crate::DatagramProtocol::stopped).
    pub fn stop(&self) {
        self.0.close(Stopped::Requested);
    }

    /// Whether the socket is closed or closing.
    #[must_use]
    pub fn is_stopped(&self) -> bool {
        self.0.flags.get().closing
    }

    // ---- time ----

    /// Starts a timer that calls [`timer_fired`](crate::DatagramProtocol::timer_fired) once, after `delay`. It is cancelled when
    /// the socket is closed. `None` if it is closed already.
    pub fn call_later(&self, delay: Duration) -> Option<TimerId> {
        let reactor = self.0.reactor.upgrade().filter(|_| !self.is_stopped())?;
        let key = reactor.arm_timer(self.0.token, delay);
        self.0.timers.add(key);
        Some(TimerId(key))
    }

    /// Cancels a timer. `false` if it has fired or been cancelled already.
    pub fn cancel_timer(&self, timer: TimerId) -> bool {
        self.0.timers.remove(timer.0)
            && self.0.reactor.upgrade().is_some_and(|reactor| reactor.disarm_timer(timer.0))
    }

    // ---- information ----

    /// The bound address, with the port that the system chose if port 0 was requested.
    #[must_use]
    pub fn local(&self) -> A {
        self.0.local.clone()
    }

    /// The peer, if the socket is connected.
    #[must_use]
    pub fn peer(&self) -> Option<A> {
        self.0.peer.clone()
    }

    /// Counters.
    #[must_use]
    pub fn stats(&self) -> DatagramStats {
        self.0.stats.get()
    }

    /// The reactor, or `None` if it has been dropped. In a callback there always is one; a stored handle may outlive its
    /// reactor.
    #[must_use]
    pub fn reactor(&self) -> Option<Reactor> {
        self.0.reactor.upgrade()
    }
}

impl DatagramTransport {
    /// As [`send_to`](Self::send_to), with a chosen local source address, from a [`PacketInfo`] or any other, for answers sent
    /// later. Needs no configuration. Supported on Linux and in simulated networks; elsewhere, and if the
    /// address is not local, the result is [`SendStatus::Failed`].
    ///
    /// # Examples
    ///
    /// ```
    /// use std::{net::SocketAddr, time::Duration};
    /// use sinew_transports::{DatagramProtocol, DatagramTransport, PacketInfo, TimerId};
    ///
    /// /// Answers after a second, one client at a time.
    /// #[derive(Default)]
    /// struct Slow {
    ///     client: Option<(SocketAddr, PacketInfo)>,
    /// }
    ///
    /// impl DatagramProtocol for Slow {
    ///     fn datagram_received(&mut self, transport: &DatagramTransport, _: &[u8], from: SocketAddr) {
    ///         if let (None, Some(info)) = (&self.client, transport.packet_info()) {
    ///             self.client = Some((from, info));
    ///             transport.call_later(Duration::from_secs(1));
    ///         }
    ///     }
    ///     fn timer_fired(&mut self, transport: &DatagramTransport, _: TimerId) {
    ///         if let Some((client, info)) = self.client.take() {
    ///             transport.send_from(b"done", client, info);
    ///         }
    ///     }
    /// }
    /// ```
    pub fn send_from(
        &self,
        data: &[u8],
        to: SocketAddr,
        from: impl Into<PacketInfo>,
    ) -> SendStatus {
        self.submit(data, Some(to), Some(from.into()))
    }

    /// A duplicate of the socket, for a process that is to receive in place of this one
    /// ([`ReactorAdopt::adopt_udp`](crate::ReactorAdopt::adopt_udp)). Unix only.
    ///
    /// # Errors
    ///
    /// If the system refuses, or the socket is closed or not one of the kernel's.
    #[cfg(unix)]
    pub fn to_hand_over(&self) -> std::io::Result<std::os::fd::OwnedFd> {
        use std::os::fd::AsFd;
        let socket = self.0.socket.borrow();
        let socket = socket.as_ref().and_then(|socket| socket.as_udp());
        let duplicate = match socket {
            Some(socket) => socket.as_fd().try_clone_to_owned()?,
            None => return Err(std::io::ErrorKind::Unsupported.into()),
        };
        if let Some(reactor) = self.reactor() {
            // An engine must be told that closing the socket here does not end it.
            reactor.mark_shared(self.0.token);
        }
        Ok(duplicate)
    }
}

impl<A: DatagramAddr> Clone for DatagramTransport<A> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<A: DatagramAddr> PartialEq for DatagramTransport<A> {
    /// Whether both are handles of the same socket.
    fn eq(&self, other: &Self) -> bool {
        Rc::ptr_eq(&self.0, &other.0)
    }
}

impl<A: DatagramAddr> Eq for DatagramTransport<A> {}

impl<A: DatagramAddr> fmt::Debug for DatagramTransport<A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DatagramTransport")
            .field("local", &self.0.local)
            .field("peer", &self.0.peer)
            .field("queued", &self.queued())
            .field("stopped", &self.is_stopped())
            .finish()
    }
}
