//! Clients of NNTP: a [`NewsClient`] is an open connection; [`post`] and [`fetch`] do one thing in one call; a [`Feeder`] sends what a
//! store has on to another server.
//!
//! Nothing that a server sends is trusted: every line has a limit, lists come entry by entry, articles piece by piece.

mod article;
mod auth;
mod config;
mod error;
mod feed_batch;
mod feed_stats;
mod feeder;
mod link;
mod list;
mod news_client;
mod one_call;
mod sending;
#[cfg(feature = "tls")]
mod tls;

pub use {
    article::ArticleStream,
    config::{ClientConfig, Security},
    error::NewsError,
    feed_stats::FeedStats,
    feeder::{FeedConfig, Feeder},
    list::{ActiveGroup, HdrLine, List},
    news_client::{NewsClient, Selected, Stat},
    one_call::{fetch, post},
    sending::Offered,
};
