//! A bound on checks that are made at once: [`Gate`]. Without it, logins would take all threads of the pool, or start any number of
//! programs.

use std::{cell::RefCell, collections::VecDeque, rc::Rc};

use sinew_transports::reactor::{Deferred, Failure, Reactor};

use crate::AuthError;

type Start = Box<dyn FnOnce(&Reactor, Slot)>;

/// Jobs, of which a few run and a few more wait. A handle: clones are the same gate.
#[derive(Clone)]
pub(crate) struct Gate(Rc<RefCell<State>>);

struct State {
    running_max: usize,
    waiting_max: usize,
    running: usize,
    waiting: VecDeque<Start>,
}

/// The place of a job that runs. It is given up when this is dropped, also by the end of the reactor's run, which calls nobody.
struct Slot(Gate);

impl Gate {
    /// At least one runs.
    pub(crate) fn new(running_max: usize, waiting_max: usize) -> Self {
        let running_max = running_max.max(1);
        Self(Rc::new(RefCell::new(State {
            running_max,
            waiting_max,
            running: 0,
            waiting: VecDeque::new(),
        })))
    }

    /// Starts a job as soon as there is room. Fails with [`Failure::Overloaded`] if too many wait. A job that has been started is not
    /// cancelled, so that hanging up does not make room for the next.
    pub(crate) fn run<T: 'static>(
        &self,
        reactor: &Reactor,
        job: impl FnOnce(&Reactor) -> Deferred<T, AuthError> + 'static,
    ) -> Deferred<T, AuthError> {
        let (promise, deferred) = reactor.promise();
        let gate = self.clone();
        let start: Start = Box::new(move |reactor, slot| {
            if promise.is_pending() {
                job(reactor).then(move |reactor, result| {
                    promise.settle(result);
                    drop(slot);
                    gate.start(reactor);
                });
            }
        });
        let mut state = self.0.borrow_mut();
        let is_busy = state.running >= state.running_max;
        if is_busy && state.waiting.len() >= state.waiting_max {
            let limit = state.waiting_max;
            return Deferred::failed_on(reactor, Failure::Overloaded { limit }.into());
        }
        state.waiting.push_back(start);
        drop(state);
        self.start(reactor);
        deferred
    }

    /// Starts what there is room for.
    fn start(&self, reactor: &Reactor) {
        loop {
            let mut state = self.0.borrow_mut();
            if state.running >= state.running_max {
                return;
            }
            let Some(start) = state.waiting.pop_front() else { return };
            state.running += 1;
            drop(state);
            start(reactor, Slot(self.clone()));
        }
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        self.0.0.borrow_mut().running -= 1;
    }
}

#[cfg(test)]
mod tests {
    use std::{cell::Cell, time::Duration};

    use sinew_transports::reactor::Promise;

    use super::*;

    fn turn(reactor: &Reactor) {
        reactor.advance(Duration::ZERO).unwrap();
    }

    #[test]
    fn some_run_some_wait_the_rest_are_refused() {
        let reactor = Reactor::simulated(0);
        let gate = Gate::new(2, 3);
        let (begun, open) = (Rc::new(Cell::new(0)), Rc::new(RefCell::new(Vec::new())));
        let mut results: Vec<_> = (0..6)
            .map(|_| {
                let (begun, open) = (begun.clone(), open.clone());
                gate.run(&reactor, move |reactor| {
                    begun.set(begun.get() + 1);
                    let (promise, deferred): (Promise<(), AuthError>, _) = reactor.promise();
                    open.borrow_mut().push(promise);
                    deferred
                })
            })
            .collect();
        turn(&reactor);
        assert_eq!(begun.get(), 2);
        let refused = results.pop().unwrap().take();
        assert!(matches!(refused, Some(Err(AuthError::Unavailable(_)))));
        // One that runs and one that waits are cancelled: the first keeps its place, the second is never begun.
        results.remove(2).cancel();
        results.remove(0).cancel();
        turn(&reactor);
        assert_eq!(begun.get(), 2);
        for (finished, expected) in [(0, 3), (1, 4), (2, 4), (3, 4)] {
            open.borrow_mut().remove(0).resolve(());
            turn(&reactor);
            assert_eq!(begun.get(), expected, "{finished}");
        }
        assert!(results.iter().all(|result| matches!(result.take(), Some(Ok(())))));
        assert_eq!(gate.0.borrow().running, 0);
    }

    /// The end of a run drops callbacks.
    #[test]
    fn a_new_run_begins_with_room() {
        let gate = Gate::new(1, 0);
        let reactor = Reactor::builder().pool_grace(Duration::ZERO).build().unwrap();
        for _ in 0..3 {
            let result = gate.run(&reactor, |reactor| {
                let never = reactor.defer_to_thread(std::thread::park);
                never.map(|never: Result<(), Failure>| Ok(never?))
            });
            assert!(!result.is_settled(), "it has begun");
            reactor.call_soon(|reactor| reactor.stop().unwrap());
            reactor.run().unwrap();
        }
    }
}
