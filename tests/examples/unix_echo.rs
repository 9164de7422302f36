//! Tests of the example `unix_echo`.
#![cfg(unix)]

use std::{
    env, fs,
    io::{Read, Write},
    os::unix::{fs::PermissionsExt, net::UnixStream},
    path::{Path, PathBuf},
    process,
};

use super::process::{Example, listening};
use crate::{ENGINES, PATIENCE};

/// The tests run at the same time, so each has a name of its own.
fn path(test: &str, engine: &str) -> PathBuf {
    env::temp_dir().join(format!("sinew-{test}-{}-{engine}.sock", process::id()))
}

fn endpoint(path: &Path) -> String {
    format!("unix:{}:mode=600", path.display())
}

fn start(test: &str, engine: &str) -> (Example, PathBuf) {
    let path = path(test, engine);
    let server = Example::start("unix_echo", &["--listen", &endpoint(&path), "--engine", engine]);
    assert_eq!(listening(&server.line()), format!("unix:{}", path.display()));
    (server, path)
}

fn connect(path: &PathBuf) -> UnixStream {
    let socket = UnixStream::connect(path).unwrap();
    socket.set_read_timeout(Some(PATIENCE)).unwrap();
    socket
}

#[test]
fn echoes_and_prints_the_peer() {
    for engine in ENGINES {
        let (server, path) = start("echo", engine);
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        let mut socket = connect(&path);
        let mut buffer = [0; 5];
        socket.write_all(b"hello").unwrap();
        socket.read_exact(&mut buffer).unwrap();
        assert_eq!(&buffer, b"hello");
        let line = server.line();
        if cfg!(target_os = "linux") {
            assert!(line.contains(&format!("process {} ", process::id())), "{line}");
        }
        assert!(line.ends_with(" connected"), "{line}");
        drop(socket);
        server.finish();
        assert!(!path.exists());
    }
}

#[test]
fn a_stale_socket_is_replaced_and_a_live_one_is_not() {
    let (first, path) = start("stale", "mio");
    let second = Example::start("unix_echo", &["--listen", &endpoint(&path)]).wait();
    assert_eq!(second.code, Some(1));
    let expected = format!("error: {} is in use by process {}", path.display(), first.id());
    assert_eq!(second.stderr, [expected]);
    // Killed, without cleanup.
    drop(first);
    assert!(path.exists());
    let (third, _) = start("stale", "mio");
    connect(&path);
    third.finish();
    assert!(!path.exists());
}

#[test]
fn errors_name_the_cause() {
    let long = format!("/tmp/{}", "x".repeat(200));
    let missing = "/nowhere/x: the directory /nowhere does not exist";
    let cases = [
        (&*long, "too long"),
        ("/nowhere/x", missing),
        ("/tmp", "/tmp exists and is not a socket"),
    ];
    for (path, part) in cases {
        let ended = Example::start("unix_echo", &["--listen", &endpoint(Path::new(path))]).wait();
        assert_eq!(ended.code, Some(1), "{path}: {ended:?}");
        assert!(
            ended.stderr[0].starts_with("error: ") && ended.stderr[0].contains(part),
            "{ended:?}"
        );
    }
}
