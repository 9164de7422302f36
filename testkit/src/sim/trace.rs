//! The event trace of a run: [`Trace`] keeps the last entries, and a hash over all of them.

use std::{collections::VecDeque, fmt, rc::Rc};

use super::time::Time;

/// Number of entries kept for diagnosis.
const TAIL_MAX: usize = 256;

/// What happened to a host.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(super) enum Verb {
    Boots,
    Ends,
    IsKilled,
    LosesPower,
    Pauses,
    Resumes,
    Listens,
    Dials,
    IsRefused,
    GivesUpDialling,
    Connects,
    Accepts,
    CannotAccept,
    Receives,
    ReceivesEnd,
    ReceivesReset,
    LosesSegment,
    GivesUpSending,
    SendsDatagram,
    ReceivesDatagram,
    LosesDatagram,
    IsCutFrom,
    IsJoinedTo,
    CannotReach,
    CanReach,
    IsPartitioned,
    IsWhole,
    Notes,
}

/// One entry of the trace.
#[derive(Clone, Debug)]
pub(super) struct TraceEntry {
    pub(super) at: Time,
    pub(super) host: Rc<str>,
    pub(super) verb: Verb,
    /// The connection or socket.
    pub(super) id: u64,
    /// A number of bytes, a port, or similar.
    pub(super) amount: u64,
    pub(super) note: Option<Rc<str>>,
}

/// The trace of a simulation.
#[derive(Debug)]
pub(super) struct Trace {
    hash: u64,
    count: u64,
    tail: VecDeque<TraceEntry>,
}

impl Trace {
    pub(super) fn new(seed: u64) -> Self {
        let mut trace = Self { hash: FNV_OFFSET, count: 0, tail: VecDeque::new() };
        trace.fold(seed);
        trace
    }

    pub(super) fn add(&mut self, entry: TraceEntry) {
        self.count += 1;
        self.fold(entry.at.0);
        self.fold_bytes(entry.host.as_bytes());
        self.fold(entry.verb as u64);
        self.fold(entry.id);
        self.fold(entry.amount);
        if let Some(note) = &entry.note {
            self.fold_bytes(note.as_bytes());
        }
        if self.tail.len() == TAIL_MAX {
            self.tail.pop_front();
        }
        self.tail.push_back(entry);
    }

    /// Folds bytes into the hash, ahead of the next entry.
    pub(super) fn fold_bytes(&mut self, bytes: &[u8]) {
        self.fold(bytes.len() as u64);
        let mut words = bytes.chunks_exact(8);
        for word in &mut words {
            self.fold(u64::from_le_bytes(word.try_into().expect("chunks of eight bytes")));
        }
        let rest = words.remainder().iter().fold(0, |rest, byte| rest << 8 | u64::from(*byte));
        self.fold(rest);
    }

    pub(super) const fn hash(&self) -> u64 {
        self.hash
    }

    pub(super) const fn count(&self) -> u64 {
        self.count
    }

    pub(super) fn tail(&self, lines: usize) -> impl Iterator<Item = &TraceEntry> {
        self.tail.iter().skip(self.tail.len().saturating_sub(lines))
    }

    /// FNV-1a on 64-bit words; the high half is folded down so that it affects the low bits.
    const fn fold(&mut self, word: u64) {
        let mixed = (self.hash ^ word).wrapping_mul(FNV_PRIME);
        self.hash = mixed ^ (mixed >> 32);
    }
}

const FNV_OFFSET: u64 = 0xcbf2_9ce4_8422_2325;
const FNV_PRIME: u64 = 0x0000_0100_0000_01b3;

impl fmt::Display for TraceEntry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { at, host, verb, id, amount, note } = self;
        write!(f, "{at}  {host} ")?;
        match verb {
            Verb::Boots => f.write_str("boots"),
            Verb::Ends => f.write_str("ends"),
            Verb::IsKilled => f.write_str("is killed"),
            Verb::LosesPower => f.write_str("loses power"),
            Verb::Pauses => f.write_str("pauses"),
            Verb::Resumes => f.write_str("resumes"),
            Verb::Listens => write!(f, "listens on port {amount}"),
            Verb::Dials => write!(f, "dials port {amount}: connection {id}"),
            Verb::IsRefused => write!(f, "is refused connection {id}"),
            Verb::GivesUpDialling => write!(f, "gives up dialling connection {id}"),
            Verb::Connects => write!(f, "has made connection {id}"),
            Verb::Accepts => write!(f, "accepts connection {id}"),
            Verb::CannotAccept => f.write_str("cannot accept"),
            Verb::Receives => write!(f, "receives {amount} bytes on connection {id}"),
            Verb::ReceivesEnd => write!(f, "receives the end of connection {id}"),
            Verb::ReceivesReset => write!(f, "receives a reset of connection {id}"),
            Verb::LosesSegment => write!(f, "sends a segment of connection {id} in vain"),
            Verb::GivesUpSending => write!(f, "gives up sending on connection {id}"),
            Verb::SendsDatagram => {
                write!(f, "sends a datagram of {amount} bytes from socket {id}")
            }
            Verb::ReceivesDatagram => {
                write!(f, "receives a datagram of {amount} bytes on socket {id}")
            }
            Verb::LosesDatagram => write!(f, "loses a datagram of {amount} bytes"),
            Verb::IsCutFrom => f.write_str("is cut from "),
            Verb::IsJoinedTo => f.write_str("is joined again to "),
            Verb::CannotReach => f.write_str("can no longer reach "),
            Verb::CanReach => f.write_str("can reach again "),
            Verb::IsPartitioned => f.write_str("is partitioned: "),
            Verb::IsWhole => f.write_str("is whole again: "),
            Verb::Notes => f.write_str("notes: "),
        }?;
        f.write_str(note.as_deref().unwrap_or_default())
    }
}
