//! Locking a mutex, ignoring poison: [`lock`].

use std::sync::{Mutex, MutexGuard, PoisonError};

/// User code never runs while our locks are held, so a panic cannot leave the data inconsistent.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
