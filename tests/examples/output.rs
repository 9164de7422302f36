//! Standard output that is full (`/dev/full`) or closed: clients report it and fail; servers continue.

use std::{
    fs::OpenOptions,
    io::{self, Write},
    net::{TcpListener, UdpSocket},
    os::fd::OwnedFd,
    process::{Command, Stdio},
    thread,
};

use rustix::process::{Pid, Signal, kill_process};

use super::{
    peer::Peer,
    process::{Example, path},
};

/// Runs an example that ends by itself, with its output going to `stdout`. Returns its exit code and its standard
/// error.
fn run(name: &str, args: &[&str], input: &str, stdout: impl Into<Stdio>) -> (Option<i32>, String) {
    let mut child = Command::new(path(name))
        .args(args)
        .env("RUST_LOG", "error") // warnings of slow callbacks say more about the machine
        .stdin(Stdio::piped())
        .stdout(stdout)
        .stderr(Stdio::piped())
        .spawn()
        .expect("it has been built");
    // It may have ended before it has read everything.
    let _ = child.stdin.take().expect("it is a pipe").write_all(input.as_bytes());
    let ended = child.wait_with_output().unwrap();
    (ended.status.code(), String::from_utf8_lossy(&ended.stderr).into_owned())
}

fn full() -> Stdio {
    OpenOptions::new().write(true).open("/dev/full").unwrap().into()
}

#[test]
fn clients_fail_if_they_cannot_print() {
    let echo = Example::serve("echo_server", "mio", &[]);
    let to = echo.addr.to_string();
    let udp = UdpSocket::bind("127.0.0.1:0").unwrap();
    let answering = udp.local_addr().unwrap().to_string();
    thread::spawn(move || {
        let (len, from) = udp.recv_from(&mut [0; 16]).unwrap();
        udp.send_to(&[b'x'; 16][..len], from).unwrap();
    });
    let cases: &[(&str, &[&str], &str)] = &[
        ("echo_client", &["--to", &to], "hello\n"),
        ("connect", &[&to], "hello\n"),
        ("udp_client", &["--to", &answering, "--wait", "30000"], "hello\n"),
        ("async_client", &["--listen", "127.0.0.1:0"], ""),
        ("simulated_chat", &["--clients", "6", "--minutes", "1"], ""),
        ("stdio_shell", &[], "echo hello\n"),
        ("stdio_shell", &[], "run echo hello\n"),
        ("subprocess", &["echo", "hello"], ""),
        ("echo_server", &["--help"], ""),
    ];
    for (name, args, input) in cases {
        let (code, stderr) = run(name, args, input, full());
        assert_eq!(code, Some(1), "{name} {args:?}: {stderr}");
        assert!(stderr.starts_with("error: standard "), "{name} {args:?}: {stderr}");
        assert!(stderr.contains("No space left"), "{name} {args:?}: {stderr}");
        assert_eq!(stderr.lines().count(), 1, "{name} {args:?}: {stderr}");
    }
}

/// As in a pipeline with `head -1`.
#[test]
fn standard_output_is_closed() {
    for (name, args, input) in
        [("stdio_shell", &[][..], "run yes\n"), ("subprocess", &["yes"][..], "")]
    {
        let (reader, writer) = io::pipe().unwrap();
        drop(reader);
        let (code, stderr) = run(name, args, input, writer);
        assert_eq!((code, &*stderr), (Some(1), "error: nobody reads standard output any more\n"));
    }
}

/// Servers continue when nobody reads their log.
#[test]
fn servers_continue() {
    let listen = "exec 3<&0 </dev/null >/dev/full; exec \"$0\" --listen fd:3";
    for name in ["simple_logger", "chat_server"] {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let addr = listener.local_addr().unwrap();
        let mut shell = Command::new("sh");
        shell.args(["-c", listen]).arg(path(name)).stdin(OwnedFd::from(listener));
        shell.env("RUST_LOG", "error");
        let server = shell.stderr(Stdio::piped()).spawn().unwrap();

        let mut client = Peer::connect(addr);
        client.send("hello\n");
        client.close_write();
        client.rest(); // it has printed by now, or tried to
        let pid = Pid::from_raw(server.id().cast_signed()).unwrap();
        kill_process(pid, Signal::TERM).unwrap();
        let ended = server.wait_with_output().unwrap();
        let said = String::from_utf8_lossy(&ended.stderr);
        assert_eq!((ended.status.code(), &*said), (Some(0), ""), "{name}");
    }
}
