//! Tests of the example `subprocess`.

#![cfg(unix)]

use super::process::Example;
use crate::ENGINES;

fn run(engine: &str, script: &str, input: &[u8]) -> Vec<String> {
    let mut example = Example::start("subprocess", &["--engine", engine, "--", "sh", "-c", script]);
    example.input(input);
    let ended = example.wait();
    assert_eq!((ended.code, &*ended.stderr), (Some(0), &[][..]), "{ended:?}");
    ended.stdout
}

#[test]
fn prefixes_what_it_runs() {
    for engine in ENGINES {
        let lines =
            run(engine, "cat; echo one; printf half; exec >&-; echo two >&2; exit 3", b"zero\n");
        let mut sorted = lines.clone();
        sorted.sort_unstable();
        assert_eq!(sorted, ["err two", "exit code 3", "out half", "out one", "out zero"]);
        assert_eq!(lines.last().map(String::as_str), Some("exit code 3"));
    }
}

#[test]
fn says_how_it_ended() {
    for engine in ENGINES {
        assert_eq!(run(engine, "kill -9 $$", b""), ["killed by signal 9"]);
    }
}

#[test]
fn much_goes_through() {
    for engine in ENGINES {
        let line = "a line that is as long as lines are, and comes back\n";
        let lines = run(engine, "cat", line.repeat(20_000).as_bytes());
        assert_eq!(lines.len(), 20_001);
        assert!(
            lines[..20_000]
                .iter()
                .all(|came| came == "out a line that is as long as lines are, and comes back")
        );
    }
}

#[test]
fn names_what_it_cannot_run() {
    let ended = Example::start("subprocess", &["no-such-program-anywhere"]).wait();
    assert_eq!(ended.code, Some(1));
    assert_eq!(ended.stderr, ["error: could not find the program \"no-such-program-anywhere\""]);
}
