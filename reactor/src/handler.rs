//! The callback trait [`Handler`] and its small types: [`Interest`], [`Ready`], [`Token`]. No state lives here.

use std::{
    any::Any,
    fmt,
    ops::{BitAnd, BitOr},
    rc::Rc,
};

use crate::Reactor;

/// Something that the loop calls: a connection, a listener, a descriptor of your own.
///
/// Handlers are shared (`Rc<dyn Handler>`), so their state sits in `Cell`s and `RefCell`s. Only the loop calls these
/// methods, never from inside a call into the library. A panic in any of them is caught: [`panicked`](Self::panicked)
/// is called, and unless that is overridden the handler is deregistered.
///
/// # Examples
///
/// See `examples/custom_handler.rs` for a custom event source.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a handler of events",
    label = "not a `Handler`",
    note = "implement `Handler` for a type; `ready` is the only method that it must have"
)]
pub trait Handler: 'static {
    /// The source is ready: reads or writes are worth trying (phase 6). Read before you write.
    fn ready(self: Rc<Self>, reactor: &Reactor, ready: Ready);

    /// Called again without a poll, as requested by [`Reactor::reschedule`] (phase 6, after the events).
    fn rescheduled(self: Rc<Self>, reactor: &Reactor) {
        let _ = reactor;
    }

    /// Sends what was queued outside of the handler's own callbacks, as requested by [`Reactor::flush_later`] (phase 4).
    fn flush(self: Rc<Self>, reactor: &Reactor) {
        let _ = reactor;
    }

    /// Notifies the user of the end and frees everything, as requested by [`Reactor::finalize_later`] (phase 7).
    fn finalize(self: Rc<Self>, reactor: &Reactor) {
        let _ = reactor;
    }

    /// A timer made by [`Reactor::arm_timer`] for this handler is due (phase 2).
    fn timer(self: Rc<Self>, reactor: &Reactor, key: TimerKey) {
        let _ = (reactor, key);
    }

    /// A message to all handlers, sent by [`Reactor::broadcast`].
    fn message_received(self: Rc<Self>, reactor: &Reactor, message: &dyn Any) {
        let _ = (reactor, message);
    }

    /// The reactor shuts down: close, by [`Reactor::finalize_later`] if the user has to be notified.
    fn shutdown(self: Rc<Self>, reactor: &Reactor) {
        let _ = reactor;
    }

    /// A method of this handler panicked. Return `true` if you have handled it, `false` to be deregistered.
    fn panicked(self: Rc<Self>, reactor: &Reactor, message: &str) -> bool {
        let _ = (reactor, message);
        false
    }

    /// Says what this handler is, to a visitor that it knows by its type ([`Reactor::inspect_handlers`]). It is called from
    /// anywhere on the loop's thread, so it changes nothing and calls no user code. Default: nothing.
    fn inspect(self: Rc<Self>, reactor: &Reactor, token: Token, visitor: &mut dyn Any) {
        let _ = (reactor, token, visitor);
    }

    /// The name of this handler in logs. A part after " with ", such as the peer, does not count for its kind
    /// ([`LoopReport::longest`](crate::LoopReport::longest)).
    fn describe(&self) -> String {
        std::any::type_name::<Self>().to_owned()
    }
}

pub use crate::wheel::TimerKey;

/// Identifies a registration: a slot of the slab and a generation, so that a stale token never matches the slot's next
/// user.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Token(pub(crate) usize);

impl Token {
    /// Half of the word is the slot, the other half (less three bits) the generation. On 32-bit platforms: a million
    /// slots and 4,096 generations.
    const SLOT_BITS: u32 = if usize::BITS == 64 { 32 } else { 20 };
    pub(crate) const SLOT_MAX: usize = (1 << Self::SLOT_BITS) - 2;
    pub(crate) const GENERATION_MASK: u32 =
        if usize::BITS == 64 { u32::MAX >> 3 } else { (1 << (32 - Self::SLOT_BITS)) - 1 };
    /// Reserved for what engines register for themselves.
    pub(crate) const ENGINE: Self = Self(usize::MAX);

