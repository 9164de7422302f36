//! Scheduled events: [`Event`]. They are handled in `handshake.rs`, `tcp.rs`, `udp.rs` and `scheduler.rs`.

use super::{
    conn::Side,
    fault_action::FaultAction,
    id::{ConnId, HostId},
    packet::Packet,
};

/// A scheduled event of the simulation.
pub(super) enum Event {
    /// A SYN (connection request) arrives.
    Syn(ConnId),
    /// The answer to a SYN arrives.
    SynAck(ConnId, Answer),
    /// The ACK that completes the handshake arrives.
    Ack(ConnId),
    /// The first segment in flight from this side arrives.
    Arrive(ConnId, Side),
    /// This side has room to write again.
    Writable(ConnId, Side),
    /// A window update reaches this side.
    Window(ConnId, Side),
    /// This side probes for acknowledgements that it may have missed.
    Probe(ConnId, Side),
    /// The FIN timeout of a closed side expires.
    FinTimeout(ConnId, Side),
    Datagram(Packet),
    /// A host wakes up by itself.
    Wake(HostId),
    /// A fault action is applied.
    Apply(FaultAction),
}

/// The answer to a SYN.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Answer {
    Accepted,
    Refused,
}
