//! A deadline for a whole phase of a connection: [`PhaseDeadline`]. Uses a timer of the transport; reads no clock.

use std::time::Duration;

use sinew_transports::{TimerId, Transport};

/// Limits the total time of a connection phase: the login, the head of a request, a handshake. An idle timeout
/// restarts with every byte, so a peer that sends a byte now and then (slowloris) can extend a phase without limit;
/// this deadline it cannot extend.
///
/// It holds one timer while the phase runs, and none otherwise. Make it a field of the protocol: call
/// [`begin`](Self::begin) where the phase begins, [`end`](Self::end) where it ends, and [`passed`](Self::passed) in
/// `timer_fired`.
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

/// A phase exceeded its time limit.
#[derive(Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{phase} took longer than {within:?}")]
pub struct DeadlinePassed {
    /// The name of the phase.
    pub phase: &'static str,
    /// The time limit.
    pub within: Duration,
}

sinew_transports::reactor::error_debug!(DeadlinePassed);

impl PhaseDeadline {
    /// A deadline for the named phase, not started yet.
    #[must_use]
    pub const fn new(phase: &'static str, within: Duration) -> Self {
        Self { phase, within, timer: None }
    }

    /// Starts the phase, or restarts it.
    pub fn begin(&mut self, transport: &Transport) {
        self.end(transport);
        self.timer = transport.call_later(self.within);
    }

    /// Ends the phase, if it is running.
    pub fn end(&mut self, transport: &Transport) {
        if let Some(timer) = self.timer.take() {
            transport.cancel_timer(timer);
        }
    }

    /// Whether the phase is running.
    #[must_use]
    pub const fn is_running(&self) -> bool {
        self.timer.is_some()
    }

    /// Returns the error if `timer` is the timer of this phase; the phase has then ended.
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

    /// A request head may take one second. `!` ends a head and `?` begins one, even if one is already running.
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
        let (connection, wire) = memory::connect(&reactor, StreamConfig::default(), heads)
            .expect("the connection limit is not reached");
        let begin = reactor.now();
        let mut passed = None;
        for millisecond in 0..5_000_u64 {
            for (_, bytes) in script.iter().filter(|(at, _)| *at == millisecond) {
                wire.receive(bytes);
            }
            reactor.advance(Duration::from_millis(1)).expect("the simulation settles");
            if connection.transport().is_closing() && passed.is_none() {
                passed = Some((reactor.now() - begin).as_millis() as u64);
            }
        }
        if passed.is_none() {
            let at_rest = connection.with(|heads, _| !heads.head.is_running());
            assert_eq!(
                (at_rest, wire.timers()),
                (Some(true), 0),
                "no timer is left between two phases"
            );
            connection.transport().lose_connection();
        }
        wire.close();
        reactor.advance(Duration::from_secs(60)).expect("the simulation settles");
        let expected = DeadlinePassed { phase: "head", within: Duration::from_secs(1) };
        assert_eq!(lost.get(), passed.map(|_| expected));
        assert_clean(&reactor);
        passed
    }

    #[test]
    fn a_phase_past_its_deadline_ends_the_connection() {
        // A silent peer and one that sends a byte now and then are treated alike.
        assert_eq!(passed_at(&[]), Some(1_000));
        assert_eq!(passed_at(&[(300, b"a"), (600, b"b"), (900, b"c")]), Some(1_000));
        assert_eq!(passed_at(&[(999, b"!")]), None);
        // Each phase has its full time, counted from its start.
        assert_eq!(passed_at(&[(500, b"!"), (2_000, b"?")]), Some(3_000));
        assert_eq!(passed_at(&[(500, b"?"), (1_400, b"?"), (2_300, b"!!")]), None);
    }
}
