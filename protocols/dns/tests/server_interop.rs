//! The server beside other people's programs on the loopback interface: NSD with the same zone, whose answers are compared section by
//! section; dig as client, kdig over TLS; dnsmasq as client and as server of our forwarder; NSD as secondary server; unbound, which validates
//! signed zones. A program that is missing is said, and its tests are skipped.

#![cfg(unix)]

#[path = "../../../tests/support/watchdog.rs"]
mod watchdog;

#[path = "server_interop/compared.rs"]
mod compared;
#[path = "server_interop/dig.rs"]
mod dig;
#[path = "server_interop/dnsmasq.rs"]
mod dnsmasq;
#[path = "interop/program.rs"]
#[allow(dead_code, reason = "each test binary uses a part of this")]
mod program;
#[cfg(feature = "tls")]
#[path = "server_interop/tls.rs"]
mod tls;
#[path = "server_interop/transfers.rs"]
mod transfers;
#[path = "server_interop/validated.rs"]
mod validated;
