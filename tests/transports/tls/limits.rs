//! Limits of handshake messages: configurations that would not fit are rejected or shortened, so a server never
//! rejects everyone.

use std::sync::{Arc, LazyLock, Mutex};

use rustls::{SignatureScheme, client::ResolvesClientCert, sign::CertifiedKey};
use sinew::{prelude::*, transports::tls::TlsConfigError};

use crate::support::{
    Echo, Link, RemoteEnd, Sink, Width, World,
    certs::{self, Authority, CertificateAndKey, remote_client_config_of, remote_client_with},
    sockets::{any_port, dial},
};

/// With this name, a CA takes 1,023 bytes in a handshake message, so that 63 fit.
const NAME_LEN: usize = 1_000;

/// Number of CAs configured, and number announced to a client.
const AUTHORITIES: [(usize, usize); 5] = [(1, 1), (63, 63), (64, 0), (65, 0), (130, 0)];

static ALL: LazyLock<Vec<Authority>> = LazyLock::new(|| {
    let name = |number: usize| format!("{number:04}{}", "x".repeat(NAME_LEN - 4));
    (0..130).map(|number| Authority::new(&name(number))).collect()
});

/// The first CAs of the list above.
pub(super) fn authorities(count: usize) -> TrustedRoots {
    let pem: String = ALL[..count].iter().map(|authority| &*authority.pem).collect();
    TrustedRoots::from_pem(pem).unwrap()
}

/// A certificate issued by the first CA.
pub(super) fn guest() -> CertificateAndKey {
    ALL[0].issue(&["guest"])
}

/// Presents its certificate, and records the number of announced CAs.
#[derive(Debug)]
struct Shows {
    certificate: Arc<dyn ResolvesClientCert>,
    callbacks: Mutex<Option<usize>>,
}

impl ResolvesClientCert for Shows {
    fn resolve(&self, names: &[&[u8]], schemes: &[SignatureScheme]) -> Option<Arc<CertifiedKey>> {
        *self.callbacks.lock().unwrap() = Some(names.len());
        self.certificate.resolve(names, schemes)
    }

    fn has_certs(&self) -> bool {
        true
    }
}

#[test]
fn ca_names_that_do_not_fit_are_not_sent() {
    let guest = guest();
    for engine in Engine::available() {
        for version in [&rustls::version::TLS13, &rustls::version::TLS12] {
            for (count, callbacks) in AUTHORITIES {
                let what = format!("{count} over {:?} on {engine}", version.version);
                let world = World::new(engine, Link::TlsAccepted);
                let server = certs::server().require_client_certificates(authorities(count));
                let factory = world.watched(|| Echo);
                let port = world.reactor().listen_tls(any_port(), &server, factory).unwrap();
                let mut config = remote_client_config_of(&[version], Some(&guest));
                let certificate = config.client_auth_cert_resolver.clone();
                let shows = Arc::new(Shows { certificate, callbacks: Mutex::default() });
                config.client_auth_cert_resolver = shows.clone();
                let socket = dial(port.local(), Width::Wide);
                let mut remote = RemoteEnd::secured(socket, remote_client_with(Arc::new(config)));
                world.until(&what, || remote.pump() && world.traces.len() == 1);
                remote.send(b"let in");
                assert_eq!(world.receive(&mut remote, 6), b"let in", "{what}");
                assert_eq!(*shows.callbacks.lock().unwrap(), Some(callbacks), "{what}");
                // Client certificates are required all the same.
                let nobody =
                    world.reactor().connect_tls(port.local(), &certs::client(), |_: &Peer| Sink);
                let made = || world.reactor().stats().connections_made;
                world.until("the end", || {
                    nobody.is_settled() && made() == 3 && port.connections() == 1
                });
                assert_eq!(world.traces.len(), 1, "{what}");
                port.stop_listening();
                world.end();
            }
        }
    }
}

/// On both sides, and so in `start_tls`, which uses the same configurations.
#[test]
fn alpn_names_that_do_not_fit_are_rejected() {
    let long = "p".repeat(256);
    let names = |count: usize| (0..count).map(|_| "p".repeat(255)).collect::<Vec<_>>();
    let cases: [(Vec<String>, Result<(), &str>); 7] = [
        (vec![], Ok(())),
        (vec!["h2".to_owned(), "p".repeat(255)], Ok(())),
        (vec![String::new()], Err(r#"name "" of 0 bytes; the length must be between 1 and 255"#)),
        (vec!["h2".to_owned(), String::new()], Err(r#"name "" of 0 bytes"#)),
        (
            vec!["h2".to_owned(), long],
            Err(r#"name "pppppppppppppppppppppppppppppppp…" of 256 bytes"#),
        ),
        (names(128), Ok(())),
        (names(129), Err("take 33024 bytes; the maximum is 32768")),
    ];
    for (names, expected) in cases {
        let server = certs::server().alpn(&names).map(drop);
        let client = certs::client().alpn(&names).map(drop);
        for result in [server, client] {
            match (result, expected) {
                (Ok(()), Ok(())) => {}
                (Err(error), Err(why)) => {
                    assert!(error.to_string().contains(why), "{error}");
                }
                (result, _) => panic!("{result:?} of {} names", names.len()),
            }
        }
    }
    let error = certs::client().alpn([b"\x1b[2J\0".repeat(60)]).unwrap_err();
    assert!(matches!(&error, TlsConfigError::BadAlpnName { len: 300, .. }));
    assert!(error.to_string().contains(r"\x1b[2J\x00"), "{error}");
}

/// The maximum configuration works.
#[test]
fn the_longest_alpn_list_is_negotiated() {
    let names: Vec<_> = (0..128_u8).map(|number| vec![number + 1; 255]).collect();
    let world = World::new(Engine::Mio, Link::TlsAccepted);
    let last = certs::server().alpn([names.last().unwrap()]).unwrap();
    let port = world.reactor().listen_tls(any_port(), &last, world.watched(|| Echo)).unwrap();
    let client = certs::client().alpn(&names).unwrap();
    let connecting = world.reactor().connect_tls(port.local(), &client, world.watched(|| Echo));
    world.until("the connection", || connecting.is_settled());
    let connection = connecting.take().unwrap().unwrap();
    let info = connection.transport().tls_info().unwrap();
    assert_eq!(info.alpn.as_ref(), names.last());
    connection.transport().lose_connection();
    world.until("the end", || world.traces.all().iter().all(|trace| trace.is_lost()));
    world.end();
}
