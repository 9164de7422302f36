//! How transfers run: as tasks with a result ([`run`]), with their files on threads ([`on_thread`]).

use std::{cell::RefCell, rc::Rc};

use sinew_transports::reactor::{Deferred, Reactor, Task};

use super::DccError;
use crate::irc::client::IrcClient;

/// Runs `work`. To cancel the deferred, or to drop it, ends the work.
pub(super) fn run<T: 'static, F>(
    irc: &IrcClient,
    work: impl FnOnce(Reactor) -> F,
) -> Deferred<T, DccError>
where
    F: Future<Output = Result<T, DccError>> + 'static,
{
    let (promise, deferred) = irc.0.reactor.promise();
    let Some(reactor) = irc.0.reactor.upgrade() else { return deferred };
    let running: Rc<RefCell<Option<Task<()>>>> = Rc::default();
    let of_cancel = Rc::clone(&running);
    promise.on_cancel(move |_| drop(of_cancel.take()));
    let work = work(reactor.clone());
    let task = reactor.spawn(async move { promise.settle(work.await) });
    running.replace(Some(task));
    deferred
}

/// Runs what may block on a thread of the pool.
pub(super) async fn on_thread<T: Send + 'static>(
    reactor: &Reactor,
    f: impl FnOnce() -> Result<T, DccError> + Send + 'static,
) -> Result<T, DccError> {
    reactor.defer_to_thread(f).await?
}
