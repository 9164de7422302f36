//! Several services as one: [`MultiService`]. It starts its children in order and stops them in reverse.
//!
//! | state | `privileged_start` | `start` | `stop` | `start_child` | `stop_child` |
//! |---|---|---|---|---|---|
//! | `Idle` | of each child in order; `Prepared` | does `privileged_start` first, then as in `Prepared` | resolves at once | adds it | removes it |
//! | `Prepared` | `AlreadyStarted` | of each child in order; `Running` | `Stopping` | `privileged_start` of it | stops it, and removes it |
//! | `Running` | `AlreadyStarted` | `AlreadyStarted` | `Stopping` | both starts of it | stops it, and removes it |
//! | `Stopping` | error `Stopping` | error `Stopping` | joins the stop that goes on | error `Stopping` | waits for its end, and removes it |
//!
//! A start of a child that fails makes `Prepared` and `Running` unreachable: the child and all before it are stopped, as by
//! `stop`. `Stopping` becomes `Idle` when the last child has stopped.
//!
//! A child by itself:
//!
//! | state | meaning |
//! |---|---|
//! | `Idle` | nothing of it runs |
//! | `Touched` | its `privileged_start` has been called, and perhaps `start`: it needs a `stop` |
//! | `Stopping` | its `stop` has been called, and is awaited |

use std::{
    cell::{Cell, RefCell},
    fmt, mem,
    rc::Rc,
};

use sinew_reactor::{Deferred, Promise, Reactor};

use crate::{Service, StartError, StopError};

/// Named services that start and stop together. A handle: its clones are the same service.
///
/// Children start in the order in which they were added: `privileged_start` of all, then `start` of all. When one fails, those
/// before it are stopped, and the failure is the result. They stop in reverse order, all at once: the stop of the last begins
/// first, and none waits for another; the stop of the whole is done when the last is.
///
/// Unlike other calls into the library, `start` and `stop` of this service call those of its children before they return. The
/// loop calls them; a program that calls them itself must not have borrowed what its services need.
///
/// # Examples
///
/// ```
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use std::time::Duration;
/// use sinew_application::{MultiService, Service, TimerService};
/// use sinew_reactor::Reactor;
///
/// let services = MultiService::new();
/// services.add("minutes", TimerService::new(Duration::from_secs(60), |_: &Reactor| println!("a minute")))?;
/// services.add("hours", TimerService::new(Duration::from_secs(3600), |_: &Reactor| println!("an hour")))?;
///
/// let reactor = Reactor::simulated(1);
/// services.start(&reactor)?;
/// reactor.advance(Duration::from_secs(600))?;
/// reactor.run_until(services.stop(&reactor))??;
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Default)]
pub struct MultiService {
    inner: Rc<Inner>,
}

#[derive(Default)]
struct Inner {
    state: Cell<State>,
    children: RefCell<Vec<Rc<Child>>>,
    /// Promises of `stop`.
    stopping: RefCell<Vec<Promise<(), StopError>>>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum State {
    #[default]
    Idle,
    Prepared,
    Running,
    Stopping,
}

struct Child {
    name: String,
    service: Box<dyn Service>,
    state: Cell<ChildState>,
    /// Promises of calls that wait for its end.
    stopping: RefCell<Vec<Promise<(), StopError>>>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum ChildState {
    Idle,
    Touched,
    Stopping,
}

impl MultiService {
    /// No children yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a child, which starts with the others. Use [`start_child`](Self::start_child) once they run.
    ///
    /// # Errors
    ///
    /// [`StartError::DuplicateName`]; [`StartError::AlreadyStarted`] or [`StartError::Stopping`] if the services do not rest.
    pub fn add(&self, name: impl Into<String>, service: impl Service) -> Result<(), StartError> {
        match self.inner.state.get() {
            State::Idle => self.inner.insert(name.into(), Box::new(service)).map(drop),
            State::Prepared | State::Running => Err(StartError::AlreadyStarted),
            State::Stopping => Err(StartError::Stopping),
        }
    }

