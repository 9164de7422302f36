//! The questions that are asked now: [`Flights`]. All who ask the same share one task, and get its result.

use std::{
    cell::RefCell,
    collections::HashMap,
    fmt::{self, Display},
    hash::Hash,
    rc::{Rc, Weak},
};

use sinew_transports::reactor::{Deferred, Failure, Promise, Reactor, Task};

/// Tasks by what they find out.
pub(crate) struct Flights<K, T: 'static, E: From<Failure> + Display + 'static> {
    all: RefCell<HashMap<K, Flight<T, E>>>,
}

/// A task, and those who wait for its result.
struct Flight<T: 'static, E: From<Failure> + Display + 'static> {
    /// Dropped, it stops.
    task: Option<Task<()>>,
    waiting: Vec<Promise<T, E>>,
}

/// A result that is waited for.
pub(crate) struct Joined<T: 'static, E: From<Failure> + Display + 'static> {
    pub(crate) result: Deferred<T, E>,
    /// Whether the task was there already.
    pub(crate) is_merged: bool,
}

impl<T, E: From<Failure> + Display> Flight<T, E> {
    fn is_alive(&self) -> bool {
        self.task.as_ref().is_some_and(|task| !task.is_done())
    }
}

impl<K, T, E> Flights<K, T, E>
where
    K: Clone + Eq + Hash + 'static,
    T: Clone + 'static,
    E: Clone + From<Failure> + Display + 'static,
{
    pub(crate) fn new() -> Rc<Self> {
        Rc::new(Self { all: RefCell::default() })
    }

    /// Waits for the result with all others who ask the same. If nobody does, `start` begins a task, unless there are `max` already:
    /// then `None`.
    pub(crate) fn join<F: Future<Output = Result<T, E>> + 'static>(
        self: &Rc<Self>,
        reactor: &Reactor,
        key: &K,
        max: usize,
        start: impl FnOnce() -> F,
    ) -> Option<Joined<T, E>> {
        let mut all = self.all.borrow_mut();
        // The end of a run drops tasks, and leaves the flight here.
        let is_merged = all.get(key).is_some_and(Flight::is_alive);
        if !is_merged && all.len() >= max {
            all.retain(|_, flight| flight.is_alive());
            if all.len() >= max {
                return None;
            }
        }
        let (promise, result) = reactor.promise();
        let (weak, of_cancel) = (Rc::downgrade(self), key.clone());
        promise.on_cancel(move |_| give_up(&weak, &of_cancel));
        if is_merged {
            if let Some(flight) = all.get_mut(key) {
                flight.waiting.push(promise);
            }
        } else {
            let (flights, of_task, future) = (Rc::downgrade(self), key.clone(), start());
            let task = reactor.spawn(async move {
                let result = future.await;
                if let Some(flights) = flights.upgrade() {
                    flights.landed(&of_task, &result);
                }
            });
            all.insert(key.clone(), Flight { task: Some(task), waiting: vec![promise] });
        }
        Some(Joined { result, is_merged })
    }

    /// Gives those who wait now a value. The task goes on.
    pub(crate) fn serve(&self, key: &K, value: &T) {
        let waiting = self.all.borrow_mut().get_mut(key).map(|it| std::mem::take(&mut it.waiting));
        waiting.into_iter().flatten().for_each(|promise| promise.resolve(value.clone()));
    }

    fn landed(&self, key: &K, result: &Result<T, E>) {
        let Some(mut flight) = self.all.borrow_mut().remove(key) else { return };
        if let Some(task) = flight.task.take() {
            task.detach();
        }
        flight.waiting.drain(..).for_each(|promise| promise.settle(result.clone()));
    }
}

/// Stops a task that nobody waits for.
fn give_up<K: Eq + Hash, T, E: From<Failure> + Display>(flights: &Weak<Flights<K, T, E>>, key: &K) {
    let Some(flights) = flights.upgrade() else { return };
    let mut all = flights.all.borrow_mut();
    let is_over = |flight: &Flight<T, E>| !flight.waiting.iter().any(Promise::is_pending);
    let given_up = if all.get(key).is_some_and(is_over) { all.remove(key) } else { None };
    drop(all);
    drop(given_up);
}

impl<K, T, E: From<Failure> + Display> fmt::Debug for Flights<K, T, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Flights").field("len", &self.all.borrow().len()).finish()
    }
}
