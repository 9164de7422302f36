//! Compares a replay with its recording: finds the first difference. Pure.

use std::{collections::BTreeMap, time::Duration};

use super::{Record, RecordKind, ReplayError, TICK, replay_error::quoted};

/// The first difference between the recording and the replay.
pub(super) fn first_difference(
    recorded: &[Record],
    truncated: bool,
    seen: &[Record],
) -> Option<ReplayError> {
    let end = recorded.last().map_or(Duration::ZERO, |record| record.at);
    let expected = connection_logs(recorded);
    let mut got = connection_logs(seen);
    let differences = expected.iter().filter_map(|(connection, expected)| {
        let got = got.remove(connection).unwrap_or_default();
        let got = if expected.is_over { got } else { got.until(expected, end) };
        let is_part = truncated && !expected.is_over;
        let pair = Pair { connection: *connection, expected, got: &got, is_part };
        pair.in_output().into_iter().chain(pair.in_callbacks()).min_by_key(|(place, _)| *place)
    });
    Some(differences.min_by_key(|(place, _)| *place)?.1)
}

/// The position of a difference: the time, and the index in the recording, if it is a record that the replay lacks.
type Place = (Duration, usize);

/// The records of a connection that are compared: its callbacks and its output, regardless of how writes were split.
#[derive(Default)]
struct ConnectionLog<'a> {
    told: Vec<(usize, &'a Record)>,
    sent: Vec<u8>,
    /// The position of each write in the output: the length after it, and where it was recorded.
    marks: Vec<(usize, Place)>,
    write_closed: Option<Duration>,
    /// Whether written data may not have been sent.
    is_stalled: bool,
    is_over: bool,
}

fn connection_logs(records: &[Record]) -> BTreeMap<u32, ConnectionLog<'_>> {
    let mut connection_logs = BTreeMap::<u32, ConnectionLog<'_>>::new();
    for (place, record) in records.iter().enumerate() {
        connection_logs.entry(record.connection).or_default().add(place, record);
    }
    connection_logs
}

impl<'a> ConnectionLog<'a> {
    fn add(&mut self, place: usize, record: &'a Record) {
        match &record.kind {
            RecordKind::Sent(data) => {
                self.sent.extend_from_slice(data);
                self.marks.push((self.sent.len(), (record.at, place)));
                self.is_stalled = false;
            }
            RecordKind::Blocked | RecordKind::Failed(_) => self.is_stalled = true,
            RecordKind::WriteClosed => self.write_closed = Some(record.at),
            RecordKind::Made { .. }
            | RecordKind::Received(_)
            | RecordKind::ReadClosed
            | RecordKind::TimerFired
            | RecordKind::IdleTimeout
            | RecordKind::DrainRequested => self.told.push((place, record)),
            RecordKind::Lost(_) => {
                self.told.push((place, record));
                self.is_over = true;
            }
            // These depend on what the peer still sends, or on the state of the system's buffers.
            RecordKind::Discarded(_)
            | RecordKind::EndDiscarded
            | RecordKind::WritingPaused
            | RecordKind::WritingResumed
            | RecordKind::ReadingResumed
            | RecordKind::Reset
            | RecordKind::Closed => {}
        }
    }

    /// Ignores timers that were due when the recording ended but had not fired in it, and their consequences.
    fn until(self, recorded: &ConnectionLog<'_>, end: Duration) -> Self {
        let is_timer = |told: &(usize, &Record)| told.1.kind.is_timer();
        let timers = recorded.told.iter().filter(|told| is_timer(told)).count();
        let mut seen = self.told.iter().enumerate().filter(|(_, told)| is_timer(told));
        let late = seen.nth(timers).map(|(at, _)| at);
        let Some(late) = late.filter(|late| self.told[*late].1.at >= end) else { return self };
        let len = self.sent.len().min(recorded.sent.len());
        let write_closed = self.write_closed.filter(|at| *at < end);
        let mut until = Self { write_closed, ..self };
        until.told.truncate(late);
        until.sent.truncate(len);
        until
    }

    /// Where the byte at this offset was sent.
    fn place(&self, offset: usize) -> Option<Place> {
        let mark = self.marks.iter().find(|(len, _)| *len > offset);
        mark.map(|(_, place)| *place)
    }
}

/// A connection as recorded and as replayed.
struct Pair<'a> {
    connection: u32,
    expected: &'a ConnectionLog<'a>,
    got: &'a ConnectionLog<'a>,
    /// The recording was truncated in the middle of it.
    is_part: bool,
}

impl Pair<'_> {
    fn in_callbacks(&self) -> Option<(Place, ReplayError)> {
        let (expected, got) = (&self.expected.told, &self.got.told);
        let same =
            expected.iter().zip(got).take_while(|(expected, got)| is_same(expected.1, got.1));
        let same = same.count();
        let (expected, got) = (expected.get(same).copied(), got.get(same).copied());
        if expected.is_none() && (got.is_none() || self.is_part) {
            return None;
        }
        self.callback(expected, got.map(|got| got.1))
    }

    fn in_output(&self) -> Option<(Place, ReplayError)> {
        let (expected, got) = (&self.expected.sent, &self.got.sent);
        let offset = expected.iter().zip(got).take_while(|(expected, got)| expected == got).count();
        let may_be_more = self.expected.is_stalled || self.is_part;
        if offset < expected.len() || (offset < got.len() && !may_be_more) {
            let got_at = self.got.place(offset).map(|(at, _)| (at, usize::MAX));
            // Whichever is earlier: bytes that should have been sent later are wrong, too.
            let place = self.expected.place(offset).into_iter().chain(got_at).min()?;
            let at = place.0;
            let (expected, got) = (quoted(&expected[offset..]), quoted(&got[offset..]));
            let connection = self.connection;
            return Some((place, ReplayError::Sent { connection, at, offset, expected, got }));
        }
        let end = |at: Option<Duration>| {
            Some(Record { at: at?, connection: self.connection, kind: RecordKind::WriteClosed })
        };
        let (expected, got) = (end(self.expected.write_closed), end(self.got.write_closed));
        if expected.is_some() == got.is_some() || (expected.is_none() && may_be_more) {
            return None;
        }
        self.callback(expected.as_ref().map(|expected| (usize::MAX, expected)), got.as_ref())
    }

    fn callback(
        &self,
        expected: Option<(usize, &Record)>,
        got: Option<&Record>,
    ) -> Option<(Place, ReplayError)> {
        let (place, expected) = expected.unzip();
        let at = expected.into_iter().chain(got).map(|record| record.at).min()?;
        let words = |record: Option<&Record>| record.map_or("nothing".to_owned(), Record::summary);
        let (expected, got) = (words(expected), words(got));
        let connection = self.connection;
        let place = (at, place.unwrap_or(usize::MAX));
        Some((place, ReplayError::Callback { connection, at, expected, got }))
    }
}

/// Whether it is the same callback. Only timers are also compared by time.
fn is_same(expected: &Record, got: &Record) -> bool {
    match (&expected.kind, &got.kind) {
        (RecordKind::Made { .. }, RecordKind::Made { .. }) => true,
        (expected_what, got_what) if expected_what.is_timer() => {
            expected_what == got_what && expected.at.abs_diff(got.at) <= TICK
        }
        (expected, got) => expected == got,
    }
}
