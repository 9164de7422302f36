//! The TCP three-way handshake: SYN, SYN-ACK and ACK, each of which may be lost and retransmitted.

use std::{io, net::SocketAddr, time::Duration};

use super::{
    conn::{Conn, End, EndState, Pipe, Side, Stage},
    event::{Answer, Event},
    id::{ConnId, HostId, SocketId},
    trace::Verb,
    world::World,
};
use sinew_transports::net::DialOptions;

/// Initial timeout of a SYN (RFC 6298 2.1); it doubles with each retransmission.
const SYN_TIMEOUT: Duration = Duration::from_secs(1);

/// Maximum SYN retransmissions; connecting times out after 127 s (tcp(7), `tcp_syn_retries`).
const SYN_RETRIES_MAX: u32 = 6;

/// Interval at which a lost ACK is retried.
const ACK_RETRY_INTERVAL: Duration = Duration::from_secs(1);

impl World {
    /// Starts connecting, with the immediate errors of connect(2).
    pub(super) fn dial(
        &mut self,
        host: HostId,
        to: SocketAddr,
        config: &DialOptions,
    ) -> io::Result<ConnId> {
        let own = self.node(host).source_for(to.ip());
        let from = match config.bind {
            Some(bind) if bind.is_ipv4() != to.is_ipv4() => {
                return Err(io::ErrorKind::InvalidInput.into());
            }
            Some(bind) if !bind.ip().is_unspecified() && !self.node(host).has(bind.ip()) => {
                return Err(io::ErrorKind::AddrNotAvailable.into());
            }
            Some(bind) if bind.ip().is_unspecified() => SocketAddr::new(own, bind.port()),
            Some(bind) => bind,
            None => SocketAddr::new(own, 0),
        };
        let port = if from.port() == 0 { self.free_port(host)? } else { from.port() };
        let from = SocketAddr::new(from.ip(), port);
        let other = self.host_of(host, to.ip());
        let id = ConnId(self.next_id());
        let conn = Conn {
            stage: Stage::Dialling(0),
            ends: [End::new(Some(host), from), End::new(other, to)],
            pipes: [Pipe::new(), Pipe::new()],
        };
        self.conns.insert(id, conn);
        self.note(host, Verb::Dials, id.0, u64::from(to.port()));
        self.send_syn(id, host, other);
        Ok(id)
    }

    fn send_syn(&mut self, id: ConnId, host: HostId, other: Option<HostId>) {
        let latency = match other {
            Some(other) => self.links.latency(&mut self.random.links, host, other),
            None => Duration::ZERO,
        };
        self.schedule_in(latency, Event::Syn(id));
    }

    /// The SYN arrives, or is lost.
    pub(super) fn syn(&mut self, id: ConnId) {
        let Some(conn) = self.conns.get(&id) else { return };
        let Stage::Dialling(attempt) = conn.stage else { return };
        let Some((host, other)) = conn.hosts(Side::Dialler) else {
            return self.retransmit_syn(id, attempt);
        };
        let to = conn.ends[Side::Acceptor as usize].addr;
        if !self.reaches(host, other) || self.links.loses(&mut self.random.links, host, other) {
            return self.retransmit_syn(id, attempt);
        }
        let latency = self.links.latency(&mut self.random.links, other, host);
        match self.listener_for(other, to) {
            None => self.schedule_in(latency, Event::SynAck(id, Answer::Refused)),
            // As on Linux, a full backlog looks like a lost SYN to the dialler.
            Some(listener) if self.is_backlog_full(listener) => self.retransmit_syn(id, attempt),
            Some(listener) => {
                self.pending(listener, 1);
                self.set_stage(id, Stage::Answered(attempt, listener));
                self.schedule_in(latency, Event::SynAck(id, Answer::Accepted));
            }
        }
    }

    fn retransmit_syn(&mut self, id: ConnId, attempt: u32) {
        let wait = SYN_TIMEOUT * (1 << attempt);
        if attempt < SYN_RETRIES_MAX {
            self.set_stage(id, Stage::Dialling(attempt + 1));
            self.schedule_in(wait, Event::Syn(id));
        } else if attempt == SYN_RETRIES_MAX {
            self.set_stage(id, Stage::Dialling(attempt + 1));
            // The last retransmission also gets its full timeout.
            self.schedule_in(wait, Event::SynAck(id, Answer::Refused));
        }
    }

