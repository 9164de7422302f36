//! Who is told of changes, and who has a mailbox for itself: [`Watchers`], [`Watch`] and [`ExclusiveLock`]. For authors of stores, too.

use std::{
    any::Any,
    cell::{Cell, RefCell},
    collections::BTreeMap,
    fmt,
    rc::{Rc, Weak},
};

use sinew_transports::reactor::Reactor;

type Changed = Rc<dyn Fn(&Reactor)>;

/// The watchers of one mailbox. The loop calls them, in a call of its own: never what reports the change.
#[derive(Clone, Default)]
pub struct Watchers {
    inner: Rc<Inner>,
}

#[derive(Default)]
struct Inner {
    watchers: RefCell<BTreeMap<u64, Changed>>,
    next: Cell<u64>,
    is_scheduled: Cell<bool>,
}

/// A call of the loop that is to come. The end of a run drops it without a call.
struct Scheduled(Rc<Inner>);

/// Keeps a callback registered with [`Mailbox::watch`](super::Mailbox::watch). Dropped, it is not called any more, also not for a change
/// that has happened already.
#[must_use = "dropping it ends the watch"]
pub struct Watch {
    inner: Weak<Inner>,
    id: u64,
}

/// Keeps a mailbox locked for a POP3 session until it is dropped. Made by a store, of whatever keeps it locked.
#[must_use = "dropping it unlocks the mailbox"]
pub struct ExclusiveLock {
    _held: Box<dyn Any>,
}

impl Watchers {
    /// Registers a callback.
    pub fn add(&self, changed: Rc<dyn Fn(&Reactor)>) -> Watch {
        let id = self.inner.next.get();
        self.inner.next.set(id + 1);
        self.inner.watchers.borrow_mut().insert(id, changed);
        Watch { inner: Rc::downgrade(&self.inner), id }
    }

    /// Something has changed: the loop calls all, once for all changes of this turn.
    pub fn notify(&self, reactor: &Reactor) {
        if self.is_empty() || self.inner.is_scheduled.replace(true) {
            return;
        }
        let scheduled = Scheduled(Rc::clone(&self.inner));
        reactor.call_soon(move |reactor| {
            let inner = Rc::clone(&scheduled.0);
            drop(scheduled);
            let ids: Vec<_> = inner.watchers.borrow().keys().copied().collect();
            for id in ids {
                // One may have been dropped by the callback of another.
                let changed = inner.watchers.borrow().get(&id).cloned();
                if let Some(changed) = changed {
                    changed(reactor);
                }
            }
        });
    }

    /// Whether nobody watches.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.inner.watchers.borrow().is_empty()
    }
}

impl Drop for Scheduled {
    fn drop(&mut self) {
        self.0.is_scheduled.set(false);
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        if let Some(inner) = self.inner.upgrade() {
            // Its drop may run user code, so not under the borrow.
            let removed = inner.watchers.borrow_mut().remove(&self.id);
            drop(removed);
        }
    }
}

impl ExclusiveLock {
    /// A lock that ends when `held` is dropped.
    pub fn new(held: impl Any) -> Self {
        Self { _held: Box::new(held) }
    }
}

impl fmt::Debug for Watchers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let count = self.inner.watchers.borrow().len();
        f.debug_struct("Watchers").field("count", &count).finish()
    }
}

impl fmt::Debug for Watch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Watch").finish_non_exhaustive()
    }
}

impl fmt::Debug for ExclusiveLock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ExclusiveLock").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn watchers_are_called_once_a_turn_and_may_drop_each_other() {
        let reactor = Reactor::simulated(0);
        let watchers = Watchers::default();
        let calls = Rc::new(Cell::new(0));
        let other: Rc<RefCell<Option<Watch>>> = Rc::default();
        let (count, dropped) = (Rc::clone(&calls), Rc::clone(&other));
        let first = watchers.add(Rc::new(move |_| {
            count.set(count.get() + 1);
            dropped.borrow_mut().take();
        }));
        *other.borrow_mut() = Some(watchers.add(Rc::new(|_| panic!("it was dropped"))));
        watchers.notify(&reactor);
        watchers.notify(&reactor);
        assert_eq!(calls.get(), 0);
        reactor.advance(Duration::ZERO).unwrap();
        assert_eq!(calls.get(), 1);
        watchers.notify(&reactor);
        drop(first);
        reactor.advance(Duration::ZERO).unwrap();
        assert_eq!(calls.get(), 1);
        assert!(watchers.is_empty());
    }
}
