//! A message of which several resources were sent a copy: [`Copies`]. Pure.

use std::{cell::Cell, rc::Rc};

/// Shared by the copies of a message that are not acknowledged, so that it is sent again only if all of them are lost.
#[derive(Clone, Debug, Default)]
pub(in crate::xmpp) struct Copies(Rc<Cell<bool>>);

impl Copies {
    /// One of them has arrived, as far as can be known.
    pub(in crate::xmpp) fn received(&self) {
        self.0.set(true);
    }

    /// Whether this is the last one, and none has arrived.
    pub(in crate::xmpp) fn are_lost(&self) -> bool {
        !self.0.get() && Rc::strong_count(&self.0) == 1
    }
}
