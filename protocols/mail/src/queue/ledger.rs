//! What the queue knows: [`Ledger`], all messages with how far they have come. Pure: time is an argument, nothing is written or sent from
//! here.

use std::{
    collections::{BTreeMap, HashMap},
    rc::Rc,
    sync::Arc,
    time::Duration,
};

use sinew_transports::reactor::Promise;

use super::{
    AttemptResult, DeliveryStage, Fate, MessageId, Progress, QueueConfig, QueueError, Status,
    record::StateRecord,
    schedule::{Destination, Parcel},
    spool::Stored,
};
use crate::smtp::codec::{Address, Notify};

/// All messages of a queue.
#[derive(Debug, Default)]
pub(crate) struct Ledger {
    pub(crate) entries: BTreeMap<MessageId, Entry>,
    pub(crate) recipients: usize,
    pub(crate) bytes: u64,
    /// Why destinations are down.
    pub(crate) reasons: HashMap<Destination, Status>,
}

/// One message.
#[derive(Debug)]
pub(crate) struct Entry {
    /// Shared with threads that read or write: it may have many recipients.
    pub(crate) stored: Arc<Stored>,
    pub(crate) state: StateRecord,
    pub(crate) lots: Vec<Lot>,
    /// Recipients who share the copy of a member of a lot.
    twins: HashMap<usize, Vec<usize>>,
    /// How many of them are being attempted.
    pub(crate) active: usize,
    /// Something is known that is not on disk.
    pub(crate) is_dirty: bool,
    /// It is being written.
    pub(crate) is_saving: bool,
    pub(crate) is_deleted: bool,
    /// Who is told when all is on disk.
    pub(crate) waiting: Vec<Promise<(), QueueError>>,
    /// Recipients of a message without a sender who were given up, by their places: what is left is to log it, when nothing is borrowed.
    pub(crate) unreported: Vec<usize>,
}

/// The recipients of a message who are attempted together.
#[derive(Debug)]
pub(crate) struct Lot {
    pub(crate) destination: Destination,
    /// Their places in the envelope.
    pub(crate) members: Vec<usize>,
    /// Those of recipients who share their copies.
    twins: Vec<usize>,
}

/// A recipient of a message without a sender who was given up: nobody is told, so it is logged.
#[derive(Debug)]
pub(crate) struct Unreported {
    id: MessageId,
    to: Address,
    status: Option<Status>,
}

/// Milliseconds since 1970, and the configuration: what a decision depends on.
#[derive(Clone, Copy)]
pub(crate) struct Now<'a> {
    pub(crate) millis: u64,
    pub(crate) random: u64,
    pub(crate) config: &'a QueueConfig,
}

impl Unreported {
    pub(crate) fn log(&self) {
        let Self { id, to, status } = self;
        tracing::warn!(%id, %to, ?status, "a message without a sender is given up");
    }
}

impl Ledger {
    pub(crate) fn insert(&mut self, entry: Entry) {
        self.recipients += entry.state.progress.len();
        self.bytes += entry.stored.file_len();
        self.entries.insert(entry.stored.id.clone(), entry);
    }

    pub(crate) fn remove(&mut self, id: &MessageId) -> Option<Entry> {
        let entry = self.entries.remove(id)?;
        self.recipients -= entry.state.progress.len();
        self.bytes -= entry.stored.file_len();
        Some(entry)
    }
}

impl Entry {
    /// A message whose recipients `destination` knows the places of.
    pub(crate) fn new(
        stored: Stored,
        state: StateRecord,
        destination: impl Fn(&super::QueuedRecipient) -> String,
    ) -> Self {
        let mut lots: Vec<Lot> = Vec::new();
        let mut places = HashMap::new();
        let mut place_of = HashMap::new();
        let (members, twins) = copies(&stored, &state);
        for (at, to) in members.into_iter().map(|at| (at, &stored.envelope.recipients[at])) {
            let sender = stored.envelope.sender_of(to).to_string();
            let agent = to.agent.clone();
            let name: Destination = format!("{agent}:{}", destination(to)).into();
            let place = *places.entry((Rc::clone(&name), sender)).or_insert_with(|| {
                lots.push(Lot { destination: name, members: Vec::new(), twins: Vec::new() });
                lots.len() - 1
            });
            lots[place].members.push(at);
            if twins.contains_key(&at) {
                place_of.insert(at, place);
            }
        }
        for (member, twins) in &twins {
            lots[place_of[member]].twins.extend(twins);
        }
        let is_dirty = state.progress.iter().all(Progress::is_over)
            || state.progress.iter().any(|progress| progress.report.is_some());
        let stored = Arc::new(stored);
        let (active, is_saving, is_deleted) = (0, false, false);
        let (waiting, unreported) = (Vec::new(), Vec::new());
        Self {
            stored,
            state,
            lots,
            twins,
            active,
            is_dirty,
            is_saving,
            is_deleted,
            waiting,
            unreported,
        }
    }

