//! Untrusted text in errors and peer names: shortened, on one line, without control characters.

use crate::watchdog::watch_this_test;
use std::{error::Error, fmt::Display, io};

use sinew_testkit::{
    sim::{Network, Plan, PlanError},
    testing::Recording,
};
use sinew_transports::{
    ConnectError, ConnectionLost, Destination, ListenError, Peer, TlsError,
    names::{Hosts, ResolveError},
    proxy::{ProxyHeader, ProxyVersion, Subnet},
    reactor::{Engine, Failure},
};

/// Longest message: an excerpt of escaped characters only, and some words.
const MESSAGE_LEN_MAX: usize = 8 * 256 + 200;

fn untrusted_texts() -> Vec<String> {
    vec![
        "a".repeat(70_000),
        "\u{1b}[2J\u{1b}]0;title\u{7}".to_owned(),
        "first\r\nsecond\nlevel=ERROR forged".to_owned(),
        "\u{9b}31m\u{202e}gnp.exe\u{2028}".to_owned(),
        "\u{7f}\0\u{8}".repeat(1000),
    ]
}

fn assert_escaped(what: &str, message: impl Display) {
    let message = message.to_string();
    assert!(message.len() <= MESSAGE_LEN_MAX, "{what}: {} bytes", message.len());
    let is_plain = |c: char| !c.is_control() && !matches!(c, '\u{202e}' | '\u{2028}');
    assert!(message.chars().all(is_plain), "{what}: {message:?}");
}

fn io_error() -> io::Error {
    io::ErrorKind::NotFound.into()
}

/// The parser accepts any host name; the network rejects unknown ones.
fn no_host(name: &str) -> PlanError {
    match format!("at 1 s kill {name}").parse::<Plan>() {
        Ok(plan) => Network::new(1).plan(&plan).unwrap_err(),
        Err(error) => error,
    }
}

#[test]
fn errors_are_short_and_escaped() {
    for text in untrusted_texts() {
        let (name, host) = (|| text.clone(), || Destination::Name(text.clone(), 80));
        let errors: Vec<Box<dyn Error>> = vec![
            Box::new(ConnectError::BadDestination(name())),
            Box::new(ConnectError::Resolve { host: name(), source: ResolveError::NoSuchName }),
            Box::new(ConnectError::Other { to: name(), source: io_error() }),
            Box::new(ConnectError::BadServerName(name())),
            Box::new(ConnectError::AllFailed { to: host(), tried: Vec::new() }),
            Box::new(ConnectError::TimedOut {
                phase: sinew_transports::ConnectPhase::default(),
                to: host(),
                after: std::time::Duration::ZERO,
                tried: Vec::new(),
            }),
            Box::new(ConnectError::TimedOut {
                phase: sinew_transports::ConnectPhase::default(),
                to: Destination::Bad(name()),
                after: std::time::Duration::ZERO,
                tried: Vec::new(),
            }),
            Box::new(ListenError::Resolve { at: host(), source: io_error() }),
            Box::new(ListenError::Other { at: name(), source: io_error() }),
            Box::new(ConnectionLost::Panicked(name())),
            Box::new(Failure::Panicked(name())),
            Box::new(TlsError::BadCertificate(name())),
            Box::new(TlsError::AlertReceived(name())),
            Box::new(TlsError::Incompatible(name())),
            Box::new(TlsError::ProtocolViolation(name())),
            Box::new(text.parse::<Engine>().unwrap_err()),
            Box::new(text.parse::<Subnet>().unwrap_err()),
            Box::new(text.parse::<ProxyVersion>().unwrap_err()),
            Box::new(text.parse::<Plan>().unwrap_err()),
            Box::new(no_host(&text)),
            Box::new(text.parse::<Recording>().unwrap_err()),
            Box::new(Hosts::parse(&text).unwrap_err()),
            Box::new(ProxyHeader::v2().unix(&[text.as_bytes(), b"\0"].concat(), b"").unwrap_err()),
        ];
        for (at, error) in errors.iter().enumerate() {
            assert_escaped(&format!("error {at} of this list"), error);
        }
        assert_escaped("a destination", Destination::from(&*text));
        assert_escaped("a destination", host());
    }
}

