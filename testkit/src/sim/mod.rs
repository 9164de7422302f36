//! A simulated network: hosts with reactors of their own, joined by links that delay, lose and break, on a clock that jumps
//! from one event to the next. One thread, no kernel, and the same run again from the same seed.
//!
//! Servers and clients run in it as they are: `listen_tcp` and `connect_tcp` on the reactor of a [`Host`] open simulated
//! sockets, names are those of the hosts, timers and time-outs go by simulated time.
//!
//! # Examples
//!
//! A client that connects, loses its peer to a power cut, and finds out by its own idle timeout:
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
//! let told = log.clone();
//! drop(client.reactor().connect_tcp("server:7", move |_: &Peer| Client(told.clone())));
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
//! - **TCP**: three-way handshakes that may be lost and tried again (given up after 127 s), refusals, full backlogs; streams
//!   cut into segments anywhere; latency, bandwidth and loss by link; full buffers on either side, short writes; FIN, half-open
//!   and half-closed connections; resets, by `abort`, by closing with unread data, by a system that does not know the
//!   connection; sending given up after a quarter of an hour without an answer. A reset takes with it what was not read yet.
//! - **Datagrams**: loss, reordering, duplication, the MTU; for `listen_udp` and `connect_udp`, and raw ([`Datagrams`]).
//! - **Hosts**: paused, killed, without power, restarted; clocks that are wrong or go wrong; descriptors that run out and
//!   other errors of accept; jobs of the thread pool, done in an order that is drawn.
//! - **Links**: cut and joined, in both directions or in one, where data may come and its acknowledgement not; partitions
//!   between sets of hosts; by hand, by a [`Plan`], or by [`RandomFaults`].
//! - **Names**: those of the hosts, `localhost`, and what [`Network::set_name`] says, for `connect_tcp` and `listen_tcp`.
//!
//! # What is not
//!
//! Congestion control and slow start, packets of TCP that arrive out of order (the stream never shows it), urgent data,
//! keep-alive probes, path MTU discovery, ICMP errors (no route, port unreachable), multicast and broadcast, Unix sockets, files, real
//! threads, and the time that code itself takes: a callback takes none. Level-triggered engines are not simulated: what a
//! socket tells is edge-triggered, as on epoll. What a program draws from elsewhere than
//! [`Reactor::random`](sinew_reactor::Reactor::random), or from the order of a `HashMap`, is not the same in each run.

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
