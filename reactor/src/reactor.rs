//! The handle, [`Reactor`], and the state behind it. One turn of the loop is in `turn.rs`, a run in `run.rs`.

use std::{
    any::{Any, TypeId},
    cell::{Cell, RefCell},
    collections::VecDeque,
    fmt,
    rc::{Rc, Weak},
    sync::Arc,
    time::{Duration, Instant, SystemTime},
};

use crate::{
    BuildError, Builder, Meter, Remote, Stats,
    builder::Settings,
    clock::Clock,
    engine::{Event, Poller},
    handler::Token,
    inspection::{Inspection, LONG_FROM, LongCallbacks},
    lifecycle::Triggers,
    local_wakeups::LocalWakeups,
    pool::Pool,
    process::{ForkEpoch, Origin},
    registration::Registry,
    remote::{Inbox, Shared},
    run_state::RunState,
    task::Tasks,
    timer::TimerPayload,
    wait_failures::WaitFailures,
    wheel::Wheel,
};

type Call = Box<dyn FnOnce(&Reactor)>;

/// The event loop, as a handle that is cheap to clone and stays on its thread. [`Remote`] is the handle for other threads.
///
/// A reactor is a value: a process may have many, each on a thread of its own. Nothing is installed globally. When the
/// last handle is dropped, `connection_lost` is called on connections that are still open, with a shutdown as the
/// reason, and everything is freed. So a closure or a protocol that the reactor owns should not own a clone of it: most
/// callbacks receive the reactor, and the others can keep a [`WeakReactor`].
///
/// # Examples
///
/// ```
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use std::time::Duration;
/// use sinew_reactor::Reactor;
///
/// let reactor = Reactor::new()?;
/// reactor.call_later(Duration::from_millis(1), |reactor| {
///     println!("a millisecond later");
///     let _ = reactor.stop();
/// });
/// reactor.run()?; // until `stop`, SIGINT or SIGTERM
/// # Ok(())
/// # }
/// ```
pub struct Reactor {
    pub(crate) inner: Rc<Inner>,
}

/// State sits in `Cell`s and in `RefCell`s that are borrowed for a few lines, never while user code runs.
pub(crate) struct Inner {
    pub(crate) settings: Settings,
    pub(crate) origin: Origin,
    pub(crate) fork_epoch: ForkEpoch,
    pub(crate) clock: Clock,
    pub(crate) poller: RefCell<Box<dyn Poller>>,
    pub(crate) edge_triggered: bool,
    pub(crate) events: RefCell<Vec<Event>>,
    pub(crate) wait_failures: WaitFailures,
    pub(crate) registry: RefCell<Registry>,
    pub(crate) wheel: RefCell<Wheel<TimerPayload>>,
    pub(crate) soon: RefCell<VecDeque<Call>>,
    pub(crate) queues: PendingHandlers,
    /// Values handed over by user code that the loop is to drop, since a drop may run user code.
    pub(crate) deferred_drops: RefCell<Vec<Box<dyn Any>>>,
    pub(crate) tasks: RefCell<Tasks>,
    pub(crate) shared: Arc<Shared>,
    pub(crate) inbox: Inbox,
    pub(crate) local_wakeups: Rc<LocalWakeups>,
    pub(crate) pool: Pool,
    pub(crate) life: Triggers,
    #[cfg(unix)]
    pub(crate) signals: crate::signals::Signals,
    pub(crate) state: RunState,
    pub(crate) meter: Meter,
    pub(crate) inspection: Option<Box<Inspection>>,
    /// Callbacks from this duration on are recorded by name, in nanoseconds.
    pub(crate) recorded_from: u64,
    pub(crate) long_callbacks: RefCell<LongCallbacks>,
    /// When the current callback began, in nanoseconds of the coarse clock.
    pub(crate) callback_start: Cell<u64>,
    pub(crate) locals: RefCell<Vec<(TypeId, Rc<dyn Any>)>>,
    pub(crate) random: RefCell<fastrand::Rng>,
    /// A [`Driver`](crate::source::Driver) advances the clock.
    pub(crate) driven: Cell<bool>,
}

impl Inner {
    /// A handler has got this token.
    #[inline]
    pub(crate) fn inspect_registered(&self, token: Token) {
        if let Some(inspection) = &self.inspection {
            inspection.registered(token, self.clock.stopwatch());
        }
    }

    /// Whether this process is a child of fork(2), so that everything here belongs to its parent. Makes a system call.
    pub(crate) fn is_forked_copy(&self) -> bool {
        !self.origin.is_here() && !self.clock.is_virtual()
    }
}

/// Tokens of the handlers that wait for a call from the loop.
#[derive(Debug, Default)]
pub(crate) struct PendingHandlers {
    pub(crate) flush: RefCell<Vec<Token>>,
    pub(crate) rescheduled: RefCell<Vec<Token>>,
    pub(crate) finalize: RefCell<Vec<Token>>,
}

