//! The queue: [`Queue`], the handle of users, and what is behind it.

use std::{
    cell::{Cell, RefCell},
    collections::HashSet,
    fmt,
    rc::{Rc, Weak},
    time::{Duration, UNIX_EPOCH},
};

use sinew_protocols::basic::Word;
use sinew_transports::reactor::{Deferred, Reactor};

use super::{
    DeliveryAgent, MessageId, QueueConfig, QueueError, QueueStats, QueuedMessage, QueuedRecipient,
    Spool, flush,
    inner::{Agents, Inner},
    ledger::{Entry, Ledger, Now, Unreported, millis},
    record::StateRecord,
    schedule::Schedule,
    spool::{Recovered, Stored},
};

/// A queue of mail: it accepts messages, keeps them safe on disk, and delivers them, again and again until it succeeds or they are too
/// old. Cheap to clone; the queue works as long as a clone exists, in the run of the reactor in which it was opened.
///
/// A message that was accepted is delivered at least once. It may be delivered twice to a recipient only if this program, its power or
/// the connection ended between the moment at which the next host took the message and the one at which that was written to disk here:
/// SMTP has no way to know.
///
/// # Examples
///
/// ```
/// use sinew_mail::{
///     queue::{Agents, MemoryFiles, Queue, QueueConfig, QueueError, QueuedEnvelope, QueuedRecipient, Relay, SMTP_AGENT, Spool},
///     smtp::{client::ClientConfig, codec::{Recipient, Sender}},
/// };
/// use sinew_transports::reactor::Reactor;
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let reactor = Reactor::new()?;
/// let relay = Relay::new(ClientConfig::new("mail.example.org")?).smart_host("127.0.0.1:1");
/// let agents = Agents::default().with(SMTP_AGENT, relay);
/// // In a program: `Spool::in_folder("/var/spool/mail-queue")`.
/// let spool = Spool::on(MemoryFiles::default());
/// let config = QueueConfig::new("mail.example.org")?;
/// let handle = reactor.clone();
/// let left = reactor.run_until(async move {
///     let queue = Queue::open(&handle, spool, config, agents).await?;
///     let envelope = QueuedEnvelope::new(Sender::new("ann@example.org".parse().ok()))
///         .with(QueuedRecipient::remote(Recipient::new("bob@example.net".parse().expect("an address"))));
///     let id = queue.submit(envelope, "Subject: hello\n\nHello, Bob.\n").await?;
///     assert_eq!(queue.message(&id).expect("there is no such host").recipients.len(), 1);
///     queue.stop().await?;
///     Ok::<_, QueueError>(queue.stats().messages)
/// })??;
/// assert_eq!(left, 1);
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct Queue {
    pub(crate) inner: Rc<Inner>,
}

impl Queue {
    /// Opens the spool, goes through what is there, and goes on with it.
    ///
    /// # Errors
    ///
    /// [`QueueError`], by the deferred: another queue has the spool, or it cannot be read.
    pub fn open(
        reactor: &Reactor,
        spool: Spool,
        config: QueueConfig,
        agents: Agents,
    ) -> Deferred<Self, QueueError> {
        let (of_job, of_config) = (spool.clone(), config.clone());
        let weak = reactor.downgrade();
        let opened = reactor.defer_to_thread(move || {
            let lock = of_job.take().map_err(|source| match source.kind() {
                std::io::ErrorKind::WouldBlock => QueueError::InUse,
                _ => QueueError::Spool { what: "it could not be opened", source },
            })?;
            let read = |source| QueueError::Spool { what: "it could not be read", source };
            let mut recovered = of_job.recover().map_err(read)?;
            flush::finish_reports(&of_job, &of_config, &mut recovered).map_err(read)?;
            Ok::<_, QueueError>((lock, recovered))
        });
        opened.map(move |opened| {
            let (lock, recovered) = opened??;
            let schedule = Schedule::new(config.deliveries_max, config.deliveries_max_each);
            let inner = Inner {
                reactor: weak,
                config,
                spool,
                agents,
                ledger: RefCell::default(),
                schedule: RefCell::new(schedule),
                running: RefCell::default(),
                timer: RefCell::default(),
                stats: RefCell::default(),
                reserved: Cell::default(),
                is_stopping: Cell::new(false),
                stopped: RefCell::default(),
                saving: Cell::new(0),
                lock: lock.into(),
            };
            let queue = Self { inner: Rc::new(inner) };
            queue.inner.begin(recovered);
            Ok(queue)
        })
    }

