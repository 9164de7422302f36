//! How segments travel through a connection, and how it ends. The rules are those of TCP as far as a program can see them;
//! how connections are made is in `handshake.rs`, what their ends may do is in `endpoint.rs`.

use std::{
    io::{self, Read},
    time::Duration,
};

use super::{
    conn::{Fin, Life, Parcel, Side, What},
    event::Event,
    id::{ConnId, HostId},
    trace::Verb,
    world::World,
};

/// Bytes of a segment, at most.
const SEGMENT_MAX: usize = 1460;

/// Bytes of the headers, which the line is busy with, too.
const HEADERS: usize = 40;

/// First wait before something lost is sent again (RFC 6298 2.1, as systems do it); it doubles each time.
const RETRANSMIT_MIN: Duration = Duration::from_millis(200);
/// The longest wait.
const RETRANSMIT_MAX: Duration = Duration::from_secs(120);
/// After so long without an answer, sending is given up: about what 15 attempts come to (tcp(7), `tcp_retries2`).
const GIVE_UP_AFTER: Duration = Duration::from_secs(924);

/// How long the system keeps a closed side whose peer does not close (tcp(7), `tcp_fin_timeout`).
const FORGET_AFTER: Duration = Duration::from_secs(60);

impl World {
    // ---- sending ----

    /// Sends what there is to send and the window allows, in segments cut anywhere.
    pub(super) fn pump(&mut self, id: ConnId, side: Side) {
        loop {
            let Some(conn) = self.conns.get_mut(&id) else { return };
            let window = conn.window(side);
            let pipe = conn.pipe(side);
            let what = if !pipe.unsent.is_empty() {
                let max = pipe.unsent.len().min(window).min(SEGMENT_MAX);
                if max == 0 {
                    return;
                }
                // Mostly as much as there is, now and then less.
                let cut = self.random.cuts.u8(..) < 64;
                let len = if cut { self.random.cuts.usize(1..=max) } else { max };
                pipe.in_flight += len;
                let mut data = vec![0; len];
                pipe.unsent.read_exact(&mut data).expect("so much is there");
                What::Data(data)
            } else if pipe.fin == Fin::Wanted {
                pipe.fin = Fin::Sent;
                What::Fin
            } else {
                return;
            };
            self.send(id, side, what);
        }
    }

    /// Drops what is not on its way yet and sends a reset behind what is.
    pub(super) fn send_reset(&mut self, id: ConnId, side: Side) {
        if let Some(conn) = self.conns.get_mut(&id) {
            let pipe = conn.pipe(side);
            pipe.unsent.clear();
            pipe.fin = Fin::Sent;
            self.send(id, side, What::Rst);
        }
    }

    fn send(&mut self, id: ConnId, side: Side, what: What) {
        let Some(conn) = self.conns.get_mut(&id) else { return };
        let Some((from, to)) = conn.hosts(side) else { return };
        let size = if let What::Data(data) = &what { data.len() } else { 0 } + HEADERS;
        let mut at = self.links.arrival(&mut self.random.links, self.now, from, to, size);
        if self.links.loses(&mut self.random.links, from, to) {
            at = at + RETRANSMIT_MIN;
        }
        let pipe = conn.pipe(side);
        pipe.not_before = pipe.not_before.max(at);
        let at = pipe.not_before;
        pipe.flight.push_back(Parcel { at, what });
        if pipe.flight.len() == 1 {
            self.schedule(at, Event::Arrive(id, side));
        }
    }

    // ---- arriving ----

    /// Delivers what has come by now, in order; what cannot get through is sent again later, and all else behind it.
    pub(super) fn arrive(&mut self, id: ConnId, side: Side) {
        loop {
            let now = self.now;
            let Some(conn) = self.conns.get_mut(&id) else { return };
            let Some((from, to)) = conn.hosts(side) else { return };
            let Some(next) = conn.pipe(side).flight.front() else { return };
            if next.at > now {
                let at = next.at;
                return self.schedule(at, Event::Arrive(id, side));
            }
            let is_reset = matches!(next.what, What::Rst);
            if !self.reaches(from, to) && !is_reset {
                return self.arrive_later(id, side, from);
            }
            let (reached, heard) = (self.reaches(from, to), self.reaches(to, from));
            let Some(conn) = self.conns.get_mut(&id) else { return };
            if reached && conn.is_unknown_to(side.other()) {
                return self.answer_with_reset(id, side);
            }
            let pipe = conn.pipe(side);
            if heard {
                (pipe.attempts, pipe.in_vain_since) = (0, None);
            }
            let Some(Parcel { what, .. }) = pipe.flight.pop_front() else { return };
            if reached {
                self.deliver(id, side, to, what);
            } else {
                self.ask_who_is_gone(id, side.other());
            }
        }
    }

