//! [`Pair`]: a server and a client, joined in memory.

use std::{fmt, rc::Rc, time::Duration};

use sinew_reactor::{Reactor, RegisterError};

use super::{
    assert_no_panics,
    observer::{Observer, Seen},
    seed,
};
use crate::{Connection, Protocol, StreamConfig, Transport, memory, memory::Wire};

#[cfg(feature = "tls")]
mod secured;

/// Steps in which time does not pass; two protocols that need more talk for ever.
const STEPS_PER_MOMENT_MAX: usize = 1_000_000;

/// Two protocols at the two ends of one connection, in memory, on a [simulated](Reactor::simulated) reactor. The test says
/// when bytes move and when time passes.
///
/// # Examples
///
/// ```
/// use std::time::Duration;
/// use sinew_transports::{Protocol, Transport, testing::Pair};
///
/// struct Echo;
///
/// impl Protocol for Echo {
///     fn data_received(&mut self, transport: &Transport, data: &[u8]) {
///         transport.write(data);
///     }
/// }
///
/// /// Says hello, and closes when it has heard it back.
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

    /// Moves some of what this end has sent to the other; `false` if nothing was there to move.
    fn carry_to<Q: Protocol>(&self, other: &End<Q>, max: usize) -> bool {
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
    /// Joins the two. Both have been told that they are connected, and nothing has been moved yet. What is random comes from
    /// `SINEW_SEED`, or from 0.
    pub fn new(server: S, client: C) -> Self {
        Self::with_config(StreamConfig::default(), StreamConfig::default(), server, client)
    }

    /// As [`new`](Self::new), with the limits and options of the server's stream and the client's.
    ///
    /// # Panics
    ///
    /// If a protocol never comes to rest on being connected.
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

    /// The reactor that both live on.
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

    /// Calls `f` with the server's protocol, at once; `None` if the connection is over.
    pub fn with_server<R>(&self, f: impl FnOnce(&mut S, &Transport) -> R) -> Option<R> {
        self.server.connection.with(|witness, transport| f(witness.get_mut(), transport))
    }

    /// Calls `f` with the client's protocol, at once; `None` if the connection is over.
    pub fn with_client<R>(&self, f: impl FnOnce(&mut C, &Transport) -> R) -> Option<R> {
        self.client.connection.with(|witness, transport| f(witness.get_mut(), transport))
    }

    /// Why the server's connection was lost, in words; `None` while it is not.
    #[must_use]
    pub fn server_lost(&self) -> Option<String> {
        self.server.seen.lost()
    }

    /// Why the client's connection was lost, in words; `None` while it is not.
    #[must_use]
    pub fn client_lost(&self) -> Option<String> {
        self.client.seen.lost()
    }

    /// How many bytes are on their way to the server, and to the client: sent by one and not yet read by the other.
    #[must_use]
    pub fn in_flight(&self) -> (usize, usize) {
        let (server, client) = (&self.server.wire, &self.client.wire);
        (client.sent_len() + server.unread_len(), server.sent_len() + client.unread_len())
    }

    /// Moves a random piece in each direction, and lets the loop do what follows from it. `false` if nothing was there to
    /// move.
    ///
    /// # Panics
    ///
    /// If a callback panicked, or the life of a protocol was not as it should be.
    pub fn step(&self) -> bool {
        let piece = |len: usize| (self.reactor.random() % (len as u64).max(1)) as usize + 1;
        let to_server = piece(self.client.wire.sent_len());
        let to_client = piece(self.server.wire.sent_len());
        self.carry(to_server, to_client)
    }

    /// As [`step`](Self::step), with at most so many bytes in each direction.
    ///
    /// # Panics
    ///
    /// As [`step`](Self::step).
    pub fn step_by(&self, bytes_max: usize) -> bool {
        self.carry(bytes_max, bytes_max)
    }

    /// Moves all there is to move, and what is sent in answer, until both are silent. Time does not pass.
    ///
    /// # Panics
    ///
    /// As [`step`](Self::step), and if they never fall silent.
    pub fn drive(&self) {
        for _ in 0..STEPS_PER_MOMENT_MAX {
            if !self.carry(usize::MAX, usize::MAX) {
                return;
            }
        }
        panic!("the two still talk after {STEPS_PER_MOMENT_MAX} exchanges");
    }

    /// Lets time pass, from timer to timer, with all that is sent moved at once.
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
            self.reactor.advance(next).expect("the loop comes to rest");
        }
    }

    /// Fails unless both have been told of the end, and nothing is left of either.
    ///
    /// # Panics
    ///
    /// If it is not so.
    #[track_caller]
    pub fn assert_over(&self) {
        for (name, end) in [("server", self.server_lost()), ("client", self.client_lost())] {
            assert!(end.is_some(), "the {name}'s connection is not lost");
        }
        super::assert_clean(&self.reactor);
    }

    fn carry(&self, to_server: usize, to_client: usize) -> bool {
        let moved = self.client.carry_to(&self.server, to_server)
            | self.server.carry_to(&self.client, to_client);
        self.settle();
        moved
    }

    fn settle(&self) {
        self.reactor.advance(Duration::ZERO).expect("the loop comes to rest");
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

    /// Sends so much, then closes; counts what comes.
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
    fn all_that_is_sent_arrives_and_both_ends_are_told() {
        let pair = Pair::new(Echo, Sends(1_000_000, 0));
        pair.drive();
        pair.assert_over();
        assert_eq!(pair.client_lost().as_deref(), Some("closed by this side"));
        assert_eq!(pair.server_lost().as_deref(), Some("closed by the peer"));
    }

    #[test]
    fn steps_move_pieces() {
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
    fn time_passes_when_told() {
        let pair = Pair::new(Echo, Sends(0, 0));
        pair.client().set_idle_timeout(Duration::from_secs(60));
        pair.advance(Duration::from_secs(59));
        assert!(pair.client_lost().is_none());
        pair.advance(Duration::from_secs(1));
        pair.assert_over();
    }
}