    pub(crate) fn parcel(&self, number: usize) -> Parcel {
        let number = u32::try_from(number).unwrap_or(u32::MAX);
        Parcel { message: self.stored.id.clone(), number }
    }

    /// The recipients of a lot that are not done, also those who share a copy.
    pub(crate) fn pending(&self, number: usize) -> impl Iterator<Item = usize> {
        let lot = self.lots.get(number);
        let places = lot.into_iter().flat_map(|lot| lot.members.iter().chain(&lot.twins));
        places.copied().filter(|at| self.is_pending(*at))
    }

    fn is_pending(&self, at: usize) -> bool {
        self.state.progress[at].stage == DeliveryStage::Pending
    }

    /// The members of a lot that are to be tried now, at most so many: those that are due, the longest first. If none is, and it is tried
    /// all the same, all that are pending.
    pub(crate) fn to_try(&self, number: usize, max: usize, millis: u64) -> Vec<usize> {
        let next = |at: &usize| self.state.progress[*at].next;
        let members = self.lots.get(number).map(|lot| &lot.members[..]).unwrap_or_default();
        let mut members: Vec<_> =
            members.iter().copied().filter(|at| self.is_pending(*at)).collect();
        members.sort_by_key(next);
        let due = members.partition_point(|at| next(at) <= millis);
        members.truncate(if due == 0 { max } else { due.min(max) });
        members
    }

    /// Makes all recipients due who are not done.
    pub(crate) fn hurry(&mut self, millis: u64) {
        for progress in &mut self.state.progress {
            if progress.stage == DeliveryStage::Pending {
                progress.next = progress.next.min(millis);
            }
        }
    }

    /// When a lot is due, in milliseconds since 1970; `None` if all is done.
    pub(crate) fn due(&self, number: usize) -> Option<u64> {
        self.pending(number).map(|at| self.state.progress[at].next).min()
    }

    pub(crate) fn is_expired(&self, now: Now<'_>) -> bool {
        now.millis.saturating_sub(self.stored.arrived) >= millis(now.config.expiry)
    }

    /// Whether a warning is due that the message is late.
    fn is_late(&self, now: Now<'_>) -> bool {
        let age = now.millis.saturating_sub(self.stored.arrived);
        now.config.delay_warning.is_some_and(|warning| age >= millis(warning))
    }

    /// Takes the result of an attempt with these members. Returns how many recipients were delivered to, and how many have failed.
    pub(crate) fn attempted(
        &mut self,
        members: &[usize],
        result: &AttemptResult,
        now: Now<'_>,
    ) -> (u64, u64) {
        let missing =
            || Fate::Delayed(Status::new(4, 3, 0, "nothing was said about this recipient"));
        let mut fates = result.fates.iter().cloned();
        let mut all = Vec::with_capacity(members.len());
        for &at in members {
            let fate = fates.next().unwrap_or_else(missing);
            let twins = self.twins.get(&at).cloned().unwrap_or_default();
            for at in twins.iter().copied() {
                self.take(at, of_twin(fate.clone()), now);
            }
            self.take(at, fate, now);
            all.push(at);
            all.extend(twins);
        }
        let members = &all[..];
        self.number_reports(members, now);
        let is_in = |stage: &[DeliveryStage]| {
            let is_one = |at: &&usize| stage.contains(&self.state.progress[**at].stage);
            members.iter().filter(is_one).count() as u64
        };
        let done = [
            DeliveryStage::Delivered,
            DeliveryStage::Relayed,
            DeliveryStage::RelayedWithoutReports,
        ];
        (is_in(&done), is_in(&[DeliveryStage::Failed]))
    }

    /// Gives up all recipients of a lot that are not done.
    pub(crate) fn expire(&mut self, number: usize, reason: Option<&Status>, now: Now<'_>) -> u64 {
        let members: Vec<_> = self.pending(number).collect();
        for &at in &members {
            let progress = &mut self.state.progress[at];
            progress.stage = DeliveryStage::Failed;
            progress.status = Some(expired(progress.status.as_ref().or(reason)));
        }
        self.number_reports(&members, now);
        members.len() as u64
    }

