//! Lists of who waits for something that happens once: [`push_waiter`].

use std::cell::RefCell;

use sinew_reactor::Promise;

/// Adds to a list of promises. Those of whom nobody is left to wait are dropped, but only when the list would have to grow: so
/// it stays as long as there are waiters, and an addition costs the same on average however many there are.
pub(crate) fn push_waiter<T: 'static>(list: &RefCell<Vec<Promise<T>>>, promise: Promise<T>) {
    push_waiter_unless_gone(list, promise, Promise::is_awaited);
}

/// The same, of promises with something beside them.
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
    // Not under the borrow: with a promise may go a waker, which may be anybody's code.
    drop(gone);
}

#[cfg(test)]
mod tests {
    use sinew_reactor::{Deferred, Reactor};

    use super::*;

    #[test]
    fn a_list_is_no_longer_than_there_are_waiters() {
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