    /// Adds a child while the others run. The loop starts it, with [`privileged_start`](Service::privileged_start) first; by then
    /// the program may have given its privileges up. If that fails, it is stopped and removed again. If the others do not run
    /// yet, it starts with them.
    pub fn start_child(
        &self,
        reactor: &Reactor,
        name: impl Into<String>,
        service: impl Service,
    ) -> Deferred<(), StartError> {
        let (promise, started) = reactor.promise();
        if self.inner.state.get() == State::Stopping {
            reactor.defer_drop(service);
            promise.reject(StartError::Stopping);
            return started;
        }
        let child = match self.inner.insert(name.into(), Box::new(service)) {
            Ok(child) => child,
            Err(error) => {
                promise.reject(error);
                return started;
            }
        };
        let inner = self.inner.clone();
        reactor.call_soon(move |reactor| match inner.start_late(reactor, &child) {
            Ok(()) => promise.resolve(()),
            Err(error) => {
                inner.stop_one(reactor, &child).detach_quietly();
                promise.reject(error.of_child(&child.name));
            }
        });
        started
    }

    /// Stops a child and removes it. Its name is taken until it has stopped. The loop stops it.
    pub fn stop_child(&self, reactor: &Reactor, name: &str) -> Deferred<(), StopError> {
        let (promise, stopped) = reactor.promise();
        let Some(child) = self.inner.child(name) else {
            promise.reject(StopError::NoSuchChild { name: name.to_owned() });
            return stopped;
        };
        let inner = self.inner.clone();
        reactor.call_soon(move |reactor| {
            inner.stop_one(reactor, &child).0.then(move |_, result| {
                promise.settle(result.map_err(|error| error.of_child(&child.name)));
            });
        });
        stopped
    }

    /// The names of the children, in order.
    #[must_use]
    pub fn names(&self) -> Vec<String> {
        self.inner.children.borrow().iter().map(|child| child.name.clone()).collect()
    }

    /// Whether there is a child of this name.
    #[must_use]
    pub fn contains(&self, name: &str) -> bool {
        self.inner.child(name).is_some()
    }

    /// Whether its children have started, and have not been asked to stop.
    #[must_use]
    pub fn is_running(&self) -> bool {
        self.inner.state.get() == State::Running
    }

    /// Whether its children have been asked to stop, and not all have.
    #[must_use]
    pub fn is_stopping(&self) -> bool {
        self.inner.state.get() == State::Stopping
    }
}

impl Service for MultiService {
    fn privileged_start(&self, reactor: &Reactor) -> Result<(), StartError> {
        self.inner.expect(State::Idle)?;
        self.inner.state.set(State::Prepared);
        self.inner.each(reactor, |child| child.prepare(reactor))
    }

    fn start(&self, reactor: &Reactor) -> Result<(), StartError> {
        if self.inner.state.get() == State::Idle {
            self.privileged_start(reactor)?;
        }
        self.inner.expect(State::Prepared)?;
        self.inner.state.set(State::Running);
        self.inner.each(reactor, |child| child.start(reactor))
    }

    fn stop(&self, reactor: &Reactor) -> Deferred<(), StopError> {
        let (promise, stopped) = reactor.promise();
        match self.inner.state.get() {
            State::Idle => {
                promise.resolve(());
                return stopped;
            }
            State::Prepared | State::Running => self.inner.stop_all(reactor),
            State::Stopping => {}
        }
        // The loop calls it, so it is not done yet.
        self.inner.stopping.borrow_mut().push(promise);
        stopped
    }
}

impl Inner {
    fn expect(&self, wanted: State) -> Result<(), StartError> {
        match self.state.get() {
            state if state == wanted => Ok(()),
            State::Stopping => Err(StartError::Stopping),
            _ => Err(StartError::AlreadyStarted),
        }
    }

    fn child(&self, name: &str) -> Option<Rc<Child>> {
        self.children.borrow().iter().find(|child| child.name == name).cloned()
    }

    fn insert(&self, name: String, service: Box<dyn Service>) -> Result<Rc<Child>, StartError> {
        if self.child(&name).is_some() {
            return Err(StartError::DuplicateName { name });
        }
        let state = Cell::new(ChildState::Idle);
        let child = Rc::new(Child { name, service, state, stopping: RefCell::default() });
        self.children.borrow_mut().push(child.clone());
        Ok(child)
    }

    /// Calls `f` for each child in order. After a failure all are stopped.
    fn each(
        self: &Rc<Self>,
        reactor: &Reactor,
        f: impl Fn(&Child) -> Result<(), StartError>,
    ) -> Result<(), StartError> {
        let children = self.children.borrow().clone();
        for child in children {
            if let Err(error) = f(&child) {
                self.stop_all(reactor);
                return Err(error.of_child(&child.name));
            }
        }
        Ok(())
    }

