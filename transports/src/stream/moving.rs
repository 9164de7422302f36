//! Moving an open connection to another reactor: [`Transport::send_to`]. The request blocks input and waits until all output
//! is sent; then the event loop takes the socket from its engine and sends it, with the unread input, to the other thread.
//! There a new stream and a new protocol begin. Which reactors there are is known by `sharing.rs`.

mod error;

pub use error::SendToError;

use std::any::Any;

use bytes::{Bytes, BytesMut};
use sinew_reactor::{Completion, Handler, Reactor, Ready};

use super::{
    Shared, Stream, StreamBuilder,
    hold::Hold,
    input::count_received,
    pending_handover::{MakeProtocol, Move, Moved},
    socket::Socket,
    state::State,
};
#[cfg(unix)]
use super::{handed::HandedConnection, leaving::Departure};
use crate::{
    ConnectionLost, Peer, Protocol, StreamConfig, Transport,
    dyn_protocol::{DynProtocol, boxed},
    mailbox::NotQueued,
    sharing::{Handed, Membership, SentSocket, Share},
};

/// Whether a socket can be taken from an engine without being closed.
const IS_SUPPORTED: bool = cfg!(unix);

impl Transport {
    /// Moves this connection to another of the [`Reactors`](crate::reactors::Reactors) that run together, to mend an uneven
    /// load. The factory of the same port there builds its next protocol.
    ///
    /// From now on this protocol receives no more input. When all that it has written is sent, the event loop performs these
    /// steps:
    ///
    /// 1. The protocol returns the input that it received and did not use ([`Protocol::take_unread`]).
    /// 2. Its [`connection_lost`](Protocol::connection_lost) is called with [`ConnectionLost::HandedOver`], and it is dropped.
    ///    Its timers are cancelled, and this transport is inert.
    /// 3. On the other reactor [`connection_made`](Protocol::connection_made) of the new protocol is called, then
    ///    [`data_received`](Protocol::data_received) with the unread input. The connection has another
    ///    [`id`](Self::id), is not paused, and has the idle timeout of its configuration.
    ///
    /// If the other reactor stops before step 1, the connection stays here and continues. If it stops while the connection is on
    /// its way, the connection is closed, as all others of that reactor.
    ///
    /// # Errors
    ///
    /// [`SendToError`], and nothing has changed. A connection with TLS cannot move, nor can one that is relayed, in memory or
    /// half-closed.
    ///
    /// # Examples
    ///
    /// ```
    /// use sinew_transports::{Protocol, Transport};
    ///
    /// /// Its first byte says which reactor a client wants.
    /// struct Choose {
    ///     unread: Vec<u8>,
    /// }
    ///
    /// impl Protocol for Choose {
    ///     fn data_received(&mut self, transport: &Transport, data: &[u8]) {
    ///         self.unread = data[1..].to_vec();
    ///         match transport.send_to(usize::from(data[0])) {
    ///             Ok(()) => {}
    ///             Err(error) => transport.fail(error),
    ///         }
    ///     }
    ///
    ///     fn take_unread(&mut self, _: &Transport) -> bytes::Bytes {
    ///         std::mem::take(&mut self.unread).into()
    ///     }
    /// }
    /// ```
    pub fn send_to(&self, shard: usize) -> Result<(), SendToError> {
        self.request_move(shard, None)
    }

    /// As [`send_to`](Self::send_to), with a protocol that takes along what this one knows: `make` is called on the other
    /// reactor's thread. Also for connections of no shared port, such as outgoing ones.
    ///
    /// # Errors
    ///
    /// As [`send_to`](Self::send_to).
    pub fn send_to_with<P: Protocol>(
        &self,
        shard: usize,
        make: impl FnOnce(&Peer) -> P + Send + 'static,
    ) -> Result<(), SendToError> {
        self.request_move(shard, Some(Box::new(|peer| boxed(make(peer)))))
    }

    fn request_move(&self, shard: usize, make: Option<MakeProtocol>) -> Result<(), SendToError> {
        let stream = self.inner();
        let checked = match stream.may_move() {
            Ok(()) => stream.may_move_to(shard, make.is_none()),
            Err(error) => Err(error),
        };
        if let Err(error) = checked {
            // Its drop may run user code.
            stream.defer_drop(make);
            return Err(error);
        }
        let moving = Move::ToReactor { shard, make };
        stream.holds().handover.moving.set(Some(Box::new(moving)));
        stream.hold(Hold::Handover);
        stream.ask_flush();
        Ok(())
    }

