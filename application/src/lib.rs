//! Server programs made with sinew: services, which start and stop in an order.
//!
//! | to | see |
//! |---|---|
//! | run a whole program | [`Application`]; [`ShardedApplication`] on several reactors |
//! | write a part of a program that starts and stops | [`Service`] |
//! | start and stop several as one | [`MultiService`] |
//! | serve connections | [`ServerService`] |
//! | keep a connection to a server | [`ClientService`](sinew_transports::ClientService) is a [`Service`] |
//! | call a function at an interval | [`TimerService`] |
//! | keep a program running | `ProcessService` (Unix) |
//! | run a job that blocks, and tell it to stop | [`BlockingService`] |
//! | restart without refusing or cutting a connection | the module `handover` (Unix) |
//! | look inside while it runs | the module `inspect` (feature `http`) |
//! | tell systemd that the program is ready | the module `notify` (Unix) |

#![forbid(unsafe_code)]

mod application;
mod blocking_service;
mod client_service;
#[cfg(unix)]
pub mod handover;
#[cfg(feature = "http")]
pub mod inspect;
mod multi_service;
#[cfg(unix)]
pub mod notify;
#[cfg(unix)]
mod process_service;
mod server_service;
mod service;
mod sharded;
mod timer_service;

#[cfg(unix)]
pub use process_service::ProcessService;
pub use {
    application::{Application, ApplicationError},
    blocking_service::{BlockingService, StopFlag},
    multi_service::MultiService,
    server_service::ServerService,
    service::{Service, StartError, StopError},
    sharded::{ShardedApplication, ShardedError},
    timer_service::{TimerOutcome, TimerResult, TimerService},
};

// The code blocks of the README are compiled with the tests.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
