//! Files and conversations by DCC between two clients of ours, and with ends that do not keep to anything. On real sockets, with files in
//! a folder of the system for temporary ones.

#[path = "../../../tests/support/watchdog.rs"]
mod watchdog;

mod dcc {
    mod chats;
    mod files;
    mod hostile;
    mod kit;
}
