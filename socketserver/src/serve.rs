//! Serving: [`BaseServer::serve_forever`], [`BaseServer::handle_request`], and how other threads end them. What is done with
//! the requests is in `accept.rs`; who serves is kept in `serving.rs`.

use std::{io, time::Duration};

use sinew_reactor::{Phase, Reactor};

use crate::{BaseServer, ServeError, ShutdownError, accept::Acceptor};

/// How [`BaseServer::handle_request`] ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Waited {
    /// A request came, and was handled, handed to its thread or child, or turned away.
    Request,
    /// None came in time; [`handle_timeout`](crate::Hooks::handle_timeout) was called.
    TimedOut,
    /// It was told to stop, by [`shutdown`](BaseServer::shutdown) or [`stop`](BaseServer::stop).
    Stopped,
}

impl BaseServer {
    /// Handles requests until [`shutdown`](Self::shutdown) or [`stop`](Self::stop) or, on Unix, SIGINT or SIGTERM. Then it may
    /// be served again.
    ///
    /// What is accepted by then is handled; see [`server_close`](crate::Server::server_close), which waits for it.
    ///
    /// # Errors
    ///
    /// [`ServeError`] if it cannot be served, or the reactor fails.
    pub fn serve_forever(&self) -> Result<(), ServeError> {
        self.serve(None, |_| ()).map(drop)
    }

    /// As [`serve_forever`](Self::serve_forever); `ready` is called by the loop as soon as it runs. From there on signals end
    /// it, and `shutdown` reaches it.
    ///
    /// # Errors
    ///
    /// As [`serve_forever`](Self::serve_forever).
    pub fn serve_forever_ready(
        &self,
        ready: impl FnOnce(&Self) + 'static,
    ) -> Result<(), ServeError> {
        self.serve(None, ready).map(drop)
    }

    /// Waits for one request, at most for [`timeout`](crate::ServerConfig::timeout), and has it handled. Signals stay the
    /// program's: between two calls nobody here could hear them, so during a call nobody does.
    ///
    /// # Errors
    ///
    /// As [`serve_forever`](Self::serve_forever).
    pub fn handle_request(&self) -> Result<Waited, ServeError> {
        self.serve(Some(self.timeout()), |_| ())
    }

    /// `once` for one request, with the time that there is for it.
    fn serve(
        &self,
        once: Option<Option<Duration>>,
        ready: impl FnOnce(&Self) + 'static,
    ) -> Result<Waited, ServeError> {
        let core = &*self.core;
        let Some(socket) = self.socket().filter(|_| !self.is_closed()) else {
            return Err(ServeError::Closed);
        };
        core.run.check()?;
        // Handlers in place block the loop, and may.
        let reactor = Reactor::builder()
            .engine(core.settings.engine)
            .slow_callback(Duration::MAX)
            .stop_signals(once.is_none())
            .build()
            .map_err(io::Error::from)?;
        let Some(turn) = core.serving.begin(reactor.remote())? else { return Ok(Waited::Stopped) };
        let acceptor = Acceptor::register(&reactor, self, socket, once)?;
        core.serving.set_acceptor(acceptor.token());
        let server = self.clone();
        reactor.on(Phase::AfterStartup, move |_| ready(&server));
        let ran = reactor.run();
        let waited = acceptor.waited();
        drop((acceptor, reactor));
        drop(turn);
        ran?;
        Ok(waited)
    }

    /// Ends [`serve_forever`](Self::serve_forever) and waits until it has returned, which takes no longer than the request that
    /// is being handled in place. Handlers in threads and children go on. A server that nobody has served yet is not served:
    /// the first `serve_forever` returns at once, so it does not matter which of two threads is faster.
    ///
    /// # Errors
    ///
    /// [`ShutdownError::WouldDeadlock`] from the thread that serves, hooks and handlers in place included;
    /// [`ShutdownError::NotServing`] after it has ended; [`ShutdownError::InChild`] from a forked handler.
    pub fn shutdown(&self) -> Result<(), ShutdownError> {
        self.core.serving.ask_to_stop(true)
    }

    /// As [`shutdown`](Self::shutdown), but does not wait, and so may be called by the thread that serves.
    ///
    /// # Errors
    ///
    /// [`ShutdownError::NotServing`] and [`ShutdownError::InChild`].
    pub fn stop(&self) -> Result<(), ShutdownError> {
        self.core.serving.ask_to_stop(false)
    }
}
