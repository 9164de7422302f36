//! The HTTP server, its proxies and the client with other programs: curl, Python, Node and nginx. Where one is missing, the test says "skipped".

#[path = "support/watchdog.rs"]
mod watchdog;

mod http_interop {
    mod clients;
    mod nginx;
    mod origins;
    mod programs;
    mod site;
}
