//! The handle that users hold of a socket for datagrams: [`DatagramTransport`]. It sends at once where the system lets it;
//! all else is done by the loop.

use std::{fmt, io::ErrorKind, net::SocketAddr, rc::Rc, time::Duration};

use sinew_reactor::{PacketInfo, Reactor};

use super::{DatagramAddr, Stopped, core::Core, queue::Pushed};
use crate::TimerId;

/// A socket for datagrams, as a handle that is cheap to clone and may be kept anywhere on the reactor's thread.
///
/// No call calls back. After the end the handle is inert: its calls do nothing, and say so where they return something.
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

/// What became of a datagram that was to be sent. That it was sent says nothing of whether it arrives.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum SendStatus {
    /// The system has taken it.
    Sent,
    /// The system is full; it waits in the send queue.
    Queued,
    /// It waits in the send queue, and so many others were dropped for it ([`Overflow::DropOldest`](crate::Overflow)).
    Displaced(usize),
    /// The send queue has no room for it ([`Overflow::Refuse`](crate::Overflow)).
    Refused,
    /// It was dropped, for the send queue has no room for it ([`Overflow::DropNewest`](crate::Overflow)).
    Dropped,
    /// The system does not send it. Why, the loop tells by [`send_failed`](crate::DatagramProtocol::send_failed).
    Failed,
    /// The socket is closed.
    Closed,
}

/// What a socket for datagrams has done so far, in numbers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct DatagramStats {
    /// Datagrams delivered.
    pub received: u64,
    /// Datagrams that the system has taken.
    pub sent: u64,
    /// Datagrams that came and were dropped, for they were longer than [`max_len`](crate::DatagramConfig::max_len).
    pub truncated: u64,
    /// Datagrams dropped or refused, for the send queue had no room.
    pub overflowed: u64,
    /// Datagrams that the system did not send or, of a connected socket, says not to have arrived.
    pub failed: u64,
    /// Datagrams dropped, for they came from others than the peer before the socket was connected to it.
    pub strangers: u64,
}

impl<A: DatagramAddr> DatagramTransport<A> {
    // ---- sending ----

    /// Sends a datagram to an address, at once if the system takes it. With
    /// [`DatagramConfig::packet_info`](crate::DatagramConfig::packet_info), an answer from within
    /// [`datagram_received`](crate::DatagramProtocol::datagram_received) leaves from the address that was asked.
    pub fn send_to(&self, data: impl AsRef<[u8]>, to: A) -> SendStatus {
        let from = self.0.answers_from(&to);
        self.submit(data.as_ref(), Some(to), from)
    }

    /// Sends a datagram to the peer of a connected socket, at once if the system takes it.
    pub fn send(&self, data: impl AsRef<[u8]>) -> SendStatus {
        self.submit(data.as_ref(), None, None)
    }

    fn submit(&self, data: &[u8], to: Option<A>, from: Option<PacketInfo>) -> SendStatus {
        let core = &*self.0;
        let flags = core.flags.get();
        if flags.over {
            return SendStatus::Closed;
        }
        // What waits goes first.
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

    /// How many datagrams wait in the send queue.
    #[must_use]
    pub fn queued(&self) -> usize {
        self.0.queue.borrow().len()
    }

    // ---- receiving ----

    /// In [`datagram_received`](crate::DatagramProtocol::datagram_received): which of this machine's addresses the datagram was sent
    /// to, and by which interface it came. `None` elsewhere, and without
    /// [`DatagramConfig::packet_info`](crate::DatagramConfig::packet_info).
    #[must_use]
    pub fn packet_info(&self) -> Option<PacketInfo> {
        self.0.packet_info()
    }

    /// Receives nothing until [`resume_receiving`](Self::resume_receiving). What comes meanwhile waits in the system, which
    /// drops what it has no room for.
    pub fn pause_receiving(&self) {
        self.0.update(|flags| flags.paused = true);
        self.0.reschedule();
    }

    /// Receives again, from the loop.
    pub fn resume_receiving(&self) {
        self.0.update(|flags| flags.paused = false);
        self.0.reschedule();
    }

    /// Whether datagrams are received now: neither paused nor stopped.
    #[must_use]
    pub fn is_receiving(&self) -> bool {
        let flags = self.0.flags.get();
        !flags.paused && !flags.over
    }

    // ---- ending ----

    /// Ends it: nothing is received any more; what waits to be sent is sent as far as the system takes it at once, then the
    /// loop closes the socket and tells [`stopped`](crate::DatagramProtocol::stopped).
    pub fn stop(&self) {
        self.0.lose(Stopped::Asked);
    }

    /// Whether it is over.
    #[must_use]
    pub fn is_stopped(&self) -> bool {
        self.0.flags.get().over
    }

    // ---- time ----

    /// Has [`timer_fired`](crate::DatagramProtocol::timer_fired) called once, after `delay`. The timer dies with the socket.
    /// `None` if it is over already.
    pub fn call_later(&self, delay: Duration) -> Option<TimerId> {
        let reactor = self.0.reactor.upgrade().filter(|_| !self.is_stopped())?;
        let key = reactor.arm_timer(self.0.token, delay);
        self.0.timers.add(key);
        Some(TimerId(key))
    }

    /// Takes back a timer. `false` if it has fired or been cancelled already.
    pub fn cancel_timer(&self, timer: TimerId) -> bool {
        self.0.timers.remove(timer.0)
            && self.0.reactor.upgrade().is_some_and(|reactor| reactor.disarm_timer(timer.0))
    }

    // ---- knowing ----

    /// The address that it is bound to, with the port that the system chose if it was asked to.
    #[must_use]
    pub fn local(&self) -> A {
        self.0.local.clone()
    }

    /// The peer, if the socket is connected.
    #[must_use]
    pub fn peer(&self) -> Option<A> {
        self.0.peer.clone()
    }

    /// What it has done so far.
    #[must_use]
    pub fn stats(&self) -> DatagramStats {
        self.0.stats.get()
    }

    /// The reactor that it lives on, or `None` if it has been dropped. In a callback there always is one, for the loop makes
    /// the call; a handle that was kept may outlive its reactor.
    #[must_use]
    pub fn reactor(&self) -> Option<Reactor> {
        self.0.reactor.upgrade()
    }
}

impl DatagramTransport {
    /// As [`send_to`](Self::send_to), from this address of this machine's, which is that of a [`PacketInfo`] or any other: an
    /// answer that had to wait. It need not have been configured, but only Linux and simulated networks have it; elsewhere, and where
    /// the address is none of this machine's, it [fails](SendStatus::Failed).
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
