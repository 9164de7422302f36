//! Child processes, on every engine: the callbacks of their protocols, their order, and what is left. What concerns
//! all children of a process at once is in `tests/children.rs`.

pub(crate) mod kit;

mod endpoints;
mod exiting;
mod failing;
mod talking;
mod terminals;
