//! How many worlds there may be at once in a process: select(2) reaches descriptors below 1,024 only, and on a machine with many
//! processors the tests that run in parallel would hold more than that.

use std::sync::{Condvar, Mutex, PoisonError};

/// With fewer than a hundred descriptors each. A test that holds more takes turns with others of its kind.
const PLACES: usize = 8;

static FREE: Mutex<usize> = Mutex::new(PLACES);
static FREED: Condvar = Condvar::new();

/// One of the places; it is free again when this is dropped.
pub(crate) struct Place(());

impl Place {
    /// Waits for one.
    pub(crate) fn take() -> Self {
        let free = FREE.lock().unwrap_or_else(PoisonError::into_inner);
        let free = FREED.wait_while(free, |free| *free == 0);
        *free.unwrap_or_else(PoisonError::into_inner) -= 1;
        Self(())
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        *FREE.lock().unwrap_or_else(PoisonError::into_inner) += 1;
        FREED.notify_one();
    }
}
