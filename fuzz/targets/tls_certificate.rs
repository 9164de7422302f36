//! libFuzzer on the body of `tls_certificate`.

#![no_main]

#[path = "../bodies/mod.rs"]
#[allow(dead_code, reason = "the bodies of all targets, of which this is one")]
mod bodies;

libfuzzer_sys::fuzz_target!(|data: &[u8]| bodies::tls_certificate(data));
