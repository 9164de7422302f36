//! Calls to other reactors, with their results: [`post`], and [`gather`], which collects those of all reactors for one of
//! them.

use std::{
    cell::Cell,
    rc::Rc,
    sync::{Arc, Mutex, PoisonError},
};

use sinew_reactor::{Deferred, Handler, Promise, Reactor, Ready, RemoteError, Token};

use super::{CallError, Shard, group::Group};

/// Gives the result of a call, exactly once: if it is dropped without one, the reactor has ended.
struct Reply<T, R: FnOnce(Result<T, CallError>)> {
    shard: usize,
    reply: Option<R>,
    result: Option<Result<T, CallError>>,
}

impl<T, R: FnOnce(Result<T, CallError>)> Drop for Reply<T, R> {
    fn drop(&mut self) {
        let stopped = CallError::Stopped { shard: self.shard };
        if let Some(reply) = self.reply.take() {
            reply(self.result.take().unwrap_or(Err(stopped)));
        }
    }
}

/// Calls `f` on the thread of a reactor, and `reply` with the result, on that thread or on this one.
pub(super) fn post<T: Send + 'static>(
    group: &Group,
    shard: usize,
    f: impl FnOnce(&Shard) -> T + Send + 'static,
    reply: impl FnOnce(Result<T, CallError>) + Send + 'static,
) {
    let shards = group.remotes.len();
    let mut reply = Reply { shard, reply: Some(reply), result: None };
    if shard >= shards {
        reply.result = Some(Err(CallError::NoSuchShard { shard, shards }));
        return;
    }
    let Some(remote) = group.remotes.get(shard) else { return };
    // Shared, so that an error of the call itself finds it, too.
    let reply = Arc::new(Mutex::new(Some(reply)));
    let answer = reply.clone();
    let called = remote.call(move |reactor| {
        let reply = answer.lock().unwrap_or_else(PoisonError::into_inner).take();
        let (Some(mut reply), Some(shard)) = (reply, Shard::of(reactor)) else { return };
        let what = || "a call from another reactor or thread".to_owned();
        let result = reactor.guard(what, || f(&shard));
        let index = shard.index();
        reply.result = Some(result.map_err(|panic| CallError::Panicked { shard: index, panic }));
    });
    if let Err(RemoteError::Full { limit }) = called {
        let reply = reply.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(mut reply) = reply {
            reply.result = Some(Err(CallError::Full { shard, limit }));
        }
    }
}

/// The results that have arrived, in the order of the reactors. Filled by their threads.
type Results<T> = Mutex<Vec<Option<Result<T, CallError>>>>;

type ResultsPromise<T> = Promise<Vec<Result<T, CallError>>>;

/// Waits, on the reactor that asked, until every result is there.
struct Gathering<T: Send + 'static> {
    token: Token,
    results: Arc<Results<T>>,
    promise: Cell<Option<ResultsPromise<T>>>,
}

/// Calls `f` on every reactor, and resolves on this one when all have answered.
pub(super) fn gather<T: Send + 'static>(
    reactor: &Reactor,
    group: &Arc<Group>,
    f: impl Fn(&Shard) -> T + Send + Sync + 'static,
) -> Deferred<Vec<Result<T, CallError>>> {
    let (promise, gathered) = reactor.promise();
    // Without room for a handler, the promise is dropped, which fails the deferred.
    let Ok(token) = reactor.reserve() else { return gathered };
    let shards = group.remotes.len();
    let results = Arc::new(Mutex::new((0..shards).map(|_| None).collect::<Vec<_>>()));
    let gathering =
        Gathering { token, results: results.clone(), promise: Cell::new(Some(promise)) };
    reactor.bind(token, Rc::new(gathering));
    let f = Arc::new(f);
    for shard in 0..shards {
        let (f, results, origin) = (f.clone(), results.clone(), reactor.remote());
        let reply = move |result| {
            let mut results = results.lock().unwrap_or_else(PoisonError::into_inner);
            results[shard] = Some(result);
            let is_last = results.iter().all(Option::is_some);
            drop(results);
            if is_last {
                // An error says that nobody waits any more.
                let _ = origin.reschedule(token);
            }
        };
        post(group, shard, move |shard| f(shard), reply);
    }
    gathered
}

impl<T: Send + 'static> Handler for Gathering<T> {
    fn ready(self: Rc<Self>, _: &Reactor, _: Ready) {}

    fn rescheduled(self: Rc<Self>, reactor: &Reactor) {
        let mut results = self.results.lock().unwrap_or_else(PoisonError::into_inner);
        let gathered = results.drain(..).flatten().collect();
        drop(results);
        if let Some(promise) = self.promise.take() {
            promise.resolve(gathered);
        }
        reactor.deregister(self.token, false);
    }

    fn describe(&self) -> String {
        "a call to all reactors".to_owned()
    }
}
