//! What a connection is: two ends, and a pipe in each direction. [`Conn`]. Pure: what happens to it is in `tcp.rs`.

use std::{collections::VecDeque, io, net::SocketAddr};

use sinew_reactor::Token;

use super::{
    id::{HostId, SocketId},
    time::Time,
};

/// Bytes that a side has accepted for sending and not yet seen acknowledged.
pub(super) const SEND_BUFFER: usize = 64 * 1024;

/// Bytes that wait to be read, or are on their way to where they do.
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

/// How far the handshake is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stage {
    /// The request has been sent so often.
    Dialling(u32),
    /// The answer is on its way; the listener has a place for it.
    Answered(u32, SocketId),
    /// The dialler has its connection; the listener is about to.
    Confirming(SocketId),
    Made,
}

/// A connection, as the systems of both its ends know it.
pub(super) struct Conn {
    pub(super) stage: Stage,
    pub(super) ends: [End; 2],
    /// What each side sends.
    pub(super) pipes: [Pipe; 2],
}

/// One side, as its system sees it.
pub(super) struct End {
    pub(super) host: Option<HostId>,
    pub(super) addr: SocketAddr,
    pub(super) token: Option<Token>,
    pub(super) life: Life,
    pub(super) error: Option<io::ErrorKind>,
    pub(super) received: VecDeque<u8>,
    pub(super) ended: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Life {
    /// A process has it, or will.
    Open,
    /// Closed; the system sends what is left.
    Closed,
    /// The system knows it no more.
    Gone,
}

/// One direction.
pub(super) struct Pipe {
    pub(super) unsent: VecDeque<u8>,
    pub(super) fin: Fin,
    pub(super) flight: VecDeque<Parcel>,
    pub(super) in_flight: usize,
    /// When what has arrived counts as acknowledged.
    pub(super) acks: VecDeque<(Time, usize)>,
    pub(super) unacked: usize,
    /// The writer was turned away and waits for room.
    pub(super) blocked: bool,
    /// No parcel arrives before this one: what was sent last, or the handshake.
    pub(super) not_before: Time,
    /// The reader will be heard of.
    pub(super) window_told: bool,
    pub(super) attempts: u32,
    pub(super) in_vain_since: Option<Time>,
    /// There is news from the reader that the writer has not heard, as the way back is cut: so many bytes have arrived, or
    /// the end has, or there is room again.
    pub(super) unheard: Option<usize>,
    /// The writer will ask for it.
    pub(super) asks_again: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fin {
    No,
    /// After what is unsent.
    Wanted,
    Sent,
    Arrived,
}

pub(super) struct Parcel {
    pub(super) at: Time,
    pub(super) what: What,
}

pub(super) enum What {
    Data(Vec<u8>),
    Fin,
    Rst,
}

impl End {
    pub(super) fn new(host: Option<HostId>, addr: SocketAddr) -> Self {
        let (token, error, received) = (None, None, VecDeque::new());
        Self { host, addr, token, life: Life::Open, error, received, ended: false }
    }

    /// What is said to who has read all that came. What had come before a reset is there to be read, as in real systems.
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
            window_told: false,
            attempts: 0,
            in_vain_since: None,
            unheard: None,
            asks_again: false,
        }
    }

    /// Bytes that may be written now.
    pub(super) fn room(&mut self, now: Time) -> usize {
        while let Some((at, len)) = self.acks.front().copied()
            && at <= now
        {
            self.acks.pop_front();
            self.unacked -= len;
        }
        SEND_BUFFER.saturating_sub(self.unsent.len() + self.in_flight + self.unacked)
    }

    /// When there will be more room, as far as is known.
    pub(super) fn next_ack(&self) -> Option<Time> {
        self.acks.front().map(|(at, _)| *at)
    }

    pub(super) fn drop_all(&mut self) {
        self.unsent.clear();
        self.flight.clear();
        self.in_flight = 0;
        self.unheard = None;
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

    /// Whether what comes first for this side is answered with a reset.
    pub(super) fn is_unknown_to(&self, side: Side) -> bool {
        let first = self.pipes[side.other() as usize].flight.front();
        match self.ends[side as usize].life {
            Life::Open => false,
            Life::Closed => first.is_some_and(|parcel| matches!(parcel.what, What::Data(_))),
            Life::Gone => first.is_some_and(|parcel| !matches!(parcel.what, What::Rst)),
        }
    }

    pub(super) fn window(&self, side: Side) -> usize {
        let waiting = self.ends[side.other() as usize].received.len();
        let pipe = &self.pipes[side as usize];
        RECEIVE_BUFFER.saturating_sub(waiting.max(pipe.unheard.unwrap_or(0)) + pipe.in_flight)
    }
}
