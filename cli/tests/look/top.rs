//! `sinew top` in a terminal: keys, programs that end, signals.

use std::{
    io::{ErrorKind, Read, Write},
    process::Command,
};

use super::{program::Program, tmux::Tmux};

fn command(program: &Program) -> String {
    format!("{} top --interval 100ms --at {}", env!("CARGO_BIN_EXE_sinew"), program.at())
}

#[test]
fn a_connection_is_found_paused_and_closed() {
    let program = Program::start();
    let script = format!("echo before; {}; echo ended $?; cat", command(&program));
    let Some(terminal) = Tmux::start("found", 110, 24, &script) else { return };
    let mut clients: Vec<_> = (0..3).map(|_| program.client(1)).collect();
    let peers: Vec<_> =
        clients.iter().map(|c| c.local_addr().expect("it is open").to_string()).collect();
    let texts: Vec<_> =
        peers.iter().map(String::as_str).chain(["1 connections", "PER S"]).collect();
    terminal.wait(&texts);
    assert!(!terminal.screen().contains("before"));
    terminal.press(&["/", &peers[1]]);
    terminal.wait(&[&format!("filter: {}", peers[1])]);
    terminal.press(&["Enter"]);
    while terminal.screen().contains(&peers[0]) {}
    terminal.press(&["Enter"]);
    terminal.wait(&["peer ", &peers[1], "longest call"]);
    terminal.press(&["p"]);
    terminal.wait(&["pause the connection with", "y/n"]);
    terminal.press(&["n"]);
    terminal.wait(&["longest call"]);
    terminal.press(&["p"]);
    terminal.wait(&["y/n"]);
    terminal.press(&["y"]);
    terminal.wait(&["paused by     user"]);
    clients[1].write_all(b"x").expect("it is open");
    terminal.press(&["p"]);
    terminal.wait(&["resume the connection with"]);
    terminal.press(&["y"]);
    terminal.wait(&["paused by     nobody"]);
    clients[1].read_exact(&mut [0]).expect("it is resumed");
    terminal.press(&["x"]);
    terminal.wait(&["abort the connection with"]);
    terminal.press(&["y"]);
    terminal.wait(&["is gone"]);
    let error = clients[1].read(&mut [0]).expect_err("a reset");
    assert_eq!(error.kind(), ErrorKind::ConnectionReset);
    terminal.press(&["Escape"]);
    terminal.press(&["2"]);
    terminal.wait(&["ADDRESS", &program.echo().to_string()]);
    terminal.resize(30, 4);
    terminal.press(&["1"]);
    terminal.press(&["Escape"]);
    terminal.wait(&[&peers[0]]);
    terminal.resize(110, 24);
    terminal.wait(&["1 connections", &peers[0], &peers[2]]);
    terminal.press(&["q"]);
    // The screen is as it was before.
    terminal.wait(&["before", "ended 0"]);
}

#[test]
fn a_program_that_ends_is_said_to_be_gone_and_the_last_state_stays() {
    let program = Program::start();
    let Some(terminal) = Tmux::start("gone", 110, 24, &command(&program)) else { return };
    let client = program.client(1);
    let peer = client.local_addr().expect("it is open").to_string();
    terminal.wait(&[&peer]);
    drop(program);
    terminal.wait(&[&peer, "no answer"]);
    terminal.press(&["q"]);
}

#[test]
fn a_signal_restores_the_terminal_and_is_passed_on() {
    let program = Program::start();
    let file = program.file("pid");
    // `exec` keeps the process id of the shell that has written it.
    let script = format!(
        "echo before; sh -c 'echo $$ > {file}; exec {}'; echo ended $?; cat",
        command(&program)
    );
    let Some(terminal) = Tmux::start("signal", 110, 24, &script) else { return };
    let client = program.client(1);
    terminal.wait(&[&client.local_addr().expect("it is open").to_string()]);
    let pid = std::fs::read_to_string(file).expect("the shell has written it");
    let killed = Command::new("kill").args(["-TERM", pid.trim()]).status();
    assert!(killed.is_ok_and(|status| status.success()));
    // 128 and the number of SIGTERM.
    terminal.wait(&["before", "ended 143"]);
}

#[test]
fn without_a_terminal_it_says_what_to_use() {
    let program = Program::start();
    let mut command = Command::new(env!("CARGO_BIN_EXE_sinew"));
    let output = command.args(["top", "--at", &program.at()]).output().expect("it can be started");
    let text = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.code() == Some(64) && text.contains("sinew status"), "{text}");
}
