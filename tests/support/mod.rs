//! What the tests of this folder share: a [`World`] with a reactor in it and far ends to talk to, traces in which every
//! callback is written down and judged at the end, and a watchdog that turns a hang into a message.

#![allow(dead_code, reason = "each test binary uses a part of this")]
#![allow(unused_macros, unused_imports, reason = "each test binary uses a part of this")]

pub(crate) mod certs;
pub(crate) mod far;
pub(crate) mod life;
pub(crate) mod script;
pub(crate) mod secured;
pub(crate) mod sockets;
pub(crate) mod table;
pub(crate) mod trace;
pub(crate) mod watchdog;
pub(crate) mod world;

pub(crate) use {
    far::{Far, Fate},
    script::{Echo, Pull, Script, Sink, What},
    sockets::Width,
    table::table,
    trace::{Lost, Told, Trace, Traces, Watched},
    watchdog::Watchdog,
    world::{Line, Link, TOO_MUCH, World, noise},
};
