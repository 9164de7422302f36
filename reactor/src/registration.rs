//! The registry of handlers (a slab whose tokens carry a generation), [`Registration`] and [`Source`].

use std::{any::Any, cell::Cell, fmt, num::NonZeroU32, rc::Rc};

use slab::Slab;

use crate::{
    Reactor, RegisterError, WeakReactor,
    engine::{Completion, DeliveryMode, Descriptor, DescriptorId},
    handler::{Handler, Interest, Token},
};

/// A source of I/O readiness: on Unix anything with a file descriptor, elsewhere a source of mio. Portable code uses
/// mio's sockets, which are both.
///
/// It must be non-blocking, and it must be dropped after its [`Registration`].
#[cfg(unix)]
#[diagnostic::on_unimplemented(
    message = "`{Self}` has no descriptor that can be watched",
    label = "not a source of events",
    note = "a source has a descriptor (`AsFd`), does not block, and is passed by mutable reference"
)]
pub trait Source: std::os::fd::AsFd {}
#[cfg(unix)]
impl<S: std::os::fd::AsFd> Source for S {}

/// A source of I/O readiness: on Unix anything with a file descriptor, elsewhere a source of mio. Portable code uses
/// mio's sockets, which are both.
///
/// It must be non-blocking, and it must be dropped after its [`Registration`].
#[cfg(not(unix))]
pub trait Source: mio::event::Source {}
#[cfg(not(unix))]
impl<S: mio::event::Source> Source for S {}

/// Slots that are looked at for each handler of a page.
const VACANT_PER_HANDLER: usize = 16;

/// A handler and its token.
pub(crate) type Listed = (Token, Rc<dyn Handler>);

/// Stands for "no descriptor": a handler that only the loop itself calls.
const NO_DESCRIPTOR: DescriptorId = -1;

struct Slot {
    /// `None` between the registration of a source and the binding of its handler.
    handler: Option<Rc<dyn Handler>>,
    state: SlotState,
    descriptor: DescriptorId,
}

/// The generation of a slot, and two flags. `RESCHEDULED`: the handler is in the queue of rescheduled handlers; without
/// it, a handler rescheduled twice would be called twice per turn, reschedule itself each time, and take ever more of
/// the loop's time. `SHARED`: other descriptors may refer to the same source. Never zero: `NonZeroU32` gives the slab a
/// niche, so no space is added.
#[derive(Clone, Copy)]
struct SlotState(NonZeroU32);

impl SlotState {
    const RESCHEDULED: u32 = 1 << 1;
    const SHARED: u32 = 1 << 2;
    /// The number of bits below the generation.
    const BITS: u32 = 3;

    fn new(generation: u32) -> Self {
        Self(NonZeroU32::MIN | generation << Self::BITS)
    }

    const fn generation(self) -> u32 {
        self.0.get() >> Self::BITS
    }

    /// Returns the previous value.
    fn set_rescheduled(&mut self, rescheduled: bool) -> bool {
        let before = self.0.get() & Self::RESCHEDULED != 0;
        let others = self.0.get() & !Self::RESCHEDULED;
        self.0 = NonZeroU32::MIN | others | if rescheduled { Self::RESCHEDULED } else { 0 };
        before
    }

    fn set_shared(&mut self) {
        self.0 |= Self::SHARED;
    }

    const fn is_shared(self) -> bool {
        self.0.get() & Self::SHARED != 0
    }
}

/// The slab of all handlers of a reactor.
#[derive(Default)]
pub(crate) struct Registry {
    slots: Slab<Slot>,
    generation: u32,
}

impl Registry {
    /// Allocates a slot without a handler.
    fn insert(&mut self, descriptor: DescriptorId) -> Result<Token, RegisterError> {
        if self.slots.vacant_key() > Token::SLOT_MAX {
            return Err(RegisterError::TooManyHandlers { limit: Token::SLOT_MAX });
        }
        self.generation = self.generation.wrapping_add(1);
        let generation = self.generation & Token::GENERATION_MASK;
        let slot = self.slots.insert(Slot {
            handler: None,
            state: SlotState::new(generation),
            descriptor,
        });
        Ok(Token::new(slot, generation))
    }

