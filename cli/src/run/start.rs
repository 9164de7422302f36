//! The order of a start, as that of twistd(1): [`run`]. All of it is on the main thread, which is the only one until the log starts.
//!
//! | step | with |
//! |---|---|
//! | 1 read the program; its endpoints read their certificates | all rights, the old root directory |
//! | 2 lock the pid file, find the user, reach systemd and the journal | the same |
//! | 3 change root and working directory, and the umask | the same |
//! | 4 go into the background | the new root directory |
//! | 5 write the pid, open the log | the same |
//! | 6 build the reactors, make the services, open the sockets, look at the certificates | the same |
//! | 7 give the privileges up, for good | the user |
//! | 8 start the services, say that the server is ready unless one of them waits for something (`readiness.rs`) | the user |
//! | 9 serve, until the reactors have ended (`control.rs`) | the user |
//! | 10 remove the pid file, end as the signal that stopped it would | the user |
//!
//! A process that is to replace another one gets the sockets and the pid file from there, and does not take steps 3 and 4. Between 8 and 9 it takes
//! over, and then writes its pid.
//!
//! A failure is reported by the process that was started, with its exit code, up to and including step 8.

use std::{
    sync::{
        Arc,
        mpsc::{self, Sender},
    },
    time::Duration,
};

use sinew::{
    application::{handover::Handover, notify::Notifier},
    reactor::{Reactor, with_causes},
    transports::reactors::{OnFailure, Reactors, ReactorsHandle, RunningReactors, Shard},
};

use super::{
    Source,
    certificates::Certificates,
    control::Control,
    failures::shard_failure,
    order::{Ending, Order},
    readiness::Readiness,
    shard, signals,
    upgrade::NextVersion,
};
use crate::{
    arguments::LogFormat,
    config::Program,
    exit::{Code, Failure},
    log::{Journal, Log},
    process::{self, Foreground, Identity, PidFile},
};

/// How much longer than the drain the end of a reactor may take: services that are no ports stop, too.
const STOP_MARGIN: Duration = Duration::from_secs(15);

/// Runs the program of `source` until it is stopped. Does not return after a clean stop by a signal: the process ends by it.
pub(crate) fn run(source: Source) -> Result<(), Failure> {
    if let Ending::Signal(number) = run_to_end(source)? {
        process::end_by_signal(number);
    }
    Ok(())
}

fn run_to_end(source: Source) -> Result<Ending, Failure> {
    let handover =
        Handover::inherit().map_err(|error| Failure::new(Code::Software, error.to_string()))?;
    let mut foreground = Foreground::Terminal;
    let ended = Start::new(source, handover.clone())
        .and_then(|start| start.enter(&mut foreground))
        .and_then(|entered| entered.serve(&mut foreground));
    ended.map_err(|failure| {
        // The process that was to be replaced says so, too.
        handover.failed(&failure);
        foreground.report(failure)
    })
}

/// What the first steps have found, for the later ones.
struct Start {
    source: Source,
    program: Program,
    handover: Handover,
    next: NextVersion,
    pid_file: Option<PidFile>,
    identity: Option<Identity>,
    journal: Journal,
    notifier: Option<Notifier>,
    certificates: Certificates,
}

/// The same, with a log.
struct Entered {
    start: Start,
    log: Log,
}

impl Start {
    /// Steps 1 and 2.
    fn new(source: Source, handover: Handover) -> Result<Self, Failure> {
        let program = source.load()?;
        let process = &program.process;
        let lock = if handover.has_predecessor() { PidFile::inherited } else { PidFile::lock };
        let pid_file = process.pidfile.as_deref().map(lock).transpose()?;
        let identity = Identity::find(process)?;
        let journal = Journal::connect(&program.log)?;
        let (next, notifier) = (NextVersion::find(&source)?, Notifier::from_environment());
        let certificates = Certificates::default();
        Ok(Self {
            source,
            program,
            handover,
            next,
            pid_file,
            identity,
            journal,
            notifier,
            certificates,
        })
    }

    /// Steps 3 to 5.
    fn enter(mut self, foreground: &mut Foreground) -> Result<Entered, Failure> {
        let mut enter = || {
            // The process that this one replaces has done so.
            if !self.handover.has_predecessor() {
                process::enter(&self.program.process)?;
                if self.program.process.daemon {
                    self.warn_of_lost_log();
                    *foreground = Foreground::daemonize()?;
                }
                self.pid_file.as_mut().map_or(Ok(()), PidFile::write)?;
            }
            let owner = self.identity.as_ref().map(|identity| (identity.uid(), identity.gid()));
            Log::start(&self.program.log, std::mem::take(&mut self.journal), owner)
        };
        match enter() {
            Ok(log) => Ok(Entered { start: self, log }),
            Err(failure) => {
                self.give_pid_file_up();
                Err(failure)
            }
        }
    }

    fn warn_of_lost_log(&self) {
        let log = &self.program.log;
        if log.file.is_none() && log.format != LogFormat::Journald {
            eprintln!(
                "sinew: the log of a server in the background is lost without --log-file or --log-format journald"
            );
        }
    }

    /// The start has failed.
    fn give_pid_file_up(self) {
        // It is that of the process that was to be replaced, and goes on.
        if let Some(file) = self.pid_file.filter(|_| !self.handover.has_predecessor()) {
            file.remove();
        }
    }
}

