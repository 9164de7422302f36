//! Folders that services of this process have open, those that stop included: [`HeldFolder`]. In a reload, the next service of the same
//! folder waits for it; if another process has it, that is a mistake.

use std::{
    cell::RefCell,
    path::{Path, PathBuf},
};

thread_local! {
    static HELD: RefCell<Vec<PathBuf>> = const { RefCell::new(Vec::new()) };
}

/// A folder is open in this process, until this is dropped.
#[derive(Debug)]
pub(super) struct HeldFolder(PathBuf);

impl HeldFolder {
    pub(super) fn new(path: &Path) -> Self {
        HELD.with_borrow_mut(|held| held.push(path.to_owned()));
        Self(path.to_owned())
    }

    /// Whether a service of this process has it.
    pub(super) fn is(path: &Path) -> bool {
        HELD.with_borrow(|held| held.iter().any(|other| other == path))
    }
}

impl Drop for HeldFolder {
    fn drop(&mut self) {
        // At the end of the thread there may be no list any more.
        let _ = HELD.try_with(|held| {
            let mut held = held.borrow_mut();
            if let Some(at) = held.iter().position(|other| *other == self.0) {
                held.swap_remove(at);
            }
        });
    }
}
