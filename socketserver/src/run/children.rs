//! The children of a server: which there are, and how it learns that one has ended. By a pidfd on the reactor; where there is
//! none, by looking from time to time. Never by SIGCHLD, and never by waiting for "any child": both are the program's.

use std::{
    fmt, io,
    os::unix::process::ExitStatusExt,
    process::ExitStatus,
    rc::Rc,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use rustix::{
    io::Errno,
    process::{Pid, Signal, WaitOptions, kill_process, waitpid},
};
use sinew_reactor::{DelayedCall, Reactor, process::exits_are_kept};

use crate::{CloseError, lock::lock};

/// How often children are looked after that cannot be watched.
const LOOK: Duration = Duration::from_millis(20);

/// Cheap to clone: all clones are the same children.
#[derive(Clone, Default)]
pub(super) struct Children {
    shared: Arc<Shared>,
}

#[derive(Default)]
struct Shared {
    /// Those that have not been waited for, and whether the reactor watches them.
    known: Mutex<Vec<(Pid, bool)>>,
    /// A look from time to time is under way.
    looking: AtomicBool,
    /// The loss of an exit status was logged as a warning.
    warned: AtomicBool,
}

/// Whom a child's end is told.
type Told = Rc<dyn Fn()>;

impl Children {
    pub(super) fn len(&self) -> usize {
        lock(&self.shared.known).len()
    }

    pub(super) fn add(&self, child: Pid) {
        lock(&self.shared.known).push((child, false));
    }

    /// Watches those that are not watched yet.
    pub(super) fn watch(&self, reactor: &Reactor, told: impl Fn() + 'static) {
        let new: Vec<Pid> = lock(&self.shared.known)
            .iter_mut()
            .filter_map(|(child, watched)| (!std::mem::replace(watched, true)).then_some(*child))
            .collect();
        if new.is_empty() {
            return;
        }
        let told: Told = Rc::new(told);
        for child in new {
            if let Err(error) = self.watch_one(reactor, child, told.clone()) {
                tracing::debug!(child = %child, %error, "a child cannot be watched; it is looked after from time to time");
                self.look_later(reactor, told.clone());
            }
        }
    }

    #[cfg(any(target_os = "linux", target_os = "android"))]
    fn watch_one(&self, reactor: &Reactor, child: Pid, told: Told) -> io::Result<()> {
        pidfd::watch(reactor, self.clone(), child, told)
    }

    #[cfg(not(any(target_os = "linux", target_os = "android")))]
    fn watch_one(&self, _: &Reactor, _: Pid, _: Told) -> io::Result<()> {
        Err(io::ErrorKind::Unsupported.into())
    }

    /// Looks after all of them, again and again for as long as there are any.
    fn look_later(&self, reactor: &Reactor, told: Told) {
        if self.shared.looking.swap(true, Ordering::Relaxed) {
            return;
        }
        let this = self.clone();
        let _: DelayedCall = reactor.call_later(LOOK, move |reactor| {
            this.shared.looking.store(false, Ordering::Relaxed);
            let known: Vec<_> = lock(&this.shared.known).iter().map(|(child, _)| *child).collect();
            for child in known {
                this.reap(child, &told, || None);
            }
            if this.len() > 0 {
                this.look_later(reactor, told);
            }
        });
    }

    /// Waits for a child that has ended. `false` if it has not. `kept` knows what became of one that cannot be waited for, if
    /// the system does.
    fn reap(&self, child: Pid, told: &Told, kept: impl FnOnce() -> Option<ExitStatus>) -> bool {
        match waitpid(Some(child), WaitOptions::NOHANG) {
            Ok(None) | Err(Errno::INTR) => return false,
            Ok(Some((_, status))) => report(child, ExitStatus::from_raw(status.as_raw())),
            Err(_) => match kept() {
                Some(status) => report(child, status),
                None => self.report_lost(child),
            },
        }
        lock(&self.shared.known).retain(|(known, _)| *known != child);
        told();
        true
    }

    /// A warning once, for it goes for all of them.
    fn report_lost(&self, child: Pid) {
        let cause = match exits_are_kept() {
            false => "this process ignores SIGCHLD, so the system keeps none",
            true => "something else in this process has waited for it",
        };
        if self.shared.warned.swap(true, Ordering::Relaxed) {
            tracing::debug!(%child, cause, "the exit status of a child is lost");
        } else {
            tracing::warn!(%child, cause, "the exit status of a child is lost; of others, that is in the debug log");
        }
    }

    /// Waits until they have ended: those that do not within `timeout` get SIGTERM, and as long once more, then SIGKILL.
    pub(super) fn finish(&self, timeout: Duration) -> Result<(), CloseError> {
        if self.len() == 0 {
            return Ok(());
        }
        let reactor = Reactor::builder().stop_signals(false).build().map_err(io::Error::from)?;
        self.start_over();
        self.watch(&reactor, || ());
        self.wait(&reactor, Some(timeout))?;
        self.broadcast(Signal::TERM);
        self.wait(&reactor, Some(timeout))?;
        self.broadcast(Signal::KILL);
        self.wait(&reactor, None)
    }

    fn wait(&self, reactor: &Reactor, timeout: Option<Duration>) -> Result<(), CloseError> {
        let end = timeout.and_then(|timeout| reactor.now().checked_add(timeout));
        while self.len() > 0 {
            let left = end.map(|end| end.saturating_duration_since(reactor.now()));
            if left == Some(Duration::ZERO) {
                break;
            }
            reactor.turn(left).map_err(io::Error::other)?;
        }
        Ok(())
    }

    fn broadcast(&self, signal: Signal) {
        for (child, _) in &*lock(&self.shared.known) {
            // It has not been waited for, so the number is still its own.
            let _ = kill_process(*child, signal);
        }
    }

    /// The reactor that has watched them is gone.
    pub(super) fn start_over(&self) {
        self.shared.looking.store(false, Ordering::Relaxed);
        lock(&self.shared.known).iter_mut().for_each(|(_, watched)| *watched = false);
    }

    /// Waits for those that have ended by now, and leaves the others to whoever closes.
    pub(super) fn abandon(&self) {
        let known: Vec<_> = lock(&self.shared.known).drain(..).collect();
        let told: Told = Rc::new(|| ());
        for (child, _) in known {
            self.reap(child, &told, || None);
        }
    }
}

fn report(child: Pid, status: ExitStatus) {
    if let Some(signal) = status.signal() {
        tracing::warn!(%child, signal, "a child was ended by a signal");
    } else {
        tracing::debug!(%child, code = status.code(), "a child has ended");
    }
}

impl fmt::Debug for Children {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(lock(&self.shared.known).iter().map(|(child, _)| child)).finish()
    }
}

