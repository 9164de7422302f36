//! What happens on the thread of each reactor: its services are made, opened, started, and stopped.

use std::{cell::RefCell, sync::mpsc::Sender};

use sinew::{
    application::{MultiService, Service, StartError, handover::Handover},
    prelude::*,
    reactor::{Phase, with_causes},
    transports::reactors::Shard,
};

use super::{
    Context, failures::start_failure, inspect::Inspection, listening::Stopped, readiness::Readiness,
};
use crate::{
    config::{Planned, Program},
    exit::Failure,
};

/// The services of this reactor: kept in it.
#[derive(Default)]
struct Running {
    services: MultiService,
    /// Set before any is made.
    handover: RefCell<Option<Handover>>,
    readiness: RefCell<Readiness>,
}

/// Before the loop runs: makes the services, and opens what needs privileges. Nothing is served yet.
pub(super) fn prepare(
    shard: &Shard,
    program: &Program,
    handover: &Handover,
    readiness: &Readiness,
) -> Result<(), StartError> {
    let running = shard.local::<Running>();
    running.handover.replace(Some(handover.clone()));
    running.readiness.replace(readiness.clone());
    let services = services(shard);
    for planned in &program.services {
        if runs_here(shard, planned) {
            services.add(key(planned, 0), make(shard, planned, program)?)?;
        }
    }
    if shard.index() == 0 && program.inspect.is_wanted() {
        // No service of the file can have this name.
        services.add("(inspection)", Inspection::new(&program.inspect, handover))?;
    }
    services.privileged_start(shard.reactor())?;
    shard.reactor().on(Phase::BeforeShutdown, move |reactor| stop(reactor, &services));
    Ok(())
}

/// In the loop: starts the services.
pub(super) fn start(shard: &Shard) -> Result<(), Failure> {
    services(shard).start(shard.reactor()).map_err(|error| start_failure(&error))
}

/// In the loop: whether the sockets of ports that stop are kept for those that start.
pub(super) fn keep_sockets(shard: &Shard, keep: bool) {
    Stopped::of(shard.reactor()).keep(keep);
}

/// In the loop: stops one service, whose connections are drained meanwhile. Tells when its ports are closed.
pub(super) fn stop_one(shard: &Shard, key: &str, has_begun: Sender<()>) {
    let (shown, services) = (key.to_owned(), services(shard));
    if !services.contains(key) {
        return;
    }
    services.stop_child(shard.reactor(), key).then(move |_, stopped| {
        if let Err(error) = stopped {
            tracing::error!(error = %with_causes(&error), service = shown, "a service did not stop as it should");
        }
    });
    // The loop stops the child in its next turn, and calls this after it.
    shard.reactor().call_soon(move |_| drop(has_begun));
}

/// In the loop: starts one more service, and sends the result.
pub(super) fn start_one(
    shard: &Shard,
    planned: &Planned,
    program: &Program,
    generation: u64,
    results: Sender<Result<(), Failure>>,
) {
    if !runs_here(shard, planned) {
        let _ = results.send(Ok(()));
        return;
    }
    match make(shard, planned, program) {
        Err(error) => drop(results.send(Err(start_failure(&error)))),
        Ok(service) => {
            let services = services(shard);
            let started = services.start_child(shard.reactor(), key(planned, generation), service);
            started.then(move |_, started| {
                let _ = results.send(started.map_err(|error| start_failure(&error)));
            });
        }
    }
}

/// The name of a service among those of its reactor: an earlier one of the same name may still be draining.
pub(super) fn key(planned: &Planned, generation: u64) -> String {
    match generation {
        0 => planned.name.clone(),
        generation => format!("{}#{generation}", planned.name),
    }
}

fn services(shard: &Shard) -> MultiService {
    shard.local::<Running>().services.clone()
}

fn runs_here(shard: &Shard, planned: &Planned) -> bool {
    shard.index() == 0 || planned.server.on_all_reactors()
}

fn make(
    shard: &Shard,
    planned: &Planned,
    program: &Program,
) -> Result<Box<dyn Service>, StartError> {
    let running = shard.local::<Running>();
    let handover = running.handover.borrow().clone();
    let handover = handover.ok_or_else(|| StartError::other("the reactor is not prepared"))?;
    let (drain, readiness) = (program.reactor.drain.0, running.readiness.borrow().clone());
    let reactor = shard.reactor().clone();
    planned.server.service(&Context::new(reactor, planned, drain, &handover, &readiness))
}

fn stop(reactor: &Reactor, services: &MultiService) -> Deferred<()> {
    services.stop(reactor).map(|stopped| {
        if let Err(error) = stopped {
            tracing::error!(error = %with_causes(&error), "the services did not stop as they should");
        }
        Ok(())
    })
}
