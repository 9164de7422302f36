//! Simulated TCP data transfer: segments, acknowledgements, retransmission, resets and close, as visible to a
//! program. The handshake is in `handshake.rs`, the sockets are in `endpoint.rs`.

use std::{
    io::{self, Read},
    time::Duration,
};

use super::{
    conn::{EndState, Fin, InFlight, Segment, Side},
    event::Event,
    id::{ConnId, HostId},
    trace::Verb,
    world::World,
};

/// Maximum segment size in bytes.
const SEGMENT_MAX: usize = 1460;

/// Bytes of headers per segment, which count against the bandwidth.
const HEADERS: usize = 40;

/// Initial retransmission timeout (RFC 6298 2.1, with the minimum used in practice); it doubles each time.
const RETRANSMIT_MIN: Duration = Duration::from_millis(200);
/// Maximum retransmission timeout.
const RETRANSMIT_MAX: Duration = Duration::from_secs(120);
/// Sending is given up after this time without an acknowledgement, about 15 retransmissions (tcp(7), `tcp_retries2`).
const GIVE_UP_AFTER: Duration = Duration::from_secs(924);

/// FIN timeout: how long a closed side waits for its peer to close (tcp(7), `tcp_fin_timeout`).
const FIN_TIMEOUT: Duration = Duration::from_secs(60);

impl World {
    // ---- sending ----

    /// Sends unsent data within the window, in segments of random length.
    pub(super) fn transmit(&mut self, id: ConnId, side: Side) {
        loop {
            let Some(conn) = self.conns.get_mut(&id) else { return };
            let window = conn.window(side);
            let pipe = conn.pipe(side);
            let segment = if !pipe.unsent.is_empty() {
                let max = pipe.unsent.len().min(window).min(SEGMENT_MAX);
                if max == 0 {
                    return;
                }
                // Mostly full segments, sometimes shorter ones.
                let cut = self.random.cuts.u8(..) < 64;
                let len = if cut { self.random.cuts.usize(1..=max) } else { max };
                pipe.in_flight += len;
                let mut data = vec![0; len];
                pipe.unsent.read_exact(&mut data).expect("the buffer holds at least `len` bytes");
                Segment::Data(data)
            } else if pipe.fin == Fin::Wanted {
                pipe.fin = Fin::Sent;
                Segment::Fin
            } else {
                return;
            };
            self.send(id, side, segment);
        }
    }

    /// Drops unsent data and sends a reset after the segments in flight.
    pub(super) fn send_reset(&mut self, id: ConnId, side: Side) {
        if let Some(conn) = self.conns.get_mut(&id) {
            let pipe = conn.pipe(side);
            pipe.unsent.clear();
            pipe.fin = Fin::Sent;
            self.send(id, side, Segment::Rst);
        }
    }

    fn send(&mut self, id: ConnId, side: Side, segment: Segment) {
        let Some(conn) = self.conns.get_mut(&id) else { return };
        let Some((from, to)) = conn.hosts(side) else { return };
        let size = if let Segment::Data(data) = &segment { data.len() } else { 0 } + HEADERS;
        let mut at = self.links.arrival(&mut self.random.links, self.now, from, to, size);
        if self.links.loses(&mut self.random.links, from, to) {
            at = at + RETRANSMIT_MIN;
        }
        let pipe = conn.pipe(side);
        pipe.not_before = pipe.not_before.max(at);
        let at = pipe.not_before;
        pipe.flight.push_back(InFlight { at, segment });
        if pipe.flight.len() == 1 {
            self.schedule(at, Event::Arrive(id, side));
        }
    }

    // ---- receiving ----