    /// Starts a child that was added late.
    fn start_late(&self, reactor: &Reactor, child: &Child) -> Result<(), StartError> {
        if child.state.get() != ChildState::Idle {
            // The others have started meanwhile, and this one with them.
            return Ok(());
        }
        match self.state.get() {
            State::Idle => Ok(()),
            State::Prepared => child.prepare(reactor),
            State::Running => child.prepare(reactor).and_then(|()| child.start(reactor)),
            State::Stopping => Err(StartError::Stopping),
        }
    }

    /// Stops all children. The promises in `stopping` learn the end.
    fn stop_all(self: &Rc<Self>, reactor: &Reactor) {
        self.state.set(State::Stopping);
        let children = self.children.borrow().clone();
        let touched = children.iter().rev().filter(|child| child.state.get() != ChildState::Idle);
        let ends: Vec<_> = touched.map(|child| (child.clone(), child.stop(reactor))).collect();
        let inner = self.clone();
        let all_ended = async move {
            let mut errors = Vec::new();
            for (child, end) in ends {
                if let Err(error) = end.await {
                    errors.push(error.of_child(&child.name));
                }
            }
            inner.has_stopped(errors);
        };
        reactor.spawn(all_ended).detach();
    }

    fn has_stopped(&self, mut errors: Vec<StopError>) {
        self.state.set(State::Idle);
        let waiting = mem::take(&mut *self.stopping.borrow_mut());
        let error = match errors.len() {
            0 => None,
            1 => errors.pop(),
            _ => Some(StopError::Several(errors)),
        };
        if let (Some(error), true) = (&error, waiting.is_empty()) {
            tracing::error!(%error, "services did not stop as they should");
        }
        for promise in waiting {
            promise.settle(error.clone().map_or(Ok(()), Err));
        }
    }

    /// Stops one child, and removes it when it has stopped.
    fn stop_one(self: &Rc<Self>, reactor: &Reactor, child: &Rc<Child>) -> StopOne {
        let (inner, name) = (self.clone(), child.name.clone());
        StopOne(child.stop(reactor).map(move |result| {
            let mut children = inner.children.borrow_mut();
            let found = children.iter().position(|child| child.name == name);
            let removed = found.map(|at| children.remove(at));
            drop(children);
            drop(removed);
            result
        }))
    }
}

/// The end of one child.
struct StopOne(Deferred<(), StopError>);

impl StopOne {
    /// Has nobody wait for it. A failure is logged.
    fn detach_quietly(self) {
        self.0.then(|_, result| {
            if let Err(error) = result {
                tracing::error!(%error, "a service that did not start did not stop as it should");
            }
        });
    }
}

impl Child {
    fn prepare(&self, reactor: &Reactor) -> Result<(), StartError> {
        self.state.set(ChildState::Touched);
        let what = || format!("the privileged start of the service {:?}", self.name);
        reactor.guard(what, || self.service.privileged_start(reactor))?
    }

    fn start(&self, reactor: &Reactor) -> Result<(), StartError> {
        let what = || format!("the start of the service {:?}", self.name);
        reactor.guard(what, || self.service.start(reactor))?
    }

    /// Asks it to stop, unless that was done already, and resolves when it has.
    fn stop(self: &Rc<Self>, reactor: &Reactor) -> Deferred<(), StopError> {
        let (promise, stopped) = reactor.promise();
        let before = self.state.get();
        if before == ChildState::Idle {
            promise.resolve(());
            return stopped;
        }
        self.stopping.borrow_mut().push(promise);
        if before == ChildState::Stopping {
            return stopped;
        }
        self.state.set(ChildState::Stopping);
        let what = || format!("the stop of the service {:?}", self.name);
        let ended = reactor.guard(what, || self.service.stop(reactor));
        let ended = ended.unwrap_or_else(|panic| Deferred::failed_on(reactor, panic.into()));
        let child = self.clone();
        ended.then(move |_, result| {
            child.state.set(ChildState::Idle);
            let waiting = mem::take(&mut *child.stopping.borrow_mut());
            waiting.into_iter().for_each(|promise| promise.settle(result.clone()));
        });
        stopped
    }
}

impl fmt::Debug for MultiService {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MultiService")
            .field("state", &self.inner.state.get())
            .field("children", &self.names())
            .finish()
    }
}
