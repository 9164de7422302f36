//! What is known is written to the spool, with the reports that are due. For each message one thread at a time, with all that is known by
//! then.
//!
//! | step | what a failure in the middle leaves |
//! |---|---|
//! | 1. the state is saved, which says what reports are due | the old state |
//! | 2. each report is accepted as a message, unless it is there already | the same reports are due |
//! | 3. a state is saved without them, or the message is removed | reports that are there already |
//! | 4. the reports are given to the schedule | all is on disk |

use std::{
    collections::{BTreeMap, BTreeSet},
    io,
    rc::Rc,
    sync::Arc,
};

use sinew_transports::reactor::Promise;

use super::{
    DeliveryStage, MessageId, Progress, QueueConfig, QueueError, QueuedEnvelope, QueuedRecipient,
    Spool,
    inner::Inner,
    ledger::millis,
    record::{EnvelopeRecord, StateRecord},
    report::{Action, Report, Returned},
    spool::{DraftError, Recovered, Stored},
};
use crate::smtp::codec::Sender;

/// How long after a failure to write it is tried again.
const RETRY: std::time::Duration = std::time::Duration::from_secs(60);

/// Writes what is known of a message, if something is.
pub(crate) fn save(inner: &Rc<Inner>, id: &MessageId) {
    let Some(reactor) = inner.reactor.upgrade() else { return };
    let mut ledger = inner.ledger.borrow_mut();
    let Some(entry) = ledger.entries.get_mut(id) else { return };
    if !entry.is_dirty || entry.is_saving {
        return;
    }
    (entry.is_dirty, entry.is_saving) = (false, true);
    let wall = inner.wall(&reactor);
    let work = Work {
        spool: inner.spool.clone(),
        config: inner.config.clone(),
        stored: Arc::clone(&entry.stored),
        state: entry.state.clone(),
        is_deleted: entry.is_deleted,
        wall,
    };
    drop(ledger);
    inner.saving.set(inner.saving.get() + 1);
    let (weak, id) = (inner.weak(), id.clone());
    // Nobody opens the spool before this is done.
    let lock = Arc::clone(&inner.lock);
    let job = move || {
        let done = work.run();
        drop(lock);
        done
    };
    reactor.defer_to_thread(job).then(move |_, done| {
        let Some(inner) = weak.upgrade() else { return };
        inner.saving.set(inner.saving.get() - 1);
        match done {
            Ok(Ok(done)) => saved(&inner, &id, done),
            Ok(Err(error)) => failed(&inner, &id, &error.to_string()),
            Err(failure) => failed(&inner, &id, &failure.to_string()),
        }
        inner.check_stopped();
    });
}

/// As [`save`], and settles the promise when all is written.
pub(crate) fn save_then(inner: &Rc<Inner>, id: &MessageId, promise: Promise<(), QueueError>) {
    if let Some(entry) = inner.ledger.borrow_mut().entries.get_mut(id) {
        entry.waiting.push(promise);
    }
    save(inner, id);
}

fn saved(inner: &Rc<Inner>, id: &MessageId, done: Done) {
    let mut ledger = inner.ledger.borrow_mut();
    let mut waiting = Vec::new();
    if done.is_removed {
        waiting = ledger.remove(id).map(|entry| entry.waiting).unwrap_or_default();
    } else if let Some(entry) = ledger.entries.get_mut(id) {
        entry.is_saving = false;
        if !entry.is_dirty {
            waiting = std::mem::take(&mut entry.waiting);
        }
        for progress in &mut entry.state.progress {
            if progress.report.is_some_and(|number| done.reported.contains(&number)) {
                progress.report = None;
            }
        }
    }
    drop(ledger);
    waiting.into_iter().for_each(|promise| promise.resolve(()));
    if done.is_removed {
        inner.schedule.borrow_mut().remove(id);
        tracing::debug!(%id, "a message has left the queue");
    }
    let mut stats = inner.stats.borrow_mut();
    stats.reports += done.reports.len() as u64;
    stats.accepted += done.reports.len() as u64;
    drop(stats);
    for stored in done.reports {
        tracing::info!(%id, report = %stored.id, "a report was written");
        let state = StateRecord::fresh(&stored.envelope, stored.arrived);
        inner.insert(stored, state);
    }
    // What has changed meanwhile.
    save(inner, id);
}

fn failed(inner: &Rc<Inner>, id: &MessageId, error: &str) {
    tracing::error!(%id, error, "the state of a message could not be written; it is tried again in a minute");
    let mut waiting = Vec::new();
    if let Some(entry) = inner.ledger.borrow_mut().entries.get_mut(id) {
        (entry.is_saving, entry.is_dirty) = (false, true);
        waiting = std::mem::take(&mut entry.waiting);
    }
    for promise in waiting {
        let source = io::Error::other(error.to_owned());
        promise.reject(QueueError::Spool { what: "a state could not be written", source });
    }
    let Some(reactor) = inner.reactor.upgrade() else { return };
    let (weak, id) = (inner.weak(), id.clone());
    reactor.call_later(RETRY, move |_| {
        if let Some(inner) = weak.upgrade() {
            save(&inner, &id);
        }
    });
}

