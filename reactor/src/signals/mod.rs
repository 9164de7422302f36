//! Unix signals on the loop: SIGINT and SIGTERM stop it, others call back. The signal handler itself is in `sys.rs`.

use std::{
    cell::{Cell, RefCell},
    collections::BTreeMap,
    fmt, io, mem,
    rc::Rc,
};

use self::receiver::Arrivals;
use crate::{
    Reactor, WeakReactor,
    handler::{Handler, Interest, Ready, Token},
    registration::Registration,
};

mod receiver;
mod sys;

pub use receiver::SignalReceiver;

/// A signal of the operating system, by its number ([signal(7)](https://man7.org/linux/man-pages/man7/signal.7.html)).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Signal(i32);

impl Signal {
    /// The terminal hung up; by convention, daemons reload their configuration.
    pub const HUP: Self = Self(libc::SIGHUP);
    /// Interrupted from the keyboard.
    pub const INT: Self = Self(libc::SIGINT);
    /// Quit from the keyboard.
    pub const QUIT: Self = Self(libc::SIGQUIT);
    /// Request to terminate.
    pub const TERM: Self = Self(libc::SIGTERM);
    /// User-defined.
    pub const USR1: Self = Self(libc::SIGUSR1);
    /// User-defined.
    pub const USR2: Self = Self(libc::SIGUSR2);
    /// A child ended.
    pub const CHLD: Self = Self(libc::SIGCHLD);
    /// The terminal changed its size.
    pub const WINCH: Self = Self(libc::SIGWINCH);
    /// Kills a process. Can be sent, but not caught.
    pub const KILL: Self = Self(libc::SIGKILL);
    /// Suspends a process. Can be sent, but not caught.
    pub const STOP: Self = Self(libc::SIGSTOP);
    /// Resumes a suspended process.
    pub const CONT: Self = Self(libc::SIGCONT);

    /// The signal with that number.
    #[must_use]
    pub const fn from_raw(number: i32) -> Self {
        Self(number)
    }

    /// Its number.
    #[must_use]
    pub const fn as_raw(self) -> i32 {
        self.0
    }
}

type SignalCall = Rc<RefCell<dyn FnMut(&Reactor)>>;

/// The signal callbacks of a reactor.
#[derive(Default)]
pub(crate) struct Signals {
    calls: RefCell<BTreeMap<Signal, SignalCall>>,
    /// Tasks that receive signals, instead of the callbacks.
    arrivals: Arrivals,
    /// Handlers to reschedule on each signal, beside the callbacks.
    rescheduled: RefCell<Vec<(Signal, Token)>>,
    /// Whether a run is in progress.
    watching: Cell<bool>,
    /// Opened with the first signal watched in a run.
    watch: RefCell<Option<Watch>>,
}

struct Watch {
    subscription: sys::Subscription,
    _registration: Registration,
}

/// The handler that reads this reactor's signal pipe.
struct SignalPipe {
    reader: sys::Reader,
}

impl Handler for SignalPipe {
    fn ready(self: Rc<Self>, reactor: &Reactor, _: Ready) {
        for number in self.reader.take() {
            let signal = Signal(number);
            reactor.reschedule_handlers(|other| other == signal);
            let signals = &reactor.inner.signals;
            if signals.arrivals.report(signal) {
                continue;
            }
            let call = signals.calls.borrow().get(&signal).cloned();
            if let Some(call) = call {
                let _ = reactor.guard(
                    || format!("the callback of signal {number}"),
                    || (call.borrow_mut())(reactor),
                );
            }
        }
    }

    fn describe(&self) -> String {
        "signals".to_owned()
    }
}

impl Reactor {
    /// Has the loop call `f` whenever the process receives `signal` while this reactor runs, instead of the previous
    /// action: for [`Signal::INT`] and [`Signal::TERM`], instead of [`stop`](Self::stop). When the run ends, the
    /// process's previous action for the signal is restored. `f` is kept for the next run, or until it is replaced. If
    /// several reactors in a process watch a signal, each gets its call. A signal that arrives several times before the
    /// loop handles it is reported once, and signals that arrive together in no particular order, as usual for signals
    /// ([signal(7)](https://man7.org/linux/man-pages/man7/signal.7.html)).
    ///
    /// # Errors
    ///
    /// If the signal cannot be caught (`SIGKILL`, `SIGSTOP`) or must not be, since its handler could not return
    /// (`SIGSEGV`, `SIGBUS`, `SIGFPE`, `SIGILL`). If 64 reactors of the process watch signals already, or no
    /// descriptors are left.
    pub fn on_signal(&self, signal: Signal, f: impl FnMut(&Self) + 'static) -> io::Result<()> {
        if let Err(error) = sys::check(signal.0).and_then(|()| self.watch_in_run(signal)) {
            self.defer_drop(f);
            return Err(error);
        }
        let call = Rc::new(RefCell::new(f));
        let old = self.inner.signals.calls.borrow_mut().insert(signal, call);
        if let Some(old) = old {
            self.defer_drop(old);
        }
        Ok(())
    }

