//! How a mutex is taken here: [`lock`].

use std::sync::{Mutex, MutexGuard, PoisonError};

/// User code never runs under a lock of ours, so a panic cannot leave anything half done.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
