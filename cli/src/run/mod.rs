//! Running servers: what a command implements ([`ServerCommand`], [`Tool`]), what it is given ([`Context`]), and the order in
//! which a process starts and stops.

mod context;
mod server_command;
mod start;

pub(crate) use {
    context::Context,
    server_command::{ServerCommand, Tool},
    start::run_one,
};
