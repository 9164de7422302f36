//! Temporary.
mod bounce;
pub mod rooms;
pub mod upload;