    /// The messages behind `after`, in the order in which they were accepted, at most so many.
    #[must_use]
    pub fn list(&self, after: Option<&MessageId>, max: usize) -> Vec<QueuedMessage> {
        use std::ops::Bound::{Excluded, Unbounded};
        let ledger = self.inner.ledger.borrow();
        let start = after.map_or(Unbounded, Excluded);
        let entries = ledger.entries.range((start, Unbounded)).map(|(_, entry)| entry);
        entries.filter(|entry| !entry.is_deleted).take(max).map(QueuedMessage::of).collect()
    }

    /// One message.
    #[must_use]
    pub fn message(&self, id: &MessageId) -> Option<QueuedMessage> {
        let ledger = self.inner.ledger.borrow();
        ledger.entries.get(id).filter(|entry| !entry.is_deleted).map(QueuedMessage::of)
    }

    /// Numbers about the queue.
    #[must_use]
    pub fn stats(&self) -> QueueStats {
        let mut stats = self.inner.stats.borrow().clone();
        let ledger = self.inner.ledger.borrow();
        stats.messages = ledger.entries.len();
        stats.recipients = ledger.recipients;
        stats.bytes = ledger.bytes;
        let schedule = self.inner.schedule.borrow();
        stats.active = schedule.active();
        stats.destinations_down = schedule.down().count();
        stats
    }

    /// The destinations that could not be reached, and how often in a row.
    #[must_use]
    pub fn destinations_down(&self) -> Vec<(String, u32)> {
        let schedule = self.inner.schedule.borrow();
        schedule.down().map(|(name, failures, _)| (name.to_owned(), failures)).collect()
    }

    /// Tries a message now, whatever was to be waited for. Returns whether there is one of this name.
    pub fn retry_now(&self, id: &MessageId) -> bool {
        self.inner.schedule.borrow_mut().forget_failures();
        self.hurry(id)
    }

    fn hurry(&self, id: &MessageId) -> bool {
        let inner = &self.inner;
        let Some(reactor) = inner.reactor.upgrade() else { return false };
        let mut ledger = inner.ledger.borrow_mut();
        match ledger.entries.get_mut(id).filter(|entry| !entry.state.is_held) {
            Some(entry) => entry.hurry(inner.wall(&reactor)),
            None => return false,
        }
        drop(ledger);
        inner.schedule.borrow_mut().hurry(id, reactor.now());
        inner.pump_soon();
        true
    }

    /// Tries all messages now that are not held.
    pub fn retry_all(&self) {
        let ids: Vec<_> = self.inner.ledger.borrow().entries.keys().cloned().collect();
        self.inner.schedule.borrow_mut().forget_failures();
        for id in ids {
            self.hurry(&id);
        }
    }

    /// Holds a message: it is not tried until it is [released](Self::release). An attempt that goes on is not ended.
    ///
    /// # Errors
    ///
    /// There is no such message, or it could not be written.
    pub fn hold(&self, id: &MessageId) -> Deferred<(), QueueError> {
        self.set_held(id, true)
    }

    /// Releases a message that is held: it is tried now.
    ///
    /// # Errors
    ///
    /// There is no such message, or it could not be written.
    pub fn release(&self, id: &MessageId) -> Deferred<(), QueueError> {
        self.set_held(id, false)
    }