/// Finishes the reports that were due when the queue ended, before anything is delivered: until then a report that is there is certain
/// not to have been sent.
pub(crate) fn finish_reports(
    spool: &Spool,
    config: &QueueConfig,
    recovered: &mut Recovered,
) -> io::Result<()> {
    let (mut written, mut removed) = (Vec::new(), BTreeSet::new());
    for (stored, state) in &mut recovered.messages {
        if state.progress.iter().all(|progress| progress.report.is_none()) {
            continue;
        }
        let wall = state.progress.iter().map(|progress| progress.last).max();
        let work = Work {
            spool: spool.clone(),
            config: config.clone(),
            stored: Arc::new(stored.clone()),
            state: state.clone(),
            is_deleted: false,
            wall: wall.unwrap_or(stored.arrived),
        };
        let done = work.run().map_err(|error| io::Error::other(error.to_string()))?;
        for progress in &mut state.progress {
            progress.report = None;
        }
        if done.is_removed {
            removed.insert(stored.id.clone());
        }
        written.extend(done.reports);
    }
    let known: BTreeSet<_> =
        recovered.messages.iter().map(|(stored, _)| stored.id.clone()).collect();
    for stored in written {
        if !known.contains(&stored.id) {
            let state = StateRecord::fresh(&stored.envelope, stored.arrived);
            recovered.messages.push((stored, state));
        }
    }
    // They were over but for their reports.
    recovered.messages.retain(|(stored, _)| !removed.contains(&stored.id));
    Ok(())
}

/// What a thread of the pool does.
struct Work {
    spool: Spool,
    config: QueueConfig,
    stored: Arc<Stored>,
    state: StateRecord,
    is_deleted: bool,
    wall: u64,
}

struct Done {
    is_removed: bool,
    /// The numbers of the reports that are on disk.
    reported: Vec<u32>,
    reports: Vec<Stored>,
}

impl Work {
    fn run(mut self) -> Result<Done, DraftError> {
        let id = self.stored.id.clone();
        let mut done = Done { is_removed: false, reported: Vec::new(), reports: Vec::new() };
        if !self.is_deleted {
            let due = self.due();
            if !due.is_empty() {
                self.spool.save(&id, &self.state)?;
                let front = self.front()?;
                for (number, members) in due {
                    done.reports.push(self.report(number, &members, &front)?);
                    done.reported.push(number);
                }
                self.state.progress.iter_mut().for_each(|progress| progress.report = None);
            }
        }
        if self.is_deleted || self.state.progress.iter().all(Progress::is_over) {
            self.spool.remove(&id)?;
            done.is_removed = true;
        } else {
            self.spool.save(&id, &self.state)?;
        }
        Ok(done)
    }

    /// The reports that are due, by number, with the places of their recipients.
    fn due(&self) -> BTreeMap<u32, Vec<usize>> {
        let mut due = BTreeMap::<u32, Vec<usize>>::new();
        for (at, progress) in self.state.progress.iter().enumerate() {
            if let Some(number) = progress.report {
                due.entry(number).or_default().push(at);
            }
        }
        due
    }

    /// As much of the message as may be returned.
    fn front(&self) -> io::Result<Vec<u8>> {
        let len_max = self.config.report_body_max.max(1);
        let opened = self.spool.open(&self.stored);
        match opened.and_then(|mut reader| reader.next(len_max)) {
            Ok(front) => Ok(front.unwrap_or_default()),
            // A message that is damaged or gone is reported, too, without anything of it.
            Err(error) => match error.kind() {
                io::ErrorKind::InvalidData
                | io::ErrorKind::UnexpectedEof
                | io::ErrorKind::NotFound => Ok(Vec::new()),
                _ => Err(error),
            },
        }
    }

