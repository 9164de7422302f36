//! Tests of the example `inetd_echo`.

#![cfg(unix)]

use std::{
    fs::File,
    io::{Read, Write},
    net::{Shutdown, TcpListener, TcpStream},
    os::unix::net::{UnixListener, UnixStream},
};

use super::process::Example;
use crate::{ENGINES, PATIENCE};

#[test]
fn one_connection_then_exit() {
    for engine in ENGINES {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let mut far = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let (near, _) = listener.accept().unwrap();
        let echo = Example::on_socket(near.into(), "inetd_echo", &["--engine", engine]);
        far.set_read_timeout(Some(PATIENCE)).unwrap();
        answers(&mut far);
        far.shutdown(Shutdown::Write).unwrap();
        assert_eq!(far.read(&mut [0]).unwrap(), 0);
        let ended = echo.wait();
        assert_eq!((ended.code, &*ended.stderr), (Some(0), &[][..]), "{ended:?}");
    }
}

#[test]
fn one_end_of_a_pair() {
    let (near, mut far) = UnixStream::pair().unwrap();
    let echo = Example::on_socket(near.into(), "inetd_echo", &[]);
    far.set_read_timeout(Some(PATIENCE)).unwrap();
    answers(&mut far);
    drop(far);
    assert_eq!(echo.wait().code, Some(0));
}

#[test]
fn a_port_of_either_family() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let addr = listener.local_addr().unwrap();
    let echo = Example::on_socket(listener.into(), "inetd_echo", &[]);
    for _ in 0..2 {
        let mut far = TcpStream::connect(addr).unwrap();
        far.set_read_timeout(Some(PATIENCE)).unwrap();
        answers(&mut far);
    }
    echo.finish();

    let path = std::env::temp_dir().join(format!("sinew-inetd-{}.sock", std::process::id()));
    let listener = UnixListener::bind(&path).unwrap();
    let mut far = UnixStream::connect(&path).unwrap();
    far.set_read_timeout(Some(PATIENCE)).unwrap();
    std::fs::remove_file(&path).unwrap();
    let echo = Example::on_socket(listener.into(), "inetd_echo", &[]);
    answers(&mut far);
    drop(far);
    echo.finish();
}

#[test]
fn standard_input_that_is_not_a_socket() {
    let file = File::open("/dev/null").unwrap();
    let ended = Example::on_socket(file.into(), "inetd_echo", &[]).wait();
    let told = "error: expected a connected stream socket, but the descriptor is not a socket";
    assert_eq!((ended.code, &*ended.stderr), (Some(1), &[told.to_owned()][..]));
}

fn answers(far: &mut (impl Read + Write)) {
    let mut answer = [0; 5];
    far.write_all(b"hello").unwrap();
    far.read_exact(&mut answer).unwrap();
    assert_eq!(&answer, b"hello");
}