    /// What was sent did not get through: once more, a while later, and not for ever.
    fn arrive_later(&mut self, id: ConnId, side: Side, from: HostId) {
        self.note(from, Verb::LosesSegment, id.0, 0);
        self.try_later(id, side, from, Event::Arrive(id, side));
    }

    /// Waits for an answer, twice as long as the last time, and not for ever.
    fn try_later(&mut self, id: ConnId, side: Side, from: HostId, event: Event) {
        let now = self.now;
        let Some(conn) = self.conns.get_mut(&id) else { return };
        let pipe = conn.pipe(side);
        let since = *pipe.in_vain_since.get_or_insert(now);
        if since.until(now) >= GIVE_UP_AFTER {
            self.note(from, Verb::GivesUpSending, id.0, 0);
            return self.fail(id, side, io::ErrorKind::TimedOut);
        }
        let wait = RETRANSMIT_MIN.saturating_mul(1 << pipe.attempts.min(16)).min(RETRANSMIT_MAX);
        pipe.attempts += 1;
        self.schedule_in(wait, event);
    }

    fn deliver(&mut self, id: ConnId, side: Side, to: HostId, what: What) {
        let other = side.other();
        let Some(conn) = self.conns.get_mut(&id) else { return };
        if let What::Data(data) = &what {
            conn.pipe(side).in_flight -= data.len();
        }
        match (conn.end(other).life, what) {
            (_, What::Rst) => {
                self.note(to, Verb::ReceivesReset, id.0, 0);
                self.fail(id, other, io::ErrorKind::ConnectionReset);
            }
            (_, What::Fin) => {
                conn.end(other).ended = true;
                conn.pipe(side).fin = Fin::Arrived;
                let token = conn.end(other).token;
                self.note(to, Verb::ReceivesEnd, id.0, 0);
                self.tell(to, token);
                self.acknowledge(id, side, 0);
                self.tidy(id);
            }
            (_, What::Data(data)) => self.take_in(id, side, to, &data),
        }
    }

    /// Nobody there knows this connection, or would read any more of it. The reset may get lost; what it answers comes again
    /// until it is heard.
    fn answer_with_reset(&mut self, id: ConnId, side: Side) {
        let Some(conn) = self.conns.get_mut(&id) else { return };
        let Some((from, _)) = conn.hosts(side) else { return };
        conn.end(side.other()).life = Life::Gone;
        self.try_later(id, side, from, Event::Arrive(id, side));
        self.send_reset(id, side.other());
        self.tidy(id);
    }

    fn take_in(&mut self, id: ConnId, side: Side, to: HostId, data: &[u8]) {
        self.trace.fold_bytes(data);
        self.note(to, Verb::Receives, id.0, data.len() as u64);
        let Some(conn) = self.conns.get_mut(&id) else { return };
        conn.end(side.other()).received.extend(data);
        let token = conn.end(side.other()).token;
        conn.pipe(side).unacked += data.len();
        self.acknowledge(id, side, data.len());
        self.tell(to, token);
    }

    /// So many bytes have arrived, or the end: the writer hears of it and of all before it, unless the way back is cut.
    fn acknowledge(&mut self, id: ConnId, side: Side, len: usize) {
        let Some((from, to)) = self.conns.get(&id).and_then(|conn| conn.hosts(side)) else {
            return;
        };
        if !self.reaches(to, from) {
            return self.unheard(id, side, len);
        }
        let Some(conn) = self.conns.get_mut(&id) else { return };
        let pipe = conn.pipe(side);
        let unheard = pipe.unheard.take();
        let len = len + unheard.unwrap_or(0);
        if len == 0 && unheard.is_none() {
            return;
        }
        let ack = self.now + self.links.latency(&mut self.random.links, to, from);
        let ack = pipe.acks.back().map_or(ack, |(last, _)| ack.max(*last));
        pipe.acks.push_back((ack, len));
        if pipe.blocked {
            self.schedule(ack, Event::Room(id, side));
        }
        if unheard.is_some() {
            self.schedule(ack, Event::Window(id, side));
        }
    }

    /// There is news that does not get back to this side; it will ask for it.
    fn unheard(&mut self, id: ConnId, side: Side, len: usize) {
        let Some(conn) = self.conns.get_mut(&id) else { return };
        let pipe = conn.pipe(side);
        *pipe.unheard.get_or_insert(0) += len;
        if !std::mem::replace(&mut pipe.asks_again, true) {
            self.schedule_in(RETRANSMIT_MIN, Event::Again(id, side));
        }
    }

    /// The other side is gone, and this one does not know. If it waits for room, nothing of it is on its way that would be
    /// answered with a reset: it has to ask (RFC 9293 3.8.6.1).
    pub(super) fn ask_who_is_gone(&mut self, id: ConnId, side: Side) {
        let Some(conn) = self.conns.get_mut(&id) else { return };
        let pipe = conn.pipe(side);
        if !pipe.unsent.is_empty() && pipe.flight.is_empty() {
            self.unheard(id, side, 0);
        }
    }

