//! What the runner, the load generator and the contestants agree on. Not a library for anybody else.

pub mod convention;
pub mod descriptors;
pub mod engine;
pub mod outcome;
pub mod timings;