    /// Writes a report, unless it is there from an earlier time.
    fn report(&self, number: u32, members: &[usize], front: &[u8]) -> Result<Stored, DraftError> {
        let id = self.stored.id.of_report(number);
        if let Some(stored) = self.spool.find(&id)? {
            return Ok(stored);
        }
        let envelope = &self.stored.envelope;
        let sender = envelope.sender_of(&envelope.recipients[members[0]]);
        let Some(to) = sender.address() else {
            return Err(io::Error::other("a report to nobody").into());
        };
        let expires = self.stored.arrived.saturating_add(millis(self.config.expiry));
        let mut report =
            Report::new(&self.config.hostname, &id, to, [self.stored.arrived, self.wall, expires])
                .envelope_id(sender.envelope_id());
        let mut has_failures = false;
        for &at in members {
            let progress = &self.state.progress[at];
            let action = match progress.stage {
                DeliveryStage::Pending => Action::Delayed,
                DeliveryStage::Delivered => Action::Delivered,
                DeliveryStage::Relayed | DeliveryStage::RelayedWithoutReports => Action::Relayed,
                DeliveryStage::Expanded => Action::Expanded,
                DeliveryStage::Failed => Action::Failed,
            };
            has_failures |= action == Action::Failed;
            let to = &envelope.recipients[at].recipient;
            report = report.about(to, action, progress.status.as_ref(), progress.last);
        }
        // RFC 3461 4.3: RET is about failures; else the header will do.
        let returns =
            if has_failures { sender.returns() } else { Some(crate::smtp::codec::Return::Headers) };
        let returned = Returned::choose(front, &self.stored.trailer.facts, returns);
        let text = report.returning(returned).encode();
        let to = QueuedRecipient::new(to.clone(), self.config.report_agent.clone());
        let envelope = QueuedEnvelope::new(Sender::new(None)).with(to);
        let record = EnvelopeRecord { arrived: self.wall, envelope };
        let mut draft = self.spool.begin_again(&id, &record)?;
        // What is returned of a message has whole lines, but for one that is cut.
        draft.append(&text)?;
        draft.commit()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        queue::{MemoryFiles, Status},
        smtp::codec::Recipient,
    };

    /// A message on disk that nothing was tried of, and the work that is to be done once its recipient has failed.
    fn work(files: &MemoryFiles) -> Work {
        let spool = Spool::on(files.clone());
        let sender = Sender::new(Some("ann@example.net".parse().unwrap()));
        let to = |text: &str| QueuedRecipient::remote(Recipient::new(text.parse().unwrap()));
        let envelope =
            QueuedEnvelope::new(sender).with(to("bob@x.example")).with(to("carol@x.example"));
        let record = EnvelopeRecord { arrived: 1_000, envelope };
        let mut draft = spool.begin(&"m".parse().unwrap(), &record).unwrap();
        draft.append(b"Subject: x\r\n\r\nx\r\n").unwrap();
        let stored = draft.commit().unwrap();
        let mut state = StateRecord::fresh(&stored.envelope, stored.arrived);
        state.progress[0].stage = DeliveryStage::Failed;
        state.progress[0].status = Some(Status::new(5, 1, 1, "no"));
        state.progress[0].report = Some(0);
        state.reports = 1;
        let config = QueueConfig::new("relay.example").unwrap();
        Work { spool, config, stored: stored.into(), state, is_deleted: false, wall: 2_000 }
    }

    /// What the next process finds: whether the recipient is to be tried again, and how many reports there are.
    fn recovered(files: &MemoryFiles) -> io::Result<(bool, usize)> {
        let spool = Spool::on(files.clone());
        let config = QueueConfig::new("relay.example").unwrap();
        let mut recovered = spool.recover()?;
        finish_reports(&spool, &config, &mut recovered)?;
        let is_it = |id: &MessageId| id.as_str() == "m";
        let message = recovered.messages.iter().find(|(stored, _)| is_it(&stored.id));
        let (_, state) = message.expect("one recipient is left");
        assert_eq!(state.progress[0].report, None);
        let reports = recovered.messages.iter().filter(|(stored, _)| !is_it(&stored.id)).count();
        Ok((state.progress[0].stage == DeliveryStage::Pending, reports))
    }

    /// A message that something else has removed, or cut, is reported all the same.
    #[test]
    fn a_message_that_cannot_be_read_any_more_is_reported() {
        use crate::queue::SpoolFiles;
        let files = MemoryFiles::default();
        let work = work(&files);
        files.remove("m.mail").unwrap();
        let done = work.run().unwrap();
        assert_eq!((done.reports.len(), done.is_removed), (1, false));
    }

    /// A recipient that is tried again is reported again: so there is a report exactly if it is not, wherever the process or the power
    /// ended, in the first process and in the second.
    #[test]
    fn a_recipient_that_has_failed_has_one_report_after_a_failure_at_every_step() {
        let whole = MemoryFiles::default();
        let work_of_whole = work(&whole);
        let before = whole.steps();
        assert_eq!(work_of_whole.run().unwrap().reports.len(), 1);
        for step in 0..=whole.steps() - before {
            for second in 0..=20 {
                for seed in 0..5_u64 {
                    let files = MemoryFiles::default();
                    let work = work(&files);
                    files.fail_after(step);
                    let _ = work.run();
                    let mut random = seed;
                    let mut next = || {
                        random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(seed);
                        random >> 33
                    };
                    files.lose_power(&mut next);
                    files.fail_after(second);
                    let _ = recovered(&files);
                    files.lose_power(&mut next);
                    let (is_tried_again, reports) = recovered(&files).unwrap();
                    let what = format!("steps {step} and {second}, seed {seed}");
                    assert_eq!(reports, usize::from(!is_tried_again), "{what}");
                }
            }
        }
    }
}