    /// Delivers the segments that have arrived by now, in order. A segment that cannot get through is retransmitted,
    /// and later ones wait for it.
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
            let is_reset = matches!(next.segment, Segment::Rst);
            if !self.reaches(from, to) && !is_reset {
                return self.retransmit(id, side, from);
            }
            let (reached, heard) = (self.reaches(from, to), self.reaches(to, from));
            let Some(conn) = self.conns.get_mut(&id) else { return };
            if reached && conn.resets_next_segment_for(side.other()) {
                return self.answer_with_reset(id, side);
            }
            let pipe = conn.pipe(side);
            if heard {
                (pipe.attempts, pipe.unanswered_since) = (0, None);
            }
            let Some(InFlight { segment, .. }) = pipe.flight.pop_front() else { return };
            if reached {
                self.deliver(id, side, to, segment);
            } else {
                self.probe_if_idle(id, side.other());
            }
        }
    }

    /// A segment was lost: retransmits it with backoff.
    fn retransmit(&mut self, id: ConnId, side: Side, from: HostId) {
        self.note(from, Verb::LosesSegment, id.0, 0);
        self.retry_with_backoff(id, side, from, Event::Arrive(id, side));
    }

    /// Schedules `event` with exponential backoff, or gives up after [`GIVE_UP_AFTER`].
    fn retry_with_backoff(&mut self, id: ConnId, side: Side, from: HostId, event: Event) {
        let now = self.now;
        let Some(conn) = self.conns.get_mut(&id) else { return };
        let pipe = conn.pipe(side);
        let since = *pipe.unanswered_since.get_or_insert(now);
        if since.until(now) >= GIVE_UP_AFTER {
            self.note(from, Verb::GivesUpSending, id.0, 0);
            return self.fail(id, side, io::ErrorKind::TimedOut);
        }
        let wait = RETRANSMIT_MIN.saturating_mul(1 << pipe.attempts.min(16)).min(RETRANSMIT_MAX);
        pipe.attempts += 1;
        self.schedule_in(wait, event);
    }

    fn deliver(&mut self, id: ConnId, side: Side, to: HostId, segment: Segment) {
        let other = side.other();
        let Some(conn) = self.conns.get_mut(&id) else { return };
        if let Segment::Data(data) = &segment {
            conn.pipe(side).in_flight -= data.len();
        }
        match (conn.end(other).state, segment) {
            (_, Segment::Rst) => {
                self.note(to, Verb::ReceivesReset, id.0, 0);
                self.fail(id, other, io::ErrorKind::ConnectionReset);
            }
            (_, Segment::Fin) => {
                conn.end(other).ended = true;
                conn.pipe(side).fin = Fin::Arrived;
                let token = conn.end(other).token;
                self.note(to, Verb::ReceivesEnd, id.0, 0);
                self.notify(to, token);
                self.acknowledge(id, side, 0);
                self.remove_if_done(id);
            }
            (_, Segment::Data(data)) => self.receive_data(id, side, to, &data),
        }
    }

    /// The receiving system does not know the connection, or has closed it with unread data: answers with a reset.
    /// The reset may be lost; the segment is retransmitted until the reset arrives.
    fn answer_with_reset(&mut self, id: ConnId, side: Side) {
        let Some(conn) = self.conns.get_mut(&id) else { return };
        let Some((from, _)) = conn.hosts(side) else { return };
        conn.end(side.other()).state = EndState::Gone;
        self.retry_with_backoff(id, side, from, Event::Arrive(id, side));
        self.send_reset(id, side.other());
        self.remove_if_done(id);
    }

    fn receive_data(&mut self, id: ConnId, side: Side, to: HostId, data: &[u8]) {
        self.trace.fold_bytes(data);
        self.note(to, Verb::Receives, id.0, data.len() as u64);
        let Some(conn) = self.conns.get_mut(&id) else { return };
        conn.end(side.other()).received.extend(data);
        let token = conn.end(side.other()).token;
        conn.pipe(side).unacked += data.len();
        self.acknowledge(id, side, data.len());
        self.notify(to, token);
    }

    /// Acknowledges `len` bytes, or a FIN, and everything before, unless the reverse path is cut.
    fn acknowledge(&mut self, id: ConnId, side: Side, len: usize) {
        let Some((from, to)) = self.conns.get(&id).and_then(|conn| conn.hosts(side)) else {
            return;
        };
        if !self.reaches(to, from) {
            return self.ack_lost(id, side, len);
        }
        let Some(conn) = self.conns.get_mut(&id) else { return };
        let pipe = conn.pipe(side);
        let lost_acks = pipe.lost_acks.take();
        let len = len + lost_acks.unwrap_or(0);
        if len == 0 && lost_acks.is_none() {
            return;
        }
        let ack = self.now + self.links.latency(&mut self.random.links, to, from);
        let ack = pipe.acks.back().map_or(ack, |(last, _)| ack.max(*last));
        pipe.acks.push_back((ack, len));
        if pipe.blocked {
            self.schedule(ack, Event::Writable(id, side));
        }
        if lost_acks.is_some() {
            self.schedule(ack, Event::Window(id, side));
        }
    }

    /// An acknowledgement or window update was lost; the sender will probe for it.
    fn ack_lost(&mut self, id: ConnId, side: Side, len: usize) {
        let Some(conn) = self.conns.get_mut(&id) else { return };
        let pipe = conn.pipe(side);
        *pipe.lost_acks.get_or_insert(0) += len;
        if !std::mem::replace(&mut pipe.probe_scheduled, true) {
            self.schedule_in(RETRANSMIT_MIN, Event::Probe(id, side));
        }
    }

    /// The other side is gone without this side knowing. If this side waits for a window update, it has nothing in
    /// flight that would be answered with a reset, so it has to probe (zero-window probe, RFC 9293 3.8.6.1).
    pub(super) fn probe_if_idle(&mut self, id: ConnId, side: Side) {
        let Some(conn) = self.conns.get_mut(&id) else { return };
        let pipe = conn.pipe(side);
        if !pipe.unsent.is_empty() && pipe.flight.is_empty() {
            self.ack_lost(id, side, 0);
        }
    }

    /// Sends a probe, to get the acknowledgements that were lost.
    pub(super) fn probe(&mut self, id: ConnId, side: Side) {
        let Some(conn) = self.conns.get_mut(&id) else { return };
        let is_known = conn.end(side.other()).state != EndState::Gone;
        let is_over = conn.end(side).state == EndState::Gone;
        let pipe = conn.pipe(side);
        pipe.probe_scheduled = false;
        // A segment in flight serves as a probe.
        if pipe.lost_acks.is_none() || !pipe.flight.is_empty() || is_over {
            return;
        }
        let Some((from, to)) = conn.hosts(side) else { return };
        let reached = self.reaches(from, to);
        if reached && !is_known {
            self.send_reset(id, side.other());
        } else if reached && self.reaches(to, from) {
            if let Some(conn) = self.conns.get_mut(&id) {
                (conn.pipe(side).attempts, conn.pipe(side).unanswered_since) = (0, None);
            }
            return self.acknowledge(id, side, 0);
        }
        if let Some(conn) = self.conns.get_mut(&id) {
            conn.pipe(side).probe_scheduled = true;
        }
        self.note(from, Verb::LosesSegment, id.0, 0);
        self.retry_with_backoff(id, side, from, Event::Probe(id, side));
    }

    /// A blocked writer may write again.
    pub(super) fn writable_again(&mut self, id: ConnId, side: Side) {
        let now = self.now;
        let Some(conn) = self.conns.get_mut(&id) else { return };
        let pipe = conn.pipe(side);
        if pipe.blocked && pipe.room(now) > 0 {
            pipe.blocked = false;
            let (host, token) = (conn.end(side).host, conn.end(side).token);
            if let Some(host) = host {
                self.notify(host, token);
            }
        }
    }

    /// A window update has arrived at this side.
    pub(super) fn window_opened(&mut self, id: ConnId, side: Side) {
        let Some(conn) = self.conns.get_mut(&id) else { return };
        let wants = conn.end(side).state != EndState::Gone && !conn.pipe(side).unsent.is_empty();
        conn.pipe(side).window_update_scheduled = false;
        let Some((from, to)) = conn.hosts(side) else { return };
        if self.reaches(to, from) {
            self.transmit(id, side);
        } else if wants {
            self.ack_lost(id, side, 0);
        }
    }

    // ---- closing ----

    /// Fails this side of the connection: its unsent data are lost. Received data can still be read.
    pub(super) fn fail(&mut self, id: ConnId, side: Side, kind: io::ErrorKind) {
        let Some(conn) = self.conns.get_mut(&id) else { return };
        conn.pipe(side).clear();
        conn.pipe(side).fin = Fin::Sent;
        let end = conn.end(side);
        if end.state == EndState::Open {
            end.error.get_or_insert(kind);
        } else {
            end.state = EndState::Gone;
        }
        if let (Some(host), token) = (end.host, end.token) {
            self.notify(host, token);
        }
        self.remove_if_done(id);
    }

    /// The process closes this side: gracefully, unless there is unread data or a reset was requested.
    pub(super) fn close(&mut self, id: ConnId, side: Side, reset: bool) {
        let Some(conn) = self.conns.get_mut(&id) else { return };
        let end = conn.end(side);
        if end.state != EndState::Open {
            return;
        }
        end.token = None;
        if end.error.is_some() {
            end.state = EndState::Gone;
        } else if reset || !end.received.is_empty() {
            // RFC 1122 4.2.2.13: closing with unread data resets the connection.
            end.state = EndState::Gone;
            end.received.clear();
            self.send_reset(id, side);
        } else {
            end.state = EndState::Closed;
            if conn.pipe(side).fin == Fin::No {
                conn.pipe(side).fin = Fin::Wanted;
            }
            self.transmit(id, side);
            self.schedule_in(FIN_TIMEOUT, Event::FinTimeout(id, side));
        }
        self.remove_if_done(id);
    }

    /// The FIN timeout has expired.
    pub(super) fn fin_timeout(&mut self, id: ConnId, side: Side) {
        let Some(conn) = self.conns.get_mut(&id) else { return };
        if conn.pipe(side).fin == Fin::Arrived {
            conn.end(side).state = EndState::Gone;
            self.remove_if_done(id);
        } else if conn.end(side).state == EndState::Closed {
            self.schedule_in(FIN_TIMEOUT, Event::FinTimeout(id, side));
        }
    }

    /// Removes a connection once both sides are done.
    pub(super) fn remove_if_done(&mut self, id: ConnId) {
        let Some(conn) = self.conns.get_mut(&id) else { return };
        if conn.pipes.iter().all(|pipe| pipe.fin == Fin::Arrived) {
            conn.ends.iter_mut().filter(|end| end.state == EndState::Closed).for_each(|end| {
                end.state = EndState::Gone;
            });
        }
        if conn.ends.iter().all(|end| end.state == EndState::Gone) {
            self.conns.remove(&id);
        }
    }
}
