//! Lists of promises for an event that happens once: [`push_waiter`].

use std::cell::RefCell;

use sinew_reactor::Promise;

/// Adds a promise to a list. Promises that nobody awaits are removed, but only when the list would have to grow: so its length
/// stays proportional to the number of waiters, at constant amortised cost.
pub(crate) fn push_waiter<T: 'static>(list: &RefCell<Vec<Promise<T>>>, promise: Promise<T>) {
    push_waiter_unless_gone(list, promise, Promise::is_awaited);
}

/// The same for promises that are stored with other data.
pub(crate) fn push_waiter_unless_gone<W>(
    list: &RefCell<Vec<W>>,
    waiter: W,
    is_awaited: impl Fn(&W) -> bool,
) {
    let mut waiting = list.borrow_mut();
    let gone: Vec<W> = match waiting.len() == waiting.capacity() {
        true => waiting.extract_if(.., |waiter| !is_awaited(waiter)).collect(),
        false => Vec::new(),
    };
    waiting.push(waiter);
    drop(waiting);
    // Dropped after the borrow has ended: a promise may own a waker, whose drop may be user code.
    drop(gone);
}

#[cfg(test)]
mod tests {
    use sinew_reactor::{Deferred, Reactor};

    use super::*;

    #[test]
    fn list_length_is_bounded_by_the_number_of_waiters() {
        let reactor = Reactor::simulated(0);
        let list = RefCell::default();
        let add = || {
            let (promise, deferred): (_, Deferred<()>) = reactor.promise();
            push_waiter(&list, promise);
            deferred
        };
        let kept: Vec<_> = (0..10).map(|_| add()).collect();
        (0..10).for_each(|_| add().then(|_, _| ()));
        for _ in 0..10_000 {
            add().detach();
            drop(add());
            add().cancel();
        }
        let len = list.borrow().len();
        assert!((20..=64).contains(&len), "{len} in the list");
        let awaited = list.borrow().iter().filter(|promise| promise.is_awaited()).count();
        assert_eq!(awaited, 20, "with a deferred, or a callback");
        drop(kept);
    }
}
