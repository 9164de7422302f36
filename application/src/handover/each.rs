//! Calls on every reactor that has sockets to be handed over: [`on_each`]. One reactor is a case of several.

use std::{
    cell::{Cell, RefCell},
    collections::HashMap,
    sync::Arc,
};

use sinew_reactor::{Reactor, Remote};

use super::Shared;

/// The answer of one reactor. Dropped without one, it counts as that of a reactor that has ended.
pub(super) struct Reply<T: Send + 'static> {
    id: u64,
    origin: Remote,
    answer: Option<T>,
}

impl<T: Send + 'static> Reply<T> {
    pub(super) fn send(mut self, answer: T) {
        self.answer = Some(answer);
    }
}

impl<T: Send + 'static> Drop for Reply<T> {
    fn drop(&mut self) {
        let (id, answer) = (self.id, self.answer.take());
        // An error says that the reactor that asked has ended.
        let _ = self.origin.call(move |reactor| {
            reactor.local::<Gatherings<T>>().answered(reactor, id, answer);
        });
    }
}

type Then<T> = Box<dyn FnOnce(&Reactor, Vec<T>)>;

struct Gathering<T> {
    left: usize,
    answers: Vec<T>,
    then: Then<T>,
}

/// The calls of a reactor whose answers are not complete.
struct Gatherings<T> {
    next: Cell<u64>,
    open: RefCell<HashMap<u64, Gathering<T>>>,
}

impl<T> Default for Gatherings<T> {
    fn default() -> Self {
        Self { next: Cell::default(), open: RefCell::default() }
    }
}

impl<T: Send + 'static> Gatherings<T> {
    fn answered(&self, reactor: &Reactor, id: u64, answer: Option<T>) {
        let mut open = self.open.borrow_mut();
        let Some(gathering) = open.get_mut(&id) else { return };
        gathering.answers.extend(answer);
        gathering.left -= 1;
        if gathering.left > 0 {
            return;
        }
        let gathering = open.remove(&id);
        drop(open);
        if let Some(Gathering { answers, then, .. }) = gathering {
            then(reactor, answers);
        }
    }
}

/// Calls `f` on the thread of each reactor, and `then` on this one with the answers, in any order. Reactors that have ended give
/// none.
pub(super) fn on_each<T: Send + 'static>(
    shared: &Shared,
    reactor: &Reactor,
    f: impl Fn(&Reactor, Reply<T>) + Send + Sync + 'static,
    then: impl FnOnce(&Reactor, Vec<T>) + 'static,
) {
    let remotes = shared.lock().reactors.clone();
    let gatherings = reactor.local::<Gatherings<T>>();
    let id = gatherings.next.get();
    gatherings.next.set(id + 1);
    // One answer of our own, so that a program without sockets gets one, too.
    let gathering =
        Gathering { left: remotes.len() + 1, answers: Vec::new(), then: Box::new(then) };
    gatherings.open.borrow_mut().insert(id, gathering);
    let f = Arc::new(f);
    for remote in remotes {
        let reply = Reply { id, origin: reactor.remote(), answer: None };
        let f = f.clone();
        // If it fails, the reply is dropped.
        let _ = remote.call(move |reactor| f(reactor, reply));
    }
    drop(Reply::<T> { id, origin: reactor.remote(), answer: None });
}
