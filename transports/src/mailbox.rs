//! A bounded queue of values into a handler on a reactor, filled from any thread: [`Mailbox`] is the end of the senders,
//! [`Inbox`] that of the handler. It moves the values; what they mean is up to the handler.

use std::sync::{
    Arc, PoisonError, RwLock,
    atomic::{AtomicBool, Ordering},
};

use crossbeam_channel::{Receiver, Sender, TrySendError, bounded};
use sinew_reactor::{Reactor, Remote, Token};

/// The senders' end. It outlives the reactor behind it, and may get another one.
pub(crate) struct Mailbox<T> {
    capacity: usize,
    /// `None` while no handler receives. The lock is held for a clone of the `Arc`.
    open: RwLock<Option<Arc<Open<T>>>>,
}

/// The handler that receives now.
struct Open<T> {
    queue: Sender<T>,
    /// The handler will be called, so no sender has to ask for that.
    is_scheduled: AtomicBool,
    remote: Remote,
    token: Token,
}

/// The handler's end, which stays on the reactor's thread. Dropping it closes the mailbox and drops what is in it.
pub(crate) struct Inbox<T> {
    queue: Receiver<T>,
    open: Arc<Open<T>>,
    mailbox: Arc<Mailbox<T>>,
}

/// Why a value was not queued.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NotQueued {
    /// No handler receives.
    Closed,
    /// As many values wait as the mailbox holds.
    Full,
}

impl<T> Mailbox<T> {
    /// A mailbox for `capacity` values, at least one.
    pub(crate) fn new(capacity: usize) -> Self {
        Self { capacity: capacity.max(1), open: RwLock::default() }
    }

    pub(crate) const fn capacity(&self) -> usize {
        self.capacity
    }

    fn receiver(&self) -> Option<Arc<Open<T>>> {
        self.open.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Queues a value. The loop calls [`Handler::rescheduled`](sinew_reactor::Handler::rescheduled) of the handler.
    /// Values of one thread arrive in the order in which they were sent.
    pub(crate) fn send(&self, value: T) -> Result<(), (T, NotQueued)> {
        let Some(open) = self.receiver() else { return Err((value, NotQueued::Closed)) };
        match open.queue.try_send(value) {
            Ok(()) => {
                open.wake();
                Ok(())
            }
            Err(TrySendError::Full(value)) => Err((value, NotQueued::Full)),
            Err(TrySendError::Disconnected(value)) => Err((value, NotQueued::Closed)),
        }
    }

    /// Has the loop call the handler, with or without a value in the queue.
    pub(crate) fn wake(&self) {
        if let Some(open) = self.receiver() {
            open.wake();
        }
    }

    /// The number of values that wait; `None` while no handler receives.
    pub(crate) fn waiting(&self) -> Option<usize> {
        self.receiver().map(|open| open.queue.len())
    }

    /// From now on the handler with this token receives. A handler before it gets nothing more.
    pub(crate) fn open(self: &Arc<Self>, reactor: &Reactor, token: Token) -> Inbox<T> {
        let (sender, queue) = bounded(self.capacity);
        let open = Arc::new(Open {
            queue: sender,
            is_scheduled: AtomicBool::new(false),
            remote: reactor.remote(),
            token,
        });
        self.replace(Some(open.clone()));
        Inbox { queue, open, mailbox: self.clone() }
    }

    fn replace(&self, open: Option<Arc<Open<T>>>) {
        let before = std::mem::replace(
            &mut *self.open.write().unwrap_or_else(PoisonError::into_inner),
            open,
        );
        // Dropped when the lock is free.
        drop(before);
    }
}

impl<T> Open<T> {
    fn wake(&self) {
        // AcqRel, and a swap on both sides: a sender that finds the flag set relies on the coming call, which must see its
        // value.
        if !self.is_scheduled.swap(true, Ordering::AcqRel)
            && self.remote.reschedule(self.token).is_err()
        {
            // The reactor has ended; its handler drops the values.
            self.is_scheduled.store(false, Ordering::Release);
        }
    }
}

impl<T> Inbox<T> {
    /// To be called first when the handler is called: from here on a sender asks for another call.
    pub(crate) fn begin(&self) {
        self.open.is_scheduled.swap(false, Ordering::AcqRel);
    }

