//! The house: a `RefCell` that is borrowed, for as long as it runs, by every piece of user code that the library is given:
//! callbacks, closures, futures, and what happens in drops. Two of them in it at once is what the law forbids.

use std::cell::RefCell;

thread_local! {
    static HOUSE: RefCell<Vec<&'static str>> = const { RefCell::new(Vec::new()) };
    static CLASHES: RefCell<Vec<String>> = const { RefCell::new(Vec::new()) };
}

/// Runs a piece of user code with the house borrowed.
pub(crate) fn enter<R>(who: &'static str, f: impl FnOnce() -> R) -> Option<R> {
    HOUSE.with(|house| match house.try_borrow_mut() {
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

/// A piece of user code that does nothing else.
pub(crate) fn look_in(who: &'static str) {
    enter(who, || ());
}

/// Who came so far, in order.
pub(crate) fn guests() -> Vec<&'static str> {
    HOUSE.with_borrow(Clone::clone)
}

/// Forgets who came, and says who met.
pub(crate) fn sweep() -> Vec<String> {
    HOUSE.with_borrow_mut(Vec::clear);
    CLASHES.take()
}

/// Something whose drop is user code.
#[derive(Debug)]
pub(crate) struct Guest(pub(crate) &'static str);

impl Drop for Guest {
    fn drop(&mut self) {
        look_in(self.0);
    }
}
