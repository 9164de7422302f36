//! `sinew status` as a process: text, JSON, and programs that are not there.

use std::process::{Command, Output};

use super::program::Program;

fn status(arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_sinew"));
    command.arg("status").args(arguments).output().expect("the command can be started")
}

fn printed(arguments: &[&str]) -> String {
    let output = status(arguments);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("a text")
}

#[test]
fn the_state_is_printed_once_for_people() {
    let program = Program::start();
    let clients: Vec<_> = (0..3).map(|_| program.client(2_048)).collect();
    let text = printed(&["--at", &program.at(), "--connections"]);
    assert!(text.contains(&format!("process {}", std::process::id())), "{text}");
    assert!(text.contains("\nReactors\nREACTOR  ENGINE"), "{text}");
    let port = program.echo().to_string();
    assert!(text.lines().any(|line| line.contains("tcp") && line.contains(&port)), "{text}");
    for client in &clients {
        let peer = client.local_addr().expect("it is open").to_string();
        let line = text.lines().find(|line| line.contains(&peer)).expect("it is listed");
        assert!(
            line.contains("open") && line.contains("2.0 KiB") && line.contains("program::Echo"),
            "{line}"
        );
    }
    let text = printed(&["--at", &program.at()]);
    assert!(!text.contains("\nConnections\n"), "{text}");
}

#[test]
fn the_state_is_printed_as_json_with_as_many_connections_as_are_wanted() {
    let program = Program::start();
    let _clients: Vec<_> = (0..5).map(|_| program.client(1)).collect();
    let json = |arguments: &[&str]| -> serde_json::Value {
        serde_json::from_str(&printed(arguments)).expect("valid JSON")
    };
    let found = json(&["--at", &program.at(), "--json", "--connections", "3"]);
    assert_eq!((&found["version"], &found["pid"]), (&1.into(), &std::process::id().into()));
    assert_eq!(found["connections"].as_array().map(Vec::len), Some(3));
    let all = json(&["--at", &program.at(), "--json", "--connections"]);
    // And that of the command itself.
    assert_eq!(all["connections"].as_array().map(Vec::len), Some(6));
    assert!(json(&["--at", &program.at(), "--json"]).get("connections").is_none());
}

#[test]
fn a_program_that_is_not_there_or_not_ours_is_named() {
    let program = Program::start();
    let failure = |at: &str| {
        let output = status(&["--at", at]);
        (output.status.code(), String::from_utf8_lossy(&output.stderr).into_owned())
    };
    let (code, text) = failure("unix:/nonexistent/x.sock");
    assert!(
        code == Some(69) && text.contains("/nonexistent/x.sock") && text.contains("--status"),
        "{text}"
    );
    // An echo server answers with the request.
    let (code, text) = failure(&format!("tcp:127.0.0.1:{}", program.echo().port()));
    assert!(code == Some(74), "{code:?} {text}");
    let (code, _) = failure("nonsense:");
    assert!(code.is_some_and(|code| code != 0));
}
