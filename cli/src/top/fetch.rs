//! Asks the program, on a thread of its own, so that keys are answered while it is busy.

use std::{
    sync::mpsc::{self, Receiver, RecvTimeoutError, Sender},
    thread,
    time::Duration,
};

use sinew::{reactor::Reactor, transports::endpoint::ClientEndpoint};

use super::{happened::Happened, model::Snapshot};
use crate::look::{Action, ask};

/// What the thread is to do before its next look.
#[derive(Debug)]
pub(super) enum Order {
    /// Look now.
    Look,
    Act {
        action: Action,
        id: String,
    },
}

/// Starts the thread. It ends when the sender of its orders or the receiver of what happens is dropped.
pub(super) fn start(
    at: ClientEndpoint,
    interval: Duration,
    connections: usize,
    happened: Sender<Happened>,
) -> std::io::Result<Sender<Order>> {
    let (orders, ordered) = mpsc::channel();
    let fetcher = Fetcher { at, interval, connections, happened };
    let run = move || match Reactor::builder().stop_signals(false).build() {
        Ok(clock) => fetcher.run(&clock, &ordered),
        Err(error) => drop(fetcher.tell(Happened::Failed(error.to_string()))),
    };
    thread::Builder::new().name("fetch".to_owned()).spawn(run)?;
    Ok(orders)
}

struct Fetcher {
    at: ClientEndpoint,
    interval: Duration,
    connections: usize,
    happened: Sender<Happened>,
}

impl Fetcher {
    /// `clock` is a reactor that does not run; it has the only clock.
    fn run(&self, clock: &Reactor, ordered: &Receiver<Order>) {
        let mut told = self.look(clock);
        while told {
            told = match ordered.recv_timeout(self.interval) {
                Ok(Order::Act { action, id }) => self.act(action, id) && self.look(clock),
                Ok(Order::Look) | Err(RecvTimeoutError::Timeout) => self.look(clock),
                Err(RecvTimeoutError::Disconnected) => false,
            };
        }
    }

    /// Returns `false` if nobody listens any more.
    fn look(&self, clock: &Reactor) -> bool {
        let max = self.connections;
        let looked = ask(&self.at, async move |client| {
            let status = client.status().await?;
            let (connections, is_partial) = client.connections(max).await?;
            Ok(Snapshot { status, connections, is_partial, at: 0.0 })
        });
        let at = clock.age().as_secs_f64();
        self.tell(match looked {
            Ok(snapshot) => Happened::Looked(Box::new(Snapshot { at, ..snapshot })),
            Err(error) => Happened::Failed(error.to_string()),
        })
    }

    fn act(&self, action: Action, id: String) -> bool {
        let done = ask(&self.at, async move |client| client.act(&id, action).await);
        self.tell(Happened::Acted(match done {
            Ok(true) => format!("{action}: done"),
            Ok(false) => format!("{action}: the connection is gone"),
            Err(error) => format!("{action}: {error}"),
        }))
    }

    fn tell(&self, happened: Happened) -> bool {
        self.happened.send(happened).is_ok()
    }
}
