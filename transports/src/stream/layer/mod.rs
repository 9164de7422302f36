//! The contract of a layer between a stream's socket and its protocol, such as TLS: [`Layer`]. What the event loop does with it is in
//! `driver.rs`.

#![cfg_attr(not(feature = "tls"), allow(dead_code, reason = "TLS is the only layer there is"))]

use std::io;

use sinew_reactor::{Reactor, TimerKey};

use crate::{ConnectionLost, Transport};

pub(crate) mod driver;

/// A layer on top of a socket; it takes the socket's place in the stream. Output is written to it as to any
/// [`ByteStream`](crate::net::ByteStream). Input is received rather than read, because one read may yield more or less plaintext
/// than it brought.
pub(crate) trait Layer {
    /// Advances the handshake. An error is one of the socket's input or of the layer itself.
    fn handshake(&self, reactor: &Reactor, may_read: bool) -> io::Result<Step>;
    /// Gives up the handshake, or handles its failure: from now on input is read and discarded, and only output below the layer
    /// is sent. The layer's alert, if any, is sent with the end of the output.
    fn give_up(&self);
    /// How many of the queued bytes are sent below the layer.
    fn plaintext_len(&self) -> usize;
    /// At most one read. Appends the plaintext to `plain`.
    fn receive(&self, reactor: &Reactor, plain: &mut Vec<u8>) -> io::Result<Received>;
    /// The callback for the end of the handshake, or for the loss of the connection.
    fn take_when_ready(&self) -> Option<WhenReady>;
    /// The timer of the handshake timeout.
    fn take_deadline(&self) -> Option<TimerKey>;
    /// The reason to end the connection, if `key` is the timer of the handshake timeout.
    fn timeout_reason(&self, key: TimerKey) -> Option<ConnectionLost>;
    /// Remembers that a drain was requested, for the protocol that is built after the handshake.
    fn remember_drain(&self);
    /// The handshake is complete: frees what only the handshake needs. Returns whether a drain was requested.
    fn finish_handshake(&self) -> bool;
    /// What TLS has negotiated with the peer.
    #[cfg(feature = "tls")]
    fn tls_info(&self) -> Option<crate::tls::info::TlsInfo>;
}

/// Progress of the handshake.
#[derive(Debug)]
pub(crate) struct Step {
    pub(crate) is_ready: bool,
    /// `None` if nothing was read.
    pub(crate) source: Option<Source>,
    /// Whether the socket has accepted all of the layer's output.
    pub(crate) is_sent: io::Result<bool>,
}

/// Result of a `receive`.
#[derive(Debug)]
pub(crate) struct Received {
    pub(crate) source: Source,
    /// The peer has ended its side, and no plaintext is left before that.
    pub(crate) has_ended: bool,
}

/// State of the socket after a read by the layer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Source {
    /// There may be more to read.
    Open,
    /// The read was short. Drained, if short reads prove that on this socket.
    Short,
    /// Drained: a read returned `WouldBlock`.
    Blocked,
    /// The handshake limiter has no permit left in this turn. It reschedules the stream.
    NotOurTurn,
}

/// Callback for the end of the handshake, successful or not. It builds the protocol.
pub(crate) type WhenReady = Box<dyn FnOnce(&Reactor, HandshakeResult<'_>)>;

/// A connection whose handshake is complete and that has no protocol yet, or the reason of its failure.
pub(crate) type HandshakeResult<'a> = Result<&'a Transport, ConnectionLost>;
