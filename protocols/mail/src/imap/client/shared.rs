//! What the handle and both tasks of a connection share: [`Shared`]. No cell is borrowed while user code runs.

use std::{
    cell::{Cell, RefCell},
    collections::VecDeque,
    rc::{Rc, Weak},
    task::{Context, Poll, Waker},
    time::Instant,
};

use sinew_transports::{
    Transport,
    reactor::{DelayedCall, Reactor},
};

use super::{
    ClientConfig, ConnectionEnd, Event, ImapError, MailboxView,
    link::lost,
    request::{Pending, Reply, Request},
};
use crate::imap::codec::{Capabilities, CommandBody, Dialect, StatusText, Tag};

pub(super) struct Shared {
    pub(super) reactor: Reactor,
    pub(super) transport: Transport,
    pub(super) config: ClientConfig,
    pub(super) capabilities: RefCell<Capabilities>,
    pub(super) is_utf8: Cell<bool>,
    /// Whether QRESYNC was enabled.
    pub(super) has_qresync: Cell<bool>,
    pub(super) queue: RefCell<VecDeque<Request>>,
    pub(super) pending: RefCell<VecDeque<Pending>>,
    pub(super) tags: Cell<u64>,
    pub(super) continuation: Cell<Continuation>,
    writer: RefCell<Option<Waker>>,
    pub(super) view: RefCell<Option<MailboxView>>,
    /// The mailbox that SELECT was sent for.
    pub(super) selecting: RefCell<Option<MailboxView>>,
    /// How often a mailbox was selected or left.
    pub(super) selections: Cell<u64>,
    pub(super) events: super::event_queue::EventQueue,
    pub(super) ended: RefCell<Option<ConnectionEnd>>,
    pub(super) bye: RefCell<Option<StatusText>>,
    /// How many want IDLE.
    pub(super) idle_wanted: Cell<usize>,
    /// How often IDLE was refused: who wanted it before does not count any more.
    pub(super) idle_refusals: Cell<u64>,
    pub(super) is_idling: Cell<bool>,
    /// DONE was sent: IDLE may be answered.
    pub(super) is_idle_done: Cell<bool>,
    /// In how many places user code takes its time. Nothing is due from the server then.
    pub(super) held: Cell<usize>,
    last_received: Cell<Instant>,
    watch: RefCell<Option<DelayedCall>>,
}

/// Whether the writer waits for `+`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Continuation {
    NotAwaited,
    Awaited,
    Received,
}

impl Shared {
    pub(super) fn new(
        reactor: Reactor,
        transport: Transport,
        config: ClientConfig,
        capabilities: Capabilities,
        tags: u64,
    ) -> Rc<Self> {
        let last_received = Cell::new(reactor.now());
        let events =
            super::event_queue::EventQueue::new(config.events_max, config.events_bytes_max);
        Rc::new(Self {
            reactor,
            transport,
            config,
            capabilities: RefCell::new(capabilities),
            is_utf8: Cell::default(),
            has_qresync: Cell::default(),
            queue: RefCell::default(),
            pending: RefCell::default(),
            tags: Cell::new(tags),
            continuation: Cell::new(Continuation::NotAwaited),
            writer: RefCell::default(),
            view: RefCell::default(),
            selecting: RefCell::default(),
            selections: Cell::default(),
            events,
            ended: RefCell::default(),
            bye: RefCell::default(),
            idle_wanted: Cell::default(),
            idle_refusals: Cell::default(),
            is_idling: Cell::default(),
            is_idle_done: Cell::default(),
            held: Cell::default(),
            last_received,
            watch: RefCell::default(),
        })
    }

    pub(super) fn dialect(&self) -> Dialect {
        let literals = self.capabilities.borrow().literals();
        Dialect::default().utf8(self.is_utf8.get()).literals(literals)
    }

    pub(super) fn next_tag(&self) -> Tag {
        self.tags.set(self.tags.get() + 1);
        Tag::numbered('a', self.tags.get())
    }

    pub(super) fn is_ended(&self) -> bool {
        self.ended.borrow().is_some()
    }

    /// Queues a command, or gives its promise the reason why not.
    pub(super) fn push(&self, request: Request) {
        let name = request.body.name();
        let ended = self.ended.borrow().clone();
        let max = self.config.queue_max;
        match ended {
            Some(end) => request.promise.reject(lost(name, end)),
            None if self.queue.borrow().len() >= max => {
                request.promise.reject(ImapError::QueueFull { max });
            }
            None => {
                self.queue.borrow_mut().push_back(request);
                self.wake_writer();
            }
        }
    }

    /// Takes the next command, if it may be sent now.
    pub(super) fn pop_sendable(&self) -> Option<Request> {
        let pending = self.pending.borrow();
        let mut queue = self.queue.borrow_mut();
        let kind = super::request::Kind::of(&queue.front()?.body);
        let has_room = pending.len() < self.config.in_flight_max;
        let may_follow = pending.iter().all(|pending| kind.may_follow(pending.kind));
        if has_room && may_follow { queue.pop_front() } else { None }
    }

    pub(super) fn is_pending(&self, tag: &Tag) -> bool {
        self.pending.borrow().iter().any(|pending| pending.tag == *tag)
    }

