//! What a query has brought: [`Exchanged`].

use crate::client::{
    ServerError,
    asker::{AskError, Reply},
};

/// What a query to a server has brought, for all who wait for it.
pub(super) struct Exchanged {
    pub(super) result: Result<Reply, AskError>,
    /// How many queries it took: over TCP, without EDNS.
    pub(super) queries: usize,
}

impl Exchanged {
    /// Whether the server was not asked, since too many queries wait for it.
    pub(super) const fn is_busy(&self) -> bool {
        matches!(self.result, Err(AskError::Server(ServerError::Busy { .. })))
    }

    /// Whether the server has answered, if only by what cannot be decoded: asking again brings the same.
    pub(super) const fn is_wrong(&self) -> bool {
        matches!(self.result, Ok(_) | Err(AskError::Server(ServerError::Malformed(_))))
    }
}
