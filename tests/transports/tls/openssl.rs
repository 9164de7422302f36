//! Interoperability with OpenSSL: its server with the client under test, and vice versa. Skipped if it is not
//! installed.

use std::{
    env, fs,
    io::{BufRead, BufReader, Read},
    net::SocketAddr,
    path::PathBuf,
    process::{self, Child, ChildStdout, Command, Stdio},
};

use sinew::{
    prelude::*,
    transports::{
        TlsError,
        tls::{TlsInfo, TlsVersion},
    },
};

use super::limits::{authorities, guest};
use crate::support::{
    Echo, Event, Link, Script, Watchdog, World,
    certs::{self, Authority, CertificateAndKey, authority, localhost},
    sockets::any_port,
};

/// A folder with certificates for it, removed on drop. `None` if OpenSSL is not installed.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Option<Self> {
        let version = Command::new("openssl").arg("version").output();
        // Other programs use its name, with other options (LibreSSL).
        if !version.is_ok_and(|version| version.stdout.starts_with(b"OpenSSL ")) {
            eprintln!("skipped: OpenSSL is not installed");
            return None;
        }
        let path = env::temp_dir().join(format!("sinew-openssl-{name}-{}", process::id()));
        fs::create_dir_all(&path).unwrap();
        fs::write(path.join("ca.pem"), &authority().pem).unwrap();
        Some(Self(path))
    }

    fn certificate(&self, certificate: &CertificateAndKey) {
        fs::write(self.0.join("cert.pem"), &certificate.certificate).unwrap();
        fs::write(self.0.join("key.pem"), &certificate.key).unwrap();
    }

    /// `openssl s_server` with this certificate, on a port chosen by the system. It sends back each line, reversed.
    fn server(&self, certificate: &CertificateAndKey, options: &[&str]) -> OpenSsl {
        self.certificate(certificate);
        let mut command = Command::new("openssl");
        command.args(["s_server", "-accept", "127.0.0.1:0", "-rev"]);
        command.args(["-cert", "cert.pem", "-key", "key.pem"]).args(options).current_dir(&self.0);
        OpenSsl::start(&mut command)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// Killed on drop.
struct OpenSsl {
    child: Child,
    addr: SocketAddr,
    stdout: BufReader<ChildStdout>,
}

impl OpenSsl {
    fn start(command: &mut Command) -> Self {
        let command = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut child = command.spawn().unwrap();
        let stdout = BufReader::new(child.stdout.take().unwrap());
        let mut server = Self { child, addr: any_port(), stdout };
        server.addr = server.announced();
        server
    }

    /// The address that it reports.
    fn announced(&mut self) -> SocketAddr {
        loop {
            let mut line = String::new();
            assert_ne!(self.stdout.read_line(&mut line).unwrap(), 0, "it has ended");
            if let Some(addr) = line.trim_end().strip_prefix("ACCEPT ") {
                return addr.parse().unwrap();
            }
        }
    }
}

impl Drop for OpenSsl {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Connects, sends a line and receives it reversed; returns the negotiated parameters, or the error.
fn talk(world: &World, to: SocketAddr, tls: &TlsClientConfig) -> Result<TlsInfo, String> {
    let says = |transport: &Transport, what: Event<'_>| match what {
        Event::Made => drop(transport.write(b"olleh\n")),
        Event::Data(_) => {}
        _ => transport.lose_connection(),
    };
    let connecting = world.reactor().connect_tls(to, tls, world.watched(move || Script(says)));
    world.until("a connection", || connecting.is_settled());
    let connection = match connecting.take().unwrap() {
        Ok(connection) => connection,
        Err(ConnectError::Tls { source: TlsError::BadCertificate(why), .. }) => return Err(why),
        Err(error) => return Err(error.to_string()),
    };
    let trace = world.traces.last();
    world.until("an answer", || trace.is_lost() || trace.data().len() == 6);
    let info = connection.transport().tls_info();
    connection.transport().lose_connection();
    world.until("the end", || trace.is_lost());
    match info.filter(|_| trace.data() == b"hello\n") {
        Some(info) => Ok(info),
        None => Err(format!("{:?}", trace.lost())),
    }
}

#[test]
fn our_client_and_its_server() {
    let Some(folder) = Folder::new("client") else { return };
    let _watchdog = Watchdog::new("the server of OpenSSL");
    for engine in [Engine::Mio, Engine::Poll] {
        let world = World::new(engine, Link::TlsConnected);
        let tls = certs::client();
        let server = folder.server(localhost(), &["-alpn", "h2,x/1"]);
        let speaks = |name| tls.clone().alpn([name]).unwrap();
        let info = talk(&world, server.addr, &speaks("x/1")).unwrap();
        assert_eq!((info.version, info.alpn.as_deref()), (TlsVersion::Tls13, Some(&b"x/1"[..])));
        let error = talk(&world, server.addr, &speaks("y")).unwrap_err();
        assert!(error.contains("no application protocol"), "{error}");
        drop(server);

        let old = folder.server(localhost(), &["-tls1_2"]);
        assert_eq!(talk(&world, old.addr, &tls).unwrap().version, TlsVersion::Tls12);
        let error = talk(&world, old.addr, &tls.clone().only_tls13(true)).unwrap_err();
        assert!(error.contains("protocol version"), "{error}");
        drop(old);
        let ancient = folder.server(localhost(), &["-tls1_1", "-cipher", "ALL:@SECLEVEL=0"]);
        let error = talk(&world, ancient.addr, &tls).unwrap_err();
        assert!(error.contains("protocol version"), "{error}");
        drop(ancient);
        world.end();
    }
}

#[test]
fn openssl_server_with_another_name_is_rejected() {
    let Some(folder) = Folder::new("names") else { return };
    let _watchdog = Watchdog::new("the server of OpenSSL");
    let world = World::new(Engine::Mio, Link::TlsConnected);
    let stranger = Authority::new("a stranger").issue(&["127.0.0.1"]);
    for version in ["-tls1_3", "-tls1_2"] {
        for (certificate, why) in [
            (authority().issue(&["elsewhere.example"]), "not valid for name"),
            (authority().issue_expired(&["127.0.0.1"]), "expired"),
            (stranger.clone(), "UnknownIssuer"),
        ] {
            let server = folder.server(&certificate, &[version]);
            let error = talk(&world, server.addr, &certs::client()).unwrap_err();
            assert!(error.contains(why), "{error}");
            let careless = TlsClientConfig::insecure_without_verification();
            talk(&world, server.addr, &careless).unwrap();
        }
    }
    world.end();
}

#[test]
fn openssl_server_requires_a_certificate() {
    let Some(folder) = Folder::new("papers") else { return };
    let _watchdog = Watchdog::new("the server of OpenSSL");
    let world = World::new(Engine::Mio, Link::TlsConnected);
    let known = certs::client().identity(authority().issue(&["guest"]).identity());
    let stranger = Authority::new("a stranger").issue(&["guest"]);
    let stranger = certs::client().identity(stranger.identity());
    for version in ["-tls1_3", "-tls1_2"] {
        let options = [version, "-Verify", "1", "-verify_return_error", "-CAfile", "ca.pem"];
        let server = folder.server(localhost(), &options);
        assert!(talk(&world, server.addr, &certs::client()).is_err());
        assert!(talk(&world, server.addr, &stranger).is_err());
        talk(&world, server.addr, &known).unwrap();
    }
    world.end();
}

#[test]
fn sessions_with_the_openssl_server_are_resumed() {
    let Some(folder) = Folder::new("sessions") else { return };
    let _watchdog = Watchdog::new("the server of OpenSSL");
    let world = World::new(Engine::Mio, Link::TlsConnected);
    for version in ["-tls1_3", "-tls1_2"] {
        let server = folder.server(localhost(), &[version]);
        let tls = certs::client();
        let resumed = [1, 2, 3].map(|_| talk(&world, server.addr, &tls).unwrap().is_resumed);
        assert_eq!(resumed, [false, true, true], "{version}");
        let never = certs::client().resumption(false);
        let resumed = [1, 2].map(|_| talk(&world, server.addr, &never).unwrap().is_resumed);
        assert_eq!(resumed, [false, false], "{version}");
    }
    world.end();
}

/// With any number of CAs. OpenSSL rejects a CA list that does not fit, and messages that are much longer.
#[test]
fn openssl_client_presents_a_certificate() {
    let Some(folder) = Folder::new("authorities") else { return };
    let _watchdog = Watchdog::new("the client of OpenSSL");
    folder.certificate(&guest());
    for version in ["-tls1_3", "-tls1_2"] {
        for count in [1, 63, 64, 65, 130] {
            let world = World::new(Engine::Mio, Link::TlsAccepted);
            let tls = certs::server().require_client_certificates(authorities(count));
            let port =
                world.reactor().listen_tls(any_port(), &tls, world.watched(|| Echo)).unwrap();
            let mut client = Command::new("openssl")
                .args(["s_client", version, "-cert", "cert.pem", "-key", "key.pem"])
                .args(["-CAfile", "ca.pem", "-connect", &port.local().to_string()])
                .current_dir(&folder.0)
                .stdin(Stdio::null())
                .stdout(Stdio::null())
                .stderr(Stdio::null())
                .spawn()
                .unwrap();
            let mut ended = None;
            world.until("the client to end", || {
                ended = client.try_wait().unwrap();
                ended.is_some()
            });
            assert!(ended.unwrap().success(), "{count} over {version}");
            assert_eq!(world.traces.len(), 1, "{count} over {version}");
            port.stop_listening();
            world.until("the end", || world.traces.last().is_lost());
            world.end();
        }
    }
}

/// Its client connects, and five more times with session resumption.
#[test]
fn openssl_client_resumes_sessions() {
    let Some(folder) = Folder::new("reconnect") else { return };
    let _watchdog = Watchdog::new("the client of OpenSSL");
    for (resumption, first, later) in [(true, 1, 5), (false, 6, 0)] {
        let world = World::new(Engine::Mio, Link::TlsAccepted);
        let tls = certs::server().resumption(resumption);
        let port = world.reactor().listen_tls(any_port(), &tls, world.watched(|| Echo)).unwrap();
        let mut client = Command::new("openssl")
            .args(["s_client", "-reconnect", "-tls1_2", "-CAfile", "ca.pem"])
            .args(["-verify_return_error", "-connect", &port.local().to_string()])
            .current_dir(&folder.0)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut callbacks = String::new();
        world.until("its six connections", || {
            world.traces.len() == 6 && world.traces.all().iter().all(|trace| trace.is_lost())
        });
        client.stdout.take().unwrap().read_to_string(&mut callbacks).unwrap();
        assert!(client.wait().unwrap().success(), "{callbacks}");
        let count = |what: &str| callbacks.lines().filter(|line| line.starts_with(what)).count();
        assert_eq!(
            (count("New, TLSv1.2"), count("Reused, TLSv1.2")),
            (first, later),
            "{callbacks}"
        );
        port.stop_listening();
        world.end();
    }
}
