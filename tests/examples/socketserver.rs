//! The servers with blocking handlers: `thank_you`, `upper_threaded`, `tcp_upper`, `udp_upper`, `unix_echo_server`
//! and `access_control`.

use std::net::{TcpListener, UdpSocket};

use super::process::Example;
use crate::{ENGINES, PATIENCE};

const MODELS: &[&str] =
    if cfg!(unix) { &["simple", "threading", "forking"] } else { &["simple", "threading"] };

#[test]
fn thank_you_works_in_every_mode() {
    for engine in ENGINES {
        for model in MODELS {
            let server = Example::serve("thank_you", engine, &["--model", model]);
            for _ in 0..3 {
                let mut client = server.connect();
                client.expect("Thank you for connecting\n");
                client.expect_end();
                assert_eq!(server.line(), format!("Got connection from {}", client.addr()));
            }
            server.finish();
        }
    }
}

#[test]
fn upper_threaded_talks_to_itself_and_to_others() {
    for engine in ENGINES {
        let server = Example::serve("upper_threaded", engine, &[]);
        for n in 1..=3 {
            assert_eq!(server.line(), format!("Received: Thread-{n}: HELLO WORLD {n}"));
        }
        let mut client = server.connect();
        client.send("straße\n");
        let answer = client.line();
        let (thread, text) = answer.split_once(": ").expect("a name and a text");
        assert!(thread.starts_with("Thread-") && text == "STRASSE", "{answer}");
        client.send("the same thread\n");
        assert_eq!(client.line(), format!("{thread}: THE SAME THREAD"));
        client.close_write();
        client.expect_end();
        server.finish();
    }
}

#[test]
fn tcp_upper_strips_prints_and_answers() {
    for engine in ENGINES {
        let server = Example::serve("tcp_upper", engine, &[]);
        let mut client = server.connect();
        client.send("  hello \u{1b}[2J world \r\n");
        assert_eq!(client.rest(), b"HELLO \x1b[2J WORLD");
        assert_eq!(server.line(), "127.0.0.1 wrote:");
        // Terminal control sequences sent by clients are escaped.
        assert_eq!(server.line(), r"hello \u{1b}[2J world");
        server.finish();
    }
}

#[test]
fn udp_upper_answers_datagrams() {
    for engine in ENGINES {
        let server = Example::serve("udp_upper", engine, &[]);
        let client = UdpSocket::bind("127.0.0.1:0").unwrap();
        client.set_read_timeout(Some(PATIENCE)).unwrap();
        client.connect(server.addr).unwrap();
        client.send(b" hello \r\n world\n").unwrap();
        let mut answer = [0; 100];
        let len = client.recv(&mut answer).unwrap();
        assert_eq!(&answer[..len], b"HELLO \r\n WORLD\n");
        assert_eq!(server.line(), "127.0.0.1 wrote:");
        assert_eq!(server.line(), r"hello \r\n world");
        server.finish();
    }
}

#[test]
fn access_control_accepts_allowed_clients() {
    for (allowed, answer) in [("127.0.0.1", "Welcome, 127.0.0.1.\n"), ("192.0.2.1", "")] {
        for engine in ENGINES {
            let server = Example::serve("access_control", engine, &["--allow", allowed]);
            let mut client = server.connect();
            assert_eq!(client.rest(), answer.as_bytes());
            let became = if answer.is_empty() { "was turned away" } else { "came in" };
            assert_eq!(server.line(), format!("{} {became}", client.addr()));
            server.finish();
        }
    }
}

