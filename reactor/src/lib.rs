//! The event loop of sinew: I/O readiness, timers, queued calls, threads, signals and tasks. It moves no bytes and
//! opens no sockets; `sinew-transports` does. It does say what socket errors ([`AcceptFailure`]) and control messages
//! ([`packet_info`]) mean, for all crates that make calls on sockets.
//!
//! [`Reactor`] is the event loop. It fires timers ([`Reactor::call_later`]), runs queued calls ([`Reactor::call_soon`],
//! and [`Remote::call`] from other threads), waits for I/O readiness, and polls futures ([`Reactor::spawn`]). One
//! thread owns a reactor and everything that lives on it; nothing inside takes a lock.
//!
//! | for | see |
//! |---|---|
//! | running and stopping | [`Reactor::run`], [`Reactor::run_until`], [`Reactor::stop`]; [`Reactor::on`] and [`Phase`] |
//! | time | [`Reactor::call_later`], [`Reactor::call_every`], [`DelayedCall`], [`LoopingCall`] |
//! | other threads | [`Remote`]; [`Reactor::defer_to_thread`] for blocking work |
//! | asynchronous results | [`Deferred`], [`Promise`], [`Failure`] |
//! | futures | [`Reactor::spawn`], [`Task`], [`TaskGroup`], [`Reactor::sleep`], [`Reactor::timeout`] |
//! | signals, on Unix | `Reactor::on_signal`, `Reactor::signal`, `Signal` |
//! | the polling engine and its limits | [`Engine`], [`Builder`] |
//! | counters and what is still alive | [`Reactor::stats`], [`Stats`], [`Reactor::leak_report`] |
//! | the state of the loop: lag, long callbacks, threads | [`Reactor::loop_report`], [`Builder::inspection`] |
//! | tests without a kernel | [`Reactor::simulated`], [`Reactor::advance`] |
//! | inside the loop of another library | [`Reactor::turn`], and on Unix `Embedded`, with a descriptor to wait for |
//! | your own event sources and transports | the module [`source`] |
//!
//! # What callers can rely on
//!
//! - No call into the library runs user code before it returns; only the loop runs user code.
//! - A panic in a callback is caught: the loop continues.
//! - Everything that was started ends with the run: after [`Reactor::run`] returns, no handler, timer or task is left.

mod builder;
pub mod calendar;
mod clock;
mod deferred;
mod dispatch;
#[cfg(unix)]
mod embedded;
mod engine;
mod error;
mod error_debug;
mod excerpt;
mod guard;
mod handler;
#[cfg(unix)]
mod inherited;
mod inspection;
mod leak_report;
mod lifecycle;
mod local_wakeups;
pub mod packet_info;
mod pool;
pub mod process;
mod reactor;
mod registration;
mod remote;
mod run;
mod run_state;
mod shutdown;
#[cfg(unix)]
mod signals;
mod simulated;
mod socket_error;
pub mod source;
mod stats;
mod task;
mod task_group;
mod timer;
mod turn;
mod wait;
mod wait_failures;
mod wake;
mod wheel;

#[cfg(unix)]
pub use embedded::Embedded;
#[doc(hidden)]
pub use error_debug::write_error;
pub use error_debug::{WithCauses, with_causes};
pub use {
    builder::Builder,
    deferred::{Canceller, Deferred, Promise},
    engine::{Engine, UnknownEngine},
    error::{
        BuildError, Failure, NotRunning, RegisterError, RemoteError, RunError, TimedOut, WaitError,
    },
    excerpt::Excerpt,
    guard::Panicked,
    inspection::{Histogram, LongCallback, LoopReport, PoolReport, SlowCallback},
    leak_report::LeakReport,
    lifecycle::{Phase, TriggerResult},
    packet_info::PacketInfo,
    reactor::{Reactor, WeakReactor},
    remote::Remote,
    socket_error::{AcceptFailure, is_about_sent},
    stats::Stats,
    task::{Sleep, Task},
    task_group::{TaskGroup, TaskSpawner},
    timer::{DelayedCall, LoopingCall},
};
// Re-exported at the root for the crates above; the documentation lists them under `source`.
#[doc(hidden)]
pub use source::{
    Completion, Counter, DeliveryMode, Driver, Handler, HandlerCounts, Interest, Killed, Meter,
    Ready, ReceivedBytes, Registration, SHORT_WRITE_FILLS, Source, TimerKey, Token, Turned,
};
#[cfg(unix)]
pub use {
    inherited::{close_inherited_on_exec, inherited},
    signals::{Signal, SignalReceiver, SignalWatch},
};

// The code blocks of the README are compiled with the tests.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
