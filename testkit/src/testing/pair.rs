//! [`Pair`]: a server and a client protocol connected in memory.

use std::{fmt, rc::Rc, time::Duration};

use sinew_reactor::{Reactor, RegisterError};

use super::{
    assert_no_panics,
    observer::{Observer, Seen},
    seed,
};
use sinew_transports::{
    Connection, Protocol, StreamConfig, Transport,
    memory::{self, Wire},
};

#[cfg(feature = "tls")]
mod secured;

/// Maximum steps without advancing time; protocols that need more never become idle.
const STEPS_PER_MOMENT_MAX: usize = 1_000_000;

/// Two protocols connected in memory, on a [simulated](Reactor::simulated) reactor. The test decides when bytes move
/// and when time passes.
///
/// # Examples
///
/// ```
/// use std::time::Duration;
/// use sinew_transports::{Protocol, Transport};
/// use sinew_testkit::testing::Pair;
///
/// struct Echo;
///
/// impl Protocol for Echo {
///     fn data_received(&mut self, transport: &Transport, data: &[u8]) {
///         transport.write(data);
///     }
/// }
///
/// /// Sends hello, and closes once it has received it back.
/// #[derive(Default)]
/// struct Hello(Vec<u8>);
///
/// impl Protocol for Hello {
///     fn connection_made(&mut self, transport: &Transport) {
///         transport.write(b"hello");
///     }
///     fn data_received(&mut self, transport: &Transport, data: &[u8]) {
///         self.0.extend_from_slice(data);
///         if self.0 == b"hello" {
///             transport.lose_connection();
///         }
///     }
/// }
///
/// let pair = Pair::new(Echo, Hello::default());
/// assert_eq!(pair.in_flight(), (5, 0)); // to the server, to the client
/// pair.drive();
/// assert_eq!(pair.in_flight(), (0, 0));
/// pair.assert_over();
/// ```
pub struct Pair<S: Protocol, C: Protocol> {
    reactor: Reactor,
    server: End<S>,
    client: End<C>,
}

struct End<P: Protocol> {
    connection: Connection<Observer<P>>,
    wire: Wire,
    seen: Rc<Seen>,
}

type Joined<P> = (Connection<Observer<P>>, Wire);

impl<P: Protocol> End<P> {
    fn new(reactor: &Reactor, config: StreamConfig, protocol: P) -> Self {
        Self::joined(protocol, |protocol| memory::connect(reactor, config, protocol))
    }

    fn joined(
        protocol: P,
        join: impl FnOnce(Observer<P>) -> Result<Joined<P>, RegisterError>,
    ) -> Self {
        let (protocol, seen) = Observer::new(protocol);
        let (connection, wire) = join(protocol).expect("a new reactor has room for two");
        Self { connection, wire, seen }
    }

    /// Moves up to `max` bytes, and an end or reset, to the other end; `false` if there was nothing to move.
    fn transfer_to<Q: Protocol>(&self, other: &End<Q>, max: usize) -> bool {
        let mut moved = false;
        let piece = self.wire.take(max);
        if !piece.is_empty() {
            moved = true;
            other.wire.receive_if_open(&piece);
        }
        if self.wire.was_reset() {
            moved |= other.wire.reset_if_open();
        } else if self.wire.is_ended() && self.wire.sent_len() == 0 {
            moved |= other.wire.close_if_open();
        }
        moved
    }
}

impl<S: Protocol, C: Protocol> Pair<S, C> {
    /// Connects the two. `connection_made` has been called on both, and nothing has been moved yet. Randomness comes
    /// from `SINEW_SEED`, or from seed 0.
    pub fn new(server: S, client: C) -> Self {
        Self::with_config(StreamConfig::default(), StreamConfig::default(), server, client)
    }

    /// Like [`new`](Self::new), with the limits and options of the server's and the client's streams.
    ///
    /// # Panics
    ///
    /// If a protocol never becomes idle after `connection_made`.
    pub fn with_config(
        server_config: StreamConfig,
        client_config: StreamConfig,
        server: S,
        client: C,
    ) -> Self {
        let reactor = Reactor::simulated(seed().unwrap_or(0));
        let server = End::new(&reactor, server_config, server);
        let client = End::new(&reactor, client_config, client);
        Self::between(reactor, server, client)
    }

    fn between(reactor: Reactor, server: End<S>, client: End<C>) -> Self {
        let pair = Self { reactor, server, client };
        pair.settle();
        pair
    }

    /// The reactor of both.
    #[must_use]
    pub fn reactor(&self) -> &Reactor {
        &self.reactor
    }

    /// The server's transport.
    #[must_use]
    pub fn server(&self) -> &Transport {
        self.server.connection.transport()
    }

    /// The client's transport.
    #[must_use]
    pub fn client(&self) -> &Transport {
        self.client.connection.transport()
    }

    /// Calls `f` with the server's protocol at once; `None` if the connection has ended.
    pub fn with_server<R>(&self, f: impl FnOnce(&mut S, &Transport) -> R) -> Option<R> {
        self.server.connection.with(|observer, transport| f(observer.get_mut(), transport))
    }

    /// Calls `f` with the client's protocol at once; `None` if the connection has ended.
    pub fn with_client<R>(&self, f: impl FnOnce(&mut C, &Transport) -> R) -> Option<R> {
        self.client.connection.with(|observer, transport| f(observer.get_mut(), transport))
    }

