//! Connections that go to the new process: asked when it takes over, and again while the old one drains.

use std::{
    cell::{Cell, RefCell},
    rc::{Rc, Weak},
    sync::Arc,
    time::Duration,
};

use sinew_reactor::{Phase, Promise, Reactor, Remote};
use sinew_transports::HandedConnection;

use super::Upgrade;
use crate::handover::{
    each::on_each,
    message::{Message, UNREAD_MAX},
    outbox::Outbox,
    sockets::{SendAway, Sockets},
};

/// How often connections that stayed are asked again.
const ASK_AGAIN: Duration = Duration::from_millis(50);

/// The upgrade of a reactor, for calls from other reactors.
#[derive(Default)]
pub(super) struct Current(pub(super) RefCell<Weak<Upgrade>>);

impl Upgrade {
    /// Asks the connections of a reactor to go.
    pub(super) fn ask(&self, remote: Remote) -> impl Fn(&Reactor) + Send + Sync + 'static {
        let (takes, outbox) = (self.takes.borrow().clone(), self.outbox.clone());
        move |reactor: &Reactor| {
            let (outbox, remote) = (outbox.clone(), remote.clone());
            let send: SendAway = Rc::new(move |name, connection| {
                if send(&outbox, name, connection) {
                    // If it fails, the next one tells, or the next question.
                    let _ = remote.call(|reactor| {
                        let current = reactor.local::<Current>().0.borrow().upgrade();
                        if let Some(upgrade) = current {
                            upgrade.wake();
                        }
                    });
                }
            });
            reactor.local::<Sockets>().hand_over_connections(&takes, &send);
        }
    }

    /// Asks those that stayed until this process ends, and keeps it from ending before they have been sent.
    pub(super) fn keep_asking(self: &Rc<Self>, reactor: &Reactor) {
        let (ask, upgrade) = (Arc::new(self.ask(reactor.remote())), self.clone());
        let takes = Arc::new(self.takes.borrow().clone());
        let stopping: Rc<Cell<Option<Promise<()>>>> = Rc::default();
        let waiting = stopping.clone();
        let asking = reactor.call_every(ASK_AGAIN, move |reactor| {
            if upgrade.is_channel_ended.get() {
                // The new process has ended, or this one is about to.
                if let Some(asking) = upgrade.asking.take() {
                    asking.stop();
                }
                if let Some(promise) = waiting.take() {
                    promise.resolve(());
                }
                return;
            }
            upgrade.wake();
            // Ports begin to drain when the reactor begins to stop.
            let is_stopping = reactor.is_stopping();
            let (ask, takes) = (ask.clone(), takes.clone());
            let count = move |reactor: &Reactor, reply: crate::handover::each::Reply<usize>| {
                ask(reactor);
                reply.send(reactor.local::<Sockets>().draining(&takes));
            };
            let (upgrade, waiting) = (upgrade.clone(), waiting.clone());
            on_each(&upgrade.shared.clone(), reactor, count, move |_, left: Vec<usize>| {
                if is_stopping
                    && left.iter().sum::<usize>() == 0
                    && upgrade.has_sent_all()
                    && let Some(promise) = waiting.take()
                {
                    promise.resolve(());
                }
            });
        });
        self.asking.replace(Some(asking));
        let upgrade = self.clone();
        reactor.on(Phase::BeforeShutdown, move |reactor| {
            let (promise, sent) = reactor.promise();
            if upgrade.is_channel_ended.get() {
                promise.resolve(());
            } else {
                stopping.set(Some(promise));
            }
            sent
        });
    }

    /// Whether nothing waits for the channel, or there is none any more.
    fn has_sent_all(&self) -> bool {
        let connection = self.connection.borrow();
        let channel = connection.as_ref().filter(|_| !self.is_channel_ended.get());
        channel.is_none_or(|channel| self.outbox.is_empty() && channel.transport().queued() == 0)
    }
}

/// Queues a connection for the new process. Returns whether the channel has to be told.
fn send(outbox: &Outbox, name: &str, connection: HandedConnection) -> bool {
    let (socket, state, unread) = connection.into_parts();
    if unread.len() > UNREAD_MAX {
        tracing::error!(
            bytes = unread.len(),
            max = UNREAD_MAX,
            "a connection with too much unread input cannot go to another process; it is closed"
        );
        return false;
    }
    let message = Message::Connection { port: name.to_owned(), state, unread: unread.into() };
    outbox.push(&message, [socket])
}
