//! Shared helpers of the tests: a trail of events, values whose drops are counted, and a captured log.

#![allow(dead_code, unreachable_pub, reason = "each test uses its part of it")]

#[path = "../../../tests/support/watchdog.rs"]
mod watchdog;

use std::{
    cell::{Cell, RefCell},
    fmt,
    rc::Rc,
    sync::Once,
    time::Duration,
};

use sinew_reactor::{Builder, Engine, Handler, Phase, Reactor, Ready, Token};
use tracing::{Event, Level, Metadata, Subscriber, field::Visit, span};

/// The builder of all tests: a watchdog for hanging tests, no signal handlers, and no reports of slow callbacks on a
/// busy machine.
pub fn builder() -> Builder {
    watchdog::watch_this_test();
    Log::install();
    Reactor::builder().stop_signals(false).slow_callback(Duration::MAX)
}

pub fn reactor() -> Reactor {
    builder().build().unwrap()
}

/// A reactor on each engine.
pub fn reactors() -> impl Iterator<Item = Reactor> {
    Engine::available().map(|engine| {
        println!("{engine}"); // Shown if the test fails.
        builder().engine(engine).build().unwrap()
    })
}

pub const PHASES: [Phase; 5] = [
    Phase::BeforeStartup,
    Phase::AfterStartup,
    Phase::BeforeShutdown,
    Phase::DuringShutdown,
    Phase::AfterShutdown,
];

/// A run that stops in its first turn.
pub fn run_and_stop(reactor: &Reactor) {
    reactor.call_soon(|reactor| reactor.stop().unwrap());
    reactor.run().unwrap();
}

/// One turn that does not wait.
pub fn turn(reactor: &Reactor) {
    reactor.turn(Some(Duration::ZERO)).unwrap();
}

/// Turns until `done`, however long that takes. A turn may sleep after its work, so each has a timeout.
pub fn turn_until(reactor: &Reactor, mut done: impl FnMut() -> bool) {
    while !done() {
        reactor.turn(Some(Duration::from_millis(1))).unwrap();
    }
}

/// The events of a test, in order.
#[derive(Clone, Default)]
pub struct Trail(Rc<RefCell<Vec<String>>>);

impl Trail {
    pub fn push(&self, what: impl Into<String>) {
        self.0.borrow_mut().push(what.into());
    }

    /// A callback that records `what`.
    pub fn mark(&self, what: impl Into<String>) -> impl FnOnce(&Reactor) + 'static {
        let (trail, what) = (self.clone(), what.into());
        move |_| trail.push(what)
    }

    /// Takes the recorded events.
    pub fn take(&self) -> Vec<String> {
        self.0.take()
    }

    pub fn len(&self) -> usize {
        self.0.borrow().len()
    }
}

/// Counts the clones of itself that are alive.
#[derive(Clone, Default)]
pub struct Census(Rc<()>);

impl Census {
    pub fn one(&self) -> Self {
        self.clone()
    }

    pub fn alive(&self) -> usize {
        Rc::strong_count(&self.0) - 1
    }
}

/// Records its drop.
pub struct Marker(pub Trail, pub &'static str);

impl Drop for Marker {
    fn drop(&mut self) {
        self.0.push(self.1);
    }
}

/// Panics when it is dropped.
pub struct Bomb;

impl Drop for Bomb {
    fn drop(&mut self) {
        panic!("a bomb went off");
    }
}

type Callback = Box<dyn FnMut(&Reactor, &'static str)>;

/// A handler whose methods all call one closure with their name.
pub struct Puppet(RefCell<Callback>);

impl Puppet {
    pub fn new(f: impl FnMut(&Reactor, &'static str) + 'static) -> Rc<Self> {
        Rc::new(Self(RefCell::new(Box::new(f))))
    }

    /// Registers one without a source.
    pub fn enter(reactor: &Reactor, f: impl FnMut(&Reactor, &'static str) + 'static) -> Token {
        let token = reactor.reserve().unwrap();
        reactor.bind(token, Self::new(f));
        token
    }

    fn call(&self, reactor: &Reactor, method: &'static str) {
        (self.0.borrow_mut())(reactor, method);
    }
}

impl Handler for Puppet {
    fn ready(self: Rc<Self>, reactor: &Reactor, _: Ready) {
        self.call(reactor, "ready");
    }
    fn rescheduled(self: Rc<Self>, reactor: &Reactor) {
        self.call(reactor, "rescheduled");
    }
    fn flush(self: Rc<Self>, reactor: &Reactor) {
        self.call(reactor, "flush");
    }
    fn finalize(self: Rc<Self>, reactor: &Reactor) {
        self.call(reactor, "finalize");
    }
    fn timer(self: Rc<Self>, reactor: &Reactor, _: sinew_reactor::TimerKey) {
        self.call(reactor, "timer");
    }
    fn message_received(self: Rc<Self>, reactor: &Reactor, _: &dyn std::any::Any) {
        self.call(reactor, "message_received");
    }
    fn shutdown(self: Rc<Self>, reactor: &Reactor) {
        self.call(reactor, "shutdown");
    }
    fn describe(&self) -> String {
        "a puppet".to_owned()
    }
}

thread_local! {
    static LINES: RefCell<Option<Vec<String>>> = const { RefCell::new(None) };
}

/// Captures the log lines of a thread, each as its level, its message and its fields. One subscriber for the process: a
/// subscriber per thread misses lines, since tracing caches which call sites are enabled.
pub struct Log;

impl Log {
    fn install() {
        static ONCE: Once = Once::new();
        ONCE.call_once(|| tracing::subscriber::set_global_default(Self).unwrap());
    }

    /// Captures what `f` logs.
    pub fn of(f: impl FnOnce()) -> Vec<String> {
        Self::install();
        LINES.set(Some(Vec::new()));
        f();
        LINES.take().unwrap()
    }
}

impl Subscriber for Log {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        *metadata.level() <= Level::WARN && metadata.target().starts_with("sinew")
    }
    fn new_span(&self, _: &span::Attributes<'_>) -> span::Id {
        span::Id::from_u64(1)
    }
    fn record(&self, _: &span::Id, _: &span::Record<'_>) {}
    fn record_follows_from(&self, _: &span::Id, _: &span::Id) {}
    fn event(&self, event: &Event<'_>) {
        let mut line = Line(event.metadata().level().to_string());
        event.record(&mut line);
        LINES
            .with_borrow_mut(|lines| lines.iter_mut().for_each(|lines| lines.push(line.0.clone())));
    }
    fn enter(&self, _: &span::Id) {}
    fn exit(&self, _: &span::Id) {}
}

struct Line(String);

impl Visit for Line {
    fn record_debug(&mut self, field: &tracing::field::Field, value: &dyn fmt::Debug) {
        self.0 += &format!(" {}={value:?}", field.name());
    }
}

/// Counts calls.
#[derive(Clone, Default)]
pub struct Count(Rc<Cell<usize>>);

impl Count {
    pub fn up(&self) {
        self.0.set(self.0.get() + 1);
    }

    pub fn value(&self) -> usize {
        self.0.get()
    }
}