    /// Calls [`reschedule`](Self::reschedule) for the handler of `token` whenever the process receives
    /// `signal`, until the [`SignalWatch`] is dropped. Works beside [`on_signal`](Self::on_signal), and in single turns as
    /// well as in runs. For handlers without another source of events, such as those of child processes on SIGCHLD.
    ///
    /// Signals that arrive while none are watched, between a [`crash`](Self::crash) and the next run, are made up for
    /// by rescheduling all such handlers at the start of that run.
    ///
    /// # Errors
    ///
    /// As [`on_signal`](Self::on_signal). On a simulated reactor, always.
    pub fn wake_on_signal(&self, signal: Signal, token: Token) -> io::Result<SignalWatch> {
        sys::check(signal.0)?;
        self.subscribe_to(signal)?;
        self.inner.signals.rescheduled.borrow_mut().push((signal, token));
        Ok(SignalWatch { reactor: self.downgrade(), rescheduled: (signal, token) })
    }

    fn reschedule_handlers(&self, matches: impl Fn(Signal) -> bool) {
        let rescheduled = self.inner.signals.rescheduled.borrow();
        rescheduled
            .iter()
            .filter(|(signal, _)| matches(*signal))
            .for_each(|(_, token)| self.reschedule(*token));
    }

    /// Starts watching signals, at the start of a run.
    pub(crate) fn watch_signals(&self) -> io::Result<()> {
        if self.inner.clock.is_virtual() {
            // A simulated process receives no signals.
            return Ok(());
        }
        let signals = &self.inner.signals;
        if self.inner.settings.stop_signals {
            let mut calls = signals.calls.borrow_mut();
            for signal in [Signal::INT, Signal::TERM] {
                calls.entry(signal).or_insert_with(|| {
                    Rc::new(RefCell::new(|reactor: &Self| {
                        let _ = reactor.stop();
                    }))
                });
            }
        }
        signals.watching.set(true);
        let mut wanted: Vec<_> = signals.calls.borrow().keys().copied().collect();
        wanted.extend(signals.rescheduled.borrow().iter().map(|(signal, _)| *signal));
        wanted.extend(signals.arrivals.signals());
        let watching = wanted.into_iter().try_for_each(|signal| self.watch_in_run(signal));
        if watching.is_err() {
            self.unwatch_signals();
        }
        self.reschedule_handlers(|_| true);
        watching
    }

    /// Watches a signal from now on, if a run is in progress.
    fn watch_in_run(&self, signal: Signal) -> io::Result<()> {
        if self.inner.signals.watching.get() { self.subscribe_to(signal) } else { Ok(()) }
    }

    fn subscribe_to(&self, signal: Signal) -> io::Result<()> {
        let signals = &self.inner.signals;
        if signals.watch.borrow().is_none() {
            let (subscription, reader) = sys::subscribe()?;
            let mut source = reader.source();
            let pipe = Rc::new(SignalPipe { reader });
            let registration = self.register(&mut source, Interest::READ, pipe)?;
            *signals.watch.borrow_mut() = Some(Watch { subscription, _registration: registration });
        }
        signals.watch.borrow().as_ref().map_or(Ok(()), |watch| watch.subscription.add(signal.0))
    }

    /// Stops watching signals and restores the previous actions, at the end of a run.
    pub(crate) fn unwatch_signals(&self) {
        self.inner.signals.watching.set(false);
        drop(self.inner.signals.watch.take());
    }
}

/// A handler that is rescheduled on each signal ([`Reactor::wake_on_signal`]). Dropping this ends the watch.
#[must_use = "dropping it ends the watch"]
pub struct SignalWatch {
    reactor: WeakReactor,
    rescheduled: (Signal, Token),
}

impl Drop for SignalWatch {
    fn drop(&mut self) {
        let Some(reactor) = self.reactor.upgrade() else { return };
        let signals = &reactor.inner.signals;
        let mut rescheduled = signals.rescheduled.borrow_mut();
        rescheduled.retain(|rescheduled| *rescheduled != self.rescheduled);
        if rescheduled.is_empty() && !signals.watching.get() {
            drop(signals.watch.take());
        }
    }
}

impl fmt::Debug for SignalWatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("SignalWatch").field(&self.rescheduled.0).finish()
    }
}

impl Signals {
    pub(crate) fn take_calls(&self) -> Vec<SignalCall> {
        mem::take(&mut *self.calls.borrow_mut()).into_values().collect()
    }
}

impl fmt::Debug for Signals {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Signals").field("signals", &self.calls.borrow().keys()).finish()
    }
}
