//! Where articles are kept: the trait [`NewsStore`], [`Spool`] on disk and [`MemoryStore`] in memory.
//!
//! Article numbers of a group only grow, and are never used again. An article that was removed is remembered by its identifier, so that
//! it is not accepted once more.

mod disk;
mod error;
mod group;
mod index;
mod memory;
mod news_store;
mod slices;

pub use {
    disk::{Spool, SpoolConfig},
    error::StoreError,
    group::{GroupInfo, GroupStatus, NewGroup},
    memory::MemoryStore,
    news_store::{
        Arrival, ArticleText, Direction, Expired, ExpiryRule, Found, Locator, NewArticle,
        NewsStore, OpenArticle, Stored,
    },
};
