//! The configuration of a server: Python's class attributes, as [`ServerConfig`]. Every limit has a name, a default and
//! documentation.

use std::{fmt, sync::Arc, time::Duration};

use sinew_reactor::Engine;

use crate::{Hooks, InPlace, Mode, Threading};

/// The options of a server whose requests are run in the mode `M`.
///
/// # Examples
///
/// ```
/// use std::time::Duration;
/// use sinew_socketserver::{ServerConfig, Threading};
///
/// let config: ServerConfig<Threading> = ServerConfig::default()
///     .request_queue_size(4096)
///     .max_threads(64)
///     .close_timeout(Duration::from_secs(5));
/// # drop(config);
/// ```
#[derive(Clone)]
#[must_use]
pub struct ServerConfig<M: Mode = InPlace> {
    pub(crate) settings: Settings,
    pub(crate) hooks: Arc<dyn Hooks>,
    pub(crate) mode: M,
}

#[derive(Clone, Debug)]
pub(crate) struct Settings {
    pub(crate) request_queue_size: u32,
    pub(crate) allow_reuse_address: Option<bool>,
    pub(crate) allow_reuse_port: bool,
    pub(crate) timeout: Option<Duration>,
    pub(crate) max_packet_size: usize,
    pub(crate) poll_interval: Option<Duration>,
    pub(crate) close_timeout: Duration,
    pub(crate) engine: Engine,
}

impl<M: Mode> Default for ServerConfig<M> {
    fn default() -> Self {
        let settings = Settings {
            request_queue_size: 1024,
            allow_reuse_address: None,
            allow_reuse_port: false,
            timeout: None,
            max_packet_size: 8192,
            poll_interval: None,
            close_timeout: Duration::from_secs(30),
            engine: Engine::default(),
        };
        Self { settings, hooks: Arc::new(()), mode: M::default() }
    }
}

impl<M: Mode> ServerConfig<M> {
    /// The listen backlog: how many connections the kernel keeps until the server accepts them; past it, connections
    /// are refused or retried by the client. Default 1,024, which kernels reduce to their maximum. With Python's 5, the
    /// sixth connection of a burst is dropped, and its retry costs a second or more.
    pub fn request_queue_size(mut self, connections: u32) -> Self {
        self.settings.request_queue_size = connections;
        self
    }

    /// Whether to bind an address on which connections of a former server linger (`SO_REUSEADDR`), and to replace a Unix
    /// socket's file on which no process listens any more. Default `true` for TCP on Unix and for Unix sockets, so that a
    /// server can be restarted; else `false`, since it would let two servers share an address.
    pub fn allow_reuse_address(mut self, allow: bool) -> Self {
        self.settings.allow_reuse_address = Some(allow);
        self
    }

    /// Whether several sockets may be bound to the address, with requests distributed among them by the kernel
    /// (`SO_REUSEPORT`); Unix only. Default `false`.
    pub fn allow_reuse_port(mut self, allow: bool) -> Self {
        self.settings.allow_reuse_port = allow;
        self
    }

    /// How long [`handle_request`](crate::BaseServer::handle_request) waits for a request. Default: without limit.
    pub fn timeout(mut self, timeout: impl Into<Option<Duration>>) -> Self {
        self.settings.timeout = timeout.into();
        self
    }

    /// The longest datagram that is received completely; a longer one is truncated, and
    /// [`Packet::truncated`](crate::Packet::truncated) is set. Default 8,192 bytes.
    pub fn max_packet_size(mut self, bytes: usize) -> Self {
        self.settings.max_packet_size = bytes;
        self
    }

    /// Calls [`service_actions`](crate::Hooks::service_actions) at this interval, even without requests. Default: off. (In
    /// Python this is how often the server checks for a shutdown, 0.5 s; here no polling is needed.)
    pub fn poll_interval(mut self, interval: impl Into<Option<Duration>>) -> Self {
        self.settings.poll_interval = interval.into();
        self
    }

    /// How long [`server_close`](crate::Server::server_close) waits for handlers. Default 30 s. After that, the
    /// connections of threads are shut down and children get SIGTERM; after the same time once more, threads are
    /// abandoned and children get SIGKILL.
    pub fn close_timeout(mut self, timeout: Duration) -> Self {
        self.settings.close_timeout = timeout;
        self
    }

    /// The engine of the reactor. Default [`Engine::Mio`].
    pub fn engine(mut self, engine: Engine) -> Self {
        self.settings.engine = engine;
        self
    }

    /// Sets the hooks, which override the server's default behaviour.
    pub fn hooks(mut self, hooks: impl Hooks) -> Self {
        self.hooks = Arc::new(hooks);
        self
    }
}

impl ServerConfig<Threading> {
    /// How many requests are handled at once. Default 256, at least 1. (Python: no limit.)
    pub fn max_threads(mut self, threads: usize) -> Self {
        self.mode.max_threads = threads.max(1);
        self
    }

    /// How many requests are queued when all threads are busy. Default 1,024. When the queue is full, nothing more is
    /// accepted until there is room: connections stay in the kernel's backlog, and datagrams are dropped by it.
    pub fn max_queued(mut self, requests: usize) -> Self {
        self.mode.max_queued = requests;
        self
    }

    /// How long a thread waits for its next request before it ends. Default 10 s.
    pub fn thread_idle(mut self, idle: Duration) -> Self {
        self.mode.thread_idle = idle;
        self
    }

    /// Whether running handlers are abandoned by `server_close` and at the end of the program. Default `false`. (A Rust
    /// program ends with `main` whatever its threads do, so without waiting in `server_close` this is the same as
    /// [`block_on_close(false)`](Self::block_on_close).)
    pub fn daemon_threads(mut self, daemon: bool) -> Self {
        self.mode.daemon_threads = daemon;
        self
    }

    /// Whether [`server_close`](crate::Server::server_close) waits for the accepted requests. Default `true`.
    pub fn block_on_close(mut self, block: bool) -> Self {
        self.mode.block_on_close = block;
        self
    }
}

#[cfg(unix)]
impl ServerConfig<crate::Forking> {
    /// How many children may run at once. Default 40, at least 1. While that many run, nothing is accepted.
    pub fn max_children(mut self, children: usize) -> Self {
        self.mode.max_children = children.max(1);
        self
    }

    /// Whether children get SIGTERM when the server's process ends in any way, SIGKILL included, so that no child is
    /// orphaned (`PR_SET_PDEATHSIG`, prctl(2); `PROC_PDEATHSIG_CTL`, procctl(2)). The program's own action for that
    /// signal, from before it served, applies in the children. Default `true`; on Linux and FreeBSD, elsewhere children
    /// run to their end. (Python: they do everywhere.)
    pub fn end_with_parent(mut self, end: bool) -> Self {
        self.mode.end_with_parent = end;
        self
    }

    /// Whether [`server_close`](crate::Server::server_close) waits for the children. Default `true`. Children that it
    /// does not wait for must be reaped by the caller.
    pub fn block_on_close(mut self, block: bool) -> Self {
        self.mode.block_on_close = block;
        self
    }
}

impl<M: Mode> fmt::Debug for ServerConfig<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ServerConfig")
            .field("settings", &self.settings)
            .field("mode", &self.mode)
            .finish_non_exhaustive()
    }
}