    /// The reason for which the server's connection was lost, as text; `None` while it is open.
    #[must_use]
    pub fn server_lost(&self) -> Option<String> {
        self.server.seen.lost()
    }

    /// The reason for which the client's connection was lost, as text; `None` while it is open.
    #[must_use]
    pub fn client_lost(&self) -> Option<String> {
        self.client.seen.lost()
    }

    /// Bytes in flight to the server, and to the client: sent by one end and not read by the other yet.
    #[must_use]
    pub fn in_flight(&self) -> (usize, usize) {
        let (server, client) = (&self.server.wire, &self.client.wire);
        (client.sent_len() + server.unread_len(), server.sent_len() + client.unread_len())
    }

    /// Moves a random number of bytes in each direction, and lets the reactor process them. `false` if there was
    /// nothing to move.
    ///
    /// # Panics
    ///
    /// If a callback panicked, or the callback contract was violated.
    pub fn step(&self) -> bool {
        let piece = |len: usize| (self.reactor.random() % (len as u64).max(1)) as usize + 1;
        let to_server = piece(self.client.wire.sent_len());
        let to_client = piece(self.server.wire.sent_len());
        self.transfer(to_server, to_client)
    }

    /// Like [`step`](Self::step), with at most `bytes_max` bytes in each direction.
    ///
    /// # Panics
    ///
    /// As [`step`](Self::step).
    pub fn step_by(&self, bytes_max: usize) -> bool {
        self.transfer(bytes_max, bytes_max)
    }

    /// Moves all data, and the answers to it, until nothing is left to move. Time does not advance.
    ///
    /// # Panics
    ///
    /// As [`step`](Self::step), and if the two never stop sending.
    pub fn drive(&self) {
        for _ in 0..STEPS_PER_MOMENT_MAX {
            if !self.transfer(usize::MAX, usize::MAX) {
                return;
            }
        }
        panic!("the two protocols still send after {STEPS_PER_MOMENT_MAX} exchanges");
    }

    /// Advances simulated time from timer to timer, moving all data immediately.
    ///
    /// # Panics
    ///
    /// As [`drive`](Self::drive).
    pub fn advance(&self, by: Duration) {
        let end = self.reactor.now() + by;
        loop {
            self.drive();
            let left = end - self.reactor.now();
            let next = self.reactor.next_wakeup().map_or(left, |next| next.min(left));
            if left.is_zero() {
                return;
            }
            self.reactor.advance(next).expect("the reactor becomes idle");
        }
    }

    /// Fails unless `connection_lost` has been called on both, and nothing is left on the reactor.
    ///
    /// # Panics
    ///
    /// If that is not the case.
    #[track_caller]
    pub fn assert_over(&self) {
        for (name, end) in [("server", self.server_lost()), ("client", self.client_lost())] {
            assert!(end.is_some(), "the {name}'s connection is not lost");
        }
        super::assert_clean(&self.reactor);
    }

    fn transfer(&self, to_server: usize, to_client: usize) -> bool {
        let moved = self.client.transfer_to(&self.server, to_server)
            | self.server.transfer_to(&self.client, to_client);
        self.settle();
        moved
    }

    fn settle(&self) {
        self.reactor.advance(Duration::ZERO).expect("the reactor becomes idle");
        assert_no_panics(&self.reactor);
        self.server.seen.assert_no_faults("server");
        self.client.seen.assert_no_faults("client");
    }
}

impl<S: Protocol, C: Protocol> fmt::Debug for Pair<S, C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pair")
            .field("server", self.server())
            .field("client", self.client())
            .field("in_flight", &self.in_flight())
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Sends this many bytes, then closes once as many have been received.
    struct Sends(usize, usize);

    impl Protocol for Sends {
        fn connection_made(&mut self, transport: &Transport) {
            transport.write(&vec![b'x'; self.0]);
        }

        fn data_received(&mut self, transport: &Transport, data: &[u8]) {
            self.1 += data.len();
            if self.1 == self.0 {
                transport.lose_connection();
            }
        }
    }

    struct Echo;

    impl Protocol for Echo {
        fn data_received(&mut self, transport: &Transport, data: &[u8]) {
            transport.write(data);
        }
    }

    #[test]
    fn everything_sent_arrives_and_both_connections_are_lost() {
        let pair = Pair::new(Echo, Sends(1_000_000, 0));
        pair.drive();
        pair.assert_over();
        assert_eq!(pair.client_lost().as_deref(), Some("closed by this side"));
        assert_eq!(pair.server_lost().as_deref(), Some("closed by the peer"));
    }

    #[test]
    fn step_moves_part_of_the_data() {
        let pair = Pair::new(Echo, Sends(1_000, 0));
        let mut steps = 0;
        while pair.step() {
            steps += 1;
        }
        assert!(steps > 3, "{steps}");
        pair.assert_over();
    }

    #[test]
    fn a_reset_reaches_the_other_end() {
        let pair = Pair::new(Echo, Sends(1_000, 0));
        pair.client().abort();
        pair.drive();
        assert_eq!(pair.server_lost().as_deref(), Some("reset by the peer"));
        pair.assert_over();
    }

    #[test]
    fn advance_fires_timers() {
        let pair = Pair::new(Echo, Sends(0, 0));
        pair.client().set_idle_timeout(Duration::from_secs(60));
        pair.advance(Duration::from_secs(59));
        assert!(pair.client_lost().is_none());
        pair.advance(Duration::from_secs(1));
        pair.assert_over();
    }
}
