//! TLS beyond the conformance suite: certificate verification, failed handshakes, close_notify, and STARTTLS.

mod closing;
mod cutting;
mod failing;
mod handshakes;
#[cfg(unix)]
mod haproxy;
mod limits;
mod meeting;
mod openssl;
mod proxied;
mod setup;
mod simulated;
mod starting;
