//! Who serves, how it is reached from other threads, and how it is told to stop: [`Serving`].

use std::{
    sync::{
        Condvar, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    thread::{self, ThreadId},
};

use sinew_reactor::{Remote, Token, process::Origin};

use crate::{CloseError, ServeError, ShutdownError, lock::lock};

/// See the head of this file.
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
    origin: Origin,
    remote: Remote,
    acceptor: Option<Token>,
}

/// While it lives, this thread serves.
pub(crate) struct Turn<'a>(&'a Serving);

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        *lock(&self.0.stage) = Stage::Ended;
        self.0.ended.notify_all();
    }
}

impl Serving {
    /// `None` if it is to leave at once.
    pub(crate) fn begin(&self, remote: Remote) -> Result<Option<Turn<'_>>, ServeError> {
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
            origin: Origin::here(),
            remote,
            acceptor: None,
        });
        Ok(Some(Turn(self)))
    }

    /// Which handler of the loop accepts.
    pub(crate) fn set_acceptor(&self, token: Token) {
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
            let _ = remote.call(move |reactor| reactor.reschedule(token));
        }
    }

    /// Has the loop stop, and waits until it has if it is to.
    pub(crate) fn ask_to_stop(&self, wait: bool) -> Result<(), ShutdownError> {
        let mut stage = lock(&self.stage);
        let by = match &mut *stage {
            Stage::By(by) => by.clone(),
            Stage::Ended => return Err(ShutdownError::NotServing),
            first => {
                *first = Stage::StoppedFirst;
                return Ok(());
            }
        };
        if !by.origin.is_here() {
            return Err(ShutdownError::InChild);
        }
        if wait && by.thread == thread::current().id() {
            return Err(ShutdownError::WouldDeadlock);
        }
        self.stopping.store(true, Ordering::Release);
        // If it has ended on its own, all the better.
        let _ = by.remote.stop();
        while wait && matches!(&*stage, Stage::By(_)) {
            stage = self.ended.wait(stage).unwrap_or_else(PoisonError::into_inner);
        }
        Ok(())
    }

    /// Before a close: nobody is to serve any more.
    pub(crate) fn end(&self) -> Result<(), CloseError> {
        let Some(by) = self.by() else { return Ok(()) };
        if by.origin.is_here() && by.thread == thread::current().id() {
            let _ = self.ask_to_stop(false);
            return Err(CloseError::OwnThread);
        }
        let _ = self.ask_to_stop(true);
        Ok(())
    }
}
