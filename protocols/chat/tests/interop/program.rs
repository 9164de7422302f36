//! Programs of others: where they are, and how they are run.

use std::{
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
};

/// A program on the path. Those that read `SHELL` or the language find the same ones on every machine.
pub(crate) fn find(name: &str) -> Option<Command> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let found =
        std::env::split_paths(&path).map(|folder| folder.join(name)).find(|path| path.is_file());
    let mut command = found.map(Command::new).or_else(|| skipped(name))?;
    command.env("SHELL", "/bin/sh").env("LC_ALL", "C.UTF-8");
    Some(command)
}

/// Python with a module, of `.ci/peers` or of the system.
pub(crate) fn python(module: &str) -> Option<Command> {
    let own = target().join("peers/python/bin/python3");
    for program in [own, "python3".into(), "/usr/bin/python3".into()] {
        let mut import = Command::new(&program);
        let import = import.args(["-c", &format!("import {module}")]).stderr(Stdio::null());
        if import.status().is_ok_and(|status| status.success()) {
            return Some(Command::new(program));
        }
    }
    skipped(&format!("Python with {module}"))
}

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

fn skipped<T>(what: &str) -> Option<T> {
    eprintln!("skipped: {what} is not installed");
    None
}

/// The target directory: the test lies in it.
fn target() -> PathBuf {
    let test = std::env::current_exe().unwrap();
    let deps = test.parent().and_then(Path::parent).and_then(Path::parent);
    deps.expect("target/debug/deps/test").to_owned()
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
