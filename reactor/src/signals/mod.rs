//! Signals on the loop: SIGINT and SIGTERM stop it, others call back. Unix only; the handler itself is in `sys.rs`.

use std::{cell::RefCell, collections::BTreeMap, fmt, io, rc::Rc};

use crate::{
    Reactor,
    handler::{Handler, Interest, Ready},
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
    watch: RefCell<Option<Watch>>,
}

/// While the reactor runs.
struct Watch {
    subscription: sys::Subscription,
    _registration: Registration,
}

/// The read end of the pipe that the signal handler writes to.
struct SignalPipe {
    reader: sys::Reader,
}

impl Handler for SignalPipe {
    fn ready(self: Rc<Self>, reactor: &Reactor, _: Ready) {
        while let Some(number) = self.reader.next() {
            let call = reactor.inner.signals.calls.borrow().get(&Signal(number)).cloned();
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
    /// the process did with the signal before comes back. Several reactors in a process each get their call.
    ///
    /// # Errors
    ///
    /// If the signal cannot be caught (`SIGKILL`, `SIGSTOP`) or must not be, since its handler could not return
    /// (`SIGSEGV`, `SIGBUS`, `SIGFPE`, `SIGILL`).
    pub fn on_signal(&self, signal: Signal, f: impl FnMut(&Self) + 'static) -> io::Result<()> {
        sys::check(signal.0)?;
        if let Some(watch) = &*self.inner.signals.watch.borrow() {
            watch.subscription.add(signal.0)?;
        }
        let old = self.inner.signals.calls.borrow_mut().insert(signal, Rc::new(RefCell::new(f)));
        if let Some(old) = old {
            self.discard(old);
        }
        Ok(())
    }

    /// Begins to listen to signals, at the start of a run.
    pub(crate) fn watch_signals(&self) -> io::Result<()> {
        if self.inner.settings.stop_signals {
            let mut calls = self.inner.signals.calls.borrow_mut();
            for signal in [Signal::INT, Signal::TERM] {
                calls.entry(signal).or_insert_with(|| {
                    Rc::new(RefCell::new(|reactor: &Self| {
                        let _ = reactor.stop();
                    }))
                });
            }
        }
        let wanted: Vec<_> =
            self.inner.signals.calls.borrow().keys().map(|signal| signal.0).collect();
        let (subscription, mut reader) = sys::subscribe()?;
        for signal in wanted {
            subscription.add(signal)?;
        }
        let source = reader.source();
        let pipe = Rc::new(SignalPipe { reader });
        let registration = self.register(&source, Interest::READ, pipe)?;
        *self.inner.signals.watch.borrow_mut() =
            Some(Watch { subscription, _registration: registration });
        Ok(())
    }

    /// Gives the signals back, at the end of a run.
    pub(crate) fn unwatch_signals(&self) {
        drop(self.inner.signals.watch.take());
    }
}

impl Signals {
    pub(crate) fn take_calls(&self) -> Vec<SignalCall> {
        std::mem::take(&mut *self.calls.borrow_mut()).into_values().collect()
    }
}

impl fmt::Debug for Signals {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Signals").field("signals", &self.calls.borrow().keys()).finish()
    }
}
