//! The state of serving: which thread serves, how other threads reach its loop, and the stop request: [`Serving`].

use std::{
    sync::{
        Condvar, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    thread::{self, ThreadId},
};

use sinew_reactor::{Remote, Token, process::Origin};

use crate::{CloseError, ServeError, ShutdownError, lock::lock};

/// The state of serving, shared between threads.
#[derive(Debug, Default)]
pub(crate) struct Serving {
    stage: Mutex<Stage>,
    ended: Condvar,
    /// A stop was requested: pending requests are not accepted any more.
    stopping: AtomicBool,
    /// The loop has stopped accepting until there is room.
    room_requested: AtomicBool,
}

#[derive(Debug, Default)]
enum Stage {
    /// Not served yet.
    #[default]
    New,
    /// Not served yet, and the first call is to return at once.
    StopRequested,
    Serving(Loop),
    Ended,
}

#[derive(Clone, Debug)]
struct Loop {
    thread: ThreadId,
    /// A child of fork(2) has a thread of the same id, which does not serve.
    origin: Origin,
    remote: Remote,
    acceptor: Option<Token>,
}

/// Proof that this thread serves; dropping it ends the serving.
pub(crate) struct ServingGuard<'a>(&'a Serving);

impl Drop for ServingGuard<'_> {
    fn drop(&mut self) {
        *lock(&self.0.stage) = Stage::Ended;
        self.0.ended.notify_all();
    }
}

impl Serving {
    /// `None` if the call is to return at once.
    pub(crate) fn begin(&self, remote: Remote) -> Result<Option<ServingGuard<'_>>, ServeError> {
        let mut stage = lock(&self.stage);
        match *stage {
            Stage::Serving(_) => return Err(ServeError::AlreadyServing),
            Stage::StopRequested => {
                *stage = Stage::Ended;
                return Ok(None);
            }
            Stage::New | Stage::Ended => {}
        }
        self.stopping.store(false, Ordering::Release);
        self.room_requested.store(false, Ordering::Release);
        *stage = Stage::Serving(Loop {
            thread: thread::current().id(),
            origin: Origin::here(),
            remote,
            acceptor: None,
        });
        Ok(Some(ServingGuard(self)))
    }

    /// Sets the token of the loop's accepting handler.
    pub(crate) fn set_acceptor(&self, token: Token) {
        if let Stage::Serving(serving) = &mut *lock(&self.stage) {
            serving.acceptor = Some(token);
        }
    }

    fn current(&self) -> Option<Loop> {
        match &*lock(&self.stage) {
            Stage::Serving(serving) => Some(serving.clone()),
            _ => None,
        }
    }

    pub(crate) fn is_stopping(&self) -> bool {
        self.stopping.load(Ordering::Acquire)
    }

    /// Requests a wakeup by [`room_made`](Self::room_made).
    pub(crate) fn request_room(&self) {
        self.room_requested.store(true, Ordering::SeqCst);
    }

    /// A request can be taken again: wakes the loop, if it waits for that.
    pub(crate) fn room_made(&self) {
        if !self.room_requested.swap(false, Ordering::SeqCst) {
            return;
        }
        if let Some(Loop { remote, acceptor: Some(token), .. }) = self.current() {
            // Fails if the loop has ended, which then needs no room.
            let _ = remote.call(move |reactor| reactor.reschedule(token));
        }
    }

    /// Asks the loop to stop and, if `wait`, waits until it has.
    pub(crate) fn request_stop(&self, wait: bool) -> Result<(), ShutdownError> {
        let mut stage = lock(&self.stage);
        let serving = match &mut *stage {
            Stage::Serving(serving) => serving.clone(),
            Stage::Ended => return Err(ShutdownError::NotServing),
            first => {
                *first = Stage::StopRequested;
                return Ok(());
            }
        };
        if !serving.origin.is_here() {
            return Err(ShutdownError::InChild);
        }
        if wait && serving.thread == thread::current().id() {
            return Err(ShutdownError::WouldDeadlock);
        }
        self.stopping.store(true, Ordering::Release);
        // Fails if the loop has ended by itself, which is fine.
        let _ = serving.remote.stop();
        while wait && matches!(&*stage, Stage::Serving(_)) {
            stage = self.ended.wait(stage).unwrap_or_else(PoisonError::into_inner);
        }
        Ok(())
    }

    /// Called before a close: stops serving.
    pub(crate) fn end(&self) -> Result<(), CloseError> {
        let Some(serving) = self.current() else { return Ok(()) };
        if serving.origin.is_here() && serving.thread == thread::current().id() {
            let _ = self.request_stop(false);
            return Err(CloseError::OwnThread);
        }
        let _ = self.request_stop(true);
        Ok(())
    }
}
