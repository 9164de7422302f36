//! Services of a server of XMPP: the port for components, rooms, uploads; in memory, and with our own client and component.

#[path = "../../../tests/support/watchdog.rs"]
mod watchdog;

#[path = "xmpp_server/kit.rs"]
#[allow(dead_code, reason = "each test binary uses a part of this")]
mod kit;

mod xmpp_services {
    mod component_port;
    mod ours;
    mod stored_rooms;
    mod uploads;
}