#[cfg(any(target_os = "linux", target_os = "android"))]
mod pidfd {
    #[cfg(target_os = "linux")]
    use std::os::fd::AsFd;
    use std::{io, os::fd::OwnedFd, process::ExitStatus, rc::Rc};

    use rustix::process::{Pid, PidfdFlags, pidfd_open};
    use sinew_reactor::{Handler, Interest, Reactor, Ready, Token};

    use super::{Children, Told};

    /// A child on the reactor: its pidfd can be read when it has ended.
    struct Watch {
        children: Children,
        child: Pid,
        told: Told,
        token: Token,
        /// Closed after the registration has ended, with this.
        pidfd: OwnedFd,
    }

    pub(super) fn watch(
        reactor: &Reactor,
        children: Children,
        child: Pid,
        told: Told,
    ) -> io::Result<()> {
        let mut pidfd = pidfd_open(child, PidfdFlags::empty())?;
        let token = reactor.register_source(&mut pidfd, Interest::READ)?;
        let watch = Watch { children, child, told, token, pidfd };
        reactor.bind(token, Rc::new(watch));
        Ok(())
    }

    #[cfg(target_os = "linux")]
    fn kept(pidfd: &OwnedFd) -> Option<ExitStatus> {
        sinew_reactor::process::exit_status(pidfd.as_fd())
    }

    #[cfg(target_os = "android")]
    fn kept(_: &OwnedFd) -> Option<ExitStatus> {
        None
    }

    impl Handler for Watch {
        fn ready(self: Rc<Self>, reactor: &Reactor, _: Ready) {
            if self.children.reap(self.child, &self.told, || kept(&self.pidfd)) {
                reactor.deregister(self.token, false);
            }
        }
    }
}
