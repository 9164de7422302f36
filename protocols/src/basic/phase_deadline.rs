//! The whole time that a phase of a connection may take: [`PhaseDeadline`]. It asks the transport for a timer, and knows no clock.

use std::time::Duration;

use sinew_transports::{TimerId, Transport};

/// Bounds a phase of a connection as a whole: the login, the head of a request, a handshake. An idle timeout starts anew with every
/// byte, so a peer that sends one now and then keeps a phase up for ever; this does not.
///
/// One timer while the phase goes on, none after it. It is a field of a protocol: [`begin`](Self::begin) where the phase begins,
/// [`end`](Self::end) where it ends, and [`passed`](Self::passed) in `timer_fired`.
///
/// # Examples
///
/// ```
/// use std::time::Duration;
/// use sinew_protocols::basic::{LineHandler, LineReceiver, LineTransport, PhaseDeadline};
/// use sinew_transports::TimerId;
///
/// struct Session {
///     login: PhaseDeadline,
/// }
///
/// impl LineHandler for Session {
///     fn connection_made(&mut self, transport: &mut LineTransport<'_>) {
///         self.login.begin(transport);
///     }
///
///     fn line_received(&mut self, transport: &mut LineTransport<'_>, line: &[u8]) {
///         if line == b"PASS secret" {
///             self.login.end(transport);
///         }
///     }
///
///     fn timer_fired(&mut self, transport: &mut LineTransport<'_>, timer: TimerId) {
///         if let Some(too_late) = self.login.passed(timer) {
///             transport.write(format!("- {too_late}\r\n").as_bytes());
///             transport.fail(too_late);
///         }
///     }
/// }
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # use sinew_transports::{memory, reactor::Reactor, StreamConfig};
/// # let reactor = Reactor::simulated(0);
/// let login = PhaseDeadline::new("login", Duration::from_secs(60));
/// let session = LineReceiver::new(Session { login });
/// # let (_, wire) = memory::connect(&reactor, StreamConfig::default(), session)?;
/// # for _ in 0..10 {
/// #     wire.receive(b"x");
/// #     reactor.advance(Duration::from_secs(6))?;
/// # }
/// # assert_eq!(wire.sent(), b"- login took longer than 60s\r\n");
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct PhaseDeadline {
    phase: &'static str,
    within: Duration,
    timer: Option<TimerId>,
}

/// A phase took longer than it may.
#[derive(Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{phase} took longer than {within:?}")]
pub struct DeadlinePassed {
    /// Which phase.
    pub phase: &'static str,
    /// How long it may take.
    pub within: Duration,
}

sinew_transports::reactor::error_debug!(DeadlinePassed);

impl PhaseDeadline {
    /// A phase of that name may take so long. It has not begun.
    #[must_use]
    pub const fn new(phase: &'static str, within: Duration) -> Self {
        Self { phase, within, timer: None }
    }

    /// The phase begins, or begins anew.
    pub fn begin(&mut self, transport: &Transport) {
        self.end(transport);
        self.timer = transport.call_later(self.within);
    }

    /// The phase is over, if it had begun.
    pub fn end(&mut self, transport: &Transport) {
        if let Some(timer) = self.timer.take() {
            transport.cancel_timer(timer);
        }
    }

    /// Whether the phase goes on.
    #[must_use]
    pub const fn is_running(&self) -> bool {
        self.timer.is_some()
    }

    /// Whether the timer that has fired is that of the phase: then it is over, and this is why.
    pub fn passed(&mut self, timer: TimerId) -> Option<DeadlinePassed> {
        self.timer.take_if(|running| *running == timer)?;
        Some(DeadlinePassed { phase: self.phase, within: self.within })
    }
}

#[cfg(test)]
mod tests {
    use sinew_testkit::testing::assert_clean;
    use sinew_transports::{ConnectionLost, Protocol, StreamConfig, memory, reactor::Reactor};

    use super::*;

    /// The head of each request may take a second. `!` ends a head and `?` begins one, whether or not one goes on.
    struct Heads {
        head: PhaseDeadline,
        other: Option<TimerId>,
        lost: std::rc::Rc<std::cell::Cell<Option<DeadlinePassed>>>,
    }

    impl Protocol for Heads {
        fn connection_made(&mut self, transport: &Transport) {
            self.head.begin(transport);
            self.other = transport.call_later(Duration::from_millis(10));
        }

        fn data_received(&mut self, transport: &Transport, data: &[u8]) {
            for byte in data {
                match byte {
                    b'!' => self.head.end(transport),
                    b'?' => self.head.begin(transport),
                    _ => {}
                }
            }
        }

        fn timer_fired(&mut self, transport: &Transport, timer: TimerId) {
            match self.head.passed(timer) {
                Some(passed) => transport.fail(passed),
                None => assert_eq!(self.other.take(), Some(timer)),
            }
        }

        fn connection_lost(&mut self, _: &Transport, reason: &ConnectionLost) {
            if let ConnectionLost::Protocol(error) = reason {
                self.lost.set(error.downcast_ref().copied());
            }
        }
    }

    fn passed_at(script: &[(u64, &[u8])]) -> Option<u64> {
        let reactor = Reactor::simulated(0);
        let lost = std::rc::Rc::default();
        let head = PhaseDeadline::new("head", Duration::from_secs(1));
        let heads = Heads { head, other: None, lost: std::rc::Rc::clone(&lost) };
        let (connection, wire) =
            memory::connect(&reactor, StreamConfig::default(), heads).expect("room for one");
        let begin = reactor.now();
        let mut passed = None;
        for millisecond in 0..5_000_u64 {
            for (_, bytes) in script.iter().filter(|(at, _)| *at == millisecond) {
                wire.receive(bytes);
            }
            reactor.advance(Duration::from_millis(1)).expect("it comes to rest");
            if connection.transport().is_closing() && passed.is_none() {
                passed = Some((reactor.now() - begin).as_millis() as u64);
            }
        }
        if passed.is_none() {
            let at_rest = connection.with(|heads, _| !heads.head.is_running());
            assert_eq!((at_rest, wire.timers()), (Some(true), 0), "idle, it costs nothing");
            connection.transport().lose_connection();
        }
        wire.close();
        reactor.advance(Duration::from_secs(60)).expect("it comes to rest");
        let expected = DeadlinePassed { phase: "head", within: Duration::from_secs(1) };
        assert_eq!(lost.get(), passed.map(|_| expected));
        assert_clean(&reactor);
        passed
    }

    #[test]
    fn a_phase_ends_in_time_or_the_connection_does() {
        // No byte ever, and a byte now and then: it is the same.
        assert_eq!(passed_at(&[]), Some(1_000));
        assert_eq!(passed_at(&[(300, b"a"), (600, b"b"), (900, b"c")]), Some(1_000));
        assert_eq!(passed_at(&[(999, b"!")]), None);
        // The next phase has its time from when it begins.
        assert_eq!(passed_at(&[(500, b"!"), (2_000, b"?")]), Some(3_000));
        assert_eq!(passed_at(&[(500, b"?"), (1_400, b"?"), (2_300, b"!!")]), None);
    }
}
