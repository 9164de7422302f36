//! The main thread while the server serves: [`Control`] carries out orders, one after the other. It may wait, for files and for
//! reactors, which go on meanwhile.
//!
//! | order | from | effect |
//! |---|---|---|
//! | `Reload` | SIGHUP | reads the program again: `reload.rs` |
//! | `Rotate` | SIGUSR1 | rotates the log file |
//! | `Stopping` | SIGTERM, SIGINT | remembers the signal; the reactors stop already |
//! | `Ended` | the reactors | ends |

use std::sync::mpsc::Receiver;

use sinew::{application::notify::Notifier, reactor::Signal, transports::reactors::ReactorsHandle};

use super::{Source, start::Ending};
use crate::{config::Program, exit::Failure, log::Log};

/// What the main thread is to do.
#[derive(Debug)]
pub(super) enum Order {
    Reload,
    Rotate,
    Stopping(Signal),
    Ended(Result<(), Failure>),
}

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
    pub(super) log: Log,
    pub(super) reactors: ReactorsHandle,
    notifier: Option<Notifier>,
    stopped_by: Option<Signal>,
}

impl Control {
    pub(super) fn new(
        source: Source,
        program: Program,
        log: Log,
        notifier: Option<Notifier>,
        reactors: &ReactorsHandle,
    ) -> Self {
        let generations = vec![0; program.services.len()];
        let reactors = reactors.clone();
        Self {
            source,
            program,
            generations,
            generation: 0,
            log,
            reactors,
            notifier,
            stopped_by: None,
        }
    }

    /// Carries out orders until the reactors have ended.
    pub(super) fn run(&mut self, orders: &Receiver<Order>) -> Result<Ending, Failure> {
        self.notify(Notifier::ready);
        while let Ok(order) = orders.recv() {
            match order {
                Order::Reload if self.stopped_by.is_none() => self.reload_and_notify(),
                Order::Reload => {}
                Order::Rotate => self.log.rotate(),
                Order::Stopping(signal) => self.stopping(signal),
                Order::Ended(ended) => {
                    ended?;
                    break;
                }
            }
        }
        tracing::info!("stopped");
        Ok(Ending::by(self.stopped_by))
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
        self.notify(Notifier::stopping);
        self.stopped_by = Some(signal);
    }

    fn reload_and_notify(&mut self) {
        if let Some(notifier) = self.notifier.clone() {
            // The first reactor knows the time.
            let _ =
                self.reactors.call(0, move |shard| log_error(notifier.reloading(shard.reactor())));
        }
        self.reload();
        self.notify(Notifier::ready);
    }

    fn notify(&self, tell: impl FnOnce(&Notifier) -> std::io::Result<()>) {
        if let Some(notifier) = &self.notifier {
            log_error(tell(notifier));
        }
    }
}

fn log_error(sent: std::io::Result<()>) {
    if let Err(error) = sent {
        tracing::warn!(%error, "cannot notify systemd");
    }
}
