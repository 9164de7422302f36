//! One client, however its lines come: [`Session`], its clocks and its flood control. Commands are in `commands/`; what delivers lines is
//! `connection.rs`, a stream, and `websocket.rs`.

use std::{
    collections::VecDeque,
    net::IpAddr,
    time::{Duration, Instant},
};

use sinew_transports::{TimerId, reactor::Reactor};

use super::{IrcServer, outgoing::Outgoing, user::UserId, wire::Wire};
use crate::{bucket::Bucket, irc::codec::Message};

/// What a client has sent.
pub(super) enum Line<'a> {
    Whole(&'a [u8]),
    TooLong,
}

/// Shortest timer.
const TICK: Duration = Duration::from_millis(1);

/// As many channels of JOIN and PART count as one command.
const CHANNELS_OF_A_COMMAND: usize = 4;

/// Bytes of commands that wait: twice as much as 64 without tags, and a quarter of what their tags could make of them.
const WAITING_BYTES_MAX: usize = 64 * 1_024;

/// In the queue, a line that was too long.
const TOO_LONG: &[u8] = b"";

pub(super) struct Session {
    server: IrcServer,
    /// There from the connection on, unless it was refused.
    pub(super) id: Option<UserId>,
    /// Runs until the client is welcomed.
    registration: Option<TimerId>,
    bucket: Bucket,
    /// Commands that have come too fast.
    waiting: VecDeque<Box<[u8]>>,
    waiting_bytes: usize,
    flood_timer: Option<TimerId>,
    alive_timer: Option<TimerId>,
    heard: Option<Instant>,
    pinged: bool,
}

impl Session {
    pub(super) const fn new(server: IrcServer) -> Self {
        Self {
            server,
            id: None,
            registration: None,
            bucket: Bucket::new(),
            waiting: VecDeque::new(),
            waiting_bytes: 0,
            flood_timer: None,
            alive_timer: None,
            heard: None,
            pinged: false,
        }
    }

    /// The connection is there. `kept` is the same wire, for the network.
    pub(super) fn begin(
        &mut self,
        wire: &dyn Wire,
        kept: Box<dyn Wire>,
        ip: Option<IpAddr>,
        is_secure: bool,
    ) {
        let Some(reactor) = wire.reactor() else { return };
        match self.server.with(&reactor, |network| network.enter(kept, ip, is_secure)) {
            Ok(id) => self.id = Some(id),
            Err(reason) => {
                let text = format!("Closing Link: ({reason})");
                wire.send(&Outgoing::new(b"", "ERROR").text(text).with_tags(b""));
                return wire.close();
            }
        }
        self.registration =
            wire.call_later(self.server.limits(|config| config.registration_timeout));
        self.heard = Some(reactor.now());
        self.check_alive(wire);
    }

    /// A line of the client, without its end. An empty one does nothing.
    pub(super) fn line(&mut self, wire: &dyn Wire, line: Line<'_>) {
        self.heard = wire.reactor().map(|reactor| reactor.now());
        self.pinged = false;
        match line {
            Line::TooLong => self.command(wire, TOO_LONG),
            Line::Whole(line) if !line.is_empty() => self.command(wire, line),
            Line::Whole(_) => {}
        }
    }

    /// The client is read again after a pause.
    pub(super) fn reading_resumed(&mut self, wire: &dyn Wire) {
        self.run_waiting(wire);
    }

    pub(super) fn timer_fired(&mut self, wire: &dyn Wire, timer: TimerId) {
        if self.registration.take_if(|running| *running == timer).is_some() {
            return self.leave(wire, "Registration timed out");
        }
        if self.flood_timer.take_if(|running| *running == timer).is_some() {
            return self.run_waiting(wire);
        }
        if self.alive_timer.take_if(|running| *running == timer).is_some() {
            self.check_alive(wire);
        }
    }

    /// The connection is over.
    pub(super) fn lost(&mut self, wire: &dyn Wire, reason: &str) {
        let (Some(reactor), Some(id)) = (wire.reactor(), self.id.take()) else { return };
        self.server.with(&reactor, |network| network.leave(id, reason.as_bytes(), false));
    }

    /// Ends the connection, and tells the client why.
    pub(super) fn leave(&self, wire: &dyn Wire, reason: &str) {
        let (Some(reactor), Some(id)) = (wire.reactor(), self.id) else { return };
        self.server.with(&reactor, |network| network.leave(id, reason.as_bytes(), true));
    }

    /// Carries a command out, or keeps it until it may be.
    fn command(&mut self, wire: &dyn Wire, line: &[u8]) {
        let Some(reactor) = wire.reactor() else { return };
        if self.waiting.is_empty() && self.take_token(wire, &reactor) {
            return self.run(wire, line);
        }
        let bytes = self.waiting_bytes + line.len();
        let is_full = self.waiting.len() >= self.server.limits(|config| config.waiting_max);
        if is_full || bytes > WAITING_BYTES_MAX {
            return self.leave(wire, "Excess Flood");
        }
        self.waiting_bytes = bytes;
        self.waiting.push_back(line.into());
    }

    /// Takes a token, or begins to wait for one.
    fn take_token(&mut self, wire: &dyn Wire, reactor: &Reactor) -> bool {
        let (burst, interval) = self.server.limits(|config| (config.burst, config.interval));
        match self.bucket.take(reactor.now(), burst, interval) {
            Ok(()) => true,
            Err(wait) => {
                if self.flood_timer.is_none() {
                    self.flood_timer = wire.call_later(wait.max(TICK));
                }
                false
            }
        }
    }

    /// Carries out what has waited, as far as it may be.
    fn run_waiting(&mut self, wire: &dyn Wire) {
        let Some(reactor) = wire.reactor() else { return };
        while !self.waiting.is_empty() && wire.is_reading() {
            if !self.take_token(wire, &reactor) {
                return;
            }
            let Some(line) = self.waiting.pop_front() else { return };
            self.waiting_bytes -= line.len();
            self.run(wire, &line);
        }
        if self.waiting.is_empty() {
            self.waiting = VecDeque::new();
        }
    }

    fn run(&mut self, wire: &dyn Wire, line: &[u8]) {
        let (Some(reactor), Some(id)) = (wire.reactor(), self.id) else { return };
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
        if self.registration.is_some() && self.server.is_registered(id) {
            self.registration.take().into_iter().for_each(|timer| wire.cancel_timer(timer));
        }
    }

    /// The client may have been silent for too long.
    fn check_alive(&mut self, wire: &dyn Wire) {
        let (Some(reactor), Some(heard)) = (wire.reactor(), self.heard) else { return };
        let (ping_after, pong_within) =
            self.server.limits(|config| (config.ping_after, config.pong_within));
        let silence = reactor.now().saturating_duration_since(heard);
        let is_dead = self.pinged && silence >= ping_after + pong_within;
        if is_dead {
            let reason = format!("Ping timeout: {} seconds", silence.as_secs());
            return self.leave(wire, &reason);
        }
        if silence >= ping_after && !self.pinged {
            self.pinged = true;
            let name = self.server.limits(|config| config.name.clone());
            wire.send(&Outgoing::new(b"", "PING").text(name).with_tags(b""));
        }
        let wait = if self.pinged {
            (ping_after + pong_within).saturating_sub(silence)
        } else {
            ping_after - silence
        };
        self.alive_timer = wire.call_later(wait.max(TICK));
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