#[cfg(unix)]
#[test]
fn errors_of_unix_are_short_and_escaped() {
    use sinew_transports::{PipeError, SpawnError, UnixAddr, UnixListenError};
    for text in untrusted_texts() {
        let (name, path) = (|| text.clone(), || text.clone().into());
        let addrs = [UnixAddr::from(&*text), UnixAddr::Abstract(text.clone().into_bytes())];
        for addr in addrs {
            assert_escaped("an address", &addr);
            assert_escaped("too long", ConnectError::TooLong { addr: addr.clone() });
            let addr = addr.clone();
            assert_escaped(
                "connecting",
                ConnectError::ConnectUnix { addr: addr.clone(), source: io_error() },
            );
            assert_escaped(
                "in use",
                UnixListenError::InUse { addr: addr.clone(), holder: Some(1) },
            );
            assert_escaped("listening", UnixListenError::Listen { addr, source: io_error() });
        }
        let errors: Vec<Box<dyn Error>> = vec![
            Box::new(PipeError::Open { path: path(), source: io_error() }),
            Box::new(PipeError::NotFifo { path: path() }),
            Box::new(PipeError::NoReader { path: path() }),
            Box::new(SpawnError::NotFound { program: name() }),
            Box::new(SpawnError::NotExecutable { program: name(), source: io_error() }),
            Box::new(SpawnError::BadDirectory {
                program: name(),
                directory: path(),
                source: io_error(),
            }),
            Box::new(SpawnError::NoTerminal { program: name(), source: io_error() }),
            Box::new(SpawnError::Start { program: name(), source: io_error() }),
            Box::new(SpawnError::Watch { program: name(), source: io_error() }),
            Box::new(UnixListenError::Lock { path: path(), source: io_error() }),
        ];
        for error in errors {
            // Two excerpts: the program and its directory.
            let message = error.to_string();
            assert!(
                message.len() <= 2 * MESSAGE_LEN_MAX && !message.contains(char::is_control),
                "{message:?}"
            );
        }
    }
}

#[cfg(feature = "tls")]
#[test]
fn errors_of_certificates_are_short_and_escaped() {
    use sinew_transports::tls::{TlsClientConfig, TlsConfigError};
    for text in untrusted_texts() {
        let name = || text.clone();
        let errors = [
            TlsConfigError::Read { path: name().into(), source: io_error() },
            TlsConfigError::BadPem { from: name(), why: "damaged".to_owned() },
            TlsConfigError::NoCertificate { from: name() },
            TlsConfigError::NoKey { from: name() },
            TlsConfigError::EncryptedKey { from: name() },
            TlsConfigError::BadKey { from: name(), why: "damaged".to_owned() },
            TlsConfigError::BadCertificate { from: name(), why: "damaged".to_owned() },
            TlsConfigError::BadName { name: name() },
            TlsClientConfig::insecure_without_verification().to(&text).unwrap_err(),
        ];
        for error in errors {
            assert_escaped("a certificate", error);
        }
    }
}

/// A peer chooses its own path, which appears in logs.
#[cfg(unix)]
#[test]
fn peer_names_are_escaped() {
    use std::{cell::RefCell, rc::Rc};

    use sinew_transports::{Protocol, ReactorUnix, Transport, UnixListenConfig, reactor::Reactor};

    struct Quiet;
    impl Protocol for Quiet {
        fn data_received(&mut self, _: &Transport, _: &[u8]) {}
    }

    let folder = std::env::temp_dir().join(format!("sinew-message-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let name = folder.join("\u{1b}[2J\nforged");
    let seen = Rc::<RefCell<Vec<Peer>>>::default();
    watch_this_test();
    let reactor = Reactor::new().unwrap();
    let kept = seen.clone();
    let port = reactor
        .listen_unix_with(folder.join("port"), UnixListenConfig::default(), move |peer: &Peer| {
            kept.borrow_mut().push(peer.clone());
            Quiet
        })
        .unwrap();
    // Bound to a name before connecting.
    let socket = socket2::Socket::new(socket2::Domain::UNIX, socket2::Type::STREAM, None).unwrap();
    socket.bind(&socket2::SockAddr::unix(&name).unwrap()).unwrap();
    socket.connect(&socket2::SockAddr::unix(folder.join("port")).unwrap()).unwrap();
    while seen.borrow().is_empty() {
        reactor.turn(None).unwrap();
    }
    let message = seen.borrow()[0].to_string();
    let expected = format!(r"{}/\u{{1b}}[2J\nforged", folder.display());
    assert!(message.starts_with(&expected), "{message:?}");
    assert_escaped("a peer", message);
    port.stop_listening();
    drop(socket);
    std::fs::remove_dir_all(folder).unwrap();
}
