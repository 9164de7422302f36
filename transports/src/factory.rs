//! Builders of protocols: [`Factory`], closures as factories ([`factory`]), and [`SharedFactory`] for several ports.

use std::{cell::RefCell, fmt, rc::Rc};

use crate::{Peer, Protocol};

/// Builds one protocol for each connection.
///
/// A closure `FnMut(&Peer) -> P` is a factory:
///
/// ```
/// # use sinew_transports::{Factory, Peer, Protocol, Transport};
/// # struct Echo;
/// # impl Protocol for Echo {
/// #     fn data_received(&mut self, transport: &Transport, data: &[u8]) { transport.write(data); }
/// # }
/// fn takes_a_factory(_: impl Factory) {}
/// takes_a_factory(|_: &Peer| Echo);
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` does not build protocols",
    label = "not a factory",
    note = "a factory is a closure from the peer to a protocol: `|_: &Peer| Echo`, or `factory(|_| Echo)`",
    note = "to refuse connections, or to be notified of ports, implement `Factory` for a type"
)]
pub trait Factory: 'static {
    /// The protocol type that it builds.
    type Protocol: Protocol;

    /// Returns a protocol for a connection from or to `peer`; `None` refuses the connection, which is then closed.
    fn build_protocol(&mut self, peer: &Peer) -> Option<Self::Protocol>;

    /// The first port that uses this factory was opened.
    fn started(&mut self) {}

    /// The last port that used this factory was closed, and every connection that it had accepted has its protocol or will get
    /// none: `build_protocol` is not called after this, unless another port is opened.
    fn stopped(&mut self) {}
}

impl<F, P> Factory for F
where
    F: FnMut(&Peer) -> P + 'static,
    P: Protocol,
{
    type Protocol = P;

    fn build_protocol(&mut self, peer: &Peer) -> Option<P> {
        Some(self(peer))
    }
}

/// A closure as a factory. This function gives the compiler the closure's parameter type, so that it need not be written:
/// `factory(|_| Echo)` is `|_: &Peer| Echo`.
///
/// Without it, `|_| Echo` fails to compile with "implementation of `FnMut` is not general enough", and `|| Echo` with "closure is
/// expected to take 1 argument".
///
/// # Examples
///
/// ```
/// use sinew_transports::{Protocol, ReactorTcp, Transport, factory, reactor::Reactor};
///
/// struct Echo;
///
/// impl Protocol for Echo {
///     fn data_received(&mut self, transport: &Transport, data: &[u8]) {
///         transport.write(data);
///     }
/// }
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let reactor = Reactor::new()?;
/// reactor.listen_tcp("127.0.0.1:0", factory(|_| Echo))?;
/// # Ok(())
/// # }
/// ```
pub const fn factory<P: Protocol, F: FnMut(&Peer) -> P + 'static>(build: F) -> F {
    build
}

/// One factory for several ports: its clones share it. `started` is called with the first port and `stopped` with the last.
pub struct SharedFactory<F> {
    shared: Rc<RefCell<Shared<F>>>,
}

struct Shared<F> {
    factory: F,
    ports: usize,
}

impl<F: Factory> SharedFactory<F> {
    /// Shares `factory`.
    pub fn new(factory: F) -> Self {
        Self { shared: Rc::new(RefCell::new(Shared { factory, ports: 0 })) }
    }
}

impl<F> Clone for SharedFactory<F> {
    fn clone(&self) -> Self {
        Self { shared: self.shared.clone() }
    }
}

impl<F> fmt::Debug for SharedFactory<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The factory may be borrowed by its own callback, which prints this handle.
        let ports = self.shared.try_borrow().ok().map(|shared| shared.ports);
        f.debug_struct("SharedFactory").field("ports", &ports).finish()
    }
}

impl<F: Factory> Factory for SharedFactory<F> {
    type Protocol = F::Protocol;

    fn build_protocol(&mut self, peer: &Peer) -> Option<F::Protocol> {
        self.shared.borrow_mut().factory.build_protocol(peer)
    }

    fn started(&mut self) {
        let mut shared = self.shared.borrow_mut();
        shared.ports += 1;
        if shared.ports == 1 {
            shared.factory.started();
        }
    }

    fn stopped(&mut self) {
        let mut shared = self.shared.borrow_mut();
        shared.ports -= 1;
        if shared.ports == 0 {
            shared.factory.stopped();
        }
    }
}
