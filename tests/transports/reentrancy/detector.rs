//! The re-entrancy detector: a `RefCell` that every piece of user code borrows while it runs (callbacks, closures,
//! futures, drops). Two at the same time violate the law.

use std::cell::RefCell;

thread_local! {
    static HOUSE: RefCell<Vec<&'static str>> = const { RefCell::new(Vec::new()) };
    static CLASHES: RefCell<Vec<String>> = const { RefCell::new(Vec::new()) };
}

/// Runs user code with the cell borrowed.
pub(crate) fn enter<R>(who: &'static str, f: impl FnOnce() -> R) -> Option<R> {
    HOUSE.with(|detector| match detector.try_borrow_mut() {
        Ok(mut guests) => {
            guests.push(who);
            Some(f())
        }
        Err(_) => {
            CLASHES.with_borrow_mut(|clashes| clashes.push(format!("{who} came in a call")));
            None
        }
    })
}

/// User code that does nothing else.
pub(crate) fn look_in(who: &'static str) {
    enter(who, || ());
}

/// The pieces of user code that have run, in order.
pub(crate) fn guests() -> Vec<&'static str> {
    HOUSE.with_borrow(Clone::clone)
}

/// Resets the detector, and returns violations.
pub(crate) fn sweep() -> Vec<String> {
    HOUSE.with_borrow_mut(Vec::clear);
    CLASHES.take()
}

/// A value whose drop is user code.
#[derive(Debug)]
pub(crate) struct Guest(pub(crate) &'static str);

impl Drop for Guest {
    fn drop(&mut self) {
        look_in(self.0);
    }
}
