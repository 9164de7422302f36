//! InspIRCd, and programs that run until the end of the test; the rest is that of all crates.

use std::{
    path::PathBuf,
    process::{Child, Command, Stdio},
};

#[path = "../../../../tests/support/programs.rs"]
mod programs;

#[allow(unused_imports, reason = "each test binary uses a part of this")]
pub(crate) use programs::{find, python};
use programs::{skipped, target};

/// InspIRCd of `.ci/peers`, and its modules.
pub(crate) fn inspircd() -> Option<(Command, PathBuf)> {
    let usr = target().join("peers/inspircd/usr");
    let program = usr.join("sbin/inspircd");
    if !program.is_file() {
        return skipped("InspIRCd");
    }
    let mut command = Command::new(program);
    command.env("LC_ALL", "C.UTF-8");
    Some((command, usr.join("lib/inspircd/modules")))
}

/// A program that runs until the end of the test.
pub(crate) struct Running(Child);

impl Running {
    pub(crate) fn start(mut command: Command) -> Self {
        let silent = command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
        Self(silent.spawn().unwrap())
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
