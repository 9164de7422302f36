//! Running servers: what a command implements ([`ServerCommand`], [`Tool`], [`Description`]), what it is given ([`Context`]), and the order in
//! which a process starts, reloads and stops.
//!
//! ```text
//! main thread                                      thread of each reactor
//! start.rs    reads the program, changes the process
//!             starts the reactors ───────────────> shard.rs   makes the services, opens their ports
//!             gives the privileges up
//!             starts the services ───────────────> shard.rs   starts them
//! control.rs  waits for orders <────────────────── signals.rs a signal came
//!             reload.rs: reads the file, and ────> shard.rs   stops and starts services
//!             ends when the reactors have ended
//! ```

mod certificates;
mod context;
mod control;
mod failures;
mod inspect;
mod listening;
mod order;
mod readiness;
mod reload;
mod server_command;
mod shard;
mod signals;
mod source;
mod start;
mod udp;
mod upgrade;

#[cfg(test)]
pub(crate) use readiness::Readiness;
pub(crate) use {
    certificates::{TlsUse, Wanted, warnings as certificate_warnings},
    context::Context,
    readiness::Wait,
    server_command::{Description, ServerCommand, Tool},
    source::{Source, number, read_file},
    start::run,
    udp::UdpSockets,
};
