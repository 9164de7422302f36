//! The thread of one of several reactors: builds the reactor, carries out the plan, runs the loop, and reports its end.

use std::{
    any::Any,
    cell::Cell,
    panic::{AssertUnwindSafe, catch_unwind},
    rc::Rc,
    sync::{Arc, mpsc::Sender},
    time::Duration,
};

use sinew_reactor::{Deferred, Panicked, Phase, Promise, Reactor, Stats};

use super::{
    ReactorsHandle, Shard, ShardError,
    group::Group,
    pinning,
    plan::{Plan, Step},
    shard::Place,
};
use crate::{
    Address, ListeningPort,
    sharing::{Membership, Share},
};

/// What a thread tells the supervisor.
pub(super) enum Event {
    /// The loop runs.
    Started { shard: usize },
    /// It has ended, after it ran for `age`.
    Ended { shard: usize, result: Result<(), ShardError>, stats: Stats, age: Duration },
}

/// What a thread needs.
#[derive(Clone)]
pub(super) struct Context {
    pub(super) plan: Arc<Plan>,
    pub(super) group: Arc<Group>,
    pub(super) events: Sender<Event>,
}

/// The thread's function. `delay` is waited for first.
pub(super) fn run(context: &Context, shard: usize, delay: Duration) {
    ReactorsHandle::enter_reactor_thread();
    context.group.wait(delay);
    let (mut stats, mut age) = (Stats::default(), Duration::ZERO);
    let result = caught(|| {
        if context.group.is_stopping() {
            return Ok(());
        }
        let reactor = build(context, shard)?;
        let result = caught(|| run_reactor(context, &reactor, shard));
        context.group.remotes.set(shard, None);
        (stats, age) = (reactor.stats(), reactor.age());
        // Notifies connections that a panic has left.
        drop(reactor);
        result
    });
    let _ = context.events.send(Event::Ended { shard, result, stats, age });
}

fn build(context: &Context, shard: usize) -> Result<Reactor, ShardError> {
    let plan = &context.plan;
    if plan.pin
        && let Err(error) = pinning::pin(shard)
    {
        tracing::warn!(shard, %error, "cannot pin the thread of a reactor to a processor");
    }
    // Signals are taken by the first.
    let builder = (plan.builder)(shard).stop_signals(plan.stop_signals && shard == 0);
    Ok(builder.build()?)
}

fn run_reactor(context: &Context, reactor: &Reactor, shard: usize) -> Result<(), ShardError> {
    let group = &context.group;
    Membership::join(reactor, shard, group.remotes.clone());
    let ports = set_up(context, &Shard::new(reactor, shard, ReactorsHandle::new(group.clone())))?;
    let place = reactor.local::<Place>();
    if let Some(error) = place.take_failure() {
        return Err(ShardError::Failed(error));
    }
    group.remotes.set(shard, Some(reactor.remote()));
    if group.is_stopping() {
        return Ok(());
    }
    let events = context.events.clone();
    reactor.on(Phase::AfterStartup, move |_| drop(events.send(Event::Started { shard })));
    let (stopping, deadline) = (group.clone(), context.plan.drain);
    reactor.on(Phase::BeforeShutdown, move |reactor| {
        before_shutdown(reactor, &stopping, &ports, deadline)
    });
    let stopping = group.clone();
    reactor.on(Phase::DuringShutdown, move |reactor| {
        let place = reactor.local::<Place>();
        // A second signal has ended the drain: that of the others, too.
        if reactor.is_stopping() && !place.has_failed() && !place.is_drained.get() {
            stopping.force();
        }
    });
    let ran = reactor.run();
    match place.take_failure() {
        Some(error) => Err(ShardError::Failed(error)),
        None => Ok(ran?),
    }
}

/// Opens the ports, and does all else that is to be done before the loop runs.
fn set_up(context: &Context, shard: &Shard) -> Result<Vec<ListeningPort<Address>>, ShardError> {
    let mut ports = Vec::new();
    for step in &context.plan.steps {
        let (port, listen) = match step {
            Step::Setup(setup) => {
                setup(shard)?;
                continue;
            }
            Step::Listen(port, listen) => (port, listen),
        };
        if port.is_only_first() && shard.index() > 0 {
            continue;
        }
        let share = Share { port: port.clone(), shard: shard.index() };
        let opened = listen(shard, share)?;
        // A kind of endpoint that can be shared has said so.
        port.settle();
        if opened.local() == Address::Stdio {
            // Its only connection has ended.
            opened.when_closed().then(|reactor, _| {
                let _ = reactor.stop();
            });
        }
        ports.push(opened);
    }
    if shard.index() == 0 {
        context.group.tally().addresses = ports.iter().map(ListeningPort::local).collect();
    }
    Ok(ports)
}

/// This reactor stops: so do all, and each drains its ports.
fn before_shutdown(
    reactor: &Reactor,
    group: &Group,
    ports: &[ListeningPort<Address>],
    deadline: Duration,
) -> Deferred<()> {
    let place = reactor.local::<Place>();
    let (promise, drained) = reactor.promise();
    // After a failure nothing is drained, and the others go on.
    if place.has_failed() || !reactor.is_stopping() {
        promise.resolve(());
        return drained;
    }
    if let Some(member) = reactor.local::<Membership>().member() {
        member.is_stopping.set(true);
    }
    group.stop();
    if deadline.is_zero() || group.is_forced() || ports.is_empty() {
        place.is_drained.set(true);
        promise.resolve(());
        return drained;
    }
    let left =
        Rc::new(Drain { left: Cell::new(ports.len()), place, promise: Cell::new(Some(promise)) });
    for port in ports {
        let left = left.clone();
        port.drain(deadline).then(move |_, _| left.one_is_drained());
    }
    drained
}

/// Waits until all ports are drained.
struct Drain {
    left: Cell<usize>,
    place: Rc<Place>,
    promise: Cell<Option<Promise<()>>>,
}

impl Drain {
    fn one_is_drained(&self) {
        self.left.set(self.left.get() - 1);
        if self.left.get() == 0
            && let Some(promise) = self.promise.take()
        {
            self.place.is_drained.set(true);
            promise.resolve(());
        }
    }
}

/// Calls user code where no reactor catches a panic.
fn caught<R>(f: impl FnOnce() -> Result<R, ShardError>) -> Result<R, ShardError> {
    // Unwind safety: what `f` has left unfinished belongs to the reactor, which is dropped.
    catch_unwind(AssertUnwindSafe(f)).unwrap_or_else(|panic| {
        let message = into_message(&*panic);
        // The payload is user data, whose drop may panic.
        std::mem::forget(panic);
        Err(ShardError::Panicked(Panicked { message }))
    })
}

fn into_message(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
    text.or_else(|| panic.downcast_ref::<String>().cloned())
        .unwrap_or_else(|| "a panic without a message".to_owned())
}
