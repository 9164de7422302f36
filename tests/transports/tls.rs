//! TLS beyond the conformance suite: certificate verification, failed handshakes, close_notify, and STARTTLS.

mod cutting;
mod ending;
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
