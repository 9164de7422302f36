//! How the queue is opened, which another process or a folder that cannot be used may delay: [`Opening`].
//!
//! | | ports that need the queue | the server |
//! |---|---|---|
//! | at first | clients wait in the backlog | is not ready |
//! | after 30 seconds | each MAIL is answered with 421 | is not ready |
//! | the queue is open | serve | is ready |

use std::{
    cell::{Cell, RefCell},
    rc::Rc,
    time::Duration,
};

use sinew::{
    application::{MultiService, Service},
    mail::queue::{Agents, Queue, QueueConfig, QueueError, Spool},
    prelude::{Reactor, Task},
    reactor::{DelayedCall, with_causes},
};

use crate::run::Wait;

/// How long to wait for the queue of another process, and after a failure.
const IN_USE_WAIT: Duration = Duration::from_millis(100);
const FAILED_WAIT: Duration = Duration::from_secs(10);

/// How long clients wait for the queue in the backlog. They wait for a greeting for 5 minutes (RFC 5321 4.5.3.2.1).
const BACKLOG_WAIT: Duration = Duration::from_secs(30);

pub(super) struct Opening {
    spool: Spool,
    config: QueueConfig,
    agents: Agents,
    /// The ports that need the queue, and whether they serve.
    receiving: MultiService,
    is_receiving: Cell<bool>,
    /// Until the queue is open.
    wait: RefCell<Option<Wait>>,
    opened: Box<dyn Fn(Queue)>,
    running: RefCell<Option<(Task<()>, DelayedCall)>>,
}

impl Opening {
    pub(super) fn new(
        spool: Spool,
        config: QueueConfig,
        agents: Agents,
        receiving: MultiService,
        wait: Wait,
        opened: impl Fn(Queue) + 'static,
    ) -> Self {
        Self {
            spool,
            config,
            agents,
            receiving,
            is_receiving: Cell::new(false),
            wait: RefCell::new(Some(wait)),
            opened: Box::new(opened),
            running: RefCell::default(),
        }
    }

    /// Begins to open the queue, and then the ports that need it.
    pub(super) fn begin(self: &Rc<Self>, reactor: &Reactor) {
        let opening = Rc::clone(self);
        let patience =
            reactor.call_later(BACKLOG_WAIT, move |reactor| opening.end_patience(reactor));
        let task = reactor.spawn(Rc::clone(self).run(reactor.clone()));
        self.running.replace(Some((task, patience)));
    }

    /// Gives up, if it is not open yet.
    pub(super) fn end(&self) {
        if let Some((task, patience)) = self.running.take() {
            patience.cancel();
            drop(task);
        }
        drop(self.wait.take());
    }

    async fn run(self: Rc<Self>, reactor: Reactor) {
        let mut is_reported = false;
        let queue = loop {
            let (spool, config) = (self.spool.clone(), self.config.clone());
            match Queue::open(&reactor, spool, config, self.agents.clone()).await {
                Ok(queue) => break queue,
                Err(QueueError::InUse) => {
                    if !std::mem::replace(&mut is_reported, true) {
                        tracing::info!(
                            "another process has the queue; mail is accepted when it has ended"
                        );
                    }
                    reactor.sleep(IN_USE_WAIT).await;
                }
                Err(error) => {
                    tracing::error!("the queue could not be opened: {}", with_causes(&error));
                    reactor.sleep(FAILED_WAIT).await;
                }
            }
        };
        let stats = queue.stats();
        (self.opened)(queue);
        if !self.receive(&reactor) {
            return;
        }
        let (messages, damaged) = (stats.messages, stats.damaged);
        tracing::info!(messages, damaged, "the queue is open: mail is accepted");
        // The server is ready.
        drop(self.wait.take());
    }

    /// Clients are not kept waiting any more for a queue that is not open yet.
    fn end_patience(&self, reactor: &Reactor) {
        if !self.is_receiving.get() && self.receive(reactor) {
            tracing::warn!(
                "the queue is not open yet: until it is, clients are told to try again later"
            );
        }
    }

    /// Starts the ports that need the queue, unless they serve already. Whether they do.
    fn receive(&self, reactor: &Reactor) -> bool {
        if !self.is_receiving.get() {
            let started = self.receiving.start(reactor);
            self.is_receiving.set(started.is_ok());
            if let Err(error) = started {
                tracing::error!(error = %with_causes(&error), "mail cannot be accepted");
            }
        }
        self.is_receiving.get()
    }
}

#[cfg(test)]
mod tests {
    use sinew::{
        application::{StartError, StopError},
        prelude::Deferred,
    };

    use super::*;
    use crate::run::Readiness;

    /// Stands for the ports.
    #[derive(Default)]
    struct Ports(Rc<Cell<usize>>);

    impl Service for Ports {
        fn start(&self, _: &Reactor) -> Result<(), StartError> {
            self.0.set(self.0.get() + 1);
            Ok(())
        }

        fn stop(&self, reactor: &Reactor) -> Deferred<(), StopError> {
            Deferred::ready_on(reactor, ())
        }
    }

    /// An upgrade in which the process before keeps the queue for longer than clients wait.
    #[test]
    fn clients_do_not_wait_for_ever_for_the_queue_of_another_process() {
        let folder = std::env::temp_dir().join(format!("sinew-opening-{}", std::process::id()));
        let (reactor, readiness) = (Reactor::simulated(0), Readiness::default());
        let config = || QueueConfig::new("mail.example.org").unwrap();
        let advance = |seconds| {
            for _ in 0..seconds * 100 {
                reactor.advance(Duration::from_millis(10)).unwrap();
            }
        };
        let other = Queue::open(&reactor, Spool::in_folder(&folder), config(), Agents::default());
        advance(1);
        let other = other.take().unwrap().unwrap();

        let (started, slot) = (Rc::new(Cell::new(0)), Rc::new(RefCell::new(None)));
        let receiving = MultiService::new();
        receiving.add("ports", Ports(Rc::clone(&started))).unwrap();
        let (wait, opened) = (readiness.wait("mail waits"), Rc::clone(&slot));
        let opened = move |queue| drop(opened.replace(Some(queue)));
        let spool = Spool::in_folder(&folder);
        let opening =
            Rc::new(Opening::new(spool, config(), Agents::default(), receiving, wait, opened));
        opening.begin(&reactor);
        advance(29);
        assert_eq!((started.get(), slot.borrow().is_some()), (0, false));
        advance(2);
        assert_eq!((started.get(), slot.borrow().is_some()), (1, false), "they are answered");
        assert_eq!(readiness.waits().as_deref(), Some("mail waits"));
        other.stop().detach();
        drop(other);
        advance(1);
        assert_eq!((started.get(), slot.borrow().is_some()), (1, true));
        assert_eq!(readiness.waits(), None);
        opening.end();
        drop(slot.take());
        std::fs::remove_dir_all(&folder).unwrap();
    }
}
