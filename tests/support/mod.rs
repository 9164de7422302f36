//! Shared test support: a [`World`] (test fixture) with a reactor and remote ends, traces that record every callback
//! and check the callback contract at the end, and a watchdog that turns a hang into a failure.

#![allow(dead_code, reason = "each test binary uses a part of this")]
#![allow(unused_macros, unused_imports, reason = "each test binary uses a part of this")]

pub(crate) mod certs;
pub(crate) mod every_callback;
pub(crate) mod log;
#[cfg(unix)]
pub(crate) mod lost_name;
pub(crate) mod place;
pub(crate) mod remote;
pub(crate) mod rest;
pub(crate) mod script;
pub(crate) mod secured;
pub(crate) mod sockets;
pub(crate) mod table;
pub(crate) mod trace;
pub(crate) mod watchdog;
pub(crate) mod world;

pub(crate) use {
    remote::{EndState, RemoteEnd},
    script::{Echo, Event, Pull, Script, Sink},
    sockets::Width,
    table::table,
    trace::{Callback, Lost, Trace, Traces, Watched},
    watchdog::Watchdog,
    world::{Link, TOO_MUCH, TestConnection, World, noise},
};
