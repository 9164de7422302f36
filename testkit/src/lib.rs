//! The test kit of sinew. Nothing in it is part of a program that runs: it is a dev-dependency.
//!
//! | module | |
//! |---|---|
//! | [`sim`] | deterministic simulation of a network: hosts, links, faults, a clock that the test turns |
//! | [`testing`] | checks for protocols, pairs in memory, recordings and their replay |
//!
//! It is built on the public contract for authors of transports, [`sinew_transports::net`], and on [`sinew_transports::memory`].

#![forbid(unsafe_code)]

pub mod sim;
pub mod testing;

#[doc(no_inline)]
pub use sinew_transports as transports;

// The code blocks of the README are compiled with the tests.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
