//! A simulated TCP connection: two ends, and a pipe in each direction. [`Conn`]. Pure data: its rules are in
//! `tcp.rs`.

use std::{collections::VecDeque, io, net::SocketAddr};

use sinew_reactor::Token;

use super::{
    id::{HostId, SocketId},
    time::Time,
};

/// Capacity of the send buffer: bytes accepted for sending and not acknowledged yet.
pub(super) const SEND_BUFFER: usize = 64 * 1024;

/// Capacity of the receive buffer: bytes in flight or waiting to be read.
const RECEIVE_BUFFER: usize = 64 * 1024;

/// Which end of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Side {
    Dialler = 0,
    Acceptor = 1,
}

impl Side {
    pub(super) const fn other(self) -> Self {
        match self {
            Self::Dialler => Self::Acceptor,
            Self::Acceptor => Self::Dialler,
        }
    }
}

/// Progress of the handshake.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stage {
    /// The SYN has been retransmitted this many times.
    Dialling(u32),
    /// The SYN-ACK is in flight; the listener has reserved a place in its backlog.
    Answered(u32, SocketId),
    /// The dialler is connected; its ACK has not reached the listener yet.
    Confirming(SocketId),
    Made,
}

/// A connection, as the operating systems of both ends see it.
pub(super) struct Conn {
    pub(super) stage: Stage,
    pub(super) ends: [End; 2],
    /// What each side sends.
    pub(super) pipes: [Pipe; 2],
}

/// One end of a connection, as its operating system sees it.
pub(super) struct End {
    pub(super) host: Option<HostId>,
    pub(super) addr: SocketAddr,
    pub(super) token: Option<Token>,
    pub(super) state: EndState,
    pub(super) error: Option<io::ErrorKind>,
    pub(super) received: VecDeque<u8>,
    pub(super) ended: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum EndState {
    /// A process has it open, or will.
    Open,
    /// Closed by the process; the system still sends what is queued.
    Closed,
    /// The system no longer knows the connection.
    Gone,
}

/// One direction of a connection.
pub(super) struct Pipe {
    pub(super) unsent: VecDeque<u8>,
    pub(super) fin: Fin,
    pub(super) flight: VecDeque<InFlight>,
    pub(super) in_flight: usize,
    /// When arrived bytes will count as acknowledged.
    pub(super) acks: VecDeque<(Time, usize)>,
    pub(super) unacked: usize,
    /// A write returned `WouldBlock`; the writer waits for room.
    pub(super) blocked: bool,
    /// No segment arrives earlier than this: the arrival of the previous segment, or of the handshake.
    pub(super) not_before: Time,
    /// A window update to the writer is scheduled.
    pub(super) window_update_scheduled: bool,
    pub(super) attempts: u32,
    pub(super) unanswered_since: Option<Time>,
    /// The reverse path is cut, so an acknowledgement or a window update could not reach the writer: the number of
    /// unacknowledged bytes (zero for a FIN or a window update).
    pub(super) lost_acks: Option<usize>,
    /// A probe of the writer is scheduled.
    pub(super) probe_scheduled: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fin {
    No,
    /// To be sent after the unsent data.
    Wanted,
    Sent,
    Arrived,
}

pub(super) struct InFlight {
    pub(super) at: Time,
    pub(super) segment: Segment,
}

pub(super) enum Segment {
    Data(Vec<u8>),
    Fin,
    Rst,
}

impl End {
    pub(super) fn new(host: Option<HostId>, addr: SocketAddr) -> Self {
        let (token, error, received) = (None, None, VecDeque::new());
        Self { host, addr, token, state: EndState::Open, error, received, ended: false }
    }

    /// The result of a read with an empty receive buffer. Data received before a reset can still be read, as on real
    /// systems.
    pub(super) fn nothing_to_read(&self) -> io::Result<usize> {
        match self.error {
            Some(error) => Err(error.into()),
            None if self.ended => Ok(0),
            None => Err(io::ErrorKind::WouldBlock.into()),
        }
    }
}

impl Pipe {
    pub(super) fn new() -> Self {
        Self {
            unsent: VecDeque::new(),
            fin: Fin::No,
            flight: VecDeque::new(),
            in_flight: 0,
            acks: VecDeque::new(),
            unacked: 0,
            blocked: false,
            not_before: Time::default(),
            window_update_scheduled: false,
            attempts: 0,
            unanswered_since: None,
            lost_acks: None,
            probe_scheduled: false,
        }
    }

    /// Number of bytes that can be written now.
    pub(super) fn room(&mut self, now: Time) -> usize {
        while let Some((at, len)) = self.acks.front().copied()
            && at <= now
        {
            self.acks.pop_front();
            self.unacked -= len;
        }
        SEND_BUFFER.saturating_sub(self.unsent.len() + self.in_flight + self.unacked)
    }

    /// When the next acknowledgement arrives, if one is scheduled.
    pub(super) fn next_ack(&self) -> Option<Time> {
        self.acks.front().map(|(at, _)| *at)
    }

    pub(super) fn clear(&mut self) {
        self.unsent.clear();
        self.flight.clear();
        self.in_flight = 0;
        self.lost_acks = None;
    }
}

impl Conn {
    pub(super) fn end(&mut self, side: Side) -> &mut End {
        &mut self.ends[side as usize]
    }

    pub(super) fn pipe(&mut self, side: Side) -> &mut Pipe {
        &mut self.pipes[side as usize]
    }

    pub(super) fn hosts(&self, side: Side) -> Option<(HostId, HostId)> {
        Some((self.ends[side as usize].host?, self.ends[side.other() as usize].host?))
    }

    /// Whether the next segment for this side is answered with a reset.
    pub(super) fn resets_next_segment_for(&self, side: Side) -> bool {
        let first = self.pipes[side.other() as usize].flight.front();
        match self.ends[side as usize].state {
            EndState::Open => false,
            EndState::Closed => {
                first.is_some_and(|parcel| matches!(parcel.segment, Segment::Data(_)))
            }
            EndState::Gone => first.is_some_and(|parcel| !matches!(parcel.segment, Segment::Rst)),
        }
    }

    pub(super) fn window(&self, side: Side) -> usize {
        let waiting = self.ends[side.other() as usize].received.len();
        let pipe = &self.pipes[side as usize];
        RECEIVE_BUFFER.saturating_sub(waiting.max(pipe.lost_acks.unwrap_or(0)) + pipe.in_flight)
    }
}