impl Entered {
    /// Steps 6 to 10.
    fn serve(self, foreground: &mut Foreground) -> Result<Ending, Failure> {
        let Self { mut start, log } = self;
        tracing::info!(version = env!("CARGO_PKG_VERSION"), pid = std::process::id(), "starting");
        let (sender, orders) = mpsc::channel();
        let readiness = Readiness::new(sender.clone());
        let ended = match start.start_all(&sender, &readiness) {
            Err(failure) => {
                start.give_pid_file_up();
                Err(failure)
            }
            Ok(reactors) => {
                let waits = readiness.waits();
                match &waits {
                    None => tracing::info!("ready"),
                    Some(waits) => tracing::info!("started, and not ready yet: {waits}"),
                }
                log.flush();
                foreground.ready();
                let control =
                    start.into_control(log.clone(), &reactors, sender.clone(), readiness, waits);
                await_end(reactors, sender);
                control.run(&orders)
            }
        };
        if let (Err(failure), true) = (&ended, foreground.is_gone()) {
            tracing::error!("ended: {failure}");
        }
        log.flush();
        ended
    }
}

impl Start {
    /// Steps 6 to 8.
    fn start_all(
        &mut self,
        orders: &Sender<Order>,
        readiness: &Readiness,
    ) -> Result<RunningReactors, Failure> {
        let reactors = start_reactors(self, orders, readiness)?;
        // Some files only root can read.
        self.certificates.look(&self.program.services, &reactors);
        start_services(&reactors, self.identity.as_ref())?;
        if self.handover.has_predecessor() {
            take_over(&reactors, &self.handover)?;
            // This process serves, with or without the file.
            if let Some(Err(failure)) = self.pid_file.as_mut().map(PidFile::write) {
                tracing::error!("{failure}");
            }
        }
        Ok(reactors)
    }

    fn into_control(
        self,
        log: Log,
        reactors: &ReactorsHandle,
        orders: Sender<Order>,
        readiness: Readiness,
        waits: Option<String>,
    ) -> Control {
        let Self { source, program, handover, next, pid_file, notifier, certificates, .. } = self;
        Control {
            generations: vec![0; program.services.len()],
            generation: 0,
            source,
            program,
            certificates,
            log,
            reactors: reactors.clone(),
            handover,
            next,
            pid_file,
            notifier,
            orders,
            readiness,
            waits,
            stopped_by: None,
            is_replaced: false,
        }
    }
}

/// The process that this one replaces accepts no more, and this one begins to.
fn take_over(reactors: &ReactorsHandle, handover: &Handover) -> Result<(), Failure> {
    let failed = |why: &dyn std::fmt::Display| {
        Failure::new(Code::Software, format!("cannot take over: {why}"))
    };
    let (sender, result) = mpsc::channel();
    let handover = handover.clone();
    let ready = move |shard: &Shard| {
        handover.ready(shard.reactor()).then(move |_, serves| drop(sender.send(serves)));
    };
    reactors.call(0, ready).map_err(|error| failed(&error))?;
    let serves = result.recv().map_err(|_| failed(&"the reactor has ended"))?;
    serves.map_err(|error| failed(&error))
}

/// Step 6.
fn start_reactors(
    start: &Start,
    orders: &Sender<Order>,
    readiness: &Readiness,
) -> Result<RunningReactors, Failure> {
    let options = &start.program.reactor;
    let (engine, drain) = (options.engine.0, options.drain.0);
    let is_inspected = start.program.inspect.is_wanted();
    let (program, orders) = (Arc::new(start.program.clone()), orders.clone());
    let (notifier, handover) = (start.notifier.clone(), start.handover.clone());
    let readiness = readiness.clone();
    Reactors::new(options.reactors)
        .reactor(move |_| {
            let builder = Reactor::builder().engine(engine).shutdown_max(drain + STOP_MARGIN);
            builder.inspection(is_inspected)
        })
        .stop_signals(false)
        .on_failure(OnFailure::Stop)
        .setup(move |shard: &Shard| {
            shard::prepare(shard, &program, &handover, &readiness)?;
            if shard.index() == 0 {
                signals::watch(shard, &orders).map_err(sinew::application::StartError::other)?;
                feed_watchdog(shard, notifier.as_ref());
            }
            Ok::<_, sinew::application::StartError>(())
        })
        .start()
        .map_err(|failure| shard_failure(&failure))
}

/// Tells systemd at half of its interval that the first loop turns.
fn feed_watchdog(shard: &Shard, notifier: Option<&Notifier>) {
    let Some((notifier, limit)) =
        notifier.and_then(|notifier| Some((notifier, notifier.watchdog()?)))
    else {
        return;
    };
    let notifier = notifier.clone();
    shard.reactor().call_every((limit / 2).max(Duration::from_millis(1)), move |_| {
        if let Err(error) = notifier.alive() {
            tracing::debug!(error = %with_causes(&error), "cannot tell systemd that the server is alive");
        }
    });
}

/// Steps 7 and 8. The first reactor comes last, so that nothing is served before all are ready to.
fn start_services(reactors: &ReactorsHandle, identity: Option<&Identity>) -> Result<(), Failure> {
    if let Some(identity) = identity {
        identity.assume()?;
        let identity = identity.clone();
        for verified in reactors.call_all(move |_| identity.verify()) {
            verified.map_err(ended_early)??;
        }
    }
    for index in (0..reactors.count()).rev() {
        reactors.call(index, shard::start).map_err(ended_early)??;
    }
    Ok(())
}

fn ended_early(error: impl std::fmt::Display) -> Failure {
    Failure::new(Code::Software, format!("the start was interrupted: {error}"))
}

/// Has a thread wait for the reactors.
fn await_end(reactors: RunningReactors, orders: Sender<Order>) {
    let wait = move || {
        let ended = reactors.join().map(drop).map_err(|failure| shard_failure(&failure));
        let _ = orders.send(Order::Ended(ended));
    };
    if let Err(error) = std::thread::Builder::new().name("end".to_owned()).spawn(wait) {
        tracing::error!(error = %with_causes(&error), "cannot start a thread");
    }
}