    pub(super) fn wake_writer(&self) {
        let waker = self.writer.borrow_mut().take();
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    /// The writer is woken by the next change.
    pub(super) fn poll_change<T>(&self, context: &Context<'_>) -> Poll<T> {
        self.writer.replace(Some(context.waker().clone()));
        Poll::Pending
    }

    /// The server has said something, or may begin to answer.
    pub(super) fn touch(&self) {
        self.last_received.set(self.reactor.now());
    }

    /// Watches for silence, as long as an answer is due.
    pub(super) fn watch(this: &Rc<Self>) {
        let timeout = this.config.silence_timeout;
        let mut watch = this.watch.borrow_mut();
        if watch.is_none() {
            let weak = Rc::downgrade(this);
            *watch = Some(this.reactor.call_later(timeout, move |_| Self::check_silence(&weak)));
        }
    }

    fn check_silence(weak: &Weak<Self>) {
        let Some(this) = weak.upgrade() else { return };
        this.watch.take();
        if this.is_ended() || this.pending.borrow().is_empty() || this.is_idling.get() {
            return;
        }
        if this.held.get() > 0 {
            this.touch();
        }
        let after = this.config.silence_timeout;
        let silent = this.reactor.now().saturating_duration_since(this.last_received.get());
        match after.checked_sub(silent).filter(|left| !left.is_zero()) {
            None => this.end(ConnectionEnd::Silent { after }),
            Some(left) => {
                let weak = Rc::downgrade(&this);
                let call = this.reactor.call_later(left, move |_| Self::check_silence(&weak));
                this.watch.replace(Some(call));
            }
        }
    }

    /// Begins the time of a command.
    pub(super) fn begin_time(this: &Rc<Self>, tag: Tag) -> DelayedCall {
        let weak = Rc::downgrade(this);
        this.reactor.call_later(this.config.command_timeout, move |_| {
            if let Some(this) = weak.upgrade() {
                Self::time_up(&this, &tag);
            }
        })
    }

    /// The time of a command is up. Its place is kept for as long again, so that its answer is not taken for that of another one; a server
    /// that has not answered then would hold up all later commands for good.
    fn time_up(this: &Rc<Self>, tag: &Tag) {
        let after = this.config.command_timeout;
        let (promise, command) = {
            let mut pending = this.pending.borrow_mut();
            let found = pending.iter_mut().find(|pending| pending.tag == *tag);
            let Some(pending) = found else { return };
            let promise = pending.promise.take();
            pending.timer = promise.is_some().then(|| Self::begin_time(this, tag.clone()));
            (promise, pending.name)
        };
        match promise {
            Some(promise) => promise.reject(ImapError::TimedOut { command, after }),
            None => this.end(ConnectionEnd::Unanswered { command, after: after * 2 }),
        }
    }

    /// The connection has ended: no command is answered any more.
    pub(super) fn end(&self, end: ConnectionEnd) {
        if self.is_ended() {
            return;
        }
        let bye = self.bye.borrow_mut().take();
        let end = match (bye, end) {
            (Some(bye), ConnectionEnd::Io(_)) => ConnectionEnd::Bye(bye),
            (_, end) => end,
        };
        match &end {
            ConnectionEnd::Closed | ConnectionEnd::Bye(_) => self.transport.lose_connection(),
            _ => self.transport.abort(),
        }
        self.ended.replace(Some(end.clone()));
        let (pending, queue) = (self.pending.take(), self.queue.take());
        let watch = self.watch.take();
        if let Some(watch) = watch {
            watch.cancel();
        }
        for pending in pending {
            if let Some(timer) = pending.timer {
                timer.cancel();
            }
            if let Some(promise) = pending.promise {
                promise.reject(lost(pending.name, end.clone()));
            }
        }
        for request in queue {
            request.promise.reject(lost(request.body.name(), end.clone()));
        }
        self.events.end();
        self.wake_writer();
    }

    /// A command was answered: what follows from that.
    pub(super) fn answered(&self, pending: Pending, status: StatusText) {
        let is_ok = status.status == crate::imap::codec::Status::Ok;
        if matches!(pending.name, "SELECT" | "EXAMINE" | "CLOSE" | "UNSELECT") {
            self.selections.set(self.selections.get() + 1);
        }
        match pending.name {
            "SELECT" | "EXAMINE" => {
                let view = self.selecting.take();
                self.view.replace(view.filter(|_| is_ok));
            }
            "CLOSE" | "UNSELECT" if is_ok => drop(self.view.take()),
            // One that ends at once would be sent again and again.
            "IDLE" if !is_ok || !self.is_idle_done.get() => {
                self.idle_wanted.set(0);
                self.idle_refusals.set(self.idle_refusals.get() + 1);
                self.events.push(Event::IdleRefused(status.clone()));
            }
            _ => {}
        }
        if let Some(timer) = &pending.timer {
            timer.cancel();
        }
        let Pending { name, promise, data, statuses, too_long, unreadable, .. } = pending;
        let result = match (too_long, unreadable) {
            (Some(max), _) => Err(ImapError::TooLong { command: name, max }),
            (None, Some(source)) => Err(ImapError::Unreadable { command: name, source }),
            (None, None) if is_ok => Ok(Reply { status, data, statuses }),
            (None, None) => Err(ImapError::Refused { command: name, status }),
        };
        if let Some(promise) = promise {
            promise.settle(result);
        }
        self.wake_writer();
    }

    /// The view that responses are about.
    pub(super) fn with_view(&self, f: impl FnOnce(&mut MailboxView)) {
        let mut selecting = self.selecting.borrow_mut();
        match &mut *selecting {
            Some(view) => f(view),
            None => {
                if let Some(view) = &mut *self.view.borrow_mut() {
                    f(view);
                }
            }
        }
    }

    /// A command is about to be sent.
    pub(super) fn sending(&self, body: &CommandBody) {
        let (select, is_read_only) = match body {
            CommandBody::Select(select) => (select, false),
            CommandBody::Examine(select) => (select, true),
            _ => return,
        };
        self.selecting.replace(Some(MailboxView::new(select.mailbox.clone(), is_read_only)));
    }
}