impl PendingHandlers {
    pub(crate) fn are_empty(&self) -> bool {
        self.flush.borrow().is_empty()
            && self.rescheduled.borrow().is_empty()
            && self.finalize.borrow().is_empty()
    }
}

impl Reactor {
    /// A reactor with the defaults of [`Builder`].
    ///
    /// # Errors
    ///
    /// If the engine cannot be opened, for instance because no file descriptors are left.
    pub fn new() -> Result<Self, BuildError> {
        Self::builder().build()
    }

    /// Starts configuring a reactor.
    pub fn builder() -> Builder {
        Builder::default()
    }

    pub(crate) fn from_settings(mut settings: Settings) -> Result<Self, BuildError> {
        let requested = settings.engine;
        let (engine, poller) =
            requested.open_as().map_err(|source| BuildError { engine: requested, source })?;
        settings.engine = engine;
        let fork_epoch = match settings.engine {
            crate::Engine::Simulated => ForkEpoch::untracked(),
            _ => ForkEpoch::current().map_err(|source| BuildError { engine, source })?,
        };
        let (shared, inbox) = Shared::new(poller.notifier(), fork_epoch, settings.remote_queue_max);
        let inner = Inner {
            origin: Origin::here(),
            fork_epoch,
            clock: match settings.engine {
                crate::Engine::Simulated => Clock::new_virtual(),
                _ => Clock::new(settings.slow_callback, settings.inspection),
            },
            edge_triggered: poller.is_edge_triggered(),
            poller: RefCell::new(poller),
            events: RefCell::default(),
            wait_failures: WaitFailures::default(),
            registry: RefCell::default(),
            wheel: RefCell::new(Wheel::new()),
            soon: RefCell::default(),
            queues: PendingHandlers::default(),
            deferred_drops: RefCell::default(),
            tasks: RefCell::default(),
            shared,
            inbox,
            local_wakeups: Rc::default(),
            pool: Pool::new(&settings),
            life: Triggers::default(),
            #[cfg(unix)]
            signals: crate::signals::Signals::default(),
            state: RunState::default(),
            meter: Meter::default(),
            inspection: settings.inspection.then(Box::default),
            recorded_from: match settings.inspection {
                true => settings.slow_callback.min(LONG_FROM),
                false => settings.slow_callback,
            },
            long_callbacks: RefCell::default(),
            callback_start: Cell::default(),
            locals: RefCell::default(),
            random: RefCell::new(match (settings.seed, settings.engine) {
                (Some(seed), _) => fastrand::Rng::with_seed(seed),
                (None, crate::Engine::Simulated) => fastrand::Rng::with_seed(0),
                (None, _) => fastrand::Rng::new(),
            }),
            driven: Cell::new(false),
            settings,
        };
        Ok(Self { inner: Rc::new(inner) })
    }

    /// The engine in use. Never [`Engine::Best`](crate::Engine::Best): that is resolved when the reactor is built.
    #[must_use]
    pub fn engine(&self) -> crate::Engine {
        self.inner.settings.engine
    }

    /// Whether the engine is edge-triggered: it reports each change of readiness once. A level-triggered engine reports
    /// only what [`set_interest`](Self::set_interest) has requested.
    #[must_use]
    pub fn is_edge_triggered(&self) -> bool {
        self.inner.edge_triggered
    }

    /// The time since the reactor was made, by [`now`](Self::now). Timers count in whole milliseconds of it.
    #[must_use]
    pub fn age(&self) -> Duration {
        self.inner.clock.age()
    }

    /// The current time, monotonic. All callbacks of a turn see the same time: that of the turn's start or, after the
    /// poll, of the poll's end. Outside of the loop the clock is read at the call.
    #[must_use]
    #[inline]
    pub fn now(&self) -> Instant {
        self.inner.clock.now()
    }

    /// The time of day, which may jump. For display, not for measuring.
    #[must_use]
    pub fn wall_clock(&self) -> SystemTime {
        self.inner.clock.wall()
    }

    /// The system's monotonic clock in microseconds (`CLOCK_MONOTONIC`, clock_gettime(2)): for messages to other programs that
    /// carry it, such as those of sd_notify(3). In a simulation, the age of the reactor. Unix only.
    #[cfg(unix)]
    #[must_use]
    pub fn monotonic_micros(&self) -> u64 {
        self.inner.clock.monotonic_micros()
    }

    /// A random number, for jitter and the like; not for secrets. In a simulation it is derived from the seed, so a run
    /// can be replayed.
    #[must_use]
    pub fn random(&self) -> u64 {
        self.inner.random.borrow_mut().u64(..)
    }

    /// Queues `f` for the next turn of the loop. Calls run in the order in which they were queued.
    pub fn call_soon(&self, f: impl FnOnce(&Self) + 'static) {
        self.inner.soon.borrow_mut().push_back(Box::new(f));
    }

