//! Proxies: [`ReverseProxy`], in front of own servers, and [`ForwardProxy`], for clients that are configured to use it. The steps
//! of a request are in `exchange.rs`, the choice of a backend in `backends.rs`, forwarded fields in `fields.rs`.

mod address_policy;
mod backends;
mod exchange;
mod fields;
mod forward;
mod health;
mod pipe;
mod reverse;
mod tunnel;

pub use self::{forward::ForwardProxy, health::HealthCheck, reverse::ReverseProxy};
