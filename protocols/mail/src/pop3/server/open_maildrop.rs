//! The maildrop of a session, and which of its messages are marked: [`OpenMaildrop`].

use std::{
    cell::{Cell, RefCell},
    collections::BTreeSet,
    rc::Rc,
};

use sinew_auth::OpenSession;

use super::{Maildrop, ahead::Ahead, locks::Lock};

pub(super) struct OpenMaildrop {
    pub(super) maildrop: Rc<dyn Maildrop>,
    len: u32,
    size: u64,
    /// The numbers of the messages to delete.
    deleted: RefCell<BTreeSet<u32>>,
    deleted_size: Cell<u64>,
    /// The highest message that was retrieved.
    last: Cell<u32>,
    /// What was read for commands that wait.
    pub(super) ahead: Ahead,
    /// Whose it is.
    session: OpenSession,
    _lock: Option<Lock>,
}

impl OpenMaildrop {
    pub(super) fn new(
        maildrop: Rc<dyn Maildrop>,
        session: OpenSession,
        lock: Option<Lock>,
    ) -> Self {
        let len = u32::try_from(maildrop.message_count()).unwrap_or(u32::MAX).min(u32::MAX - 1);
        let sizes = (0..len as usize).map(|index| maildrop.size(index));
        let size = sizes.fold(0, u64::saturating_add);
        let (deleted, deleted_size, last, ahead) = Default::default();
        Self { maildrop, len, size, deleted, deleted_size, last, ahead, session, _lock: lock }
    }

    /// Whether the session was ended because the credentials of its user do not count any more.
    pub(super) fn has_ended(&self) -> bool {
        self.session.has_ended()
    }

    /// The index of the message with this number, if there is one that is not marked.
    pub(super) fn index(&self, number: u32) -> Option<usize> {
        let is_there = (1..=self.len).contains(&number) && !self.deleted.borrow().contains(&number);
        is_there.then(|| number as usize - 1)
    }

    /// The first message from this number on that is not marked, with its index.
    pub(super) fn next(&self, from: u32) -> Option<(u32, usize)> {
        let deleted = self.deleted.borrow();
        let number = (from..=self.len).find(|number| !deleted.contains(number))?;
        Some((number, number as usize - 1))
    }

    /// How many messages are not marked, and their size.
    pub(super) fn stat(&self) -> (u32, u64) {
        let deleted = u32::try_from(self.deleted.borrow().len()).unwrap_or(self.len);
        (self.len - deleted, self.size.saturating_sub(self.deleted_size.get()))
    }

    pub(super) fn mark(&self, number: u32, index: usize) {
        if self.deleted.borrow_mut().insert(number) {
            let size = self.maildrop.size(index);
            self.deleted_size.set(self.deleted_size.get().saturating_add(size));
        }
    }

    pub(super) fn reset(&self) {
        self.deleted.take();
        self.deleted_size.set(0);
        self.last.set(0);
    }

    pub(super) fn has_marks(&self) -> bool {
        !self.deleted.borrow().is_empty()
    }

    /// The indices of the marked messages, ascending.
    pub(super) fn marked(&self) -> Vec<usize> {
        self.deleted.borrow().iter().map(|number| *number as usize - 1).collect()
    }

    pub(super) fn retrieved(&self, number: u32) {
        self.last.set(self.last.get().max(number));
    }

    pub(super) fn last(&self) -> u32 {
        self.last.get()
    }
}