    /// All output is sent: moves the connection if that was requested. Returns `true` if it is not here any more.
    pub(super) fn move_away(&self, reactor: &Reactor) -> bool {
        let stream = self.inner();
        let Some(moving) = stream.take_moving() else { return false };
        if !stream.state.get().is_made() || reactor.is_input_in_flight(stream.token) {
            // The engine may still take bytes from the socket. Input is blocked, so a coming turn cancels that.
            stream.holds().handover.moving.set(Some(moving));
            if stream.update(State::ask_flush) {
                reactor.flush_later(stream.token);
            }
            return false;
        }
        let may_move = stream.may_move().and_then(|()| match &*moving {
            Move::ToReactor { shard, make } => stream.may_move_to(*shard, make.is_none()),
            #[cfg(unix)]
            Move::Away(_) => Ok(()),
        });
        if let Err(error) = may_move {
            tracing::debug!(peer = %self.peer(), %error, "a connection stays on its reactor");
            reactor.defer_drop(moving);
            stream.release(Hold::Handover);
            return false;
        }
        #[cfg(unix)]
        let state = match &*moving {
            Move::Away(_) => match self.state_at_departure(reactor) {
                Departure::Goes(state) => state,
                Departure::Stays => {
                    reactor.defer_drop(moving);
                    stream.release(Hold::Handover);
                    return stream.state.get().is_over();
                }
            },
            Move::ToReactor { .. } => Vec::new(),
        };
        #[cfg(not(unix))]
        let state = Vec::new();
        match reactor.take_completion(stream.token) {
            Some(Completion::Failed(error)) => {
                reactor.defer_drop(moving);
                self.input_failed(reactor, error);
                true
            }
            Some(Completion::Received(bytes)) => {
                count_received(reactor, bytes.len());
                self.leave(reactor, *moving, state, &bytes);
                true
            }
            // The end of the input is reported again to the next reader.
            _ => {
                self.leave(reactor, *moving, state, &[]);
                true
            }
        }
    }

    /// Ends the stream here and sends its socket away. `received` is what the engine has received and nobody has read; `state`
    /// is for another process.
    #[cfg_attr(
        not(unix),
        allow(unused_variables, reason = "only Unix passes sockets to processes")
    )]
    fn leave(&self, reactor: &Reactor, moving: Move, state: Vec<u8>, received: &[u8]) {
        let stream = self.inner();
        let mut unread = self.take_unread();
        if stream.state.get().is_over() {
            // `take_unread` panicked or closed the connection.
            return reactor.defer_drop(moving);
        }
        if !received.is_empty() {
            let mut both = BytesMut::from(unread);
            both.extend_from_slice(received);
            unread = both.freeze();
        }
        reactor.deregister(stream.token, false);
        let socket = stream.take_socket().map(SentSocket::try_from);
        stream.update(State::lost);
        stream.cold().set_reason(ConnectionLost::HandedOver);
        self.on_finalize(reactor);
        // It counts for the reactor that has it.
        reactor.meter().connections_made.sub(1);
        let Some(Ok(socket)) = socket else { return reactor.defer_drop(moving) };
        let (shard, make) = match moving {
            Move::ToReactor { shard, make } => (shard, make),
            #[cfg(unix)]
            Move::Away(send) => {
                return self.send_away(
                    reactor,
                    &send,
                    HandedConnection::new(socket, state, unread),
                );
            }
        };
        let moved: Option<Box<dyn Any + Send>> = Some(Box::new(Moved { unread, make }));
        let handed = Handed { socket, peer: self.peer(), moved };
        let is_sent = match stream.share() {
            Some(share) => share.send(shard, handed),
            None => send_without_port(reactor, shard, handed, stream.shared.config.clone()),
        };
        if !is_sent {
            tracing::debug!(shard, "a connection was closed: its new reactor has just ended");
        }
    }

    /// Has the new protocol begin with the input that the old one has left.
    fn begin_moved(&self, reactor: &Reactor, unread: Bytes) {
        self.make_moved(reactor, unread);
        self.begin_input(reactor);
    }

    /// Calls `connection_made` of the new protocol. Input comes with [`begin_input`](Self::begin_input).
    pub(super) fn make_moved(&self, reactor: &Reactor, unread: Bytes) {
        if !unread.is_empty() {
            self.inner().holds().handover.unread.set(unread);
        }
        self.mark_made(reactor);
        self.call_protocol(|protocol, transport| protocol.connection_made(transport));
    }

    pub(super) fn begin_input(&self, reactor: &Reactor) {
        self.deliver_unread();
        self.on_ready(reactor, Ready::NONE);
    }
}

