//! What the two ends of a WebSocket have agreed on: [`Terms`]. Shared by all connections with the same terms, so that a connection has
//! one pointer in their place.

use std::rc::Rc;

use super::{
    MessageDecoder, MessageEncoder, Role,
    codec::Agreement,
    shared::{Shared, TERMS_MAX},
};

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