    fn get_mut(&mut self, token: Token) -> Option<&mut Slot> {
        self.slots
            .get_mut(token.slot())
            .filter(|slot| slot.state.generation() == token.generation())
    }

    /// The handler of a token; `None` if it has been removed.
    #[inline]
    pub(crate) fn handler(&self, token: Token) -> Option<Rc<dyn Handler>> {
        let slot = self.slots.get(token.slot())?;
        if slot.state.generation() != token.generation() {
            return None;
        }
        slot.handler.clone()
    }

    #[inline]
    fn descriptor(&self, token: Token) -> Option<DescriptorId> {
        let slot = self.slots.get(token.slot())?;
        (slot.state.generation() == token.generation()).then_some(slot.descriptor)
    }

    /// `false` if the handler is in the queue already or has been removed.
    pub(crate) fn mark_rescheduled(&mut self, token: Token) -> bool {
        self.get_mut(token).is_some_and(|slot| !slot.state.set_rescheduled(true))
    }

    /// The handler is about to be called.
    pub(crate) fn unmark_rescheduled(&mut self, token: Token) {
        if let Some(slot) = self.get_mut(token) {
            slot.state.set_rescheduled(false);
        }
    }

    fn remove(&mut self, token: Token) -> Option<Slot> {
        self.get_mut(token)?;
        Some(self.slots.remove(token.slot()))
    }

    pub(crate) fn len(&self) -> usize {
        self.slots.len()
    }

    /// Up to `max` handlers in the slots from `first` on, and the slot to go on from, if there may be more.
    pub(crate) fn page(&self, first: usize, max: usize) -> (Vec<Listed>, Option<usize>) {
        let end = self.slots.capacity();
        // Vacant slots may be many, so their number is bounded, too.
        let stop = first.saturating_add(max.saturating_mul(VACANT_PER_HANDLER)).min(end);
        let mut found = Vec::new();
        for key in first..stop {
            if found.len() == max {
                return (found, Some(key));
            }
            if let Some(slot) = self.slots.get(key)
                && let Some(handler) = &slot.handler
            {
                found.push((Token::new(key, slot.state.generation()), handler.clone()));
            }
        }
        (found, (stop < end).then_some(stop))
    }

    /// All handlers.
    pub(crate) fn handlers(&self) -> Vec<Rc<dyn Handler>> {
        self.slots.iter().filter_map(|(_, slot)| slot.handler.clone()).collect()
    }

    pub(crate) fn tokens(&self) -> Vec<Token> {
        self.slots.iter().map(|(key, slot)| Token::new(key, slot.state.generation())).collect()
    }
}

/// # For authors of transports
///
/// Sources and their handlers; the module [`source`](crate::source) explains them.
impl Reactor {
    /// Registers a source and its handler, until the [`Registration`] is dropped.
    ///
    /// The default engine is edge-triggered: readiness is reported once, so a handler either continues until its system
    /// call returns `WouldBlock` or calls [`reschedule`](Self::reschedule). A handler may also be called for readiness
    /// that is not in its interest.
    ///
    /// # Errors
    ///
    /// [`RegisterError`] if the engine cannot watch this source.
    pub fn register<S: Source>(
        &self,
        source: &mut S,
        interest: Interest,
        handler: Rc<dyn Handler>,
    ) -> Result<Registration, RegisterError> {
        let token = match self.register_source(source, interest) {
            Ok(token) => token,
            Err(error) => {
                self.defer_drop(handler);
                return Err(error);
            }
        };
        self.bind(token, handler);
        Ok(Registration { reactor: self.downgrade(), token: Cell::new(Some(token)) })
    }

    /// Allocates a token for a handler without a source: only the loop itself calls it, on requests for this token.
    /// [`bind`](Self::bind) the handler to it.
    ///
    /// # Errors
    ///
    /// [`RegisterError::TooManyHandlers`].
    pub fn reserve(&self) -> Result<Token, RegisterError> {
        let token = self.inner.registry.borrow_mut().insert(NO_DESCRIPTOR)?;
        self.inner.inspect_registered(token);
        Ok(token)
    }

