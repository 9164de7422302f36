//! The serving loop: [`BaseServer::serve_forever`], [`BaseServer::handle_request`], and how other threads end them.
//! Accepting requests is in `accept.rs`, the state of serving in `serving.rs`.

use std::{io, time::Duration};

use sinew_reactor::{Phase, Reactor};

use crate::{BaseServer, ServeError, ShutdownError, accept::Acceptor};

/// The outcome of [`BaseServer::handle_request`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Waited {
    /// A request arrived, and was handled, passed to its thread or child, or rejected.
    Request,
    /// No request arrived in time; [`handle_timeout`](crate::Hooks::handle_timeout) was called.
    TimedOut,
    /// It was stopped, by [`shutdown`](BaseServer::shutdown) or [`stop`](BaseServer::stop).
    Stopped,
}

impl BaseServer {
    /// Handles requests until [`shutdown`](Self::shutdown) or [`stop`](Self::stop) is called or, on Unix, SIGINT or
    /// SIGTERM arrives. The server can be served again afterwards.
    ///
    /// Requests accepted by then are still handled; [`server_close`](crate::Server::server_close) waits for them.
    ///
    /// # Errors
    ///
    /// [`ServeError`] if it cannot be served, or the reactor fails.
    pub fn serve_forever(&self) -> Result<(), ServeError> {
        self.serve(None, |_| ()).map(drop)
    }

    /// As [`serve_forever`](Self::serve_forever); the loop calls `ready` as soon as it runs. From then on signals end
    /// it, and `shutdown` works.
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

    /// Waits for one request, at most for [`timeout`](crate::ServerConfig::timeout), and has it handled. SIGINT and
    /// SIGTERM keep the program's own actions, since nothing would handle them between two calls.
    ///
    /// # Errors
    ///
    /// As [`serve_forever`](Self::serve_forever).
    pub fn handle_request(&self) -> Result<Waited, ServeError> {
        self.serve(Some(self.timeout()), |_| ())
    }

    /// `once` is `Some` to serve a single request, with the time limit for it.
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
        // Handlers in place block the loop by design.
        let reactor = Reactor::builder()
            .engine(core.settings.engine)
            .slow_callback(Duration::MAX)
            .stop_signals(once.is_none())
            .build()
            .map_err(io::Error::from)?;
        let Some(guard) = core.serving.begin(reactor.remote())? else { return Ok(Waited::Stopped) };
        let acceptor = Acceptor::register(&reactor, self, socket, once)?;
        core.serving.set_acceptor(acceptor.token());
        let server = self.clone();
        reactor.on(Phase::AfterStartup, move |_| ready(&server));
        let ran = reactor.run();
        let outcome = acceptor.outcome();
        drop((acceptor, reactor));
        drop(guard);
        ran?;
        Ok(outcome)
    }

    /// Ends [`serve_forever`](Self::serve_forever) and waits until it has returned, which takes no longer than the
    /// request that is being handled in place. Handlers in threads and children keep running. If the server has not
    /// been served yet, the first `serve_forever` returns at once, so the order in which two threads get there does not
    /// matter.
    ///
    /// # Errors
    ///
    /// [`ShutdownError::WouldDeadlock`] from the serving thread, including hooks and handlers in place;
    /// [`ShutdownError::NotServing`] after serving has ended; [`ShutdownError::InChild`] from a forked handler.
    pub fn shutdown(&self) -> Result<(), ShutdownError> {
        self.core.serving.request_stop(true)
    }

    /// As [`shutdown`](Self::shutdown), but does not wait, so the serving thread may call it.
    ///
    /// # Errors
    ///
    /// [`ShutdownError::NotServing`] and [`ShutdownError::InChild`].
    pub fn stop(&self) -> Result<(), ShutdownError> {
        self.core.serving.request_stop(false)
    }
}
