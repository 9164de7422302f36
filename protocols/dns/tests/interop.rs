//! The client with other people's servers on the loopback interface, and another client with our messages: dnsmasq, unbound, NSD, dig; and the
//! recursive resolver with them as servers of the zones.
//! A program that is missing is said, and its tests are skipped. `.ci/run` installs them.

#![cfg(unix)]

#[path = "../../../tests/support/watchdog.rs"]
mod watchdog;

#[path = "interop/dig.rs"]
mod dig;
#[path = "interop/dnsmasq.rs"]
mod dnsmasq;
#[path = "interop/nsd.rs"]
mod nsd;
#[path = "interop/program.rs"]
mod program;
#[path = "interop/recursion.rs"]
mod recursion;
#[path = "interop/unbound.rs"]
mod unbound;