    /// The SYN-ACK arrives, or is lost.
    pub(super) fn syn_ack(&mut self, id: ConnId, answer: Answer) {
        let Some(conn) = self.conns.get(&id) else { return };
        let dialler = conn.ends[Side::Dialler as usize].host;
        let attempt = match conn.stage {
            Stage::Dialling(attempt) | Stage::Answered(attempt, _) => attempt,
            _ => return,
        };
        if attempt > SYN_RETRIES_MAX {
            if let Some(host) = dialler {
                self.note(host, Verb::GivesUpDialling, id.0, 0);
            }
            return self.fail_dialling(id, io::ErrorKind::TimedOut);
        }
        let Some((host, other)) = conn.hosts(Side::Dialler) else { return };
        let listener = match conn.stage {
            Stage::Answered(_, listener) => Some(listener),
            _ => None,
        };
        if !self.reaches(other, host) {
            if let Some(listener) = listener {
                self.pending(listener, -1);
            }
            return self.retransmit_syn(id, attempt);
        }
        if let (Answer::Accepted, Some(listener)) = (answer, listener) {
            return self.connected(id, host, other, listener);
        }
        self.note(host, Verb::IsRefused, id.0, 0);
        self.fail_dialling(id, io::ErrorKind::ConnectionRefused);
    }

    fn connected(&mut self, id: ConnId, host: HostId, other: HostId, listener: SocketId) {
        let ack = self.now + self.links.latency(&mut self.random.links, host, other);
        let Some(conn) = self.conns.get_mut(&id) else { return };
        conn.stage = Stage::Confirming(listener);
        // Data of the dialler cannot overtake its ACK.
        conn.pipe(Side::Dialler).not_before = ack;
        let token = conn.end(Side::Dialler).token;
        self.schedule(ack, Event::Ack(id));
        self.note(host, Verb::Connects, id.0, 0);
        self.notify(host, token);
    }

    /// The ACK arrives: the connection is queued for accept.
    pub(super) fn ack(&mut self, id: ConnId) {
        let Some(conn) = self.conns.get_mut(&id) else { return };
        let Stage::Confirming(listener) = conn.stage else { return };
        let Some((host, other)) = conn.hosts(Side::Dialler) else { return };
        if conn.end(Side::Acceptor).state != EndState::Open {
            return;
        }
        if !self.reaches(host, other) {
            return self.schedule_in(ACK_RETRY_INTERVAL, Event::Ack(id));
        }
        self.pending(listener, -1);
        self.set_stage(id, Stage::Made);
        match self.listening.get_mut(&listener) {
            Some(listening) => {
                listening.queue.push_back(id);
                let (host, token) = (listening.host, listening.token);
                self.notify(host, token);
            }
            None => self.close(id, Side::Acceptor, true),
        }
    }

    /// Connecting has failed: the dialler gets the error.
    fn fail_dialling(&mut self, id: ConnId, kind: io::ErrorKind) {
        let Some(conn) = self.conns.get_mut(&id) else { return };
        conn.end(Side::Acceptor).state = EndState::Gone;
        self.fail(id, Side::Dialler, kind);
    }

    /// The dialler closed the socket before the connection was accepted.
    pub(super) fn stop_dialling(&mut self, id: ConnId) {
        let Some(conn) = self.conns.get(&id) else { return };
        match conn.stage {
            Stage::Dialling(_) => drop(self.conns.remove(&id)),
            Stage::Answered(_, listener) => {
                self.pending(listener, -1);
                self.conns.remove(&id);
            }
            Stage::Confirming(_) | Stage::Made => self.close(id, Side::Dialler, true),
        }
    }

    fn set_stage(&mut self, id: ConnId, stage: Stage) {
        if let Some(conn) = self.conns.get_mut(&id) {
            conn.stage = stage;
        }
    }

    fn pending(&mut self, listener: SocketId, more: isize) {
        if let Some(listening) = self.listening.get_mut(&listener) {
            listening.pending = listening.pending.saturating_add_signed(more);
        }
    }
}
