//! Programs of mail, and programs that run until the end of the test; the rest is that of all crates.

use std::{
    io::{BufRead, BufReader},
    path::Path,
    process::{Child, ChildStdout, Command, Stdio},
};

#[path = "../../../../tests/support/programs.rs"]
mod programs;

#[allow(unused_imports, reason = "each test binary uses a part of this")]
pub(crate) use programs::{find, python, run};
use programs::{skipped, target};

/// A program of Postfix, of `.ci/peers` or of the system.
pub(crate) fn postfix(name: &str) -> Option<Command> {
    let own = target().join("peers/postfix");
    let found = [own.join("usr/sbin"), "/usr/sbin".into()].map(|folder| folder.join(name));
    let Some(found) = found.into_iter().find(|path| path.is_file()) else { return skipped(name) };
    let mut command = Command::new(found);
    command.env("LD_LIBRARY_PATH", own.join("usr/lib/postfix"));
    Some(command)
}

/// Exim of `.ci/peers`, with users and groups of its own in files in this folder, since its package is not installed.
pub(crate) fn exim(folder: &Path) -> Option<Command> {
    let own = target().join("peers/exim");
    let (program, names) = (own.join("usr/sbin/exim4"), own.join("libnss_wrapper.so"));
    if !program.is_file() || !names.is_file() || !is_root() {
        return skipped("Exim, or not run by the administrator,");
    }
    for (name, line) in
        [("passwd", "Debian-exim:x:65534:65534::/tmp:/bin/sh"), ("group", "Debian-exim:x:65534:")]
    {
        let system = std::fs::read_to_string(Path::new("/etc").join(name)).ok()?;
        std::fs::write(folder.join(name), format!("{}\n{line}\n", system.trim_end())).ok()?;
    }
    let mut command = Command::new(program);
    command.env("LD_PRELOAD", names);
    command.env("NSS_WRAPPER_PASSWD", folder.join("passwd"));
    command.env("NSS_WRAPPER_GROUP", folder.join("group"));
    Some(command)
}

/// Whether this is the administrator, for whom smtp-sink wants to be told another user.
pub(crate) fn is_root() -> bool {
    Command::new("id").arg("-u").output().is_ok_and(|output| output.stdout == b"0\n")
}

/// A program that runs until the end of the test.
pub(crate) struct Running {
    child: Child,
    output: BufReader<ChildStdout>,
}

impl Running {
    pub(crate) fn start(mut command: Command) -> Self {
        let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn().unwrap();
        let output = BufReader::new(child.stdout.take().unwrap());
        Self { child, output }
    }

    pub(crate) fn is_running(&mut self) -> bool {
        matches!(self.child.try_wait(), Ok(None))
    }

    /// The next line that it prints.
    pub(crate) fn line(&mut self) -> String {
        let mut line = String::new();
        self.output.read_line(&mut line).unwrap();
        line.trim_end().to_owned()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
