//! What all WebSockets of a server or of a client share: [`Shared`]. Limits, buffers, contexts for compression, and random masks.

use std::{
    cell::{Cell, RefCell},
    rc::Weak,
};

use sinew_transports::reactor::{Engine, Reactor};

use super::{
    WebSocketConfig,
    codec::{ContextPool, Partial},
    terms::Terms,
};

/// Storage of the output buffer that is kept.
const SCRATCH_MAX: usize = 64 * 1024;

/// Random bytes that are drawn from the system at a time.
const RANDOM_LEN: usize = 256;

/// Terms that are kept for further connections. Connections with yet other terms have them for themselves.
pub(super) const TERMS_MAX: usize = 16;

#[derive(Default)]
pub(super) struct Shared {
    pub(super) config: WebSocketConfig,
    pub(super) pool: ContextPool,
    /// State for a decoder, which a connection needs only while it receives a message.
    pub(super) partial: Cell<Option<Box<Partial>>>,
    /// What connections have agreed on.
    pub(super) terms: RefCell<Vec<Weak<Terms>>>,
    scratch: Cell<Vec<u8>>,
    random: RefCell<Vec<u8>>,
}

impl Shared {
    pub(super) fn new(config: WebSocketConfig) -> Self {
        Self { config, ..Self::default() }
    }

    /// Lends the output buffer, empty.
    pub(super) fn with_scratch<R>(&self, f: impl FnOnce(&mut Vec<u8>) -> R) -> R {
        let mut scratch = self.scratch.take();
        scratch.clear();
        let result = f(&mut scratch);
        if scratch.capacity() <= SCRATCH_MAX {
            self.scratch.set(scratch);
        }
        result
    }

    /// Random bytes that nobody can predict, for masks and keys (RFC 6455 5.3). In a simulation they are derived from its seed.
    pub(super) fn random<const N: usize>(
        &self,
        reactor: Option<&Reactor>,
    ) -> Result<[u8; N], getrandom::Error> {
        let mut bytes = [0; N];
        let simulated = reactor.filter(|reactor| reactor.engine() == Engine::Simulated);
        if let Some(reactor) = simulated {
            for piece in bytes.chunks_mut(8) {
                piece.copy_from_slice(&reactor.random().to_ne_bytes()[..piece.len()]);
            }
            return Ok(bytes);
        }
        let mut random = self.random.borrow_mut();
        if random.len() < N {
            random.resize(RANDOM_LEN, 0);
            if let Err(error) = getrandom::fill(&mut random) {
                random.clear();
                return Err(error);
            }
        }
        let start = random.len() - N;
        bytes.copy_from_slice(&random[start..]);
        random.truncate(start);
        Ok(bytes)
    }
}

impl std::fmt::Debug for Shared {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Shared").field("config", &self.config).finish_non_exhaustive()
    }
}
