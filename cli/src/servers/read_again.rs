//! Files that a service reads again: at SIGHUP ([`OnHangup`]), and when they have changed ([`Stamp`], [`Pace`]).

use std::{
    cell::{Cell, RefCell},
    fs,
    os::unix::fs::MetadataExt,
    path::Path,
    rc::Rc,
    time::{Duration, SystemTime},
};

use sinew::{
    application::StartError,
    prelude::{Promise, Reactor},
    reactor::{
        Failure, Signal, SignalWatch,
        source::{Handler, Ready, Registration},
    },
};

/// How often files are looked at, at most.
const EVERY_MIN: Duration = Duration::from_millis(10);

/// Makes a call at each SIGHUP, until it is dropped.
pub(super) struct OnHangup {
    _signal: SignalWatch,
    _handler: Registration,
}

impl OnHangup {
    /// `what` is the activity for reports of the reactor, as `"dns: reading its files again"`.
    pub(super) fn call(
        reactor: &Reactor,
        what: &'static str,
        call: impl Fn(&Reactor) + 'static,
    ) -> Result<Self, StartError> {
        let hangup = Rc::new(Hangup { what, call });
        let handler = reactor.register_unwatched(hangup).map_err(StartError::other)?;
        let token = handler.token().expect("it has just been registered");
        let signal = reactor.wake_on_signal(Signal::HUP, token).map_err(StartError::other)?;
        Ok(Self { _signal: signal, _handler: handler })
    }
}

struct Hangup<F> {
    what: &'static str,
    call: F,
}

impl<F: Fn(&Reactor) + 'static> Handler for Hangup<F> {
    fn ready(self: Rc<Self>, reactor: &Reactor, _: Ready) {
        self.rescheduled(reactor);
    }

    fn rescheduled(self: Rc<Self>, reactor: &Reactor) {
        (self.call)(reactor);
    }

    fn describe(&self) -> String {
        self.what.to_owned()
    }
}

/// When files are looked at next: after a time, or at once if that is [forced](Self::force).
#[derive(Default)]
pub(super) struct Pace {
    is_forced: Cell<bool>,
    /// Ends the wait.
    wake: RefCell<Option<Promise<(), Failure>>>,
}

impl Pace {
    pub(super) fn force(&self) {
        self.is_forced.set(true);
        if let Some(wake) = self.wake.take() {
            wake.resolve(());
        }
    }

    /// Waits until it is time; whether it was forced, so that all files are to be read.
    pub(super) async fn next(&self, reactor: &Reactor, every: Duration) -> bool {
        if !self.is_forced.get() {
            let (promise, woken) = reactor.promise();
            self.wake.replace(Some(promise));
            // Whichever comes first.
            let _ = reactor.timeout(every.max(EVERY_MIN), woken).await;
        }
        self.is_forced.take()
    }
}

/// What tells that a file is another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Stamp {
    modified: Option<SystemTime>,
    len: u64,
    inode: u64,
}

impl Stamp {
    /// `None` while there is no file.
    pub(super) fn of(path: &Path) -> Option<Self> {
        let file = fs::metadata(path).ok()?;
        Some(Self { modified: file.modified().ok(), len: file.len(), inode: file.ino() })
    }
}
