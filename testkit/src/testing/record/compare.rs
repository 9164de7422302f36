//! What a replay is held against: the first difference between two recordings. Pure.

use std::{collections::BTreeMap, time::Duration};

use super::{Record, ReplayError, TICK, What, replay_error::quoted};

/// The first thing in which `seen` is not as `recorded`.
pub(super) fn first_difference(
    recorded: &[Record],
    truncated: bool,
    seen: &[Record],
) -> Option<ReplayError> {
    let end = recorded.last().map_or(Duration::ZERO, |record| record.at);
    let expected = lives(recorded);
    let mut got = lives(seen);
    let differences = expected.iter().filter_map(|(connection, expected)| {
        let got = got.remove(connection).unwrap_or_default();
        let got = if expected.is_over { got } else { got.until(expected, end) };
        let is_part = truncated && !expected.is_over;
        let pair = Pair { connection: *connection, expected, got: &got, is_part };
        pair.in_output().into_iter().chain(pair.in_callbacks()).min_by_key(|(place, _)| *place)
    });
    Some(differences.min_by_key(|(place, _)| *place)?.1)
}

/// Where a difference is: the time, and the place in the recording, if the recording has something that the replay has not.
type Place = (Duration, usize);

/// What is compared of a connection: what it was told and what it sent, the latter without regard to how the system took it.
#[derive(Default)]
struct Life<'a> {
    told: Vec<(usize, &'a Record)>,
    sent: Vec<u8>,
    /// How far the output had got where.
    marks: Vec<(usize, Place)>,
    write_closed: Option<Duration>,
    /// Not all that was written may have been sent.
    is_stalled: bool,
    is_over: bool,
}

fn lives(records: &[Record]) -> BTreeMap<u32, Life<'_>> {
    let mut lives = BTreeMap::<u32, Life<'_>>::new();
    for (place, record) in records.iter().enumerate() {
        lives.entry(record.connection).or_default().add(place, record);
    }
    lives
}

impl<'a> Life<'a> {
    fn add(&mut self, place: usize, record: &'a Record) {
        match &record.what {
            What::Sent(data) => {
                self.sent.extend_from_slice(data);
                self.marks.push((self.sent.len(), (record.at, place)));
                self.is_stalled = false;
            }
            What::Blocked | What::Failed(_) => self.is_stalled = true,
            What::WriteClosed => self.write_closed = Some(record.at),
            What::Made { .. }
            | What::Received(_)
            | What::ReadClosed
            | What::TimerFired
            | What::IdleTimeout
            | What::DrainRequested => self.told.push((place, record)),
            What::Lost(_) => {
                self.told.push((place, record));
                self.is_over = true;
            }
            // It depends on what the peer still sends, or on how full the system is.
            What::Discarded(_)
            | What::EndDiscarded
            | What::WritingPaused
            | What::WritingResumed
            | What::ReadingResumed
            | What::Reset
            | What::Closed => {}
        }
    }

    /// Without the timers that were due when the recording ended and that it did not see any more, and what came of them.
    fn until(self, recorded: &Life<'_>, end: Duration) -> Self {
        let is_timer = |told: &(usize, &Record)| told.1.what.is_of_time();
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

    /// Where the byte was sent, if it was.
    fn place(&self, offset: usize) -> Option<Place> {
        let mark = self.marks.iter().find(|(len, _)| *len > offset);
        mark.map(|(_, place)| *place)
    }
}

/// A connection, as it was and as it is.
struct Pair<'a> {
    connection: u32,
    expected: &'a Life<'a>,
    got: &'a Life<'a>,
    /// The recording ends in the middle of it.
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
            // Whichever comes first: bytes that were to be sent later are as wrong.
            let place = self.expected.place(offset).into_iter().chain(got_at).min()?;
            let at = place.0;
            let (expected, got) = (quoted(&expected[offset..]), quoted(&got[offset..]));
            let connection = self.connection;
            return Some((place, ReplayError::Sent { connection, at, offset, expected, got }));
        }
        let end = |at: Option<Duration>| {
            Some(Record { at: at?, connection: self.connection, what: What::WriteClosed })
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
        let words = |record: Option<&Record>| record.map_or("nothing".to_owned(), Record::in_short);
        let (expected, got) = (words(expected), words(got));
        let connection = self.connection;
        let place = (at, place.unwrap_or(usize::MAX));
        Some((place, ReplayError::Callback { connection, at, expected, got }))
    }
}

/// Whether it is the same callback. Only what a timer is behind has to come at the same time, too.
fn is_same(expected: &Record, got: &Record) -> bool {
    match (&expected.what, &got.what) {
        (What::Made { .. }, What::Made { .. }) => true,
        (expected_what, got_what) if expected_what.is_of_time() => {
            expected_what == got_what && expected.at.abs_diff(got.at) <= TICK
        }
        (expected, got) => expected == got,
    }
}
