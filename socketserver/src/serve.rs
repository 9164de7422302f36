//! Serving: [`BaseServer::serve_forever`], [`BaseServer::handle_request`], and how other threads end them. What is done with
//! the requests is in `accept.rs`.

use std::{
    process,
    sync::{
        Condvar, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    thread::{self, ThreadId},
    time::Duration,
};

use sinew_reactor::{Phase, Reactor, Remote, Token};

use crate::{BaseServer, CloseError, ServeError, ShutdownError, accept::Acceptor, server::lock};

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

/// Who serves, and how it is reached.
#[derive(Debug, Default)]
pub(crate) struct Serving {
    stage: Mutex<Stage>,
    ended: Condvar,
    /// It was asked to stop: what is there is left where it is.
    stopping: AtomicBool,
    /// The loop has stopped accepting until there is room.
    wants_room: AtomicBool,
}

#[derive(Debug, Default)]
enum Stage {
    /// Nobody has served it yet.
    #[default]
    New,
    /// Nobody has, and whoever comes first is to leave at once.
    StoppedFirst,
    By(Loop),
    Ended,
}

#[derive(Clone, Debug)]
struct Loop {
    thread: ThreadId,
    /// A child of fork(2) has the same threads by name, but nobody serves there.
    process: u32,
    remote: Remote,
    acceptor: Option<Token>,
}

/// While it lives, this thread serves.
struct Turn<'a>(&'a Serving);

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        *lock(&self.0.stage) = Stage::Ended;
        self.0.ended.notify_all();
    }
}

impl Serving {
    /// `None` if it is to leave at once.
    fn begin(&self, remote: Remote) -> Result<Option<Turn<'_>>, ServeError> {
        let mut stage = lock(&self.stage);
        match *stage {
            Stage::By(_) => return Err(ServeError::AlreadyServing),
            Stage::StoppedFirst => {
                *stage = Stage::Ended;
                return Ok(None);
            }
            Stage::New | Stage::Ended => {}
        }
        self.stopping.store(false, Ordering::Release);
        self.wants_room.store(false, Ordering::Release);
        *stage = Stage::By(Loop {
            thread: thread::current().id(),
            process: process::id(),
            remote,
            acceptor: None,
        });
        Ok(Some(Turn(self)))
    }

    fn set_acceptor(&self, token: Token) {
        if let Stage::By(by) = &mut *lock(&self.stage) {
            by.acceptor = Some(token);
        }
    }

    fn by(&self) -> Option<Loop> {
        match &*lock(&self.stage) {
            Stage::By(by) => Some(by.clone()),
            _ => None,
        }
    }

    pub(crate) fn is_stopping(&self) -> bool {
        self.stopping.load(Ordering::Acquire)
    }

    /// Has [`room_made`](Self::room_made) wake the loop.
    pub(crate) fn want_room(&self) {
        self.wants_room.store(true, Ordering::SeqCst);
    }

    /// A request can be taken again: the loop goes on, if it waits for that.
    pub(crate) fn room_made(&self) {
        if !self.wants_room.swap(false, Ordering::SeqCst) {
            return;
        }
        if let Some(Loop { remote, acceptor: Some(token), .. }) = self.by() {
            // If it has ended, it wants no room.
            let _ = remote.call(move |reactor| reactor.run_again(token));
        }
    }
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
            .build()?;
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
        self.ask_to_stop(true)
    }

    /// As [`shutdown`](Self::shutdown), but does not wait, and so may be called by the thread that serves.
    ///
    /// # Errors
    ///
    /// [`ShutdownError::NotServing`] and [`ShutdownError::InChild`].
    pub fn stop(&self) -> Result<(), ShutdownError> {
        self.ask_to_stop(false)
    }

    fn ask_to_stop(&self, wait: bool) -> Result<(), ShutdownError> {
        let serving = &self.core.serving;
        let mut stage = lock(&serving.stage);
        let by = match &mut *stage {
            Stage::By(by) => by.clone(),
            Stage::Ended => return Err(ShutdownError::NotServing),
            first => {
                *first = Stage::StoppedFirst;
                return Ok(());
            }
        };
        if by.process != process::id() {
            return Err(ShutdownError::InChild);
        }
        if wait && by.thread == thread::current().id() {
            return Err(ShutdownError::WouldDeadlock);
        }
        serving.stopping.store(true, Ordering::Release);
        // If it has ended on its own, all the better.
        let _ = by.remote.stop();
        while wait && matches!(&*stage, Stage::By(_)) {
            stage = serving.ended.wait(stage).unwrap_or_else(PoisonError::into_inner);
        }
        Ok(())
    }

    /// Before a close: nobody is to serve any more.
    pub(crate) fn end_serving(&self) -> Result<(), CloseError> {
        let Some(by) = self.core.serving.by() else { return Ok(()) };
        if by.process == process::id() && by.thread == thread::current().id() {
            let _ = self.stop();
            return Err(CloseError::OwnThread);
        }
        let _ = self.shutdown();
        Ok(())
    }
}
