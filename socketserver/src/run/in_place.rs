//! The in-place mode: one request at a time, in the serving thread: [`InPlace`].

use std::sync::atomic::{AtomicUsize, Ordering};

use super::{Mode, Run, sealed::Sealed};
use crate::{Address, BaseServer, CloseError, Request, RequestError, accept::serve_request};

/// Requests are handled in place, one at a time; all others wait meanwhile.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct InPlace {}

/// Counts running requests: one, or none.
#[derive(Debug, Default)]
struct Inline {
    active: AtomicUsize,
}

impl Sealed for InPlace {}

impl Mode for InPlace {
    fn into_run(self) -> Box<dyn Run> {
        Box::new(Inline::default())
    }
}

impl Run for Inline {
    /// One, so that a signal or a shutdown is handled between any two.
    fn requests_per_turn(&self) -> usize {
        1
    }

    fn process(
        &self,
        server: &BaseServer,
        request: &Request,
        client_address: &Address,
    ) -> Result<(), RequestError> {
        self.active.fetch_add(1, Ordering::Relaxed);
        serve_request(server, request.clone(), client_address);
        self.active.fetch_sub(1, Ordering::Relaxed);
        Ok(())
    }

    fn active(&self) -> usize {
        self.active.load(Ordering::Relaxed)
    }

    fn close(&self, _: &BaseServer) -> Result<(), CloseError> {
        Ok(())
    }
}
