//! Proxies: [`ReverseProxy`], in front of one's own servers, and [`ForwardProxy`], for clients that have it ask servers anywhere. What
//! becomes of a request is in `exchange.rs`, which backend it goes to in `backends.rs`, what is passed on of its fields in `fields.rs`.

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
