//! procmon with programs that crash, and one that does not want to end. The waits themselves are tested on the virtual clock, by the crate
//! of services.

use crate::kit::{Scratch, Server, failure, sinew};

#[test]
fn a_program_that_crashes_is_started_again_and_its_output_is_logged() {
    let mut server = Server::begin(&mut sinew(&[
        "procmon",
        "--min-delay",
        "10ms",
        "--max-delay",
        "40ms",
        "--good-run",
        "1h",
        "--",
        "/bin/sh",
        "-c",
        "echo out; echo err >&2; exit 3",
    ]));
    for wait in ["10ms", "20ms", "40ms", "40ms"] {
        let line = server.line("it is started again");
        assert!(line.contains(&format!("wait={wait}")), "{line}");
    }
    let log = server.stop();
    assert!(log.contains("out") && log.contains("err") && log.contains("exit"), "{log}");
}

#[test]
fn a_program_that_ignores_sigterm_is_killed() {
    let mut server = Server::begin(&mut sinew(&[
        "procmon",
        "--kill-time",
        "50ms",
        "--",
        "/bin/sh",
        "-c",
        "trap '' TERM; echo deaf; while :; do read x; done <&2",
    ]));
    server.line("deaf");
    server.stop();
}

#[test]
fn copies_run_beside_each_other_in_their_directory() {
    let scratch = Scratch::new();
    let directory = scratch.text("");
    let mut server = Server::begin(&mut sinew(&[
        "procmon",
        "--copies",
        "3",
        "--directory",
        &directory,
        "--reactors",
        "2",
        "--",
        "/bin/sh",
        "-c",
        "echo here: $(pwd); exec sleep 1000",
    ]));
    for _ in 0..3 {
        let line = server.line("here: ");
        assert!(line.contains(directory.trim_end_matches('/')), "{line}");
    }
    server.stop();
}

#[test]
fn a_program_that_does_not_exist_is_an_error_of_the_start() {
    for (arguments, text) in [
        (&["procmon", "--", "/no/such/program"][..], "/no/such/program"),
        (&["procmon", "--copies", "0", "--", "true"], "between 1 and 1000"),
        (&["procmon"], "PROGRAM"),
        (&["procmon", "--listen", "tcp:0", "--", "true"], "no endpoints of its own"),
    ] {
        let (code, said) = failure(arguments);
        assert_ne!(code, 0, "{arguments:?}");
        assert!(said.contains(text), "{said}");
    }
}
