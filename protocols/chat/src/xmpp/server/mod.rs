//! Temporary.
mod bounce;
pub mod rooms;