/// Sends a connection of no shared port. Returns `false` if the reactor has ended.
fn send_without_port(
    reactor: &Reactor,
    shard: usize,
    handed: Handed,
    config: StreamConfig,
) -> bool {
    let membership = reactor.local::<Membership>();
    let Some(remote) = membership.member().and_then(|member| member.remotes.get(shard)) else {
        return false;
    };
    let attach = move |reactor: &Reactor| {
        let Handed { socket, peer, moved } = handed;
        let Some(moved) = moved else { return };
        let mut socket = Socket::from(socket);
        match socket.watch(reactor) {
            Ok(token) => {
                let shared = Shared::new(reactor, config, None);
                let builder = StreamBuilder { reactor, socket, token, peer, shared };
                builder.start_moved(moved, |_| None::<DynProtocol>);
            }
            Err(error) => {
                tracing::error!(%peer, %error, "could not register a connection from another reactor; it is closed");
            }
        }
    };
    remote.call(attach).is_ok()
}

impl StreamBuilder<'_> {
    /// Starts a stream for a connection from another reactor, with what it took along. `build` is the factory of its port.
    pub(crate) fn start_moved<P: Protocol>(
        self,
        moved: Box<dyn Any + Send>,
        build: impl FnOnce(&Peer) -> Option<P>,
    ) {
        let (reactor, token, peer) = (self.reactor, self.token, self.peer.clone());
        let Ok(moved) = moved.downcast::<Moved>() else { return reactor.deregister(token, true) };
        let Moved { unread, make } = *moved;
        let what = || format!("the factory of a moved connection with {peer}");
        let built = reactor.guard(what, || match make {
            Some(make) => Some(make(&peer)),
            None => build(&peer).map(boxed),
        });
        let Ok(Some(protocol)) = built else {
            return reactor.deregister(token, true);
        };
        let transport = self.adopt(Some(protocol));
        let what = || transport.inner().describe();
        if let Err(panic) = reactor.guard(what, || transport.begin_moved(reactor, unread)) {
            transport.panicked(reactor, &panic.message);
        }
    }
}

impl Stream {
    fn share(&self) -> Option<&Share> {
        self.shared.port.as_ref()?.share()
    }

    fn take_moving(&self) -> Option<Box<Move>> {
        self.holds_if_any()?.handover.moving.take()
    }

    /// Whether this connection is one that can move.
    pub(super) fn may_move(&self) -> Result<(), SendToError> {
        let state = self.state.get();
        let is_plain = self.with_socket(|socket| socket.is_kernel_socket());
        #[cfg(unix)]
        let holds_descriptors =
            self.cold_if_any().is_some_and(|cold| !cold.descriptors.borrow().is_empty());
        #[cfg(not(unix))]
        let holds_descriptors = false;
        match () {
            () if !state.is_open() => Err(SendToError::Closed),
            () if state.has_input_ended() || !state.is_output_open() => {
                Err(SendToError::HalfClosed)
            }
            () if self.is_layered() => Err(SendToError::Tls),
            () if !is_plain => Err(SendToError::NotASocket),
            () if self.is_relayed() => Err(SendToError::Relayed),
            () if self.has_successor() => Err(SendToError::Pending),
            () if holds_descriptors => Err(SendToError::ReceivedDescriptors),
            () if !IS_SUPPORTED => Err(SendToError::Unsupported),
            () => Ok(()),
        }
    }

    /// Whether that reactor takes it. `by_factory`: its port there builds the protocol.
    fn may_move_to(&self, shard: usize, by_factory: bool) -> Result<(), SendToError> {
        let Some(reactor) = self.reactor() else { return Err(SendToError::Closed) };
        let membership = reactor.local::<Membership>();
        let Some(member) = membership.member() else { return Err(SendToError::NoReactors) };
        let shards = member.remotes.len();
        match () {
            () if shard >= shards => return Err(SendToError::NoSuchShard { shard, shards }),
            () if shard == member.shard => return Err(SendToError::AlreadyThere { shard }),
            () if member.remotes.get(shard).is_none() => {
                return Err(SendToError::Stopped { shard });
            }
            () => {}
        }
        match self.share() {
            Some(share) => share.can_take(shard).map_err(|reason| match reason {
                NotQueued::Closed => SendToError::Stopped { shard },
                NotQueued::Full => SendToError::Full { shard },
            }),
            None if by_factory => Err(SendToError::NoFactory),
            None => Ok(()),
        }
    }
}
