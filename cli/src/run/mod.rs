//! Running servers: what a command implements ([`ServerCommand`], [`Tool`]), what it is given ([`Context`]), and the order in
//! which a process starts and stops.

mod context;
mod server_command;
mod service;
mod start;

pub(crate) use {
    context::Context,
    server_command::{ServerCommand, StartError, Tool},
    service::Service,
    start::run_one,
};
