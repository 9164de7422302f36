//! Help, completions and man pages.

use std::{fs, process::Command};

use super::peers::has_program;
use crate::kit::{Scratch, output};

#[test]
fn every_command_has_help_with_examples() {
    let help = String::from_utf8(output(&["--help"]).stdout).unwrap();
    let commands = help.lines().skip_while(|line| *line != "Commands:").skip(1);
    let names: Vec<_> = commands
        .take_while(|line| !line.is_empty())
        .filter_map(|line| line.split_whitespace().next())
        .filter(|name| *name != "help")
        .collect();
    assert!(names.len() > 10, "{names:?}");
    for name in names {
        let help = output(&[name, "--help"]);
        assert!(help.status.success());
        let help = String::from_utf8(help.stdout).unwrap();
        assert!(help.contains(&format!("Examples:\n  sinew {name}")), "{help}");
    }
}

#[test]
fn shells_accept_the_completions() {
    let scratch = Scratch::new();
    for (shell, check) in [("bash", "-n"), ("zsh", "-n"), ("fish", "--no-execute")] {
        let printed = output(&["completions", shell]);
        assert!(printed.status.success() && printed.stdout.len() > 1_000, "{shell}");
        let file = scratch.write(shell, &String::from_utf8(printed.stdout).unwrap());
        if has_program(shell) {
            let checked = Command::new(shell).args([check, &file]).output().unwrap();
            assert!(checked.status.success(), "{checked:?}");
        }
    }
}

#[test]
fn man_pages_are_written() {
    let scratch = Scratch::new();
    let directory = scratch.text("man/man1");
    assert!(output(&["man", &directory]).status.success());
    let page = |name: &str| fs::read_to_string(format!("{directory}/{name}.1")).unwrap();
    assert!(page("sinew").contains("sinew\\-chat"));
    assert!(page("sinew-chat").contains("\\-\\-max\\-unread"));
    if has_program("man") {
        let shown = Command::new("man")
            .args(["-l", &format!("{directory}/sinew-bench.1")])
            .env("LC_ALL", "C")
            .output()
            .unwrap();
        assert!(shown.status.success(), "{shown:?}");
        assert!(String::from_utf8_lossy(&shown.stdout).contains("--warmup"), "{shown:?}");
    }
    // A file is in the place of the directory.
    let file = scratch.write("file", "");
    assert_eq!(output(&["man", &format!("{file}/x")]).status.code(), Some(73));
}
