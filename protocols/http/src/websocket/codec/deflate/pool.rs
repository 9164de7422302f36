//! Contexts for messages that are compressed by themselves: [`ContextPool`]. They belong to no connection, so they are shared.

use std::{cell::RefCell, fmt, rc::Rc};

use sinew_protocols::compression::{Deflate, Format, Inflate};

/// Contexts for receiving that are kept for the next message: about 48 KiB each. Messages that arrive in parts, on several connections at
/// once, need one each for as long.
const INFLATES_MAX: usize = 4;

/// Contexts of a pool, of the connections of a server or client.
#[derive(Clone, Default)]
pub(in crate::websocket) struct ContextPool(Rc<RefCell<Contexts>>);

#[derive(Default)]
struct Contexts {
    inflates: Vec<Inflate>,
    /// One at a time is in use, since a message is compressed as a whole: kept are those for each size of window in use, eight at most.
    deflates: Vec<(u8, Deflate)>,
}

impl ContextPool {
    pub(super) fn take_inflate(&self) -> Box<Inflate> {
        let kept = self.0.borrow_mut().inflates.pop();
        Box::new(kept.unwrap_or_else(|| Inflate::new(Format::Raw)))
    }

    pub(super) fn give_inflate(&self, mut inflate: Box<Inflate>) {
        let mut contexts = self.0.borrow_mut();
        if contexts.inflates.len() < INFLATES_MAX {
            inflate.reset();
            contexts.inflates.push(*inflate);
        }
    }

    /// Calls `f` with a context in which there is nothing. All connections of a pool have the same level.
    pub(super) fn with_deflate(&self, level: u8, window_bits: u8, f: impl FnOnce(&mut Deflate)) {
        let deflates = &mut self.0.borrow_mut().deflates;
        let at = deflates.iter().position(|(bits, _)| *bits == window_bits).unwrap_or_else(|| {
            deflates.push((window_bits, new_deflate(level, window_bits)));
            deflates.len() - 1
        });
        let deflate = &mut deflates[at].1;
        f(deflate);
        deflate.reset();
    }
}

/// A context for sending. With a window of 9 bits the library refers back 250 bytes at most, so it serves for 8 bits, too, which it does
/// not support by itself.
pub(super) fn new_deflate(level: u8, window_bits: u8) -> Deflate {
    Deflate::with_window_bits(Format::Raw, u32::from(level), window_bits)
}

impl fmt::Debug for ContextPool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let contexts = self.0.borrow();
        f.debug_struct("ContextPool")
            .field("inflates", &contexts.inflates.len())
            .field("deflates", &contexts.deflates.len())
            .finish()
    }
}