    /// Registers a handler without a source, until the [`Registration`] is dropped: only the loop itself calls it, on
    /// requests for its token such as [`reschedule`](Self::reschedule).
    ///
    /// # Errors
    ///
    /// [`RegisterError::TooManyHandlers`].
    pub fn register_unwatched(
        &self,
        handler: Rc<dyn Handler>,
    ) -> Result<Registration, RegisterError> {
        match self.reserve() {
            Ok(token) => {
                self.bind(token, handler);
                Ok(Registration { reactor: self.downgrade(), token: Cell::new(Some(token)) })
            }
            Err(error) => {
                self.defer_drop(handler);
                Err(error)
            }
        }
    }

    /// The first half of [`register`](Self::register), for handlers that own their source and know their token:
    /// registers the source. No event is delivered before the next turn of the loop; [`bind`](Self::bind) the handler
    /// before that.
    ///
    /// # Errors
    ///
    /// As [`register`](Self::register).
    pub fn register_source<S: Source>(
        &self,
        source: &mut S,
        interest: Interest,
    ) -> Result<Token, RegisterError> {
        #[cfg(unix)]
        {
            use std::os::fd::AsRawFd;
            let descriptor = source.as_fd().as_raw_fd();
            self.register_descriptor(descriptor, descriptor, interest)
        }
        #[cfg(not(unix))]
        self.register_descriptor(0, source, interest)
    }

    fn register_descriptor(
        &self,
        id: DescriptorId,
        source: Descriptor<'_>,
        interest: Interest,
    ) -> Result<Token, RegisterError> {
        if self.inner.fork_epoch.is_in_child() {
            return Err(RegisterError::InChild);
        }
        let token = self.inner.registry.borrow_mut().insert(id)?;
        let registered = self.inner.poller.borrow_mut().register(source, token, interest);
        if let Err(error) = registered {
            self.inner.registry.borrow_mut().remove(token);
            return Err(error);
        }
        self.inner.inspect_registered(token);
        Ok(token)
    }

    /// The second half: sets the handler for a token of [`register_source`](Self::register_source). Also replaces the
    /// current handler, as when a connection attempt has become a connection.
    pub fn bind(&self, token: Token, handler: Rc<dyn Handler>) {
        let mut registry = self.inner.registry.borrow_mut();
        let replaced = match registry.get_mut(token) {
            Some(slot) => slot.handler.replace(handler),
            None => Some(handler),
        };
        drop(registry);
        if let Some(handler) = replaced {
            self.defer_drop(handler);
        }
    }

    /// Sets the readiness that a handler wants to be notified of. Free on edge-triggered engines.
    pub fn set_interest(&self, token: Token, interest: Interest) {
        if self.inner.edge_triggered {
            return;
        }
        if let Some(id) = self.descriptor(token) {
            self.inner.poller.borrow_mut().set_interest(id, token, interest);
        }
    }

    /// Has the engine itself receive or accept for a source while reading is wanted, one completion at a time: at most
    /// 64 KiB, or one connection. A completion is reported as readiness to read and collected by
    /// [`take_completion`](Self::take_completion); the engine starts the next operation only after that. Returns
    /// `false` if this engine only reports readiness: then the handler makes its system calls itself.
    pub fn set_delivery_mode(&self, token: Token, mode: DeliveryMode) -> bool {
        // No completion engine is edge-triggered.
        if self.inner.edge_triggered {
            return false;
        }
        let Some(id) = self.descriptor(token) else { return false };
        self.inner.poller.borrow_mut().set_delivery_mode(id, token, mode)
    }

    /// The data or connection that the engine has completed for a source, if any. The next completion is reported as a
    /// new event.
    #[inline]
    pub fn take_completion(&self, token: Token) -> Option<Completion> {
        self.inner.poller.borrow_mut().take_completion(token)
    }

