//! Programs of others, for tests with them: where they are, and how they are run to their end. The tests of several crates include this file
//! by its path, each beside the programs of its own.

#![allow(dead_code, reason = "each test binary uses a part of this")]

use std::{
    io::Write,
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
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

/// Python with a module: of `.ci/peers`, of the path, or of the system. Some modules are in old ones only.
pub(crate) fn python(module: &str) -> Option<Command> {
    let own = target().join("peers/python/bin/python3");
    for program in [own, "python3".into(), "python3.11".into(), "/usr/bin/python3".into()] {
        let mut import = Command::new(&program);
        let import = import.args(["-c", &format!("import {module}")]).stderr(Stdio::null());
        if import.status().is_ok_and(|status| status.success()) {
            return Some(Command::new(program));
        }
    }
    skipped(&format!("Python with {module}"))
}

/// Says aloud what is missing.
pub(crate) fn skipped<T>(what: &str) -> Option<T> {
    eprintln!("skipped: {what} is not installed");
    None
}

/// The target directory, where `.ci/peers` puts what it builds: the test lies in it.
pub(crate) fn target() -> PathBuf {
    let test = std::env::current_exe().unwrap();
    let deps = test.parent().and_then(Path::parent).and_then(Path::parent);
    deps.expect("target/debug/deps/test").to_owned()
}

/// Runs a program with this input to its end.
pub(crate) fn run(mut command: Command, input: &str) -> Output {
    let piped = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = piped.spawn().unwrap();
    // One that does not read it has ended, or will.
    let _ = child.stdin.take().unwrap().write_all(input.as_bytes());
    child.wait_with_output().unwrap()
}
