//! The command `sinew` as real processes: its start and end, the background, privileges, reloads, logs, systemd, files. Nothing sleeps:
//! every wait is for a line, a message, the end of a stream or of a process.

#[path = "../../tests/support/watchdog.rs"]
mod watchdog;

mod command {
    mod background;
    mod deploying;
    mod ending;
    mod files;
    mod inspecting;
    mod kit;
    mod logging;
    mod pid_files;
    mod privileges;
    mod reloading;
    mod serving;
    mod systemd;
    mod upgrading;
}
