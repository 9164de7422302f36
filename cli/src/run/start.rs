//! The order of a start, as that of twistd(1): [`run`]. All of it is on the main thread, which is the only one until the log starts.
//!
//! | step | with |
//! |---|---|
//! | 1 read the program; its endpoints read their certificates | all rights, the old root directory |
//! | 2 lock the pid file, find the user, reach systemd and the journal | the same |
//! | 3 change root and working directory, and the umask | the same |
//! | 4 go into the background | the new root directory |
//! | 5 write the pid, open the log | the same |
//! | 6 build the reactors, make the services, open the sockets | the same |
//! | 7 give the privileges up, for good | the user |
//! | 8 start the services, say that the server is ready | the user |
//! | 9 serve, until the reactors have ended (`control.rs`) | the user |
//! | 10 remove the pid file, end as the signal that stopped it would | the user |
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
    application::notify::Notifier,
    reactor::{Reactor, Signal},
    transports::reactors::{OnFailure, Reactors, ReactorsHandle, RunningReactors, Shard},
};

use super::{
    Source,
    control::{Control, Order},
    failures::shard_failure,
    shard, signals,
};
use crate::{
    config::Program,
    exit::{Code, Failure},
    log::{Journal, Log},
    process::{self, Foreground, Identity, PidFile},
};

/// How much longer than the drain the end of a reactor may take: services that are no ports stop, too.
const STOP_MARGIN: Duration = Duration::from_secs(15);

/// How a server ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ending {
    /// By itself.
    Done,
    /// By this signal, after a clean stop.
    Signal(i32),
}

/// Runs the program of `source` until it is stopped. Does not return after a clean stop by a signal: the process ends by it.
pub(crate) fn run(source: Source) -> Result<(), Failure> {
    if let Ending::Signal(number) = run_to_end(source)? {
        process::end_by_signal(number);
    }
    Ok(())
}

fn run_to_end(source: Source) -> Result<Ending, Failure> {
    let program = source.load()?;
    let mut foreground = Foreground::Terminal;
    let ended = Start::new(&program)
        .and_then(|start| start.enter(&program, &mut foreground))
        .and_then(|start| start.serve(source, program, &mut foreground));
    ended.map_err(|failure| foreground.report(failure))
}

/// What the first steps have found, for the later ones.
struct Start {
    pid_file: Option<PidFile>,
    identity: Option<Identity>,
    journal: Journal,
    notifier: Option<Notifier>,
}

/// The same, with a log.
struct Entered {
    pid_file: Option<PidFile>,
    identity: Option<Identity>,
    notifier: Option<Notifier>,
    log: Log,
}

impl Start {
    /// Step 2.
    fn new(program: &Program) -> Result<Self, Failure> {
        let process = &program.process;
        Ok(Self {
            pid_file: process.pidfile.as_deref().map(PidFile::lock).transpose()?,
            identity: Identity::find(process)?,
            journal: Journal::connect(&program.log)?,
            notifier: Notifier::from_environment(),
        })
    }

    /// Steps 3 to 5.
    fn enter(self, program: &Program, foreground: &mut Foreground) -> Result<Entered, Failure> {
        let Self { mut pid_file, identity, journal, notifier } = self;
        let mut enter = || {
            process::enter(&program.process)?;
            if program.process.daemon {
                *foreground = Foreground::daemonize()?;
            }
            pid_file.as_mut().map_or(Ok(()), PidFile::write)?;
            let owner = identity.as_ref().map(|identity| (identity.uid(), identity.gid()));
            Log::start(&program.log, journal, owner)
        };
        match enter() {
            Ok(log) => Ok(Entered { pid_file, identity, notifier, log }),
            Err(failure) => {
                pid_file.map(PidFile::remove);
                Err(failure)
            }
        }
    }
}

impl Entered {
    /// Steps 6 to 10.
    fn serve(
        self,
        source: Source,
        program: Program,
        foreground: &mut Foreground,
    ) -> Result<Ending, Failure> {
        let Self { pid_file, identity, notifier, log } = self;
        tracing::info!(version = env!("CARGO_PKG_VERSION"), pid = std::process::id(), "starting");
        let (sender, orders) = mpsc::channel();
        let started = start_reactors(&program, &sender, notifier.as_ref())
            .and_then(|reactors| start_services(&reactors, identity.as_ref()).map(|()| reactors));
        let ended = started.and_then(|reactors| {
            tracing::info!("ready");
            foreground.ready();
            let mut control = Control::new(source, program, log.clone(), notifier, &reactors);
            await_end(reactors, sender);
            control.run(&orders)
        });
        pid_file.map(PidFile::remove);
        if let (Err(failure), true) = (&ended, foreground.is_gone()) {
            tracing::error!("ended: {failure}");
        }
        log.flush();
        ended
    }
}

/// Step 6.
fn start_reactors(
    program: &Program,
    orders: &Sender<Order>,
    notifier: Option<&Notifier>,
) -> Result<RunningReactors, Failure> {
    let (engine, drain) = (program.reactor.engine.0, program.reactor.drain.0);
    let (program, orders, notifier) =
        (Arc::new(program.clone()), orders.clone(), notifier.cloned());
    Reactors::new(program.reactor.reactors)
        .reactor(move |_| Reactor::builder().engine(engine).shutdown_max(drain + STOP_MARGIN))
        .stop_signals(false)
        .on_failure(OnFailure::Stop)
        .setup(move |shard: &Shard| {
            shard::prepare(shard, &program)?;
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
            tracing::debug!(%error, "cannot tell systemd that the server is alive");
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
        tracing::error!(%error, "cannot start a thread");
    }
}

impl Ending {
    pub(super) fn by(signal: Option<Signal>) -> Self {
        signal.map_or(Self::Done, |signal| Self::Signal(signal.as_raw()))
    }
}
