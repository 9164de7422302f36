//! One connection of a server: [`IrcSession`], a thin protocol. It has the clocks and the flood control; commands are in `commands/`.

use std::{
    collections::VecDeque,
    fmt,
    time::{Duration, Instant},
};

use sinew_protocols::basic::{FrameError, FrameHandler, FrameTransport, Framed, PhaseDeadline};
use sinew_transports::{ConnectionLost, TimerId};

use super::{IrcServer, outgoing::Outgoing, user::UserId};
use crate::{
    bucket::Bucket,
    irc::codec::{IrcLine, Message},
};

/// A connection of an [`IrcServer`], as a [`Protocol`](sinew_transports::Protocol).
pub type IrcServerConnection = Framed<IrcLine, IrcSession>;

type Lines<'a> = FrameTransport<'a, IrcLine>;

/// Handles the lines of a client. Made by [`IrcServer`].
pub struct IrcSession {
    server: IrcServer,
    /// There from the connection on, unless it was refused.
    id: Option<UserId>,
    registration: PhaseDeadline,
    bucket: Bucket,
    /// Commands that have come too fast.
    waiting: VecDeque<Vec<u8>>,
    flood_timer: Option<TimerId>,
    alive_timer: Option<TimerId>,
    heard: Option<Instant>,
    pinged: bool,
}

pub(super) fn new(server: IrcServer) -> IrcServerConnection {
    let session = IrcSession {
        server,
        id: None,
        registration: PhaseDeadline::new("the registration", Duration::ZERO),
        bucket: Bucket::new(),
        waiting: VecDeque::new(),
        flood_timer: None,
        alive_timer: None,
        heard: None,
        pinged: false,
    };
    Framed::with_decoder(IrcLine::from_clients(), session)
}

/// Shortest timer.
const TICK: Duration = Duration::from_millis(1);

/// As many channels of JOIN and PART count as one command.
const CHANNELS_OF_A_COMMAND: usize = 4;

/// In the queue, a line that was too long.
const TOO_LONG: &[u8] = b"";

impl IrcSession {
    /// Ends the connection, and tells the client why.
    fn leave(&self, transport: &Lines<'_>, reason: &str) {
        let (Some(reactor), Some(id)) = (transport.reactor(), self.id) else { return };
        self.server.with(&reactor, |network| network.leave(id, reason.as_bytes(), true));
    }

    /// Carries a command out, or keeps it until it may be.
    fn command(&mut self, transport: &Lines<'_>, line: &[u8]) {
        let Some(reactor) = transport.reactor() else { return };
        if self.waiting.is_empty() && self.take_token(transport, &reactor) {
            return self.run(transport, line);
        }
        if self.waiting.len() >= self.server.limits(|config| config.waiting_max) {
            return self.leave(transport, "Excess Flood");
        }
        self.waiting.push_back(line.to_vec());
    }

    /// Takes a token, or begins to wait for one.
    fn take_token(
        &mut self,
        transport: &Lines<'_>,
        reactor: &sinew_transports::reactor::Reactor,
    ) -> bool {
        let (burst, interval) = self.server.limits(|config| (config.burst, config.interval));
        match self.bucket.take(reactor.now(), burst, interval) {
            Ok(()) => true,
            Err(wait) => {
                if self.flood_timer.is_none() {
                    self.flood_timer = transport.call_later(wait.max(TICK));
                }
                false
            }
        }
    }

    /// Carries out what has waited, as far as it may be.
    fn run_waiting(&mut self, transport: &Lines<'_>) {
        let Some(reactor) = transport.reactor() else { return };
        while !self.waiting.is_empty() && transport.is_reading() {
            if !self.take_token(transport, &reactor) {
                return;
            }
            let Some(line) = self.waiting.pop_front() else { return };
            self.run(transport, &line);
        }
        if self.waiting.is_empty() {
            self.waiting = VecDeque::new();
        }
    }

    fn run(&mut self, transport: &Lines<'_>, line: &[u8]) {
        let (Some(reactor), Some(id)) = (transport.reactor(), self.id) else { return };
        if line == TOO_LONG {
            return self.server.with(&reactor, |network| {
                network.reply(id, 417, &[], "Input line was too long");
            });
        }
        let more = more_cost(line);
        if more > 0 {
            let interval = self.server.limits(|config| config.interval);
            self.bucket.charge(reactor.now(), more, interval);
        }
        self.server.run(&reactor, id, line);
        if self.registration.is_running() && self.server.is_registered(id) {
            self.registration.end(transport);
        }
    }

