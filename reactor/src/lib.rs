//! The reactor of sinew: readiness, time, calls, threads, signals and tasks. Not bytes, not sockets: those are the
//! business of `sinew-transports`. What the errors ([`AcceptFailure`]) and the control messages ([`packet_info`]) of sockets mean is
//! said here once for all who make calls on them.
//!
//! [`Reactor`] is the loop. It calls what is registered with it ([`Handler`]), what is due ([`Reactor::call_later`]),
//! what was asked for ([`Reactor::call_soon`], and [`Remote::call`] from other threads), and polls futures
//! ([`Reactor::spawn`]). One thread owns it and all that lives on it; nothing inside takes a lock.
//!
//! # The laws that callers can rely on
//!
//! - No call into the library runs user code before it returns; only the loop runs user code.
//! - A panic in a callback is contained: the loop goes on.
//! - Whatever is started ends with the run: after [`Reactor::run`] returns, no handler, timer or task is left.

mod builder;
mod clock;
mod deferred;
mod dispatch;
mod ending;
mod engine;
mod error;
mod excerpt;
mod guard;
mod handler;
#[cfg(unix)]
mod inherited;
mod leftovers;
mod life;
pub mod packet_info;
mod pool;
pub mod process;
mod reactor;
mod registration;
mod remote;
mod run;
mod run_state;
#[cfg(unix)]
mod signals;
mod simulated;
mod socket_error;
mod stats;
mod task;
mod timer;
mod turn;
mod wait;
mod wake;
mod wheel;

pub use {
    builder::Builder,
    deferred::{Canceller, Deferred, Promise},
    engine::{Completed, Duty, Engine, ReceivedBytes, SHORT_READ_DRAINS, UnknownEngine},
    error::{Failure, NotRunning, RegisterError, RemoteError, RunError, TimedOut, WaitError},
    excerpt::Excerpt,
    guard::Panicked,
    handler::{Handler, Interest, Ready, TimerKey, Token},
    leftovers::Leftovers,
    life::{Phase, TriggerResult},
    packet_info::PacketInfo,
    reactor::{Reactor, WeakReactor},
    registration::{Registration, Source},
    remote::Remote,
    simulated::{Driver, Killed, Turned},
    socket_error::{AcceptFailure, is_about_sent},
    stats::{Counter, Meter, Stats},
    task::{Sleep, Task},
    timer::{DelayedCall, LoopingCall},
};
#[cfg(unix)]
pub use {
    inherited::inherited,
    signals::{Signal, SignalWatch},
};
