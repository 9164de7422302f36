//! The modes of running a request, [`InPlace`], [`Threading`] and `Forking`, and their common interface, [`Run`].

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

/// How a request is run: [`InPlace`], [`Threading`] or `Forking`. In Python: no mix-in, `ThreadingMixIn` and
/// `ForkingMixIn`.
pub trait Mode: sealed::Sealed + Clone + Default + fmt::Debug + 'static {
    #[doc(hidden)]
    fn into_run(self) -> Box<dyn Run>;
}

mod sealed {
    #[allow(unnameable_types, reason = "that is how a trait is sealed")]
    pub trait Sealed {}
}

/// The interface of a mode, in the order in which a server calls it.
#[allow(unnameable_types, reason = "only the modes need it, and they are sealed")]
pub trait Run: fmt::Debug + Send + Sync {
    /// Whether the mode works in this process; called before anything is accepted.
    fn check(&self) -> Result<(), ServeError> {
        Ok(())
    }

    /// A reactor starts serving. Nothing is watched by it yet, whatever an earlier reactor watched.
    fn begin(&self) {}

    /// Whether another request can be taken. When there is room later, `Serving::room_made` must be called.
    fn has_room(&self) -> bool {
        true
    }

    /// How many requests are accepted before the loop does something else.
    fn requests_per_turn(&self) -> usize;

    /// Has a request handled, to its end. An error means that handling has not begun, and that the caller ends the request.
    fn process(
        &self,
        server: &BaseServer,
        request: &Request,
        client_address: &Address,
    ) -> Result<(), RequestError>;

    /// Registers what the loop has to watch for the mode: at the start, and after each pass.
    fn watch(&self, server: &BaseServer, reactor: &Reactor) {
        let _ = (server, reactor);
    }

    /// How many requests are being handled.
    fn active(&self) -> usize;

    /// How many requests are queued.
    fn queued(&self) -> usize {
        0
    }

    /// Ends everything, when serving has ended.
    fn close(&self, server: &BaseServer) -> Result<(), CloseError>;
}
