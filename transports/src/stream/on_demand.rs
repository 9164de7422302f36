//! A value that few streams need at a time: [`OnDemand`]. Made at its first use, and given up when nothing is in it. It knows no
//! streams.

use std::{cell::Cell, mem, rc::Rc};

/// A place for a value. Callers get a reference-counted handle, since the value may be given up while the stream lives on; it is not
/// given up while there are handles.
pub(super) struct OnDemand<T>(Cell<Option<Rc<T>>>);

impl<T> Default for OnDemand<T> {
    fn default() -> Self {
        Self(Cell::new(None))
    }
}

impl<T> OnDemand<T> {
    #[inline]
    pub(super) fn is_some(&self) -> bool {
        let value = self.0.take();
        let is_some = value.is_some();
        self.store(value);
        is_some
    }

    #[inline]
    pub(super) fn get(&self) -> Option<Rc<T>> {
        let value = self.0.take();
        let handle = value.clone();
        self.store(value);
        handle
    }

    pub(super) fn get_or_make(&self, make: impl FnOnce() -> Rc<T>) -> Rc<T> {
        self.get().unwrap_or_else(|| {
            let value = make();
            self.store(Some(Rc::clone(&value)));
            value
        })
    }

    /// Takes the value out if nothing is in it and there are no handles.
    pub(super) fn take_unused(&self, is_unused: impl FnOnce(&T) -> bool) -> Option<Rc<T>> {
        let value = self.0.take()?;
        if Rc::strong_count(&value) == 1 && is_unused(&value) {
            return Some(value);
        }
        self.store(Some(value));
        None
    }

    /// The place is empty, so there is no old value to drop.
    #[inline]
    fn store(&self, value: Option<Rc<T>>) {
        mem::forget(self.0.replace(value));
    }
}

pub(super) fn is_some<T>(cell: &Cell<Option<T>>) -> bool {
    let value = cell.take();
    let is_some = value.is_some();
    cell.set(value);
    is_some
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_is_given_up_only_if_it_is_unused_and_nobody_has_it() {
        let place = OnDemand::<Cell<u8>>::default();
        assert!(!place.is_some() && place.take_unused(|_| true).is_none());
        let value = place.get_or_make(Rc::default);
        value.set(7);
        assert_eq!(place.get().map(|value| value.get()), Some(7));
        assert!(place.take_unused(|_| true).is_none(), "there is a handle");
        drop(value);
        assert!(place.take_unused(|value| value.get() == 0).is_none());
        assert_eq!(place.get_or_make(Rc::default).get(), 7);
        assert!(place.take_unused(|_| true).is_some());
        assert!(!place.is_some());
    }
}