    /// A handle for other threads.
    #[must_use]
    pub fn remote(&self) -> Remote {
        Remote::new(self.inner.shared.clone())
    }

    /// A handle that does not keep the reactor alive.
    #[must_use]
    pub fn downgrade(&self) -> WeakReactor {
        WeakReactor { inner: Rc::downgrade(&self.inner) }
    }

    /// The counters of this reactor.
    #[must_use]
    pub fn stats(&self) -> Stats {
        let meter = &self.inner.meter;
        Stats {
            turns: meter.turns.value(),
            events: meter.events.value(),
            calls: meter.calls.value(),
            timers_fired: meter.timers_fired.value(),
            timers: self.inner.wheel.borrow().len(),
            tasks: self.inner.tasks.borrow().len(),
            handlers: self.inner.registry.borrow().len(),
            connections: meter.connections.value(),
            connections_made: meter.connections_made.value(),
            bytes_received: meter.bytes_received.value(),
            bytes_sent: meter.bytes_sent.value(),
            bytes_moved: meter.bytes_moved.value(),
            slow_callbacks: meter.slow_callbacks.value(),
            panics: meter.panics.value(),
            longest_turn: Duration::from_nanos(meter.longest_turn.get()),
        }
    }
}

impl Reactor {
    /// Turns of the loop so far, as in [`stats`](Self::stats): the number of the current one, for what is bounded for each turn.
    #[must_use]
    pub fn turns(&self) -> u64 {
        self.inner.meter.turns.value()
    }
}

/// # For authors of transports
///
/// What a handler requests from the loop; the module [`source`](crate::source) explains it.
impl Reactor {
    /// The counters that transports keep for [`stats`](Self::stats).
    #[must_use]
    pub fn meter(&self) -> &Meter {
        &self.inner.meter
    }

    /// Calls [`Handler::rescheduled`](crate::Handler::rescheduled) of this handler without waiting for an event: for a
    /// handler that stopped early with work left. The call comes after the events of this turn; a request made in
    /// `rescheduled` itself, or later, is for the next turn. Several requests make one call.
    pub fn reschedule(&self, token: Token) {
        if self.inner.registry.borrow_mut().mark_rescheduled(token) {
            self.inner.queues.rescheduled.borrow_mut().push(token);
        }
    }

    /// Calls [`Handler::flush`](crate::Handler::flush) of this handler before the loop sleeps.
    pub fn flush_later(&self, token: Token) {
        self.inner.queues.flush.borrow_mut().push(token);
    }

    /// Calls [`Handler::finalize`](crate::Handler::finalize) of this handler at the end of the turn.
    pub fn finalize_later(&self, token: Token) {
        self.inner.queues.finalize.borrow_mut().push(token);
    }

    /// Has the loop drop `thing`, since its drop may run user code.
    pub fn defer_drop(&self, thing: impl Any) {
        self.inner.deferred_drops.borrow_mut().push(Box::new(thing));
    }

    /// The one `T` of this reactor, made on first use: state that the connections of a reactor share.
    #[allow(clippy::missing_panics_doc, reason = "it does not panic")]
    pub fn local<T: Default + 'static>(&self) -> Rc<T> {
        let id = TypeId::of::<T>();
        let find =
            || self.inner.locals.borrow().iter().find(|(of, _)| *of == id).map(|(_, t)| t.clone());
        let local = find().unwrap_or_else(|| {
            // Nothing is borrowed here: `T::default` may call `local` for another type.
            let made: Rc<dyn Any> = Rc::new(T::default());
            self.inner.locals.borrow_mut().push((id, made.clone()));
            made
        });
        local.downcast().expect("it was entered under the id of its type")
    }
}

impl Clone for Reactor {
    fn clone(&self) -> Self {
        Self { inner: self.inner.clone() }
    }
}

impl Drop for Reactor {
    #[inline]
    fn drop(&mut self) {
        if Rc::strong_count(&self.inner) == 1 {
            self.tear_down();
        }
    }
}

impl fmt::Debug for Reactor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reactor")
            .field("engine", &self.engine())
            .field("running", &self.is_running())
            .finish_non_exhaustive()
    }
}

/// A handle that does not keep the reactor alive. For values that the reactor owns.
#[derive(Clone, Default)]
pub struct WeakReactor {
    inner: Weak<Inner>,
}

impl WeakReactor {
    /// The reactor, if it still exists.
    #[must_use]
    #[inline]
    pub fn upgrade(&self) -> Option<Reactor> {
        self.inner().map(|inner| Reactor { inner })
    }

    /// The state, for calls that run no user code, so the last [`Reactor`] cannot be dropped meanwhile.
    #[inline]
    pub(crate) fn inner(&self) -> Option<Rc<Inner>> {
        self.inner.upgrade()
    }
}

impl fmt::Debug for WeakReactor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("WeakReactor")
    }
}
