//! Whose maildrops are open: [`Locks`], one for all connections of a server.

use std::{cell::RefCell, collections::HashSet, rc::Rc};

/// The names of the users whose maildrops are open.
#[derive(Clone, Debug, Default)]
pub(super) struct Locks(Rc<RefCell<HashSet<Rc<str>>>>);

/// A maildrop is open, until this is dropped.
#[derive(Debug)]
pub(super) struct Lock {
    locks: Locks,
    name: Rc<str>,
}

impl Locks {
    /// `None` if another session has it.
    pub(super) fn lock(&self, name: &str) -> Option<Lock> {
        let name: Rc<str> = name.into();
        let is_free = self.0.borrow_mut().insert(Rc::clone(&name));
        is_free.then(|| Lock { locks: self.clone(), name })
    }
}

impl Drop for Lock {
    fn drop(&mut self) {
        self.locks.0.borrow_mut().remove(&self.name);
    }
}
