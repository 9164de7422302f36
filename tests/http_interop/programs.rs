//! Runs other programs, if they are there.

use std::process::{Command, Output, Stdio};

/// Whether a program can be run; aloud, if it cannot.
pub(crate) fn is_there(program: &str, version: &str) -> bool {
    let found =
        Command::new(program).arg(version).stdout(Stdio::null()).stderr(Stdio::null()).status();
    let is_there = found.is_ok_and(|status| status.success());
    if !is_there {
        eprintln!("skipped: {program} is not installed");
    }
    is_there
}

/// What a program prints. It has to succeed.
pub(crate) fn output(program: &str, args: &[&str]) -> String {
    let Output { status, stdout, stderr } = Command::new(program).args(args).output().unwrap();
    let (stdout, stderr) = (String::from_utf8_lossy(&stdout), String::from_utf8_lossy(&stderr));
    assert!(status.success(), "{program} {args:?}: {status}\n{stdout}\n{stderr}");
    stdout.into_owned()
}

/// What curl prints.
pub(crate) fn curl(args: &[&str]) -> String {
    let mut all = vec!["--silent", "--show-error", "--max-time", "60", "--noproxy", ""];
    all.extend(args);
    output("curl", &all)
}