    /// This side sends something once more, to hear what it has missed.
    pub(super) fn ask_again(&mut self, id: ConnId, side: Side) {
        let Some(conn) = self.conns.get_mut(&id) else { return };
        let is_known = conn.end(side.other()).life != Life::Gone;
        let is_over = conn.end(side).life == Life::Gone;
        let pipe = conn.pipe(side);
        pipe.asks_again = false;
        // What is on its way anyway does as well.
        if pipe.unheard.is_none() || !pipe.flight.is_empty() || is_over {
            return;
        }
        let Some((from, to)) = conn.hosts(side) else { return };
        let reached = self.reaches(from, to);
        if reached && !is_known {
            self.send_reset(id, side.other());
        } else if reached && self.reaches(to, from) {
            if let Some(conn) = self.conns.get_mut(&id) {
                (conn.pipe(side).attempts, conn.pipe(side).in_vain_since) = (0, None);
            }
            return self.acknowledge(id, side, 0);
        }
        if let Some(conn) = self.conns.get_mut(&id) {
            conn.pipe(side).asks_again = true;
        }
        self.note(from, Verb::LosesSegment, id.0, 0);
        self.try_later(id, side, from, Event::Again(id, side));
    }

    /// A writer that was turned away may try again.
    pub(super) fn room_again(&mut self, id: ConnId, side: Side) {
        let now = self.now;
        let Some(conn) = self.conns.get_mut(&id) else { return };
        let pipe = conn.pipe(side);
        if pipe.blocked && pipe.room(now) > 0 {
            pipe.blocked = false;
            let (host, token) = (conn.end(side).host, conn.end(side).token);
            if let Some(host) = host {
                self.tell(host, token);
            }
        }
    }

    /// The system of this side has heard that the other one has read.
    pub(super) fn window_opened(&mut self, id: ConnId, side: Side) {
        let Some(conn) = self.conns.get_mut(&id) else { return };
        let wants = conn.end(side).life != Life::Gone && !conn.pipe(side).unsent.is_empty();
        conn.pipe(side).window_told = false;
        let Some((from, to)) = conn.hosts(side) else { return };
        if self.reaches(to, from) {
            self.pump(id, side);
        } else if wants {
            self.unheard(id, side, 0);
        }
    }

    // ---- ending ----

    /// The connection is broken for this side: what it has not sent is lost. What it has not read can still be.
    pub(super) fn fail(&mut self, id: ConnId, side: Side, kind: io::ErrorKind) {
        let Some(conn) = self.conns.get_mut(&id) else { return };
        conn.pipe(side).drop_all();
        conn.pipe(side).fin = Fin::Sent;
        let end = conn.end(side);
        if end.life == Life::Open {
            end.error.get_or_insert(kind);
        } else {
            end.life = Life::Gone;
        }
        if let (Some(host), token) = (end.host, end.token) {
            self.tell(host, token);
        }
        self.tidy(id);
    }

    /// The process has closed this side: gracefully, unless there is something unread, or a reset was asked for.
    pub(super) fn close(&mut self, id: ConnId, side: Side, reset: bool) {
        let Some(conn) = self.conns.get_mut(&id) else { return };
        let end = conn.end(side);
        if end.life != Life::Open {
            return;
        }
        end.token = None;
        if end.error.is_some() {
            end.life = Life::Gone;
        } else if reset || !end.received.is_empty() {
            // RFC 1122 4.2.2.13: who closes with something unread tells the peer by a reset.
            end.life = Life::Gone;
            end.received.clear();
            self.send_reset(id, side);
        } else {
            end.life = Life::Closed;
            if conn.pipe(side).fin == Fin::No {
                conn.pipe(side).fin = Fin::Wanted;
            }
            self.pump(id, side);
            self.schedule_in(FORGET_AFTER, Event::Forget(id, side));
        }
        self.tidy(id);
    }

    /// The system loses patience with a peer that does not close.
    pub(super) fn forget(&mut self, id: ConnId, side: Side) {
        let Some(conn) = self.conns.get_mut(&id) else { return };
        if conn.pipe(side).fin == Fin::Arrived {
            conn.end(side).life = Life::Gone;
            self.tidy(id);
        } else if conn.end(side).life == Life::Closed {
            self.schedule_in(FORGET_AFTER, Event::Forget(id, side));
        }
    }

    /// Forgets a connection of which both sides are done.
    pub(super) fn tidy(&mut self, id: ConnId) {
        let Some(conn) = self.conns.get_mut(&id) else { return };
        if conn.pipes.iter().all(|pipe| pipe.fin == Fin::Arrived) {
            conn.ends.iter_mut().filter(|end| end.life == Life::Closed).for_each(|end| {
                end.life = Life::Gone;
            });
        }
        if conn.ends.iter().all(|end| end.life == Life::Gone) {
            self.conns.remove(&id);
        }
    }
}
