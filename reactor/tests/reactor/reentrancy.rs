//! Tests of re-entrancy. Law 2: no call into the library runs user code before it returns. Here every public call is
//! made from every kind of callback, while a `RefCell` is borrowed that all user code, including drops, tries to
//! borrow.

use std::{
    any::Any,
    cell::{Cell, RefCell, RefMut},
    future::{Future, pending, poll_fn},
    io::Write,
    os::unix::net::UnixStream,
    pin::pin,
    rc::Rc,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll, Wake, Waker},
    time::Duration,
};

use crate::kit::{Log, Puppet, reactors};
use sinew_reactor::{
    Deferred, Failure, Handler, Interest, Phase, Promise, Reactor, Ready, Signal, TimerKey, Token,
};

const FAR: Duration = Duration::from_secs(3600);

/// A cell that a user has borrowed while it calls the library.
#[derive(Default)]
struct UserState {
    cell: RefCell<()>,
    callbacks: RefCell<Vec<&'static str>>,
    violations: Cell<usize>,
}

impl UserState {
    /// Called first by all user code: borrows the cell, and counts a violation if it is borrowed.
    fn enter(&self, callback: &'static str) -> Option<RefMut<'_, ()>> {
        if !self.callbacks.borrow().contains(&callback) {
            self.callbacks.borrow_mut().push(callback);
        }
        let entered = self.cell.try_borrow_mut().ok();
        if entered.is_none() {
            println!("{callback} was called from inside a call");
            self.violations.set(self.violations.get() + 1);
        }
        entered
    }
}

/// User code that runs in a drop.
struct Probe(Rc<UserState>);

impl Drop for Probe {
    fn drop(&mut self) {
        self.0.enter("a drop");
    }
}

/// A handler that makes all calls in each of its methods, once.
struct Busy(Probe, Cell<bool>);

impl Busy {
    fn call(&self, reactor: &Reactor, method: &'static str) {
        let state = &self.0.0;
        let held = state.enter(method);
        if !self.1.replace(true) {
            call_everything(reactor, state);
        }
        drop(held);
    }
}

impl Handler for Busy {
    fn ready(self: Rc<Self>, reactor: &Reactor, _: Ready) {
        self.call(reactor, "ready");
    }
    fn rescheduled(self: Rc<Self>, reactor: &Reactor) {
        self.call(reactor, "rescheduled");
        panic!("on purpose");
    }
    fn flush(self: Rc<Self>, reactor: &Reactor) {
        self.call(reactor, "flush");
    }
    fn finalize(self: Rc<Self>, reactor: &Reactor) {
        self.call(reactor, "finalize");
    }
    fn timer(self: Rc<Self>, reactor: &Reactor, _: TimerKey) {
        self.call(reactor, "timer");
    }
    fn message_received(self: Rc<Self>, reactor: &Reactor, _: &dyn Any) {
        self.call(reactor, "message_received");
    }
    fn shutdown(self: Rc<Self>, reactor: &Reactor) {
        self.call(reactor, "shutdown");
    }
    fn panicked(self: Rc<Self>, reactor: &Reactor, _: &str) -> bool {
        self.call(reactor, "panicked");
        true
    }
    fn describe(&self) -> String {
        self.0.0.enter("describe");
        "busy".to_owned()
    }
}

fn busy(state: &Rc<UserState>) -> Rc<Busy> {
    Rc::new(Busy(Probe(state.clone()), Cell::new(false)))
}

/// A callback that only checks for re-entrancy.
fn checked<T>(state: &Rc<UserState>) -> impl FnOnce(&Reactor, T) + use<T> {
    let probe = Probe(state.clone());
    move |_, _| drop(probe.0.enter("a checked callback"))
}

fn checked_call(state: &Rc<UserState>) -> impl FnOnce(&Reactor) + use<> {
    let checked = checked(state);
    move |reactor| checked(reactor, ())
}

/// Makes every public call; the caller has borrowed the cell.
fn call_everything(reactor: &Reactor, state: &Rc<UserState>) {
    let probe = || Probe(state.clone());
    // Calls and timers.
    reactor.call_soon(checked_call(state));
    let call = reactor.call_later(Duration::ZERO, checked_call(state));
    _ = (call.is_active(), call.due(), call.reset(FAR), call.delay(FAR), call.cancel());
    drop(reactor.call_later(Duration::ZERO, checked_call(state)));
    let of_series = probe();
    let series = reactor.call_every(FAR, move |_| drop(of_series.0.enter("a series")));
    _ = (series.is_active(), series.skipped(), series.stop(), series.stop());
    _ = (reactor.now(), reactor.wall_clock(), reactor.stats(), reactor.engine());
    _ = (reactor.is_running(), reactor.is_edge_triggered(), format!("{reactor:?}"));
    reactor.defer_drop(probe());
    drop(reactor.local::<Cell<u8>>());

    // Runs, which are refused.
    assert!(reactor.run().is_err());
    assert!(reactor.turn(None).is_err());
    let endless = |probe| async move {
        let _probe: Probe = probe;
        pending::<()>().await;
    };
    assert!(reactor.run_until(endless(probe())).is_err());

    // Tasks.
    let task = reactor.spawn(endless(probe()));
    _ = task.is_done();
    task.cancel();
    task.then(checked(state));
    reactor.spawn(reactor.sleep(Duration::ZERO)).detach();
    reactor.spawn(reactor.timeout(Duration::ZERO, pending::<()>())).detach();

    // Promises, in every order.
    let pair = || reactor.promise::<Probe, Failure>();
    let (promise, deferred) = pair();
    promise.on_cancel(checked_call(state));
    promise.on_cancel(checked_call(state));
    deferred.then(checked(state));
    promise.resolve(probe());
    let (promise, deferred) = pair();
    promise.on_cancel(checked_call(state));
    deferred.cancel();
    promise.on_cancel(checked_call(state));
    promise.resolve(probe());
    deferred.then(checked(state));
    let (promise, deferred) = pair();
    deferred.then(checked(state));
    drop(promise);
    let (promise, deferred) = pair();
    drop(deferred);
    promise.settle(Ok(probe()));
    let (promise, deferred): (Promise<()>, Deferred<()>) = reactor.promise();
    promise.reject(Failure::Cancelled);
    _ = (deferred.is_settled(), deferred.take());
    deferred.then(checked(state));

    // Threads.
    let remote = reactor.remote();
    _ = (remote.call(|_| ()), remote.clone());
    let job = reactor.defer_to_thread(|| ());
    job.cancel();
    job.then(checked(state));

    // Handlers.
    let token = reactor.reserve().unwrap();
    reactor.bind(token, busy(state));
    reactor.bind(token, busy(state));
    reactor.reschedule(token);
    reactor.flush_later(token);
    reactor.finalize_later(token);
    let key = reactor.arm_timer(token, Duration::ZERO);
    _ = (reactor.timer_due(key), reactor.age());
    reactor.disarm_timer(key);
    reactor.set_interest(token, Interest::BOTH);
    reactor.deregister(token, false);
    reactor.bind(token, busy(state));
    reactor.broadcast(Rc::new(()));
    let (near, _far) = UnixStream::pair().unwrap();
    let registration = reactor.register(&mut &near, Interest::BOTH, busy(state)).unwrap();
    assert!(reactor.register(&mut &near, Interest::BOTH, busy(state)).is_err());
    registration.set_interest(Interest::NONE);
    registration.deregister();
    drop(registration);

    // Life-cycle triggers and signals.
    reactor.on(Phase::BeforeStartup, checked_call(state));
    for _ in 0..2 {
        let of_signal = probe();
        let call = move |_: &Reactor| drop(of_signal.0.enter("a signal"));
        reactor.on_signal(Signal::USR2, call).unwrap();
    }
    let of_signal = probe();
    let kill = Signal::from_raw(libc::SIGKILL);
    assert!(reactor.on_signal(kill, move |_| _ = &of_signal).is_err());
    drop(reactor.downgrade().upgrade());
    drop(reactor.clone());
}

/// A waker from outside of the loop.
#[derive(Default)]
struct FlagWaker(AtomicBool);

impl Wake for FlagWaker {
    fn wake(self: Arc<Self>) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// Has each kind of callback make all calls.
fn set_up(reactor: &Reactor, state: &Rc<UserState>) -> (Token, UnixStream) {
    let everything = |callback: &'static str| {
        let state = state.clone();
        move |reactor: &Reactor| {
            let held = state.enter(callback);
            call_everything(reactor, &state);
            drop(held);
        }
    };
    reactor.call_soon(everything("a call"));
    drop(reactor.call_later(Duration::ZERO, everything("a delayed call")));
    let mut of_series = Some(everything("a looping call"));
    let ms = Duration::from_millis(1);
    drop(reactor.call_every(ms, move |reactor| {
        if let Some(everything) = of_series.take() {
            everything(reactor);
        }
    }));
    let (weak, everything_in_task) = (reactor.downgrade(), everything("a task"));
    let mut once = Some(everything_in_task);
    reactor
        .spawn(poll_fn(move |_| {
            if let (Some(everything), Some(reactor)) = (once.take(), weak.upgrade()) {
                everything(&reactor);
            }
            Poll::<()>::Pending
        }))
        .detach();
    let (promise, deferred) = reactor.promise::<(), Failure>();
    let of_callback = everything("a callback of a deferred");
    deferred.then(move |reactor, _| of_callback(reactor));
    promise.resolve(());
    let (promise, deferred) = reactor.promise::<(), Failure>();
    promise.on_cancel(everything("a canceller"));
    deferred.cancel();
    let mut of_signal = Some(everything("a signal's callback"));
    reactor
        .on_signal(Signal::USR1, move |reactor| {
            if let Some(everything) = of_signal.take() {
                everything(reactor);
            }
        })
        .unwrap();
    for (phase, callback) in [
        (Phase::BeforeStartup, "before startup"),
        (Phase::AfterStartup, "after startup"),
        (Phase::BeforeShutdown, "before shutdown"),
        (Phase::DuringShutdown, "during shutdown"),
        (Phase::AfterShutdown, "after shutdown"),
    ] {
        reactor.on(phase, everything(callback));
    }
    for provoke in [Reactor::reschedule, Reactor::flush_later, Reactor::finalize_later] {
        let token = reactor.reserve().unwrap();
        reactor.bind(token, busy(state));
        provoke(reactor, token);
    }
    let token = reactor.reserve().unwrap();
    reactor.bind(token, busy(state));
    reactor.arm_timer(token, Duration::ZERO);
    let (near, mut far) = UnixStream::pair().unwrap();
    far.write_all(b"x").unwrap();
    let token = reactor.register_source(&mut &near, Interest::READ).unwrap();
    reactor.bind(token, busy(state));
    (token, near)
}

/// Whether a line logs an intended panic, or the callback that `call_everything` attaches to a deferred whose result
/// was taken.
fn is_on_purpose(line: &str) -> bool {
    line.contains("on purpose") || line.contains("its result was taken before")
}

#[test]
fn no_call_runs_user_code_before_it_returns() {
    for reactor in reactors() {
        let state = Rc::<UserState>::default();
        let log = Log::of(|| {
            let (_token, _near) = set_up(&reactor, &state);
            reactor.call_later(Duration::from_millis(5), |reactor| {
                // SAFETY: the signal is handled.
                unsafe { libc::raise(libc::SIGUSR1) };
                reactor.call_later(Duration::from_millis(5), |reactor| reactor.stop().unwrap());
            });
            reactor.run().unwrap();
        });
        let is_unexpected = |line: &&String| !is_on_purpose(line) && !line.contains("slow");
        assert_eq!(log.iter().filter(is_unexpected).count(), 0, "{log:?}");
        assert_eq!(state.violations.get(), 0);
        let mut callbacks = state.callbacks.take();
        callbacks.sort_unstable();
        let all = [
            "a call",
            "a callback of a deferred",
            "a canceller",
            "a delayed call",
            "a drop",
            "a looping call",
            "a checked callback",
            "a signal's callback",
            "a task",
            "after shutdown",
            "after startup",
            "rescheduled",
            "before shutdown",
            "before startup",
            "describe",
            "during shutdown",
            "flush",
            "panicked",
            "ready",
            "finalize",
            "shutdown",
            "timer",
            "message_received",
        ];
        for callback in all {
            assert!(callbacks.contains(&callback), "{callback} was not called: {callbacks:?}");
        }
    }
}

#[test]
fn nothing_is_borrowed_while_a_foreign_waker_runs() {
    for reactor in reactors() {
        let flag = Arc::<FlagWaker>::default();
        let waker = Waker::from(flag.clone());
        let mut context = Context::from_waker(&waker);
        let (promise, deferred) = reactor.promise::<(), Failure>();
        let mut deferred = pin!(deferred);
        assert!(deferred.as_mut().poll(&mut context).is_pending());
        promise.resolve(());
        assert!(flag.0.swap(false, Ordering::Relaxed));
        let mut sleep = pin!(reactor.sleep(Duration::ZERO));
        assert!(sleep.as_mut().poll(&mut context).is_pending());
        crate::kit::turn(&reactor);
        assert!(flag.0.load(Ordering::Relaxed));
    }
}

#[test]
fn a_handler_may_make_all_calls_with_its_own_cell_borrowed() {
    // Each method of a puppet is called with the puppet's cell borrowed.
    for reactor in reactors() {
        let state = Rc::<UserState>::default();
        let (own, calls) = (state.clone(), Rc::new(Cell::new(0)));
        let count = calls.clone();
        let token = Puppet::enter(&reactor, move |reactor, _| {
            if count.replace(count.get() + 1) < 3 {
                call_everything(reactor, &own);
            }
        });
        reactor.reschedule(token);
        reactor.finalize_later(token);
        let log = Log::of(|| crate::kit::turn(&reactor));
        assert!(log.iter().all(|line| is_on_purpose(line)), "{log:?}");
        assert_eq!(calls.get(), 2);
    }
}
