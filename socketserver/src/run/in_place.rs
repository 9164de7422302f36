//! One request after the other, by the thread that serves: [`InPlace`].

use std::sync::atomic::{AtomicUsize, Ordering};

use super::{Mode, Run, sealed::Sealed};
use crate::{Address, BaseServer, CloseError, Request, RequestError, accept::serve_request};

/// Requests are handled in place, one after the other: all others wait meanwhile.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct InPlace {}

/// Counts what runs, which is one, or none.
#[derive(Debug, Default)]
struct Here {
    active: AtomicUsize,
}

impl Sealed for InPlace {}

impl Mode for InPlace {
    fn into_run(self) -> Box<dyn Run> {
        Box::new(Here::default())
    }
}

impl Run for Here {
    /// A signal, or a shutdown, is heard between any two.
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
