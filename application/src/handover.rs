//! Restarts that lose nobody: [`Handover`]. A running program starts its next version, gives it the listening sockets, and ends
//! when that one is ready; if that one fails, the old one goes on. Unix only.
//!
//! The two talk over a socketpair. What each side waits for is a table at the head of `upgrade.rs` (the old process) and of
//! `successor.rs` (the new one); the messages are in `message.rs`.

use std::{
    collections::HashMap,
    fmt::{self, Display},
    os::unix::net::UnixStream,
    process::Command,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use sinew_reactor::{Deferred, Reactor, Remote};
use sinew_transports::{
    Address, DatagramConfig, DatagramProtocol, DatagramTransport, Factory, ListenError,
    ListeningPort, UdpError, endpoint::ServerEndpoint,
};

mod channel;
mod each;
mod error;
mod inherit;
mod message;
mod outbox;
mod port;
mod service;
mod sockets;
mod successor;
mod upgrade;

pub use error::{HandoverError, UpgradeError};
use inherit::Inherited;
pub use port::HandoverPort;
pub use service::HandoverService;
pub use upgrade::Upgraded;

/// The environment variable that tells a program which of its descriptors leads to the process that it replaces.
pub const VARIABLE: &str = "SINEW_HANDOVER";

/// How long a new process has, by default, to say that it is ready.
const START_MAX: Duration = Duration::from_secs(30);

/// The sockets of a program, of which a next version can take over. `Send + Sync`, cheap to clone.
///
/// A program uses it in four places:
///
/// 1. [`inherit`](Self::inherit), first of all, before it makes threads: receives the sockets of the process that it is to
///    replace, if there is one.
/// 2. [`listen`](Self::listen), [`port`](Self::port) and [`listen_udp`](Self::listen_udp) in place of the usual calls: use an
///    inherited socket of this name if there is one, else a new one.
/// 3. [`ready`](Self::ready), when all has started: the old process accepts no more, and this one begins to.
/// 4. [`upgrade`](Self::upgrade), on a signal or a command: starts the next version. When it has taken over, the program drains
///    its connections and ends; when it has failed, the program goes on as if nothing had been.
///
/// Connections wait in the queues of the sockets between the old process's last accept and the new one's first, so none is
/// refused.
///
/// # Several reactors
///
/// Call `listen` in [`Reactors::setup`](sinew_transports::reactors::Reactors::setup) with the same name on each reactor, with
/// [`reuse_port`](sinew_transports::ListenConfig::reuse_port) on Linux, so that each has a socket of its own. All of them are
/// handed over, and shared out among the new reactors, however many these are. Call `ready` and `upgrade` on any of them.
///
/// # Examples
///
/// `examples/restart_echo.rs` is a whole program.
#[derive(Clone)]
pub struct Handover {
    shared: Arc<Shared>,
}

struct Shared {
    state: Mutex<State>,
}

struct State {
    stage: Stage,
    /// To the process that is to be replaced, until `ready`.
    channel: Option<(UnixStream, message::Decoder)>,
    /// Its sockets, by name.
    inherited: HashMap<String, Vec<Inherited>>,
    /// The reactors that have sockets of this program.
    reactors: Vec<Remote>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    /// It has a predecessor, which still serves.
    Starting,
    /// `ready` was called, and the predecessor has not handed over yet.
    Ready,
    Serving,
    Upgrading,
    /// The next process serves.
    HandedOver,
}

impl Handover {
    /// Receives the sockets of the process that this one is to replace, if [`VARIABLE`] says that there is one. Blocks until they
    /// are here: they were sent when this process was started.
    ///
    /// # Errors
    ///
    /// [`HandoverError`]: they have not come within ten seconds, or what has come is not understood. The other process goes on;
    /// this one should end.
    pub fn inherit() -> Result<Self, HandoverError> {
        let offer = inherit::receive()?;
        let stage = if offer.is_some() { Stage::Starting } else { Stage::Serving };
        let (channel, inherited) = match offer {
            Some(offer) => (Some((offer.channel, offer.decoder)), offer.sockets),
            None => (None, HashMap::new()),
        };
        let state = State { stage, channel, inherited, reactors: Vec::new() };
        Ok(Self { shared: Arc::new(Shared { state: Mutex::new(state) }) })
    }

    /// Whether another process still serves, which this one is to replace.
    #[must_use]
    pub fn has_predecessor(&self) -> bool {
        matches!(self.shared.lock().stage, Stage::Starting | Stage::Ready)
    }

    /// Whether the next process serves in place of this one.
    #[must_use]
    pub fn is_handed_over(&self) -> bool {
        self.shared.lock().stage == Stage::HandedOver
    }

    /// Listens on an inherited socket of this name, or else opens one, with the default configuration.
    ///
    /// # Errors
    ///
    /// As [`HandoverPort::listen`].
    pub fn listen<F: Factory>(
        &self,
        reactor: &Reactor,
        name: &str,
        endpoint: &ServerEndpoint,
        factory: F,
    ) -> Result<ListeningPort<Address>, ListenError> {
        self.port(name).listen(reactor, endpoint, factory)
    }

    /// A port of this name that is to be configured before it listens. Names have at most 255 bytes, and are used once on each
    /// reactor.
    pub fn port(&self, name: &str) -> HandoverPort {
        HandoverPort::new(self, name)
    }

    /// Receives datagrams on an inherited socket of this name, or else on a new one at this address.
    ///
    /// # Errors
    ///
    /// [`UdpError`], as of [`ReactorUdp::listen_udp_with`](sinew_transports::ReactorUdp::listen_udp_with); also if the name is
    /// too long or used already.
    pub fn listen_udp<P: DatagramProtocol>(
        &self,
        reactor: &Reactor,
        name: &str,
        addr: std::net::SocketAddr,
        config: DatagramConfig,
        protocol: P,
    ) -> Result<DatagramTransport, UdpError> {
        sockets::listen_udp(&self.shared, reactor, name, addr, config, protocol)
    }

    /// Receives datagrams on a socket of this process, which is handed over under this name: for a service that starts again, and goes
    /// on with the socket that it had ([`DatagramTransport::to_hand_over`]).
    ///
    /// # Errors
    ///
    /// As of [`listen_udp`](Self::listen_udp), with the address of the socket.
    pub fn adopt_udp<P: DatagramProtocol>(
        &self,
        reactor: &Reactor,
        name: &str,
        socket: std::os::fd::OwnedFd,
        config: DatagramConfig,
        protocol: P,
    ) -> Result<DatagramTransport, UdpError> {
        sockets::adopt_udp(&self.shared, reactor, name, socket, config, protocol)
    }

    /// Says that this program has started, and resolves when it serves. The process that it replaces accepts no more; then this
    /// one begins to. If there is none, it serves already. If that process ends meanwhile, however that happens, this one goes on
    /// alone.
    ///
    /// Inherited sockets that no call has taken are closed.
    ///
    /// # Errors
    ///
    /// [`HandoverError`]: the other process has answered something that is not understood. That one goes on, or has been handed
    /// over; this one should end.
    pub fn ready(&self, reactor: &Reactor) -> Deferred<(), HandoverError> {
        successor::ready(&self.shared, reactor)
    }

    /// Tells the process that this one was to replace that it will not, and why. For a program that cannot start, before it ends:
    /// the text becomes that process's [`UpgradeError::Reported`]. Does nothing without such a process, or after
    /// [`ready`](Self::ready).
    pub fn failed(&self, why: &dyn Display) {
        let channel = {
            let mut state = self.shared.lock();
            match state.stage {
                Stage::Starting => state.channel.take(),
                _ => None,
            }
        };
        if let Some((channel, _)) = channel {
            inherit::report(channel, why);
        }
    }

    /// Starts the next version of this program, and hands the sockets over to it. It has 30 seconds to say that it is ready
    /// ([`upgrade_within`](Self::upgrade_within) changes that).
    ///
    /// The result comes when it serves, and the open connections that can have gone over to it ([`HandoverPort::rebuild`]). Then
    /// stop the reactor, with a drain of the other connections; connections that become free go over until it ends.
    ///
    /// The program inherits standard input, output and error, unless the command says otherwise.
    ///
    /// # Errors
    ///
    /// [`UpgradeError`]: why it did not take over. It has been killed if it had not ended, and this program goes on with all its
    /// sockets and connections.
    pub fn upgrade(&self, reactor: &Reactor, command: Command) -> Deferred<Upgraded, UpgradeError> {
        self.upgrade_within(reactor, START_MAX, command)
    }

    /// As [`upgrade`](Self::upgrade), with another time for the start of the program.
    pub fn upgrade_within(
        &self,
        reactor: &Reactor,
        start_max: Duration,
        command: Command,
    ) -> Deferred<Upgraded, UpgradeError> {
        upgrade::upgrade(&self.shared, reactor, start_max, command)
    }
}

impl Shared {
    /// Held for a few lines, and never while other code runs.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Handover {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = self.shared.lock();
        f.debug_struct("Handover")
            .field("stage", &state.stage)
            .field("inherited", &state.inherited.keys())
            .finish_non_exhaustive()
    }
}
