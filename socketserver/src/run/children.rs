//! The children of a server, and how their exits are noticed: by a pidfd on the reactor, or by polling where there is
//! none. Never by SIGCHLD, and never by waiting for "any child": both belong to the program.

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
use sinew_reactor::{DelayedCall, Reactor, process::keeps_exit_statuses};

use crate::{CloseError, lock::lock};

/// The interval of polling for children that cannot be watched.
const POLL_INTERVAL: Duration = Duration::from_millis(20);

/// Cheap to clone: all clones share the same children.
#[derive(Clone, Default)]
pub(super) struct Children {
    shared: Arc<Shared>,
}

#[derive(Default)]
struct Shared {
    /// Children that have not been reaped, and whether the reactor watches them.
    known: Mutex<Vec<(Pid, bool)>>,
    /// A poll is scheduled.
    polling: AtomicBool,
    /// The loss of an exit status was logged as a warning.
    warned: AtomicBool,
}

/// Called when a child has ended.
type OnExit = Rc<dyn Fn()>;

impl Children {
    pub(super) fn len(&self) -> usize {
        lock(&self.shared.known).len()
    }

    pub(super) fn add(&self, child: Pid) {
        lock(&self.shared.known).push((child, false));
    }

    /// Watches children that are not watched yet.
    pub(super) fn watch(&self, reactor: &Reactor, on_exit: impl Fn() + 'static) {
        let new: Vec<Pid> = lock(&self.shared.known)
            .iter_mut()
            .filter_map(|(child, watched)| (!std::mem::replace(watched, true)).then_some(*child))
            .collect();
        if new.is_empty() {
            return;
        }
        let on_exit: OnExit = Rc::new(on_exit);
        for child in new {
            if let Err(error) = self.watch_one(reactor, child, on_exit.clone()) {
                tracing::debug!(child = %child, %error, "cannot watch a child; polling for its exit");
                self.poll_later(reactor, on_exit.clone());
            }
        }
    }

    #[cfg(any(target_os = "linux", target_os = "android"))]
    fn watch_one(&self, reactor: &Reactor, child: Pid, on_exit: OnExit) -> io::Result<()> {
        pidfd::watch(reactor, self.clone(), child, on_exit)
    }

    #[cfg(not(any(target_os = "linux", target_os = "android")))]
    fn watch_one(&self, _: &Reactor, _: Pid, _: OnExit) -> io::Result<()> {
        Err(io::ErrorKind::Unsupported.into())
    }

    /// Polls for all children, repeatedly for as long as there are any.
    fn poll_later(&self, reactor: &Reactor, on_exit: OnExit) {
        if self.shared.polling.swap(true, Ordering::Relaxed) {
            return;
        }
        let this = self.clone();
        let _: DelayedCall = reactor.call_later(POLL_INTERVAL, move |reactor| {
            this.shared.polling.store(false, Ordering::Relaxed);
            let known: Vec<_> = lock(&this.shared.known).iter().map(|(child, _)| *child).collect();
            for child in known {
                this.reap(child, &on_exit, || None);
            }
            if this.len() > 0 {
                this.poll_later(reactor, on_exit);
            }
        });
    }

    /// Reaps a child that has ended. `false` if it has not. `kept` returns the status of a child that cannot be waited for, if
    /// the system has kept it.
    fn reap(
        &self,
        child: Pid,
        on_exit: &OnExit,
        kept: impl FnOnce() -> Option<ExitStatus>,
    ) -> bool {
        match waitpid(Some(child), WaitOptions::NOHANG) {
            Ok(None) | Err(Errno::INTR) => return false,
            Ok(Some((_, status))) => report(child, ExitStatus::from_raw(status.as_raw())),
            Err(_) => match kept() {
                Some(status) => report(child, status),
                None => self.report_lost(child),
            },
        }
        lock(&self.shared.known).retain(|(known, _)| *known != child);
        on_exit();
        true
    }

    /// Warns once, since the cause is the same for all children.
    fn report_lost(&self, child: Pid) {
        let cause = match keeps_exit_statuses() {
            false => "this process ignores SIGCHLD, so the system keeps none",
            true => "something else in this process has waited for it",
        };
        if self.shared.warned.swap(true, Ordering::Relaxed) {
            tracing::debug!(%child, cause, "the exit status of a child is lost");
        } else {
            tracing::warn!(%child, cause, "the exit status of a child is lost; further ones are logged at debug level");
        }
    }

    /// Waits until they have ended: those that have not within `timeout` get SIGTERM, and after the same time again,
    /// SIGKILL.
    pub(super) fn finish(&self, timeout: Duration) -> Result<(), CloseError> {
        if self.len() == 0 {
            return Ok(());
        }
        let reactor = Reactor::builder().stop_signals(false).build().map_err(io::Error::from)?;
        self.reset();
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
            // It has not been reaped, so its process id has not been reused.
            let _ = kill_process(*child, signal);
        }
    }

    /// Called when the reactor that watched them is gone.
    pub(super) fn reset(&self) {
        self.shared.polling.store(false, Ordering::Relaxed);
        lock(&self.shared.known).iter_mut().for_each(|(_, watched)| *watched = false);
    }

    /// Reaps those that have ended by now, and leaves the others to the caller of close.
    pub(super) fn abandon(&self) {
        let known: Vec<_> = lock(&self.shared.known).drain(..).collect();
        let on_exit: OnExit = Rc::new(|| ());
        for (child, _) in known {
            self.reap(child, &on_exit, || None);
        }
    }
}

fn report(child: Pid, status: ExitStatus) {
    if let Some(signal) = status.signal() {
        tracing::warn!(%child, signal, "a child was killed by a signal");
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

    use super::{Children, OnExit};

    /// A child on the reactor: its pidfd becomes readable when it has ended.
    struct Watch {
        children: Children,
        child: Pid,
        on_exit: OnExit,
        token: Token,
        /// Closed with this handler, after the registration has ended.
        pidfd: OwnedFd,
    }

    pub(super) fn watch(
        reactor: &Reactor,
        children: Children,
        child: Pid,
        on_exit: OnExit,
    ) -> io::Result<()> {
        let mut pidfd = pidfd_open(child, PidfdFlags::empty())?;
        let token = reactor.register_source(&mut pidfd, Interest::READ)?;
        let watch = Watch { children, child, on_exit, token, pidfd };
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
            if self.children.reap(self.child, &self.on_exit, || kept(&self.pidfd)) {
                reactor.deregister(self.token, false);
            }
        }
    }
}