    /// Warns of a lot that is late, if it was not done before.
    pub(crate) fn warn(&mut self, number: usize, reason: Option<&Status>, now: Now<'_>) {
        let members: Vec<_> = self.pending(number).collect();
        if self.is_late(now) {
            for &at in &members {
                let progress = &mut self.state.progress[at];
                progress.status = progress.status.take().or_else(|| reason.cloned());
            }
            self.number_reports(&members, now);
        }
    }

    /// The recipients of a message without a sender who were given up since the last call.
    pub(crate) fn take_unreported(&mut self) -> Vec<Unreported> {
        let places = std::mem::take(&mut self.unreported);
        let unreported = places.into_iter().map(|at| Unreported {
            id: self.stored.id.clone(),
            to: self.stored.envelope.recipients[at].address().clone(),
            status: self.state.progress[at].status.clone(),
        });
        unreported.collect()
    }

    fn take(&mut self, at: usize, fate: Fate, now: Now<'_>) {
        let is_expired = self.is_expired(now);
        let expires = self.stored.arrived.saturating_add(millis(now.config.expiry));
        let progress = &mut self.state.progress[at];
        progress.tries = progress.tries.saturating_add(1);
        progress.last = now.millis;
        let (stage, status) = match fate {
            Fate::Delivered(status) => (DeliveryStage::Delivered, status),
            Fate::Relayed { status, sends_reports: true } => (DeliveryStage::Relayed, status),
            Fate::Relayed { status, .. } => (DeliveryStage::RelayedWithoutReports, status),
            Fate::Failed(status) => (DeliveryStage::Failed, status),
            Fate::Delayed(status) if is_expired => (DeliveryStage::Failed, expired(Some(&status))),
            Fate::Delayed(status) => {
                let after = millis(now.config.retry_after(progress.tries, now.random));
                // The last attempt is at the end.
                progress.next = now.millis.saturating_add(after).min(expires.max(now.millis));
                (DeliveryStage::Pending, status)
            }
        };
        (progress.stage, progress.status) = (stage, Some(status));
        self.is_dirty = true;
    }

    /// Numbers the reports that are due about these members: one for each sender.
    fn number_reports(&mut self, members: &[usize], now: Now<'_>) {
        let is_late = self.is_late(now);
        let mut numbers: HashMap<(String, bool), u32> = HashMap::new();
        for &at in members {
            let to = &self.stored.envelope.recipients[at];
            let progress = &mut self.state.progress[at];
            let wanted = match progress.stage {
                DeliveryStage::Failed => to.wants(Notify::FAILURE),
                DeliveryStage::Delivered | DeliveryStage::RelayedWithoutReports => {
                    to.wants(Notify::SUCCESS)
                }
                DeliveryStage::Pending if is_late && !progress.is_delay_reported => {
                    progress.is_delay_reported = true;
                    to.wants(Notify::DELAY)
                }
                _ => false,
            };
            let is_delay = progress.stage == DeliveryStage::Pending;
            if !is_delay {
                // One about a delay that was not written yet.
                progress.report = None;
            }
            self.is_dirty |= wanted || !is_delay;
            let sender = self.stored.envelope.sender_of(to);
            if !wanted {
                continue;
            }
            // A report about a report would have no end (RFC 5321 4.5.5).
            if sender.address().is_none() {
                if progress.stage == DeliveryStage::Failed {
                    self.unreported.push(at);
                }
                continue;
            }
            let number = *numbers.entry((sender.to_string(), is_delay)).or_insert_with(|| {
                self.state.reports += 1;
                self.state.reports - 1
            });
            progress.report = Some(number);
        }
    }
}

/// The recipients who are not done: those who get a copy, and for each of them those who share it.
fn copies(stored: &Stored, state: &StateRecord) -> (Vec<usize>, HashMap<usize, Vec<usize>>) {
    let recipients = &stored.envelope.recipients;
    let pending = |at: &usize| state.progress[*at].stage == DeliveryStage::Pending;
    let (twins, mut members): (Vec<_>, Vec<_>) =
        (0..recipients.len()).filter(pending).partition(|at| recipients[*at].is_twin);
    let mut shared: HashMap<usize, Vec<usize>> = HashMap::new();
    if twins.is_empty() {
        return (members, shared);
    }
    let mut copies = HashMap::new();
    for at in &members {
        copies.entry(recipients[*at].key()).or_insert(*at);
    }
    for at in twins {
        match *copies.entry(recipients[at].key()).or_insert(at) {
            // Whose copy it was is done: this one gets its own.
            member if member == at => members.push(at),
            member => shared.entry(member).or_default().push(at),
        }
    }
    (members, shared)
}