    /// The client may have been silent for too long.
    fn check_alive(&mut self, transport: &Lines<'_>) {
        let (Some(reactor), Some(heard)) = (transport.reactor(), self.heard) else { return };
        let (ping_after, pong_within) =
            self.server.limits(|config| (config.ping_after, config.pong_within));
        let silence = reactor.now().saturating_duration_since(heard);
        let is_dead = self.pinged && silence >= ping_after + pong_within;
        if is_dead {
            let reason = format!("Ping timeout: {} seconds", silence.as_secs());
            return self.leave(transport, &reason);
        }
        if silence >= ping_after && !self.pinged {
            self.pinged = true;
            let name = self.server.limits(|config| config.name.clone());
            transport.write(Outgoing::new(b"", "PING").text(name).with_tags(b""));
        }
        let wait = if self.pinged {
            (ping_after + pong_within).saturating_sub(silence)
        } else {
            ping_after - silence
        };
        self.alive_timer = transport.call_later(wait.max(TICK));
    }
}

/// How many commands more a line counts as: one with many channels is answered, and told to others, for each of them.
fn more_cost(line: &[u8]) -> u32 {
    let Ok(message) = Message::parse(line) else { return 0 };
    if !message.is("JOIN") && !message.is("PART") {
        return 0;
    }
    let channels = message.params().first().copied().unwrap_or_default();
    let commas = channels.iter().filter(|byte| **byte == b',').count();
    u32::try_from(commas / CHANNELS_OF_A_COMMAND).unwrap_or(u32::MAX)
}

impl FrameHandler<IrcLine> for IrcSession {
    fn connection_made(&mut self, transport: &mut Lines<'_>) {
        let Some(reactor) = transport.reactor() else { return };
        let ip = transport.peer().ip();
        let is_secure = transport.is_tls();
        let wire = Box::new((**transport).clone());
        let entered = self.server.with(&reactor, |network| network.enter(wire, ip, is_secure));
        match entered {
            Ok(id) => self.id = Some(id),
            Err(reason) => {
                transport.write(
                    Outgoing::new(b"", "ERROR")
                        .text(format!("Closing Link: ({reason})"))
                        .with_tags(b""),
                );
                return transport.lose_connection();
            }
        }
        let within = self.server.limits(|config| config.registration_timeout);
        self.registration = PhaseDeadline::new("the registration", within);
        self.registration.begin(transport);
        self.heard = Some(reactor.now());
        self.check_alive(transport);
    }

    fn frame_received(&mut self, transport: &mut Lines<'_>, line: &[u8]) {
        self.heard = transport.reactor().map(|reactor| reactor.now());
        self.pinged = false;
        if transport.decoder().is_too_long() {
            return self.command(transport, TOO_LONG);
        }
        if !line.is_empty() {
            self.command(transport, line);
        }
    }

    fn reading_resumed(&mut self, transport: &mut Lines<'_>) {
        self.run_waiting(transport);
    }

    fn timer_fired(&mut self, transport: &mut Lines<'_>, timer: TimerId) {
        if self.registration.passed(timer).is_some() {
            return self.leave(transport, "Registration timed out");
        }
        if self.flood_timer.take_if(|running| *running == timer).is_some() {
            return self.run_waiting(transport);
        }
        if self.alive_timer.take_if(|running| *running == timer).is_some() {
            self.check_alive(transport);
        }
    }

    fn unfinished(&mut self, _: &mut Lines<'_>, _: &[u8]) -> Result<(), FrameError> {
        // Half a command is none.
        Ok(())
    }

    fn read_closed(&mut self, transport: &mut Lines<'_>) {
        self.leave(transport, "Remote host closed the connection");
    }

    fn drain_requested(&mut self, transport: &mut Lines<'_>) {
        self.leave(transport, "The server is going down");
    }

    fn connection_lost(&mut self, transport: &mut Lines<'_>, reason: &ConnectionLost) {
        let (Some(reactor), Some(id)) = (transport.reactor(), self.id.take()) else { return };
        let reason = reason.to_string();
        self.server.with(&reactor, |network| network.leave(id, reason.as_bytes(), false));
    }
}

impl fmt::Debug for IrcSession {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("IrcSession").field("id", &self.id).finish_non_exhaustive()
    }
}