    fn set_held(&self, id: &MessageId, is_held: bool) -> Deferred<(), QueueError> {
        let inner = &self.inner;
        let (promise, deferred) = inner.reactor.promise();
        let mut ledger = inner.ledger.borrow_mut();
        let Some(entry) = ledger.entries.get_mut(id) else {
            promise.reject(QueueError::NoMessage(id.clone()));
            return deferred;
        };
        entry.state.is_held = is_held;
        entry.is_dirty = true;
        drop(ledger);
        match is_held {
            true => inner.schedule.borrow_mut().hold(id),
            false => drop(self.hurry(id)),
        }
        flush::save_then(inner, id, promise);
        deferred
    }

    /// Removes a message, without a report to anyone. An attempt that goes on is not ended.
    ///
    /// # Errors
    ///
    /// There is no such message, or it could not be removed.
    pub fn delete(&self, id: &MessageId) -> Deferred<(), QueueError> {
        let inner = &self.inner;
        let (promise, deferred) = inner.reactor.promise();
        let mut ledger = inner.ledger.borrow_mut();
        let Some(entry) = ledger.entries.get_mut(id).filter(|entry| !entry.is_deleted) else {
            promise.reject(QueueError::NoMessage(id.clone()));
            return deferred;
        };
        entry.is_deleted = true;
        entry.is_dirty = true;
        drop(ledger);
        inner.schedule.borrow_mut().remove(id);
        flush::save_then(inner, id, promise);
        deferred
    }

    /// Ends the work: nothing new is tried or accepted, attempts have [some time](QueueConfig::stop_grace) to end, and what is known is
    /// written. Then the spool may be opened again, once all clones are dropped.
    ///
    /// # Errors
    ///
    /// None; the work may be given up with the reactor.
    pub fn stop(&self) -> Deferred<(), QueueError> {
        let inner = &self.inner;
        let (promise, deferred) = inner.reactor.promise();
        inner.is_stopping.set(true);
        inner.stopped.borrow_mut().push(promise);
        // What could not be written before is tried once more.
        let ledger = inner.ledger.borrow();
        let dirty = ledger.entries.iter().filter(|(_, entry)| entry.is_dirty);
        let dirty: Vec<_> = dirty.map(|(id, _)| id.clone()).collect();
        drop(ledger);
        dirty.iter().for_each(|id| flush::save(inner, id));
        if let Some(timer) = inner.timer.take() {
            timer.cancel();
        }
        if let Some(reactor) = inner.reactor.upgrade() {
            let weak = Rc::downgrade(inner);
            reactor.call_later(inner.config.stop_grace, move |_| {
                if let Some(inner) = weak.upgrade() {
                    inner.cancel_attempts();
                }
            });
        }
        inner.check_stopped();
        deferred
    }
}

impl Inner {
    /// Takes what was found at the start.
    fn begin(self: &Rc<Self>, recovered: Recovered) {
        self.stats.borrow_mut().damaged = recovered.damaged.len();
        for (stored, state) in recovered.messages {
            self.insert(stored, state);
        }
        self.sweep_later();
    }

    /// Adds a message that is safe on disk.
    pub(crate) fn insert(self: &Rc<Self>, stored: Stored, state: StateRecord) {
        let Some(reactor) = self.reactor.upgrade() else { return };
        let id = stored.id.clone();
        let is_held = state.is_held;
        let entry = Entry::new(stored, state, |to| self.destination(to));
        let wall = self.wall(&reactor);
        let mut schedule = self.schedule.borrow_mut();
        for number in 0..entry.lots.len() {
            let (parcel, to) = (entry.parcel(number), Rc::clone(&entry.lots[number].destination));
            if is_held {
                schedule.add_held(parcel, to);
                continue;
            }
            let wait = self.wait(entry.due(number).unwrap_or(wall), wall);
            schedule.add(parcel, to, reactor.now() + wait);
        }
        drop(schedule);
        let is_dirty = entry.is_dirty;
        self.ledger.borrow_mut().insert(entry);
        if is_dirty {
            flush::save(self, &id);
        }
        self.pump_soon();
    }

