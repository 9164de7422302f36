//! Networks that are gone: clients and servers of OSCAR and TOC that talk to each other in a simulated network, and hostile clients.

#[path = "../../../tests/support/watchdog.rs"]
mod watchdog;

mod historical {
    mod hostile;
    mod kit;
    mod sessions;
    mod states;
    mod twisted;
}
