//! The conformance suite: every scenario on every engine and every kind of connection to which it applies. One file
//! per topic.
//!
//! `cargo test --test conformance closing` runs one topic; a failure names scenario, engine and link.

mod support;

mod conformance {
    mod aborting;
    #[cfg(unix)]
    mod adopting;
    mod batch;
    mod cancelling;
    mod closing;
    mod connecting;
    #[cfg(unix)]
    mod descriptors;
    mod draining;
    #[cfg(unix)]
    mod duplicates;
    mod files;
    #[cfg(unix)]
    mod finding;
    mod handover;
    mod holding;
    mod inside;
    mod lifecycle;
    mod listening;
    mod output_failing;
    mod panicking;
    mod producing;
    mod proxy_accept;
    mod proxy_header;
    mod reading;
    mod relay_ends;
    mod relaying;
    mod stopping;
    mod timing;
    #[cfg(unix)]
    mod unix;
    mod urgent;
    mod writing;
}
