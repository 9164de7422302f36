//! How a request is run: the modes [`InPlace`], [`Threading`] and `Forking`, and the seam behind which they differ, [`Run`].

use std::fmt;

use sinew_reactor::Reactor;

use crate::{Address, BaseServer, CloseError, Request, RequestError, ServeError};

#[cfg(unix)]
mod children;
#[cfg(unix)]
mod forking;
mod in_place;
#[cfg(unix)]
#[allow(unsafe_code, reason = "fork(2), and counting threads where there is no /proc")]
mod sys;
mod threading;
mod threads;

#[cfg(unix)]
pub use forking::Forking;
pub use in_place::InPlace;
pub use threading::Threading;

/// How a request is run: [`InPlace`], [`Threading`] or `Forking`, which in Python are no mix-in, `ThreadingMixIn` and
/// `ForkingMixIn`.
pub trait Mode: sealed::Sealed + Clone + Default + fmt::Debug + 'static {
    #[doc(hidden)]
    fn into_run(self) -> Box<dyn Run>;
}

mod sealed {
    #[allow(unnameable_types, reason = "that is what seals")]
    pub trait Sealed {}
}

/// What a mode does. In the order in which a server calls it.
#[allow(unnameable_types, reason = "only the modes need it, and they are sealed")]
pub trait Run: fmt::Debug + Send + Sync {
    /// Whether it could work at all: asked before anything is accepted.
    fn check(&self) -> Result<(), ServeError> {
        Ok(())
    }

    /// A reactor begins to serve it. Nothing is watched on that yet, whatever an earlier one did.
    fn begin(&self) {}

    /// Whether another request can be taken. Whoever makes room later calls `Serving::room_made`.
    fn has_room(&self) -> bool {
        true
    }

    /// How many are taken before the loop does something else.
    fn requests_per_turn(&self) -> usize;

    /// Has a request handled, to its end. An error means that this has not begun, and that the caller ends the request.
    fn process(
        &self,
        server: &BaseServer,
        request: &Request,
        client_address: &Address,
    ) -> Result<(), RequestError>;

    /// Puts what the loop has to watch for it on the reactor: at the start, and after each pass.
    fn watch(&self, server: &BaseServer, reactor: &Reactor) {
        let _ = (server, reactor);
    }

    /// How many requests are being handled.
    fn active(&self) -> usize;

    /// How many wait to be.
    fn queued(&self) -> usize {
        0
    }

    /// Ends everything, once nobody serves any more.
    fn close(&self, server: &BaseServer) -> Result<(), CloseError>;
}
