//! Handlers and their names: the registry (a slab whose tokens carry a generation), [`Registration`] and [`Source`].

use std::{any::Any, cell::Cell, fmt, num::NonZeroU32, rc::Rc};

use slab::Slab;

use crate::{
    Reactor, RegisterError, WeakReactor,
    engine::{Completion, DeliveryMode, Descriptor, DescriptorId},
    handler::{Handler, Interest, Token},
};

/// Something that the kernel can say is ready: on Unix whatever has a descriptor, elsewhere a source of mio. What is to run
/// everywhere takes mio's sockets, which are both.
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

/// Something that the kernel can say is ready: on Unix whatever has a descriptor, elsewhere a source of mio. What is to run
/// everywhere takes mio's sockets, which are both.
///
/// It must be non-blocking, and it must be dropped after its [`Registration`].
#[cfg(not(unix))]
pub trait Source: mio::event::Source {}
#[cfg(not(unix))]
impl<S: mio::event::Source> Source for S {}

/// What stands for "no descriptor": a handler that only the loop itself calls.
const NO_DESCRIPTOR: DescriptorId = -1;

struct Slot {
    /// `None` between the registration of a source and the binding of its handler.
    handler: Option<Rc<dyn Handler>>,
    state: SlotState,
    descriptor: DescriptorId,
}

/// The generation of a slot and, in two bits, whether its handler is on the list of those to be called again (once, or who is asked
/// for by two would ask for itself twice, each time that it is called, and have ever more of the loop's time), and whether other
/// descriptors may lead to its source. It is never zero, and there the slab finds its own mark, which so costs nothing.
#[derive(Clone, Copy)]
struct SlotState(NonZeroU32);

impl SlotState {
    const AGAIN: u32 = 1 << 1;
    const SHARED: u32 = 1 << 2;
    /// What lies below the generation.
    const BITS: u32 = 3;

    fn new(generation: u32) -> Self {
        Self(NonZeroU32::MIN | generation << Self::BITS)
    }

    const fn generation(self) -> u32 {
        self.0.get() >> Self::BITS
    }

    /// Says how that was before.
    fn set_rescheduled(&mut self, again: bool) -> bool {
        let before = self.0.get() & Self::AGAIN != 0;
        let others = self.0.get() & !Self::AGAIN;
        self.0 = NonZeroU32::MIN | others | if again { Self::AGAIN } else { 0 };
        before
    }

    fn set_shared(&mut self) {
        self.0 |= Self::SHARED;
    }

    const fn is_shared(self) -> bool {
        self.0.get() & Self::SHARED != 0
    }
}

/// All handlers of a reactor.
#[derive(Default)]
pub(crate) struct Registry {
    slots: Slab<Slot>,
    generation: u32,
}

impl Registry {
    /// A slot without a handler yet.
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

    /// The handler of a token; `None` if it went away.
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

    /// `false` if it is on the list of those to be called again already, or went away.
    pub(crate) fn mark_rescheduled(&mut self, token: Token) -> bool {
        self.get_mut(token).is_some_and(|slot| !slot.state.set_rescheduled(true))
    }

    /// It is about to be called again.
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

    /// Every handler.
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
    /// Registers a source and the handler that is to hear of it, until the [`Registration`] is dropped.
    ///
    /// The default engine is edge-triggered: readiness is told once, so a handler either goes on until its system call
    /// says `WouldBlock` or asks for [`reschedule`](Self::reschedule). A handler may also hear of a readiness that it did
    /// not ask for.
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

    /// A token for a handler that has no source: only the loop itself calls it, when asked by this token.
    /// [`bind`](Self::bind) the handler to it.
    ///
    /// # Errors
    ///
    /// [`RegisterError::TooManyHandlers`].
    pub fn reserve(&self) -> Result<Token, RegisterError> {
        self.inner.registry.borrow_mut().insert(NO_DESCRIPTOR)
    }