    /// Whether the engine has an operation on the input of a source in flight, which may still take data from it. Without
    /// interest in reading, a coming turn cancels it; then [`take_completion`](Self::take_completion) has all that was
    /// taken, and the source can be given away.
    #[must_use]
    pub fn is_input_in_flight(&self, token: Token) -> bool {
        self.inner.poller.borrow_mut().is_input_in_flight(token)
    }

    #[inline]
    fn descriptor(&self, token: Token) -> Option<DescriptorId> {
        self.inner.registry.borrow().descriptor(token)
    }

    /// Marks the source of this token as shared: it was inherited, received or duplicated, so other descriptors may
    /// refer to it. epoll keeps watching a closed descriptor while a duplicate is open (epoll(7), "Will closing a file
    /// descriptor cause it to be removed"), so such an engine then removes the source explicitly; else its events would
    /// wake the loop forever.
    pub fn mark_shared(&self, token: Token) {
        if let Some(slot) = self.inner.registry.borrow_mut().get_mut(token) {
            slot.state.set_shared();
        }
    }

    /// Ends a registration. The handler gets no more events, not even those of this turn, and is dropped by the loop.
    /// With `closing`, the caller closes the source right after, which saves a system call on some engines, unless the
    /// source is [shared](Self::mark_shared). A completion that has not been collected is lost.
    pub fn deregister(&self, token: Token, closing: bool) {
        let Some(slot) = self.inner.registry.borrow_mut().remove(token) else {
            return;
        };
        // In a child of fork(2), the kernel's registrations belong to the parent.
        if slot.descriptor != NO_DESCRIPTOR && !self.inner.fork_epoch.is_in_child() {
            let mut poller = self.inner.poller.borrow_mut();
            let closing = closing && !(slot.state.is_shared() && poller.watches_duplicates());
            let result = poller.deregister(slot.descriptor, token, closing);
            drop(poller);
            if let Err(error) = result {
                let descriptor = slot.descriptor;
                tracing::debug!(descriptor, %error, "cannot deregister a source from the engine: it was closed too early");
            }
        }
        if let Some(handler) = slot.handler {
            self.defer_drop(handler);
        }
    }

    /// Sends a message to all handlers: the loop calls [`Handler::message_received`] of each in its next turn.
    pub fn broadcast(&self, message: Rc<dyn Any>) {
        self.call_soon(move |reactor| {
            let tokens = reactor.inner.registry.borrow().tokens();
            for token in tokens {
                reactor.call_handler(token, |handler| handler.message_received(reactor, &*message));
            }
        });
    }
}

/// A registered source. Dropping this deregisters the source, so drop it before the source.
#[must_use = "dropping it deregisters the source"]
pub struct Registration {
    reactor: WeakReactor,
    token: Cell<Option<Token>>,
}

impl Registration {
    /// The token, for [`Reactor::reschedule`] and the like. `None` once deregistered.
    #[must_use]
    pub fn token(&self) -> Option<Token> {
        self.token.get()
    }

    /// Sets the readiness that the handler wants to be notified of.
    pub fn set_interest(&self, interest: Interest) {
        if let (Some(token), Some(reactor)) = (self.token.get(), self.reactor.upgrade()) {
            reactor.set_interest(token, interest);
        }
    }

    /// Deregisters now. The same as dropping it, for a registration that is stored inside the handler.
    pub fn deregister(&self) {
        if let (Some(token), Some(reactor)) = (self.token.take(), self.reactor.upgrade()) {
            reactor.deregister(token, false);
        }
    }
}

impl Drop for Registration {
    fn drop(&mut self) {
        self.deregister();
    }
}

impl fmt::Debug for Registration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Registration").field(&self.token.get()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The layout of a slab entry: a value or the index of the next vacant entry.
    #[allow(dead_code, reason = "only its size counts")]
    enum Entry {
        Vacant(usize),
        Occupied(Slot),
    }

    /// Law 4 of the design: an idle connection costs this and a stream, nothing else.
    #[cfg(target_pointer_width = "64")]
    #[test]
    fn a_slot_is_small() {
        assert_eq!(size_of::<Entry>(), 24);
    }
}