    /// How long it is from the second time to the first, in milliseconds since 1970. A clock that was set back does not make a message
    /// wait for longer than any does.
    pub(crate) fn wait(&self, until: u64, wall: u64) -> Duration {
        Duration::from_millis(until.saturating_sub(wall))
            .min(self.config.retry_max.saturating_mul(2))
    }

    fn destination(&self, to: &QueuedRecipient) -> String {
        self.agents.get(&to.agent).map(|agent| agent.destination(to)).unwrap_or_default()
    }

    pub(crate) fn agent(&self, name: &Word) -> Option<Rc<dyn DeliveryAgent>> {
        self.agents.find(name)
    }

    /// Milliseconds since 1970.
    pub(crate) fn wall(&self, reactor: &Reactor) -> u64 {
        reactor.wall_clock().duration_since(UNIX_EPOCH).map_or(0, millis)
    }

    /// Looks now and then for messages that have become too old, or late, while their destination is down.
    fn sweep_later(self: &Rc<Self>) {
        let Some(reactor) = self.reactor.upgrade() else { return };
        let every =
            (self.config.expiry / 20).clamp(Duration::from_secs(1), Duration::from_secs(600));
        let weak = Rc::downgrade(self);
        reactor.call_later(every, move |reactor| {
            if let Some(inner) = weak.upgrade().filter(|inner| !inner.is_stopping.get()) {
                inner.sweep(reactor);
                inner.sweep_later();
            }
        });
    }

    fn sweep(self: &Rc<Self>, reactor: &Reactor) {
        let now = Now { millis: self.wall(reactor), random: 0, config: &self.config };
        let (mut dirty, mut unreported) = (Vec::new(), Vec::new());
        let mut expired = 0;
        let mut ledger = self.ledger.borrow_mut();
        let Ledger { entries, reasons, .. } = &mut *ledger;
        for (id, entry) in entries.iter_mut().filter(|(_, entry)| !entry.state.is_held) {
            for number in 0..entry.lots.len() {
                let reason = reasons.get(&entry.lots[number].destination);
                if !entry.is_expired(now) {
                    entry.warn(number, reason, now);
                } else if self.schedule.borrow_mut().withdraw(&entry.parcel(number)) {
                    expired += entry.expire(number, reason, now);
                }
            }
            unreported.extend(entry.take_unreported());
            if entry.is_dirty {
                dirty.push(id.clone());
            }
        }
        // What is known of destinations that nothing goes to any more.
        let schedule = self.schedule.borrow();
        let down: HashSet<_> = schedule.down().map(|down| down.0).collect();
        reasons.retain(|name, _| down.contains(&**name));
        drop((schedule, ledger));
        unreported.iter().for_each(Unreported::log);
        self.stats.borrow_mut().failed += expired;
        for id in dirty {
            flush::save(self, &id);
        }
    }

    fn cancel_attempts(self: &Rc<Self>) {
        let running = std::mem::take(&mut *self.running.borrow_mut());
        for parcel in running.keys() {
            // It is as it was on disk.
            self.schedule.borrow_mut().remove(&parcel.message);
        }
        drop(running);
        self.check_stopped();
    }

    /// Tells who waits for the end, if it has come.
    pub(crate) fn check_stopped(&self) {
        let is_idle = self.running.borrow().is_empty() && self.saving.get() == 0;
        if self.is_stopping.get() && is_idle {
            for promise in self.stopped.take() {
                promise.resolve(());
            }
        }
    }

    pub(crate) fn weak(self: &Rc<Self>) -> Weak<Self> {
        Rc::downgrade(self)
    }
}

impl fmt::Debug for Queue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Queue").field("stats", &self.stats()).finish_non_exhaustive()
    }
}
