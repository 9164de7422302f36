//! A component of XMPP as its server sees it: a connection in memory, on a virtual clock.

#[path = "../../../tests/support/never.rs"]
mod never;
#[path = "../../../tests/support/watchdog.rs"]
mod watchdog;

mod xmpp_component {
    mod attempts;
    mod handshake;
    mod script;
    mod stanzas;
}
