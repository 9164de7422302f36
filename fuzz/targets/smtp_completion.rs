//! libFuzzer on the body of `smtp_completion`.

#![no_main]

#[path = "../bodies/mod.rs"]
#[allow(dead_code, reason = "the bodies of all targets, of which this is one")]
mod bodies;

libfuzzer_sys::fuzz_target!(|data: &[u8]| bodies::smtp_completion(data));
