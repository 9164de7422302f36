//! Type-erased factories and protocols, so that endpoints can be trait objects: [`DynFactory`], [`DynProtocol`].

use std::{
    any::Any,
    fmt,
    ops::{Deref, DerefMut},
};

use tracing::Span;

use crate::{
    ConnectionLost, Factory, Peer, Protocol, TimerId, Transport, protocol::forward_protocol,
};

/// A type-erased factory: kinds of endpoints receive it and pass it on to `listen_tcp` and the like.
pub struct DynFactory(Box<dyn ErasedFactory>);

/// A type-erased protocol, as a [`DynFactory`] builds it. Its connection can still be downcast to the real type.
pub struct DynProtocol(Box<dyn AnyProtocol>);

/// A protocol that can be downcast to its real type.
pub(crate) trait AnyProtocol: Protocol + Any {
    fn name(&self) -> &'static str;
}

impl<P: Protocol> AnyProtocol for P {
    fn name(&self) -> &'static str {
        std::any::type_name::<P>()
    }
}

trait ErasedFactory {
    fn build(&mut self, peer: &Peer) -> Option<DynProtocol>;
    fn started(&mut self);
    fn stopped(&mut self);
}

impl<F: Factory> ErasedFactory for F {
    fn build(&mut self, peer: &Peer) -> Option<DynProtocol> {
        self.build_protocol(peer).map(boxed)
    }

    fn started(&mut self) {
        Factory::started(self);
    }

    fn stopped(&mut self) {
        Factory::stopped(self);
    }
}

impl DynFactory {
    /// Erases the type of a factory.
    pub fn new<F: Factory>(factory: F) -> Self {
        Self(Box::new(factory))
    }
}

impl Factory for DynFactory {
    type Protocol = DynProtocol;

    fn build_protocol(&mut self, peer: &Peer) -> Option<DynProtocol> {
        self.0.build(peer)
    }

    fn started(&mut self) {
        self.0.started();
    }

    fn stopped(&mut self) {
        self.0.stopped();
    }
}

/// Erases the type of a protocol for storage in a stream. A [`DynProtocol`] is not boxed again, so a stream calls any protocol
/// through one box and can downcast it to its real type.
pub(crate) fn boxed<P: Protocol>(protocol: P) -> DynProtocol {
    let mut protocol = Some(protocol);
    let any: &mut dyn Any = &mut protocol;
    match any.downcast_mut::<Option<DynProtocol>>().and_then(Option::take) {
        Some(erased) => erased,
        None => DynProtocol(Box::new(protocol.expect("not taken, because it is of another type"))),
    }
}

impl DynProtocol {
    /// Erases the type of a protocol. A transport takes it as it is, where a `Box<dyn Protocol>` would be put into a box again.
    pub fn new<P: Protocol>(protocol: P) -> Self {
        boxed(protocol)
    }

    /// The protocol, to be called without the indirection of [`Deref`].
    #[inline(always)]
    pub(crate) fn get_mut(&mut self) -> &mut dyn AnyProtocol {
        &mut *self.0
    }

    /// The name of the protocol's real type, not of the box.
    pub(crate) fn real_name(&self) -> &'static str {
        let any: &dyn Any = &*self.0;
        match any.downcast_ref::<Spanned>() {
            Some(spanned) => spanned.inner.real_name(),
            None => (*self.0).name(),
        }
    }

    /// A protocol whose callbacks run in a span. It keeps the name and the type of the one inside.
    pub(crate) fn in_span(self, span: Span) -> Self {
        Self(Box::new(Spanned { span, inner: self }))
    }

    /// The protocol as its real type, or as a [`DynProtocol`].
    pub(crate) fn downcast_mut<P: Protocol>(&mut self) -> Option<&mut P> {
        if (&*self.0 as &dyn Any).is::<Spanned>() {
            let spanned = (&mut *self.0 as &mut dyn Any).downcast_mut::<Spanned>()?;
            return spanned.inner.downcast_mut();
        }
        let is_wanted_erased = (self as &dyn Any).is::<P>();
        let any: &mut dyn Any = if is_wanted_erased { self } else { &mut *self.0 };
        any.downcast_mut()
    }
}

impl Deref for DynProtocol {
    type Target = dyn Protocol;

    fn deref(&self) -> &Self::Target {
        &*self.0
    }
}

impl DerefMut for DynProtocol {
    fn deref_mut(&mut self) -> &mut Self::Target {
        &mut *self.0
    }
}

impl Protocol for DynProtocol {
    forward_protocol!(self => (**self));
}

impl fmt::Debug for DynFactory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("DynFactory")
    }
}

impl fmt::Debug for DynProtocol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("DynProtocol").field(&self.real_name()).finish()
    }
}

/// A protocol whose callbacks run in a span.
struct Spanned {
    span: Span,
    inner: DynProtocol,
}

impl Protocol for Spanned {
    forward_protocol!(self => self.inner, after let _entered = self.span.enter());
}
