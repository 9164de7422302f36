//! Deterministic network simulation: hosts with their own reactors, connected by links with latency, loss and faults,
//! on a simulated clock that jumps from event to event. One thread, no kernel; the same seed replays the same run
//! byte for byte.
//!
//! Servers and clients run in it unchanged: `listen_tcp` and `connect_tcp` on the reactor of a [`Host`] open
//! simulated sockets, names resolve to hosts, timers and timeouts use simulated time.
//!
//! # Examples
//!
//! A client whose peer loses power, which it detects by its own idle timeout:
//!
//! ```
//! use std::{cell::RefCell, rc::Rc, time::Duration};
//! use sinew_transports::{ConnectionLost, Peer, Protocol, ReactorTcp, Transport};
//! use sinew_testkit::sim::Network;
//!
//! struct Echo;
//!
//! impl Protocol for Echo {
//!     fn data_received(&mut self, transport: &Transport, data: &[u8]) {
//!         transport.write(data);
//!     }
//! }
//!
//! struct Client(Rc<RefCell<Vec<String>>>);
//!
//! impl Protocol for Client {
//!     fn connection_made(&mut self, transport: &Transport) {
//!         transport.set_idle_timeout(Duration::from_secs(60));
//!         transport.write(b"hello");
//!     }
//!     fn data_received(&mut self, _: &Transport, data: &[u8]) {
//!         self.0.borrow_mut().push(String::from_utf8_lossy(data).into_owned());
//!     }
//!     fn idle_timeout(&mut self, transport: &Transport) {
//!         transport.abort();
//!     }
//!     fn connection_lost(&mut self, _: &Transport, reason: &ConnectionLost) {
//!         self.0.borrow_mut().push(reason.to_string());
//!     }
//! }
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let network = Network::new(7);
//! let (server, client) = (network.host("server"), network.host("client"));
//! server.reactor().listen_tcp("0.0.0.0:7", |_: &Peer| Echo)?;
//! let log = Rc::new(RefCell::new(Vec::new()));
//! let client_log = log.clone();
//! client.reactor().connect_tcp("server:7", move |_: &Peer| Client(client_log.clone())).detach();
//!
//! network.run_for(Duration::from_secs(1))?;
//! server.power_off();
//! network.run_for(Duration::from_secs(120))?;
//! assert_eq!(log.borrow().concat(), "helloaborted by this side");
//! # Ok(())
//! # }
//! ```
//!
//! # What is simulated
//!
//! - **TCP**: three-way handshakes with loss and retransmission (given up after 127 s), refusals, full backlogs;
//!   streams split into segments at random points; latency, bandwidth and loss per link; full buffers on either side,
//!   short writes; FIN, half-open and half-closed connections; resets by `abort`, by closing with unread data, by a
//!   system that does not know the connection; retransmission given up after about 15 minutes. Data received before a
//!   reset can still be read.
//! - **Datagrams**: loss, reordering, duplication, the MTU; through `listen_udp` and `connect_udp`, or raw
//!   ([`Datagrams`]).
//! - **Hosts**: pause, kill, power loss, restart; skewed and drifting clocks; descriptor limits and other errors of
//!   accept; jobs of the thread pool in random order.
//! - **Links**: cuts in both directions or in one (asymmetric: data arrive, acknowledgements do not); partitions
//!   between sets of hosts; set by hand, by a [`Plan`], or by [`RandomFaults`].
//! - **Names**: those of the hosts, `localhost`, and names set with [`Network::set_name`], for `connect_tcp` and
//!   `listen_tcp`.
//!
//! # What is not simulated
//!
//! Congestion control and slow start, TCP segments that arrive out of order (invisible in the stream), urgent data,
//! keep-alive probes, path MTU discovery, ICMP errors (no route, port unreachable), multicast and broadcast, Unix
//! sockets, files, real threads, and the execution time of code: callbacks take no time. Readiness is edge-triggered,
//! as with epoll; level-triggered engines are not simulated. Anything that a program derives from other sources than
//! [`Reactor::random`](sinew_reactor::Reactor::random), or from the iteration order of a `HashMap`, is not
//! reproducible.

mod apply;
mod conn;
mod datagram;
mod descriptor;
mod endpoint;
mod error;
mod event;
mod event_queue;
mod fault_action;
mod fault_schedule;
mod faults;
mod grammar;
mod handshake;
mod host;
mod host_shutdown;
mod id;
mod link;
mod listening;
mod network;
mod node;
mod packet;
mod plan;
mod ports;
mod process;
mod random;
mod random_faults;
mod scheduler;
mod simulation;
mod tcp;
mod time;
mod trace;
mod udp;
mod world;

pub use {
    datagram::Datagrams,
    error::SimError,
    host::Host,
    link::{Latency, Link},
    network::{Network, NetworkStats},
    node::AcceptFault,
    plan::{Fault, Plan, PlanError},
    random_faults::RandomFaults,
};
