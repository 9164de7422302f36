//! The connection of a client: [`IrcConnection`], a thin protocol. What lines mean is in `registration.rs` and `incoming.rs`.

use std::{fmt, time::Duration};

use sinew_protocols::basic::{FrameError, FrameHandler, FrameTransport, Framed, PhaseDeadline};
use sinew_transports::{ConnectionLost, TimerId, reactor::with_causes};

use super::{
    IrcClient, IrcError,
    state::{Phase, State},
};
use crate::irc::codec::{IrcLine, Message};

/// The connection of an [`IrcClient`], as a [`Protocol`](sinew_transports::Protocol).
pub type IrcConnection = Framed<IrcLine, IrcHandling>;

/// Handles the lines of a connection. Made by [`IrcClient`].
pub struct IrcHandling {
    client: IrcClient,
    registration: PhaseDeadline,
}

/// Shortest wait of a timer.
const TICK: Duration = Duration::from_millis(1);

type Lines<'a> = FrameTransport<'a, IrcLine>;

pub(super) fn new(client: IrcClient) -> IrcConnection {
    let config = &client.0.config;
    let lines = IrcLine::from_servers(config.line_max);
    let registration = PhaseDeadline::new("the registration", config.registration_timeout);
    Framed::with_decoder(lines, IrcHandling { client, registration })
}

impl IrcHandling {
    /// Something was received.
    fn heard(&self, transport: &Lines<'_>) {
        let mut state = self.client.0.state.borrow_mut();
        state.heard = transport.reactor().map(|reactor| reactor.now());
        state.pinged = false;
    }

    /// The server may have been silent for too long.
    fn check_alive(&self, transport: &Lines<'_>) {
        let Some(reactor) = transport.reactor() else { return };
        let config = &self.client.0.config;
        let mut state = self.client.0.state.borrow_mut();
        let silence = state.heard.map(|heard| reactor.now().saturating_duration_since(heard));
        let silence = silence.unwrap_or_default();
        // Before the welcome only the registration has a clock.
        if state.phase != Phase::Online {
            state.alive_timer = transport.call_later(config.ping_after.max(TICK));
            return;
        }
        let patience = config.ping_after.saturating_add(config.pong_within);
        if state.pinged && silence >= patience {
            state.failure = Some(IrcError::Silent { after: silence });
            return transport.fail(IrcError::Silent { after: silence });
        }
        let wait = if silence >= config.ping_after {
            if !state.pinged {
                state.pinged = true;
                transport.write(b"PING :sinew\r\n");
            }
            // Where the clock began before the welcome, the answer has its time all the same.
            patience.saturating_sub(silence).min(config.pong_within)
        } else {
            config.ping_after - silence
        };
        let wait = wait.max(TICK);
        state.alive_timer = transport.call_later(wait);
    }
}

impl FrameHandler<IrcLine> for IrcHandling {
    fn connection_made(&mut self, transport: &mut Lines<'_>) {
        self.registration.begin(transport);
        self.heard(transport);
        self.check_alive(transport);
        self.client.begin_registration(transport);
    }

    fn frame_received(&mut self, transport: &mut Lines<'_>, line: &[u8]) {
        if transport.decoder().is_too_long() {
            tracing::debug!(peer = %transport.peer(), "a line of the IRC server is too long, and ignored");
            return;
        }
        if line.is_empty() {
            return;
        }
        self.heard(transport);
        match Message::parse(line) {
            Ok(message) => self.client.received(transport, &message),
            Err(error) => {
                tracing::debug!(peer = %transport.peer(), error = %with_causes(&error), "a line of the IRC server is no message");
            }
        }
        if self.registration.is_running() && self.client.is_online() {
            self.registration.end(transport);
        }
    }

    fn timer_fired(&mut self, transport: &mut Lines<'_>, timer: TimerId) {
        if let Some(passed) = self.registration.passed(timer) {
            return self.client.fail(transport, IrcError::TimedOut { after: passed.within });
        }
        if self.client.is_send_timer(timer) {
            return self.client.flush();
        }
        let mut state = self.client.0.state.borrow_mut();
        if state.alive_timer.take_if(|running| *running == timer).is_some() {
            drop(state);
            return self.check_alive(transport);
        }
        state.requests.timed_out(timer);
    }

    fn unfinished(&mut self, _: &mut Lines<'_>, _: &[u8]) -> Result<(), FrameError> {
        // Half a line is none.
        Ok(())
    }

    fn drain_requested(&mut self, _: &mut Lines<'_>) {
        if self.client.quit("").is_err() {
            tracing::trace!("a client of IRC drains before it is online");
        }
    }

    fn connection_lost(&mut self, _: &mut Lines<'_>, reason: &ConnectionLost) {
        let mut state = self.client.0.state.borrow_mut();
        let was_welcomed = state.was_welcomed;
        state.requests.fail_all();
        let failure = state.failure.take();
        let generation = state.generation;
        *state = State::new(&self.client.0.config, generation);
        drop(state);
        if was_welcomed {
            return self.client.call(|handler, irc| handler.connection_lost(irc, reason));
        }
        let failure = failure.unwrap_or_else(|| IrcError::Lost { reason: reason.to_string() });
        // Those who wait are told also if the handler panics, and those that it makes wait belong to the next connection.
        let failed = self.client.failed(failure);
        self.client.call(|handler, irc| handler.registration_failed(irc, failed.error()));
    }
}

impl fmt::Debug for IrcHandling {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("IrcHandling").field("client", &self.client).finish_non_exhaustive()
    }
}
