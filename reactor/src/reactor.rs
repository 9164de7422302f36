//! The handle, [`Reactor`], and the state behind it. How a turn goes is in `turn.rs`, how a run goes in `run.rs`.

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
    lifecycle::Triggers,
    pool::Pool,
    process::{Home, Origin},
    registration::Registry,
    remote::{Inbox, Shared},
    run_state::RunState,
    task::Tasks,
    timer::TimerPayload,
    wait::WaitFailures,
    wheel::Wheel,
};

type Call = Box<dyn FnOnce(&Reactor)>;

/// The loop, as a handle that is cheap to clone and stays on its thread. [`Remote`] is the one for other threads.
///
/// A reactor is a value: a process may have many, each on a thread of its own. Nothing is installed globally.
/// When the last handle is dropped, connections that are still open are told of their end with a shutdown, and everything
/// is freed. So a closure or a protocol that the reactor owns should not own a clone of it: most callbacks are handed the
/// reactor, and the others can keep a [`WeakReactor`].
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
    pub(crate) home: Home,
    pub(crate) clock: Clock,
    pub(crate) poller: RefCell<Box<dyn Poller>>,
    pub(crate) edge_triggered: bool,
    pub(crate) events: RefCell<Vec<Event>>,
    pub(crate) wait_health: WaitFailures,
    pub(crate) registry: RefCell<Registry>,
    pub(crate) wheel: RefCell<Wheel<TimerPayload>>,
    pub(crate) soon: RefCell<VecDeque<Call>>,
    pub(crate) queues: PendingHandlers,
    /// What user code let go of, waiting to be dropped by the loop, since a drop may be user code too.
    pub(crate) deferred_drops: RefCell<Vec<Box<dyn Any>>>,
    pub(crate) tasks: RefCell<Tasks>,
    pub(crate) shared: Arc<Shared>,
    pub(crate) inbox: Inbox,
    pub(crate) pool: Pool,
    pub(crate) life: Triggers,
    #[cfg(unix)]
    pub(crate) signals: crate::signals::Signals,
    pub(crate) state: RunState,
    pub(crate) meter: Meter,
    /// When the callback that runs now began, in nanoseconds of the coarse clock.
    pub(crate) callback_timer: Cell<u64>,
    pub(crate) locals: RefCell<Vec<(TypeId, Rc<dyn Any>)>>,
    pub(crate) random: RefCell<fastrand::Rng>,
    /// Somebody else moves the clock.
    pub(crate) driven: Cell<bool>,
}

impl Inner {
    /// Whether this is a child of fork(2), and what is here is its parent's. Asks the system.
    pub(crate) fn is_forked_copy(&self) -> bool {
        !self.origin.is_here() && !self.clock.is_virtual()
    }
}

/// Handlers that asked to be called, by their tokens.
#[derive(Debug, Default)]
pub(crate) struct PendingHandlers {
    pub(crate) flush: RefCell<Vec<Token>>,
    pub(crate) again: RefCell<Vec<Token>>,
    pub(crate) finalize: RefCell<Vec<Token>>,
}

impl PendingHandlers {
    pub(crate) fn are_empty(&self) -> bool {
        self.flush.borrow().is_empty()
            && self.again.borrow().is_empty()
            && self.finalize.borrow().is_empty()
    }
}

impl Reactor {
    /// A reactor with the defaults of [`Builder`].
    ///
    /// # Errors
    ///
    /// If the kernel has no descriptors left for the engine.
    pub fn new() -> Result<Self, BuildError> {
        Self::builder().build()
    }

    /// Sets up a reactor.
    pub fn builder() -> Builder {
        Builder::default()
    }

