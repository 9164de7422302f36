//! Tests of the example `stdio_shell`.

#![cfg(unix)]

use super::process::Example;
use crate::ENGINES;

#[test]
fn answers_line_by_line() {
    for engine in ENGINES {
        let mut shell = Example::start("stdio_shell", &["--engine", engine]);
        for (line, answers) in [
            ("echo hello", &["hello"][..]),
            ("help", &["echo TEXT, run COMMAND, quit"]),
            ("run echo from a child; exit 2", &["from a child", "exit code 2"]),
            ("run cat", &[]),
            ("echo two  words", &["two  words"]),
        ] {
            shell.input(format!("{line}\n").as_bytes());
            for answer in answers {
                assert_eq!(shell.line(), *answer);
            }
        }
        shell.input(b"quit\n");
        let ended = shell.wait_with_input_open();
        assert_eq!((ended.code, &*ended.stderr), (Some(0), &[][..]), "{ended:?}");
    }
}

/// Lines received while a command runs are executed later, including a last line without an end.
#[test]
fn exits_at_eof() {
    for engine in ENGINES {
        let mut shell = Example::start("stdio_shell", &["--engine", engine]);
        shell.input(b"run echo one\nrun echo two\necho three\necho four");
        let ended = shell.wait();
        assert_eq!(ended.stdout, ["one", "two", "three", "four"]);
        assert_eq!(ended.code, Some(0));
    }
}
