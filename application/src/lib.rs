//! Server programs made with sinew: services, which start and stop in an order.

#![forbid(unsafe_code)]

#[cfg(feature = "http")]
pub mod inspect;