    pub(crate) fn from_settings(mut settings: Settings) -> Result<Self, BuildError> {
        let asked = settings.engine;
        let (engine, poller) =
            asked.open_as().map_err(|source| BuildError { engine: asked, source })?;
        settings.engine = engine;
        let home = match settings.engine {
            crate::Engine::Simulated => Home::anywhere(),
            _ => Home::here().map_err(|source| BuildError { engine, source })?,
        };
        let (shared, inbox) = Shared::new(poller.notifier(), home, settings.remote_queue_max);
        let inner = Inner {
            origin: Origin::here(),
            home,
            clock: match settings.engine {
                crate::Engine::Simulated => Clock::new_virtual(),
                _ => Clock::new(settings.slow_callback),
            },
            edge_triggered: poller.is_edge_triggered(),
            poller: RefCell::new(poller),
            events: RefCell::default(),
            wait_health: WaitFailures::default(),
            registry: RefCell::default(),
            wheel: RefCell::new(Wheel::new()),
            soon: RefCell::default(),
            queues: PendingHandlers::default(),
            deferred_drops: RefCell::default(),
            tasks: RefCell::default(),
            shared,
            inbox,
            pool: Pool::new(&settings),
            life: Triggers::default(),
            #[cfg(unix)]
            signals: crate::signals::Signals::default(),
            state: RunState::default(),
            meter: Meter::default(),
            callback_timer: Cell::default(),
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

    /// The engine that this reactor waits on; never [`Engine::Best`](crate::Engine::Best), but what that turned out to be.
    #[must_use]
    pub fn engine(&self) -> crate::Engine {
        self.inner.settings.engine
    }

    /// Whether the engine tells of readiness once for each change. If not, [`set_interest`](Self::set_interest) says what
    /// is wanted, and what is not wanted is not told.
    #[must_use]
    pub fn is_edge_triggered(&self) -> bool {
        self.inner.edge_triggered
    }

    /// How long ago the reactor was made, by [`now`](Self::now): the time whose whole milliseconds timers count in.
    #[must_use]
    pub fn age(&self) -> Duration {
        self.inner.clock.age()
    }

    /// The time, monotonic. All callbacks of a turn see the same, that of the turn's start or, after the poll, of the poll's
    /// end; outside of the loop it is the time at this moment.
    #[must_use]
    pub fn now(&self) -> Instant {
        self.inner.clock.now()
    }

    /// The time of day, which may jump. For people, not for measuring.
    #[must_use]
    pub fn wall_clock(&self) -> SystemTime {
        self.inner.clock.wall()
    }

    /// A random number, for jitter and the like; not for secrets. In a simulation it comes from the seed, so code that asks
    /// here is the same in every run.
    #[must_use]
    pub fn random(&self) -> u64 {
        self.inner.random.borrow_mut().u64(..)
    }

    /// Has the loop call `f` in its next turn. Calls run in the order in which they were made.
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

    /// What the reactor has done so far.
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

/// # For authors of transports
///
/// What a handler asks of the loop; the module [`source`](crate::source) explains it.
impl Reactor {
    /// The counters that transports keep for [`stats`](Self::stats).
    #[must_use]
    pub fn meter(&self) -> &Meter {
        &self.inner.meter
    }

    /// Calls [`Handler::rescheduled`](crate::Handler::rescheduled) of this handler without waiting for an event: for one that stopped
    /// early with work left. That is after the events of this turn, so also if one of those asks; who asks from `again`
    /// itself, or later, waits for the next turn. However often it is asked for, it is called once.
    pub fn reschedule(&self, token: Token) {
        if self.inner.registry.borrow_mut().mark_rescheduled(token) {
            self.inner.queues.again.borrow_mut().push(token);
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

    /// Has the loop drop something, since its drop may run user code.
    pub fn defer_drop(&self, thing: impl Any) {
        self.inner.deferred_drops.borrow_mut().push(Box::new(thing));
    }

    /// The one `T` of this reactor, made when it is first asked for: state that the connections of a reactor share.
    #[allow(clippy::missing_panics_doc, reason = "it does not panic")]
    pub fn local<T: Default + 'static>(&self) -> Rc<T> {
        let id = TypeId::of::<T>();
        let find =
            || self.inner.locals.borrow().iter().find(|(of, _)| *of == id).map(|(_, t)| t.clone());
        let local = find().unwrap_or_else(|| {
            // Made when nothing is borrowed, for the making may ask for another local.
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

/// A handle that does not keep the reactor alive: for what the reactor itself owns.
#[derive(Clone, Default)]
pub struct WeakReactor {
    inner: Weak<Inner>,
}

impl WeakReactor {
    /// The reactor, if it is still there.
    #[must_use]
    pub fn upgrade(&self) -> Option<Reactor> {
        self.inner().map(|inner| Reactor { inner })
    }

    /// What is behind the handle, for calls that run no user code, in which nobody can drop the last [`Reactor`].
    pub(crate) fn inner(&self) -> Option<Rc<Inner>> {
        self.inner.upgrade()
    }
}

impl fmt::Debug for WeakReactor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("WeakReactor")
    }
}
