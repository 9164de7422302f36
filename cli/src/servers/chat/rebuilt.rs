//! Guests by lines of the process that this one replaces: they go on under their names, and others hear nothing of it.

use std::rc::Rc;

use sinew::protocols::basic::LineReceiver;

use super::{
    door::Door,
    lines::{Guest, Lines},
    talk::Talk,
};

impl Guest {
    /// Goes on with a guest whose state was the name.
    pub(super) fn rebuilt(door: Rc<Door<Lines>>, state: &[u8]) -> Option<LineReceiver<Self>> {
        let name = String::from_utf8(state.to_vec()).ok()?;
        Some(Self(Talk { name, is_asked: true, ..Talk::new(door) }).into_receiver())
    }
}