    pub(crate) fn take(&self) -> Option<T> {
        self.queue.try_recv().ok()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.queue.is_empty()
    }

    /// Whether no other value would be accepted.
    pub(crate) fn is_full(&self) -> bool {
        self.queue.is_full()
    }
}

impl<T> Drop for Inbox<T> {
    fn drop(&mut self) {
        let mailbox = &*self.mailbox;
        let is_ours = mailbox.receiver().is_some_and(|open| Arc::ptr_eq(&open, &self.open));
        if is_ours {
            mailbox.replace(None);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{cell::RefCell, rc::Rc, thread, time::Duration};

    use sinew_reactor::{Handler, Ready};

    use super::*;

    /// Collects what it receives, and stops the reactor at a zero.
    struct Collector {
        inbox: RefCell<Option<Inbox<u32>>>,
        received: RefCell<Vec<u32>>,
        calls: std::cell::Cell<u32>,
    }

    impl Handler for Collector {
        fn ready(self: Rc<Self>, _: &Reactor, _: Ready) {}

        fn rescheduled(self: Rc<Self>, reactor: &Reactor) {
            self.calls.set(self.calls.get() + 1);
            let inbox = self.inbox.borrow();
            let inbox = inbox.as_ref().expect("it is open");
            inbox.begin();
            while let Some(value) = inbox.take() {
                self.received.borrow_mut().push(value);
                if value == 0 {
                    let _ = reactor.stop();
                }
            }
        }
    }

    fn collector(reactor: &Reactor, mailbox: &Arc<Mailbox<u32>>) -> Rc<Collector> {
        let token = reactor.reserve().expect("there is room");
        let collector = Rc::new(Collector {
            inbox: RefCell::new(Some(mailbox.open(reactor, token))),
            received: RefCell::default(),
            calls: std::cell::Cell::default(),
        });
        reactor.bind(token, collector.clone());
        collector
    }

    #[test]
    fn values_of_a_thread_arrive_in_order_and_a_batch_takes_one_call() {
        let reactor = Reactor::new().expect("a reactor");
        let mailbox = Arc::new(Mailbox::new(1_000));
        let collector = collector(&reactor, &mailbox);
        let sender = mailbox.clone();
        thread::spawn(move || {
            (0..1_000).rev().for_each(|n| sender.send(n).expect("there is room"))
        })
        .join()
        .expect("it does not panic");
        reactor.run().expect("it runs");
        assert_eq!(*collector.received.borrow(), (0..1_000).rev().collect::<Vec<_>>());
        assert_eq!(collector.calls.get(), 1);
    }

    #[test]
    fn a_full_mailbox_and_a_closed_one_give_the_value_back() {
        let reactor = Reactor::new().expect("a reactor");
        let mailbox = Arc::new(Mailbox::new(2));
        assert_eq!(mailbox.send(7), Err((7, NotQueued::Closed)));
        let first = collector(&reactor, &mailbox);
        assert_eq!([mailbox.send(1), mailbox.send(2)], [Ok(()), Ok(())]);
        assert_eq!(mailbox.send(3), Err((3, NotQueued::Full)));
        assert_eq!(mailbox.waiting(), Some(2));
        reactor.turn(Some(Duration::ZERO)).expect("it turns");
        assert_eq!(*first.received.borrow(), [1, 2]);

        // Another handler takes over; the drop of the first one's end does not close the mailbox.
        let second = collector(&reactor, &mailbox);
        first.inbox.take();
        assert_eq!(mailbox.send(4), Ok(()));
        reactor.turn(Some(Duration::ZERO)).expect("it turns");
        assert_eq!(*second.received.borrow(), [4]);
        assert_eq!(mailbox.send(5), Ok(()));
        second.inbox.take();
        assert_eq!(mailbox.send(6), Err((6, NotQueued::Closed)));
    }
}