/// What becomes of a recipient when another has got their copy: the next host was not told which reports this one wants.
fn of_twin(fate: Fate) -> Fate {
    match fate {
        Fate::Relayed { status, .. } => Fate::Relayed { status, sends_reports: false },
        fate => fate,
    }
}

/// Why a message that is too old is given up: the last reason, as one for good.
fn expired(reason: Option<&Status>) -> Status {
    match reason {
        Some(reason) => reason.clone(),
        None => Status::new(4, 4, 7, "it could not be attempted in time"),
    }
}

pub(crate) fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use sinew_protocols::basic::Word;

    use super::*;
    use crate::{
        queue::{
            QueuedEnvelope, QueuedRecipient,
            record::{Hash, Trailer},
        },
        smtp::codec::{MessageFacts, Recipient, Sender},
    };

    const HOUR: u64 = 3_600_000;

    fn entry(sender: Option<&str>, notify: Option<Notify>) -> Entry {
        let sender = Sender::new(sender.map(|sender| sender.parse().unwrap()));
        let to = |text: &str| {
            let to = Recipient::new(text.parse().unwrap());
            QueuedRecipient::remote(match notify {
                Some(notify) => to.with_notify(notify),
                None => to,
            })
        };
        let envelope = QueuedEnvelope::new(sender)
            .with(to("a@x.example"))
            .with(to("b@y.example"))
            .with(to("c@x.example"));
        let trailer = Trailer { facts: MessageFacts::default(), hash: Hash::default() };
        let state = StateRecord::fresh(&envelope, 0);
        let stored = Stored { id: "m".parse().unwrap(), arrived: 0, envelope, offset: 0, trailer };
        Entry::new(stored, state, |to| to.address().domain().to_owned())
    }

    fn status(class: u8) -> Status {
        Status::new(class, 0, 0, "said")
    }

    #[test]
    fn recipients_of_a_destination_are_one_lot() {
        let entry = entry(None, None);
        let lots: Vec<_> =
            entry.lots.iter().map(|lot| (&*lot.destination, &lot.members[..])).collect();
        assert_eq!(lots, [("smtp:x.example", &[0, 2][..]), ("smtp:y.example", &[1])]);
    }

    /// They are tried once and end together; one whose copy has been delivered already has its own.
    #[test]
    fn twins_share_an_attempt() {
        let sender = Sender::new(Some("ann@example.net".parse().unwrap()));
        let owner = Sender::new(Some("owner@example.net".parse().unwrap()));
        let to = |text: &str| {
            let to = Recipient::new(text.parse().unwrap()).with_notify(Notify::SUCCESS);
            QueuedRecipient::new(to, Word::from_static("box")).with_argument("a")
        };
        let envelope = QueuedEnvelope::new(sender).with_routed([
            to("list@x.example").with_sender(owner),
            to("a@x.example"),
            to("a@x.example"),
            to("b@x.example").with_argument("b"),
        ]);
        let twins: Vec<_> = envelope.recipients.iter().map(|to| to.is_twin).collect();
        assert_eq!(twins, [true, false, false]);
        let trailer = Trailer { facts: MessageFacts::default(), hash: Hash::default() };
        let stored = |envelope| Stored {
            id: "m".parse().unwrap(),
            arrived: 0,
            envelope,
            offset: 0,
            trailer,
        };
        let made = |state| {
            Entry::new(stored(envelope.clone()), state, |to| to.address().domain().to_owned())
        };
        let config = QueueConfig::new("h").unwrap();
        let now = Now { millis: 0, random: 0, config: &config };
        let fresh = StateRecord::fresh(&envelope, 0);
        let mut entry = made(fresh.clone());
        let stages =
            |entry: &Entry| entry.state.progress.iter().map(|to| to.stage).collect::<Vec<_>>();
        use DeliveryStage::{Delivered, Pending, Relayed, RelayedWithoutReports};
        assert_eq!((entry.lots.len(), entry.to_try(0, 9, 0)), (1, vec![1, 2]));
        let delayed = AttemptResult::new(vec![Fate::Delayed(status(4))]);
        assert_eq!(entry.attempted(&[1], &delayed, now), (0, 0));
        assert_eq!(entry.state.progress[0].next, entry.state.progress[1].next);
        let relayed = Fate::Relayed { status: status(2), sends_reports: true };
        assert_eq!(entry.attempted(&[1], &AttemptResult::new(vec![relayed]), now), (2, 0));
        assert_eq!(stages(&entry), [RelayedWithoutReports, Relayed, Pending]);
        let reports: Vec<_> = entry.state.progress.iter().map(|to| to.report).collect();
        assert_eq!(reports, [Some(0), None, None]);
        // As no version leaves it; but a file may say so.
        let mut state = fresh;
        state.progress[1].stage = Delivered;
        let entry = made(state);
        assert_eq!((entry.to_try(0, 9, 0), entry.to_try(1, 9, 0)), (vec![2], vec![0]));
    }

    /// What is reported depends on what has happened, on NOTIFY, and on the sender.
    #[test]
    fn reports_are_as_notify_says() {
        let relayed = |sends_reports| Fate::Relayed { status: status(2), sends_reports };
        let all = Notify::SUCCESS.and(Notify::FAILURE).and(Notify::DELAY);
        let config = QueueConfig::new("h").unwrap().delay_warning(Duration::from_secs(3_600));
        for (fate, notify, expected) in [
            (Fate::Failed(status(5)), None, true),
            (Fate::Failed(status(5)), Some(Notify::FAILURE), true),
            (Fate::Failed(status(5)), Some(Notify::SUCCESS), false),
            (Fate::Failed(status(5)), Some(Notify::NEVER), false),
            (Fate::Delivered(status(2)), None, false),
            (Fate::Delivered(status(2)), Some(Notify::SUCCESS), true),
            (Fate::Delivered(status(2)), Some(Notify::FAILURE), false),
            (relayed(true), Some(all), false),
            (relayed(false), Some(all), true),
            (relayed(false), None, false),
            (Fate::Delayed(status(4)), None, true),
            (Fate::Delayed(status(4)), Some(Notify::DELAY), true),
            (Fate::Delayed(status(4)), Some(Notify::FAILURE), false),
        ] {
            for sender in [Some("ann@example.net"), None] {
                let mut entry = entry(sender, notify);
                let now = Now { millis: HOUR, random: 0, config: &config };
                entry.attempted(&[0], &AttemptResult::new(vec![fate.clone()]), now);
                let is_due = entry.state.progress[0].report.is_some();
                assert_eq!(is_due, expected && sender.is_some(), "{fate:?} {notify:?} {sender:?}");
                // A delay is told once.
                entry.state.progress[0].report = None;
                if let Fate::Delayed(_) = fate {
                    entry.attempted(&[0], &AttemptResult::new(vec![fate.clone()]), now);
                    assert_eq!(entry.state.progress[0].report, None);
                }
            }
        }
    }

    /// Recipients who are put off do not keep those behind them from their turn.
    #[test]
    fn those_that_are_due_are_tried_and_the_longest_first() {
        let config = QueueConfig::new("h").unwrap();
        let mut entry = entry(None, None);
        assert_eq!(entry.to_try(0, 1, 0), [0]);
        let now = Now { millis: 0, random: 0, config: &config };
        entry.attempted(&[0], &AttemptResult::new(vec![Fate::Delayed(status(4))]), now);
        assert_eq!(entry.due(0), Some(0), "the other is due");
        assert_eq!(entry.to_try(0, 1, 0), [2]);
        assert_eq!(entry.to_try(0, 9, 0), [2], "the first waits for its time");
        let now = Now { millis: 7, ..now };
        entry.attempted(&[2], &AttemptResult::new(vec![Fate::Delayed(status(4))]), now);
        assert_eq!(entry.to_try(0, 9, 8), [0, 2], "none is due, but it is tried now");
        assert_eq!(entry.to_try(0, 9, HOUR), [0, 2]);
        entry.hurry(8);
        assert_eq!((entry.due(0), entry.to_try(0, 1, 8)), (Some(8), vec![0]));
    }

    #[test]
    fn the_last_attempt_is_when_the_message_expires() {
        let config = QueueConfig::new("h").unwrap();
        let mut entry = entry(Some("ann@example.net"), None);
        let (mut at, mut tries) = (0, 0);
        while entry.pending(1).count() > 0 {
            let now = Now { millis: at, random: 0, config: &config };
            entry.attempted(&[1], &AttemptResult::new(vec![Fate::Delayed(status(4))]), now);
            tries += 1;
            at = entry.due(1).unwrap_or(at);
        }
        assert_eq!((at, tries), (5 * 24 * HOUR, 35));
        let progress = &entry.state.progress[1];
        assert_eq!((progress.stage, progress.report), (DeliveryStage::Failed, Some(0)));
        // What was never attempted expires with the reason of its destination.
        let now = Now { millis: at, random: 0, config: &config };
        assert_eq!(entry.expire(0, Some(&status(4)), now), 2);
        assert_eq!(entry.state.progress[2].report, Some(1));
        assert!(!entry.state.progress[0].is_over(), "a report is due");
    }
}
