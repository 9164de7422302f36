//! Server programs made with sinew: services, which start and stop in an order.
//!
//! | to | see |
//! |---|---|
//! | run a whole program | [`Application`] |
//! | write a part of a program that starts and stops | [`Service`] |
//! | start and stop several as one | [`MultiService`] |
//! | serve connections | [`ServerService`] |
//! | keep a connection to a server | [`ClientService`](sinew_transports::ClientService) is a [`Service`] |
//! | call a function at an interval | [`TimerService`] |
//! | tell systemd that the program is ready | the module `notify` (Unix) |

#![forbid(unsafe_code)]

mod application;
mod client_service;
mod multi_service;
#[cfg(unix)]
pub mod notify;
mod server_service;
mod service;
mod timer_service;

pub use {
    application::{Application, ApplicationError},
    multi_service::MultiService,
    server_service::ServerService,
    service::{Service, StartError, StopError},
    timer_service::{TimerOutcome, TimerResult, TimerService},
};
