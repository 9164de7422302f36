//! How much a connection may do in one turn of the event loop: [`TurnShare`]. Counts; suspends nothing itself.

use sinew_transports::reactor::Reactor;

/// Counts what is done for one peer in a turn of the event loop, such as commands, so that a peer that sends many without waiting for the
/// replies leaves other connections their time. When the share is used up, go on in a later turn: a protocol by
/// [`Transport::yield_turn`](sinew_transports::Transport::yield_turn), a task by sleeping for no time.
///
/// [`Framed::frames_per_turn`](super::Framed::frames_per_turn) does both for frames.
///
/// # Examples
///
/// ```
/// use std::time::Duration;
/// use sinew_protocols::basic::TurnShare;
/// use sinew_transports::reactor::Reactor;
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let reactor = Reactor::new()?;
/// let mut share = TurnShare::new();
/// assert!(share.take(&reactor, 2) && share.take(&reactor, 2));
/// assert!(!share.take(&reactor, 2));
/// reactor.turn(Some(Duration::ZERO))?;
/// assert!(share.take(&reactor, 2));
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, Default)]
#[must_use]
pub struct TurnShare {
    taken: u8,
    /// The lower bits of the number of the turn in which it was taken, which costs a connection two bytes in all. A later turn with the same
    /// bits has what is left of this one, or nothing, and then the next has its share.
    turn: u8,
}

impl TurnShare {
    /// Nothing is taken yet.
    pub const fn new() -> Self {
        Self { taken: 0, turn: 0 }
    }

    /// Takes one. Returns `false` if `max` were taken in this turn already.
    #[must_use]
    #[inline]
    pub fn take(&mut self, reactor: &Reactor, max: u8) -> bool {
        let is_left = self.is_left(reactor, max);
        self.taken += u8::from(is_left);
        is_left
    }

    /// Whether fewer than `max` were taken in this turn.
    #[must_use]
    #[inline]
    pub fn is_left(&mut self, reactor: &Reactor, max: u8) -> bool {
        let turn = reactor.turns() as u8;
        if self.turn != turn {
            (self.turn, self.taken) = (turn, 0);
        }
        self.taken < max
    }
}
