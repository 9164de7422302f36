//! Signals on the loop: SIGINT and SIGTERM stop it, others call back. Unix only; the handler itself is in `sys.rs`.

use std::{
    cell::{Cell, RefCell},
    collections::BTreeMap,
    fmt, io, mem,
    rc::Rc,
};

use crate::{
    Reactor, WeakReactor,
    handler::{Handler, Interest, Ready, Token},
    registration::Registration,
};

mod sys;

/// A signal of the operating system, by its number ([signal(7)](https://man7.org/linux/man-pages/man7/signal.7.html)).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Signal(i32);

impl Signal {
    /// The terminal hung up; daemons read their configuration again.
    pub const HUP: Self = Self(libc::SIGHUP);
    /// Interrupted from the keyboard.
    pub const INT: Self = Self(libc::SIGINT);
    /// Quit from the keyboard.
    pub const QUIT: Self = Self(libc::SIGQUIT);
    /// Asked to end.
    pub const TERM: Self = Self(libc::SIGTERM);
    /// For the program to give a meaning.
    pub const USR1: Self = Self(libc::SIGUSR1);
    /// For the program to give a meaning.
    pub const USR2: Self = Self(libc::SIGUSR2);
    /// A child ended.
    pub const CHLD: Self = Self(libc::SIGCHLD);
    /// The terminal changed its size.
    pub const WINCH: Self = Self(libc::SIGWINCH);
    /// Ends a process. To be sent, never caught.
    pub const KILL: Self = Self(libc::SIGKILL);
    /// Stops a process for a while. To be sent, never caught.
    pub const STOP: Self = Self(libc::SIGSTOP);
    /// Goes on after a stop.
    pub const CONT: Self = Self(libc::SIGCONT);

    /// The signal of that number.
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

/// What each signal calls.
#[derive(Default)]
pub(crate) struct Signals {
    calls: RefCell<BTreeMap<Signal, SignalCall>>,
    /// Who is run again with each signal, beside what it calls.
    wakes: RefCell<Vec<(Signal, Token)>>,
    /// Whether a run is on.
    listening: Cell<bool>,
    /// Opened with the first signal wanted in a run.
    watch: RefCell<Option<Watch>>,
}

struct Watch {
    subscription: sys::Subscription,
    _registration: Registration,
}

/// Where the signals of the process come from.
struct SignalPipe {
    reader: sys::Reader,
}

impl Handler for SignalPipe {
    fn ready(self: Rc<Self>, reactor: &Reactor, _: Ready) {
        for number in self.reader.take() {
            let signal = Signal(number);
            reactor.wake_handlers(|woken| woken == signal);
            let call = reactor.inner.signals.calls.borrow().get(&signal).cloned();
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
    /// Has the loop call `f` whenever the process gets `signal` while this reactor runs, in place of what would happen
    /// otherwise: for [`Signal::INT`] and [`Signal::TERM`], in place of [`stop`](Self::stop). When the run ends, what
    /// the process did with the signal before comes back. `f` stays for the next run, or until another takes its place.
    /// Several reactors in a process each get their call. A signal that comes several times before the loop gets to it is told
    /// once, and one that comes together with others in no order, as signals are
    /// ([signal(7)](https://man7.org/linux/man-pages/man7/signal.7.html)).
    ///
    /// # Errors
    ///
    /// If the signal cannot be caught (`SIGKILL`, `SIGSTOP`) or must not be, since its handler could not return
    /// (`SIGSEGV`, `SIGBUS`, `SIGFPE`, `SIGILL`). If 64 reactors of the process listen to signals already, or the kernel
    /// has no descriptors left.
    pub fn on_signal(&self, signal: Signal, f: impl FnMut(&Self) + 'static) -> io::Result<()> {
        if let Err(error) = sys::check(signal.0).and_then(|()| self.listen_to(signal)) {
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

    /// Has the loop run the handler of `token` again, as [`reschedule`](Self::reschedule) does, whenever the process gets
    /// `signal`, until the [`SignalWatch`] is dropped: beside what [`on_signal`](Self::on_signal) calls, and in single turns as
    /// well as in runs. For handlers that have nothing else to be told by, such as those of child processes on SIGCHLD.
    ///
    /// Signals that come while nothing listens, between a [`crash`](Self::crash) and the next run, are made up for at the start
    /// of that run.
    ///
    /// # Errors
    ///
    /// As [`on_signal`](Self::on_signal). On a simulated reactor, always.
    pub fn wake_on_signal(&self, signal: Signal, token: Token) -> io::Result<SignalWatch> {
        sys::check(signal.0)?;
        self.subscribe_to(signal)?;
        self.inner.signals.wakes.borrow_mut().push((signal, token));
        Ok(SignalWatch { reactor: self.downgrade(), wakes: (signal, token) })
    }

    fn wake_handlers(&self, is_woken: impl Fn(Signal) -> bool) {
        let wakes = self.inner.signals.wakes.borrow();
        wakes
            .iter()
            .filter(|(signal, _)| is_woken(*signal))
            .for_each(|(_, token)| self.reschedule(*token));
    }

    /// Begins to listen to signals, at the start of a run.
    pub(crate) fn watch_signals(&self) -> io::Result<()> {
        if self.inner.clock.is_virtual() {
            // There is no process to get them.
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
        signals.listening.set(true);
        let mut wanted: Vec<_> = signals.calls.borrow().keys().copied().collect();
        wanted.extend(signals.wakes.borrow().iter().map(|(signal, _)| *signal));
        let listening = wanted.into_iter().try_for_each(|signal| self.listen_to(signal));
        if listening.is_err() {
            self.unwatch_signals();
        }
        self.wake_handlers(|_| true);
        listening
    }

    /// Wants a signal from now on, if a run is on.
    fn listen_to(&self, signal: Signal) -> io::Result<()> {
        if self.inner.signals.listening.get() { self.subscribe_to(signal) } else { Ok(()) }
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

    /// Gives the signals back, at the end of a run.
    pub(crate) fn unwatch_signals(&self) {
        self.inner.signals.listening.set(false);
        drop(self.inner.signals.watch.take());
    }
}

/// A handler that is run again with each signal ([`Reactor::wake_on_signal`]). Dropping this ends it.
#[must_use = "dropping it ends the watch"]
pub struct SignalWatch {
    reactor: WeakReactor,
    wakes: (Signal, Token),
}

impl Drop for SignalWatch {
    fn drop(&mut self) {
        let Some(reactor) = self.reactor.upgrade() else { return };
        let signals = &reactor.inner.signals;
        let mut wakes = signals.wakes.borrow_mut();
        wakes.retain(|wakes| *wakes != self.wakes);
        if wakes.is_empty() && !signals.listening.get() {
            drop(signals.watch.take());
        }
    }
}

impl fmt::Debug for SignalWatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("SignalWatch").field(&self.wakes.0).finish()
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
