//! Transports on every engine, beyond the conformance suite: datagrams, TLS, pipes, child processes, fault injection, re-entrancy. Tests
//! of what belongs to the whole process (allocator, descriptors, signals, fork) are binaries of their own.

mod support;

mod transports {
    mod datagrams;
    mod faults;
    #[cfg(feature = "http")]
    mod http_endpoints;
    mod lifetimes;
    #[cfg(unix)]
    mod pipes;
    #[cfg(unix)]
    mod processes;
    #[cfg(unix)]
    mod reentrancy;
    mod tls;
}
