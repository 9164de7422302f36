//! What all WebSockets of a server or of a client share, [`Shared`]: limits, buffers, contexts for compression, random masks. And what those
//! share that have agreed on the same, [`Terms`].

use std::{
    cell::{Cell, RefCell},
    rc::{Rc, Weak},
};

use sinew_transports::reactor::{Engine, Reactor};

use super::{
    MessageDecoder, MessageEncoder, Role, WebSocketConfig,
    codec::{Agreement, ContextPool, Partial},
};

/// Storage of the output buffer that is kept.
const SCRATCH_MAX: usize = 64 * 1024;

/// Random bytes that are drawn from the system at a time.
const RANDOM_LEN: usize = 256;

/// Terms that are kept for further connections. Connections with yet other terms have them for themselves.
const TERMS_MAX: usize = 16;

#[derive(Default)]
pub(super) struct Shared {
    pub(super) config: WebSocketConfig,
    pub(super) pool: ContextPool,
    /// State for a decoder, which a connection needs only while it receives a message.
    pub(super) partial: Cell<Option<Box<Partial>>>,
    /// What connections have agreed on.
    terms: RefCell<Vec<Weak<Terms>>>,
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

/// What the two ends of a WebSocket have agreed on. Shared by all connections with the same terms, so that a connection has one pointer in
/// their place.
pub(super) struct Terms {
    pub(super) shared: Rc<Shared>,
    pub(super) role: Role,
    pub(super) agreement: Agreement,
}

impl Terms {
    /// The terms of a new connection: those of another one if they are the same.
    pub(super) fn of(shared: &Rc<Shared>, role: Role, agreement: Agreement) -> Rc<Self> {
        let mut known = shared.terms.borrow_mut();
        let is_same = |terms: &Rc<Self>| terms.role == role && terms.agreement == agreement;
        if let Some(terms) = known.iter().filter_map(|known| known.upgrade()).find(is_same) {
            return terms;
        }
        known.retain(|known| known.strong_count() > 0);
        let terms = Rc::new(Self { shared: Rc::clone(shared), role, agreement });
        if known.len() < TERMS_MAX {
            known.push(Rc::downgrade(&terms));
        }
        terms
    }

    /// A decoder that has received nothing.
    pub(super) fn decoder(&self) -> MessageDecoder {
        let config = &self.shared.config;
        let decoder = MessageDecoder::new(self.role, config.messages).by_piece(config.by_piece);
        match &self.agreement.deflate {
            Some(params) => decoder.deflate_in(params, &self.shared.pool),
            None => decoder,
        }
    }

    /// An encoder that has sent nothing.
    pub(super) fn encoder(&self) -> MessageEncoder {
        let encoder = MessageEncoder::new(self.role).fragment_len(self.shared.config.fragment_len);
        match &self.agreement.deflate {
            Some(params) => encoder.deflate_in(params, &self.shared.pool),
            None => encoder,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn agreement(protocol: usize) -> Agreement {
        Agreement { protocol: Some(protocol.to_string()), deflate: None }
    }

    #[test]
    fn connections_with_the_same_terms_share_them() {
        let shared = Rc::default();
        let terms = Terms::of(&shared, Role::Server, agreement(0));
        assert!(Rc::ptr_eq(&terms, &Terms::of(&shared, Role::Server, agreement(0))));
        assert!(!Rc::ptr_eq(&terms, &Terms::of(&shared, Role::Client, agreement(0))));
        assert!(!Rc::ptr_eq(&terms, &Terms::of(&shared, Role::Server, agreement(1))));
    }

    /// A peer that agrees on something new each time does not make the list long.
    #[test]
    fn the_list_of_terms_is_bounded_and_holds_no_connection() {
        let shared = Rc::default();
        let all: Vec<_> = (0..2 * TERMS_MAX)
            .map(|protocol| Terms::of(&shared, Role::Server, agreement(protocol)))
            .collect();
        assert_eq!(shared.terms.borrow().len(), TERMS_MAX);
        drop(all);
        assert_eq!(Rc::strong_count(&shared), 1);
        drop(Terms::of(&shared, Role::Server, agreement(0)));
        assert_eq!(shared.terms.borrow().len(), 1);
    }
}
