//! Where mail goes: aliases, forwarding, tags, domains; who may send; and deliveries to mailboxes, programs and files.

#[path = "../../../tests/support/watchdog.rs"]
mod watchdog;

#[path = "support/mod.rs"]
#[allow(dead_code, reason = "each test binary uses a part of this")]
mod support;

mod routing {
    mod agents;
    mod receiving;
    mod routes;
}
