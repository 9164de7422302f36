//! The main thread while the server serves: [`Control`] carries out orders, one after the other. It may wait, for files and for
//! reactors, which go on meanwhile.
//!
//! | order | from | effect |
//! |---|---|---|
//! | `Reload` | SIGHUP | reads the program again: `reload.rs` |
//! | `Rotate` | SIGUSR1 | rotates the log file |
//! | `Ready` | a service has what it waited for, and none waits any more | tells the service manager |
//! | `Stopping` | SIGTERM, SIGINT | remembers the signal; the reactors stop already |
//! | `Upgrade` | SIGUSR2 | starts the next version: `upgrade.rs` |
//! | `Upgraded` | the first reactor | that one serves: this one drains and ends; or it failed, and this one goes on |
//! | `Ended` | the reactors | ends |

use std::sync::mpsc::{Receiver, Sender};

use sinew::{
    application::{handover::Handover, notify::Notifier},
    reactor::{Signal, with_causes},
    transports::reactors::ReactorsHandle,
};

use super::{
    Source,
    certificates::Certificates,
    order::{Ending, Order},
    readiness::Readiness,
    upgrade::{self, NextVersion},
};
use crate::{config::Program, exit::Failure, log::Log, process::PidFile};

/// What the main thread knows.
#[derive(Debug)]
pub(super) struct Control {
    pub(super) source: Source,
    /// What runs now.
    pub(super) program: Program,
    /// For each service of the program, how often it has been replaced.
    pub(super) generations: Vec<u64>,
    /// Of the last service that was started.
    pub(super) generation: u64,
    pub(super) certificates: Certificates,
    pub(super) log: Log,
    pub(super) reactors: ReactorsHandle,
    pub(super) handover: Handover,
    pub(super) next: NextVersion,
    pub(super) pid_file: Option<PidFile>,
    pub(super) notifier: Option<Notifier>,
    pub(super) orders: Sender<Order>,
    pub(super) readiness: Readiness,
    /// What was waited for when the service manager was told last.
    pub(super) waits: Option<String>,
    pub(super) stopped_by: Option<Signal>,
    /// Another process serves.
    pub(super) is_replaced: bool,
}

impl Control {
    /// Carries out orders until the reactors have ended.
    pub(super) fn run(mut self, orders: &Receiver<Order>) -> Result<Ending, Failure> {
        self.notify_readiness();
        let ended = self.carry_out(orders);
        if ended.is_ok() {
            tracing::info!("stopped");
        }
        // All is written when the lock of the pid file is gone.
        self.log.flush();
        // It is another process's by now, if one has replaced this.
        if let Some(file) = self.pid_file.filter(|_| !self.is_replaced) {
            file.remove();
        }
        ended.map(|()| Ending::by(self.stopped_by))
    }

    fn carry_out(&mut self, orders: &Receiver<Order>) -> Result<(), Failure> {
        while let Ok(order) = orders.recv() {
            match order {
                Order::Reload if self.is_serving() => self.reload_and_notify(),
                Order::Upgrade if self.is_serving() => self.upgrade(),
                Order::Ready if self.is_serving() && self.waits.is_some() => self.now_ready(),
                Order::Reload | Order::Upgrade | Order::Ready => {}
                Order::Rotate => self.log.rotate(),
                Order::Upgraded(Ok(pid)) => self.upgraded(pid),
                Order::Upgraded(Err(failure)) => {
                    tracing::error!("not upgraded; this process goes on: {failure}");
                }
                Order::Stopping(signal) => self.stopping(signal),
                Order::Ended(ended) => return ended,
            }
        }
        Ok(())
    }

    fn is_serving(&self) -> bool {
        self.stopped_by.is_none() && !self.is_replaced
    }

    fn upgrade(&self) {
        let (pid_file, orders) = (self.pid_file.as_ref(), self.orders.clone());
        let begun = upgrade::begin(&self.reactors, &self.handover, &self.next, pid_file, orders);
        if let Err(failure) = begun {
            tracing::error!("not upgraded; this process goes on: {failure}");
        }
    }

    fn upgraded(&mut self, pid: u32) {
        tracing::info!(pid, "upgraded: that process serves; this one ends when its connections do");
        self.is_replaced = true;
        self.notify(|notifier| notifier.main_pid(pid));
        // An error says that they have stopped already.
        let _ = self.reactors.stop();
    }

    fn stopping(&mut self, signal: Signal) {
        if self.stopped_by.is_some() {
            tracing::info!(
                signal = signal.as_raw(),
                "a second signal: connections are not waited for"
            );
            return;
        }
        tracing::info!(signal = signal.as_raw(), "stopping");
        if !self.is_replaced {
            self.notify(Notifier::stopping);
        }
        self.stopped_by = Some(signal);
    }

    fn reload_and_notify(&mut self) {
        if let Some(notifier) = self.notifier.clone() {
            // The first reactor knows the time.
            let _ =
                self.reactors.call(0, move |shard| log_error(notifier.reloading(shard.reactor())));
        }
        self.reload();
        self.waits = self.readiness.waits();
        self.notify_readiness();
    }

    /// Tells the service manager that the server is ready, or what it waits for.
    fn notify_readiness(&self) {
        match &self.waits {
            None => self.notify(Notifier::ready),
            Some(waits) => self.notify(|notifier| notifier.status(waits)),
        }
    }

    /// What was waited for is there, unless another wait has begun.
    fn now_ready(&mut self) {
        self.waits = self.readiness.waits();
        self.notify_readiness();
        if self.waits.is_none() {
            self.notify(|notifier| notifier.status("ready"));
            tracing::info!("ready");
        }
    }

    fn notify(&self, tell: impl FnOnce(&Notifier) -> std::io::Result<()>) {
        if let Some(notifier) = &self.notifier {
            log_error(tell(notifier));
        }
    }
}

fn log_error(sent: std::io::Result<()>) {
    if let Err(error) = sent {
        tracing::warn!(error = %with_causes(&error), "cannot notify systemd");
    }
}