    /// Registers a handler that has no source, until the [`Registration`] is dropped: only the loop itself calls it, when asked
    /// by its token, as with [`reschedule`](Self::reschedule).
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
    /// registers the source. No event comes before the loop turns; [`bind`](Self::bind) the handler until then.
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
        if self.inner.home.is_left() {
            return Err(RegisterError::InChild);
        }
        let token = self.inner.registry.borrow_mut().insert(id)?;
        let registered = self.inner.poller.borrow_mut().register(source, token, interest);
        if let Err(error) = registered {
            self.inner.registry.borrow_mut().remove(token);
            return Err(error);
        }
        Ok(token)
    }

    /// The second half: the handler for a token of [`register_source`](Self::register_source). Also puts another handler
    /// in place of the one there is, as when a connection attempt has become a connection.
    pub fn bind(&self, token: Token, handler: Rc<dyn Handler>) {
        let mut registry = self.inner.registry.borrow_mut();
        let useless = match registry.get_mut(token) {
            Some(slot) => slot.handler.replace(handler),
            None => Some(handler),
        };
        drop(registry);
        if let Some(handler) = useless {
            self.defer_drop(handler);
        }
    }

    /// Says what a handler wants to hear of from now on. Free on edge-triggered engines.
    pub fn set_interest(&self, token: Token, interest: Interest) {
        if self.inner.edge_triggered {
            return;
        }
        if let Some(id) = self.descriptor(token) {
            self.inner.poller.borrow_mut().set_interest(id, token, interest);
        }
    }

    /// Has the engine itself receive or accept for a source while reading is wanted, one thing at a time: at most 64 KiB, or one
    /// connection. What has come is told as readiness to read, and handed over by [`take_completion`](Self::take_completion); not before
    /// that does the engine go on to the next. `false` if this engine only tells: then the handler goes on to make its system calls
    /// itself.
    pub fn set_delivery_mode(&self, token: Token, mode: DeliveryMode) -> bool {
        // No engine that completes is edge-triggered.
        if self.inner.edge_triggered {
            return false;
        }
        let Some(id) = self.descriptor(token) else { return false };
        self.inner.poller.borrow_mut().set_delivery_mode(id, token, mode)
    }

    /// What the engine has received or accepted for a source, if anything. What comes after it is told anew.
    #[inline]
    pub fn take_completion(&self, token: Token) -> Option<Completion> {
        self.inner.poller.borrow_mut().take_completion(token)
    }

    #[inline]
    fn descriptor(&self, token: Token) -> Option<DescriptorId> {
        self.inner.registry.borrow().descriptor(token)
    }

    /// Says that other descriptors may lead to the source of this token: it was inherited, received or duplicated. Then an engine
    /// whose kernel goes on watching a closed descriptor while a duplicate of it is open (epoll(7), "Will closing a file
    /// descriptor cause it to be removed") is told of its end in any case, or its events would wake the loop for ever.
    pub fn mark_shared(&self, token: Token) {
        if let Some(slot) = self.inner.registry.borrow_mut().get_mut(token) {
            slot.state.set_shared();
        }
    }

    /// Ends a registration; the handler hears nothing more, not even of events of this turn, and is dropped by the loop.
    /// With `closing`, the source is closed right after, which saves a system call on some engines, unless it is
    /// [shared](Self::mark_shared). What the engine has received or accepted for it and nobody has taken is lost.
    pub fn deregister(&self, token: Token, closing: bool) {
        let Some(slot) = self.inner.registry.borrow_mut().remove(token) else {
            return;
        };
        // In a child of fork(2), what the kernel watches is the parent's.
        if slot.descriptor != NO_DESCRIPTOR && !self.inner.home.is_left() {
            let mut poller = self.inner.poller.borrow_mut();
            let closing = closing && !(slot.state.is_shared() && poller.watches_duplicates());
            let gone = poller.deregister(slot.descriptor, token, closing);
            drop(poller);
            if let Err(error) = gone {
                let descriptor = slot.descriptor;
                tracing::debug!(descriptor, %error, "a source was closed before its registration ended");
            }
        }
        if let Some(handler) = slot.handler {
            self.defer_drop(handler);
        }
    }

    /// Says something to all handlers: the loop calls [`Handler::message_received`] of each, in its next turn.
    pub fn broadcast(&self, message: Rc<dyn Any>) {
        self.call_soon(move |reactor| {
            let tokens = reactor.inner.registry.borrow().tokens();
            for token in tokens {
                reactor.call_handler(token, |handler| handler.message_received(reactor, &*message));
            }
        });
    }
}

/// A source that is registered. Dropping this deregisters it, so drop it before the source.
#[must_use = "dropping it deregisters the source"]
pub struct Registration {
    reactor: WeakReactor,
    token: Cell<Option<Token>>,
}

impl Registration {
    /// Its name, for [`Reactor::reschedule`] and the like.
    #[must_use]
    pub fn token(&self) -> Option<Token> {
        self.token.get()
    }

    /// Says what the handler wants to hear of from now on.
    pub fn set_interest(&self, interest: Interest) {
        if let (Some(token), Some(reactor)) = (self.token.get(), self.reactor.upgrade()) {
            reactor.set_interest(token, interest);
        }
    }

    /// Ends it now: the same as dropping it, for where it sits inside the handler.
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

    /// What a slab makes of its items: a slot or the number of the next vacant one.
    #[allow(dead_code, reason = "only its size counts")]
    enum Entry {
        Vacant(usize),
        Occupied(Slot),
    }

    /// Law 4 of the design: this and a stream is all that an idle connection costs.
    #[cfg(target_pointer_width = "64")]
    #[test]
    fn a_slot_is_small() {
        assert_eq!(size_of::<Entry>(), 24);
    }
}
