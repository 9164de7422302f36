//! Tasks that are woken on the loop's own thread while it runs: a queue without atomics, since most wakeups are such. All others go
//! through the queue in `remote.rs`.

use std::{cell::RefCell, collections::VecDeque, rc::Rc, sync::Arc};

use crate::remote::{Shared, TaskId};

/// The queue of a reactor.
#[derive(Debug, Default)]
pub(crate) struct LocalWakeups {
    woken: RefCell<VecDeque<TaskId>>,
}

/// The reactor that runs on this thread.
struct Current {
    /// Tells the reactors apart: each has its own.
    shared: Arc<Shared>,
    queue: Rc<LocalWakeups>,
}

thread_local! {
    static CURRENT: RefCell<Option<Current>> = const { RefCell::new(None) };
}

impl LocalWakeups {
    /// Queues a task of the reactor that runs on this thread. Returns `false` for any other.
    pub(crate) fn push(shared: &Arc<Shared>, task: TaskId) -> bool {
        let push = |current: &RefCell<Option<Current>>| match &*current.borrow() {
            Some(current) if Arc::ptr_eq(&current.shared, shared) => {
                current.queue.woken.borrow_mut().push_back(task);
                true
            }
            _ => false,
        };
        // At the end of a thread there is none any more.
        CURRENT.try_with(push).unwrap_or(false)
    }

    pub(crate) fn pop(&self) -> Option<TaskId> {
        self.woken.borrow_mut().pop_front()
    }

    pub(crate) fn len(&self) -> usize {
        self.woken.borrow().len()
    }

    /// Until the guard is dropped, wakeups on this thread are for this reactor.
    pub(crate) fn enter(self: &Rc<Self>, shared: &Arc<Shared>) -> EnteredThread {
        let current = Current { shared: shared.clone(), queue: self.clone() };
        EnteredThread {
            before: CURRENT.try_with(|place| place.replace(Some(current))).ok().flatten(),
        }
    }
}

/// Restores the reactor that ran on this thread before, if one runs inside of another.
pub(crate) struct EnteredThread {
    before: Option<Current>,
}

impl Drop for EnteredThread {
    fn drop(&mut self) {
        let before = self.before.take();
        let ended = CURRENT.try_with(|place| place.replace(before));
        drop(ended);
    }
}

#[cfg(test)]
mod tests {
    use std::{cell::Cell, rc::Rc};

    use crate::Reactor;

    /// One reactor runs inside of another, and a task of each wakes one of the other.
    #[test]
    fn wakeups_reach_their_own_reactor() {
        let (outer, inner) = (Reactor::simulated(0), Reactor::simulated(1));
        let (sender, receiver) = inner.promise::<u32, crate::Failure>();
        let (back, answer) = outer.promise::<u32, crate::Failure>();
        let got = Rc::new(Cell::new(0));
        let seen = got.clone();
        inner
            .spawn(async move {
                let value = receiver.await.unwrap();
                back.resolve(value + 1);
            })
            .detach();
        inner.turn(Some(std::time::Duration::ZERO)).unwrap();
        outer.spawn(async move { seen.set(answer.await.unwrap()) }).detach();
        outer.call_soon(move |_| {
            sender.resolve(41);
            // Woken from inside of the other reactor.
            inner.run_until_idle().unwrap();
        });
        outer.run_until_idle().unwrap();
        assert_eq!(got.get(), 42);
    }
}