    pub(crate) const fn new(slot: usize, generation: u32) -> Self {
        Self(slot | ((generation as usize) << Self::SLOT_BITS))
    }

    /// The token as a number, to be named outside of the process.
    #[must_use]
    pub const fn to_bits(self) -> u64 {
        self.0 as u64
    }

    /// The token with this number. Any number is one; a wrong one matches no handler.
    #[must_use]
    pub const fn from_bits(bits: u64) -> Self {
        // On 32-bit platforms a number that is too large stands for the token that no handler has.
        if bits > usize::MAX as u64 { Self::ENGINE } else { Self(bits as usize) }
    }

    pub(crate) const fn generation(self) -> u32 {
        (self.0 >> Self::SLOT_BITS) as u32
    }

    pub(crate) const fn slot(self) -> usize {
        self.0 & ((1 << Self::SLOT_BITS) - 1)
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Token({}@{})", self.slot(), self.generation())
    }
}

/// The readiness that a handler wants to be notified of.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Interest(u8);

impl Interest {
    /// Nothing for now.
    pub const NONE: Self = Self(0);
    /// Reads are worth trying.
    pub const READ: Self = Self(1);
    /// Writes are worth trying.
    pub const WRITE: Self = Self(2);
    /// Reads and writes.
    pub const BOTH: Self = Self(3);

    /// Whether this includes reads.
    #[must_use]
    pub const fn is_read(self) -> bool {
        self.0 & Self::READ.0 != 0
    }

    /// Whether this includes writes.
    #[must_use]
    pub const fn is_write(self) -> bool {
        self.0 & Self::WRITE.0 != 0
    }
}

impl BitOr for Interest {
    type Output = Self;

    fn bitor(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}

impl fmt::Debug for Interest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(["NONE", "READ", "WRITE", "READ | WRITE"][usize::from(self.0 & 3)])
    }
}

/// The readiness that the kernel reported for a source. A hint: a system call is worth trying.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Ready(u8);

impl Ready {
    /// Reads are worth trying. An error condition counts, since a read fetches it.
    pub const READ: Self = Self(1);
    /// Writes are worth trying. An error condition counts.
    pub const WRITE: Self = Self(2);
    /// Urgent data has arrived (TCP's urgent pointer, tcp(7)). A read stops early at the urgent mark, so a short read
    /// does not mean that the buffer is empty: read until `WouldBlock`. Reported on Linux by the edge-triggered engine;
    /// level-triggered engines report remaining data again.
    pub const URGENT: Self = Self(4);
    /// The peer has shut down its sending side, or the connection is broken: read until the end of the stream, also
    /// after a short read.
    pub const READ_CLOSED: Self = Self(4 | 8);
    /// Nothing.
    pub const NONE: Self = Self(0);

    /// Whether reads are worth trying.
    #[must_use]
    pub const fn is_read(self) -> bool {
        self.0 & Self::READ.0 != 0
    }

    /// Whether writes are worth trying.
    #[must_use]
    pub const fn is_write(self) -> bool {
        self.0 & Self::WRITE.0 != 0
    }

    /// Whether a short read may leave data behind: because of urgent data, or before the end of the stream.
    #[must_use]
    pub const fn may_shorten_reads(self) -> bool {
        self.0 & Self::URGENT.0 != 0
    }

    /// Whether the peer has shut down its sending side, or the connection is broken.
    #[must_use]
    pub const fn is_read_closed(self) -> bool {
        self.0 & 8 != 0
    }
}

impl BitOr for Ready {
    type Output = Self;

    fn bitor(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}

impl BitAnd for Ready {
    type Output = Self;

    fn bitand(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }
}

impl fmt::Debug for Ready {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "Ready(read: {}, write: {}, may_shorten_reads: {}, read_closed: {})",
            self.is_read(),
            self.is_write(),
            self.may_shorten_reads(),
            self.is_read_closed()
        )
    }
}
