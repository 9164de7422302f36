//! TLS, beside what the conformance table asks of it as of any stream: who is believed, what a failed handshake leaves behind, how
//! it ends, and how it begins in mid-stream.

mod support;

mod tls {
    mod cutting;
    mod ending;
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
}
