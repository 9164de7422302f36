//! Programs of others: where they are, and how they are run.

use std::{
    io::{BufRead, BufReader, Write},
    path::{Path, PathBuf},
    process::{Child, ChildStdout, Command, Output, Stdio},
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

/// Whether this is the administrator, for whom smtp-sink wants to be told another user.
pub(crate) fn is_root() -> bool {
    Command::new("id").arg("-u").output().is_ok_and(|output| output.stdout == b"0\n")
}

/// Runs a program with this input to its end.
pub(crate) fn run(mut command: Command, input: &str) -> Output {
    let piped = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = piped.spawn().unwrap();
    // One that does not read it has ended, or will.
    let _ = child.stdin.take().unwrap().write_all(input.as_bytes());
    child.wait_with_output().unwrap()
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
