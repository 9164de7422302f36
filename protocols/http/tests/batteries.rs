//! Building blocks of servers: each layer and handler as a client sees it.

#[path = "../../../tests/support/watchdog.rs"]
mod watchdog;

#[path = "support/mod.rs"]
#[allow(dead_code, reason = "what other tests need")]
mod support;

mod batteries {
    mod access_log;
    #[cfg(unix)]
    mod cgi;
    mod clients;
    #[cfg(feature = "compression")]
    mod compression;
    mod event_stream;
    mod files;
    mod files_paths;
    mod folder;
    #[cfg(feature = "forms")]
    mod forms;
    #[cfg(feature = "guard")]
    mod guard;
    #[cfg(feature = "guard")]
    mod guard_digest;
    mod layers;
    mod router;
    #[cfg(feature = "sessions")]
    mod sessions;
}