#[test]
fn an_address_in_use_or_a_bad_argument_is_a_one_line_error() {
    let tcp = TcpListener::bind("127.0.0.1:0").unwrap();
    let udp = UdpSocket::bind("127.0.0.1:0").unwrap();
    let taken = |name: &str| match name {
        "udp_upper" => udp.local_addr().unwrap(),
        _ => tcp.local_addr().unwrap(),
    };
    for name in ["thank_you", "upper_threaded", "tcp_upper", "udp_upper", "access_control"] {
        let listen = taken(name).to_string();
        for (args, code, part) in [
            (["--listen", &listen], 1, format!("error: could not listen on {listen}: ")),
            (["--listen", "nowhere"], 2, "error: invalid value 'nowhere'".to_owned()),
            (["--engine", "steam"], 2, "error: invalid value 'steam'".to_owned()),
        ] {
            let ended = Example::start(name, &args).wait();
            let what = format!("{name} {args:?}: {ended:?}");
            assert_eq!((ended.code, ended.stderr.len()), (Some(code), 1), "{what}");
            assert!(ended.stdout.is_empty() && ended.stderr[0].starts_with(&part), "{what}");
        }
    }
}

#[cfg(unix)]
mod unix {
    use std::{
        env, fs,
        io::{Read, Write},
        os::unix::net::UnixStream,
        path::PathBuf,
        process,
    };

    use rustix::process::Signal;

    use super::super::process::{Example, listening};
    use crate::{ENGINES, PATIENCE};

    #[test]
    fn either_signal_exits_successfully_with_clients_connected() {
        for (name, args) in [
            ("thank_you", &["--model", "simple"][..]),
            ("thank_you", &["--model", "threading"]),
            ("thank_you", &["--model", "forking"]),
            ("upper_threaded", &[]),
            ("tcp_upper", &[]),
            ("udp_upper", &[]),
            ("access_control", &[]),
        ] {
            for signal in [Signal::INT, Signal::TERM] {
                let server = Example::serve(name, "mio", args);
                server.signal(signal);
                let ended = server.wait();
                assert_eq!((ended.code, &*ended.stderr), (Some(0), &[][..]), "{name}: {ended:?}");
            }
        }
    }

    /// A running handler is awaited.
    #[test]
    fn a_signal_does_not_cut_off_a_handler() {
        let server = Example::serve("upper_threaded", "mio", &[]);
        let mut client = server.connect();
        client.send("hello\n");
        client.line();
        server.signal(Signal::INT);
        client.send("still there?\n");
        assert!(client.line().ends_with(": STILL THERE?"));
        drop(client);
        let ended = server.wait();
        assert_eq!((ended.code, &*ended.stderr), (Some(0), &[][..]), "{ended:?}");
    }

    fn path(name: &str) -> PathBuf {
        env::temp_dir().join(format!("sinew-{}-{name}.sock", process::id()))
    }

    fn echo_server(path: &str, engine: &str) -> Example {
        let server = Example::start("unix_echo_server", &["--listen", path, "--engine", engine]);
        assert_eq!(listening(&server.line()), path);
        server
    }

    #[test]
    fn unix_echo_server_echoes_and_removes_its_socket() {
        let path = path("echo");
        let name = path.to_str().unwrap();
        for engine in ENGINES {
            let server = echo_server(name, engine);
            let mut client = UnixStream::connect(&path).unwrap();
            client.set_read_timeout(Some(PATIENCE)).unwrap();
            for text in [&b"hello\n"[..], b"\0\xff", &[b'x'; 10_000]] {
                client.write_all(text).unwrap();
                let mut echo = vec![0; text.len()];
                client.read_exact(&mut echo).unwrap();
                assert_eq!(echo, text);
            }
            drop(client);
            server.finish();
            assert!(!path.exists());
        }
        // A killed server leaves its socket file, which does not prevent the next start.
        drop(echo_server(name, "mio"));
        assert!(path.exists());
        let server = echo_server(name, "mio");
        // The socket of a running server is not replaced, and neither are other files.
        for (taken, is_file) in [(name.to_owned(), false), (format!("{name}.txt"), true)] {
            if is_file {
                fs::write(&taken, "mine").unwrap();
            }
            let ended = Example::start("unix_echo_server", &["--listen", &taken]).wait();
            assert_eq!((ended.code, ended.stderr.len()), (Some(1), 1), "{ended:?}");
            assert!(ended.stderr[0].starts_with("error: could not listen on "), "{ended:?}");
            if is_file {
                assert_eq!(fs::read_to_string(&taken).unwrap(), "mine");
                fs::remove_file(&taken).unwrap();
            }
        }
        server.finish();
    }
}
