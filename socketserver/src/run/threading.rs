//! The threading mode: each request in a thread of a pool: [`Threading`]. The pool is in `threads.rs`.

use std::time::Duration;

use super::{Mode, Run, sealed::Sealed, threads::Threads};
use crate::{Address, BaseServer, CloseError, Request, RequestError};

/// Requests accepted before the loop does something else.
const REQUESTS_PER_TURN: usize = 64;

/// Each request is handled in a thread of its own, at most
/// [`max_threads`](crate::ServerConfig::max_threads) at once, with a bounded queue. A thread that has finished takes
/// the next request; threads are named `Thread-1`, `Thread-2` and so on.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Threading {
    pub(crate) max_threads: usize,
    pub(crate) max_queued: usize,
    pub(crate) thread_idle: Duration,
    pub(crate) daemon_threads: bool,
    pub(crate) block_on_close: bool,
}

impl Default for Threading {
    fn default() -> Self {
        Self {
            max_threads: 256,
            max_queued: 1024,
            thread_idle: Duration::from_secs(10),
            daemon_threads: false,
            block_on_close: true,
        }
    }
}

#[derive(Debug)]
struct InThreads {
    threads: Threads,
    config: Threading,
}

impl Sealed for Threading {}

impl Mode for Threading {
    fn into_run(self) -> Box<dyn Run> {
        Box::new(InThreads {
            threads: Threads::new(self.max_threads, self.thread_idle),
            config: self,
        })
    }
}

impl Run for InThreads {
    fn has_room(&self) -> bool {
        let most = self.config.max_threads.saturating_add(self.config.max_queued);
        self.threads.active() + self.threads.queued() < most
    }

    fn requests_per_turn(&self) -> usize {
        REQUESTS_PER_TURN
    }

    fn process(
        &self,
        server: &BaseServer,
        request: &Request,
        client_address: &Address,
    ) -> Result<(), RequestError> {
        self.threads.take(server, request, client_address).map_err(RequestError::NoThread)
    }

    fn active(&self) -> usize {
        self.threads.active()
    }

    fn queued(&self) -> usize {
        self.threads.queued()
    }

    fn close(&self, server: &BaseServer) -> Result<(), CloseError> {
        if self.config.block_on_close && !self.config.daemon_threads {
            self.threads.finish(server.core.settings.close_timeout)
        } else {
            self.threads.abandon();
            Ok(())
        }
    }
}
