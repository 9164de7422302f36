//! What is to come: [`Event`]. What comes of it is said where it is handled: `handshake.rs`, `tcp.rs`, `udp.rs`, `scheduler.rs`.

use super::{
    conn::Side,
    fault_action::FaultAction,
    id::{ConnId, HostId},
    packet::Packet,
};

/// See the head of this file.
pub(super) enum Event {
    /// A request to connect arrives.
    Syn(ConnId),
    /// Its answer arrives.
    SynAck(ConnId, Answer),
    /// The last word of the handshake arrives.
    Ack(ConnId),
    /// Time for the first of what is on its way from this side.
    Arrive(ConnId, Side),
    /// There is room again to write on this side.
    Room(ConnId, Side),
    /// This side hears that the other has read.
    Window(ConnId, Side),
    /// This side asks for news that it may have missed.
    Again(ConnId, Side),
    /// A closed side has waited long enough for the other.
    Forget(ConnId, Side),
    Datagram(Packet),
    /// A host has something to do by itself.
    Wake(HostId),
    /// Something is done to a host or to links.
    Do(FaultAction),
}

/// What is said to a request to connect.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Answer {
    Yes,
    Refused,
}
