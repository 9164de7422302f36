//! Two clients of slixmpp: STARTTLS and TLS from the start, SCRAM, the roster, subscriptions, messages with copies and those that wait,
//! vCards, blocked addresses, published items, and a session that is resumed.

use std::{
    fs,
    path::PathBuf,
    process::{Command, Stdio},
};

use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};
use sinew_auth::Users;
use sinew_chat::xmpp::server::{FolderStore, ServerConfig, XmppServer};
use sinew_transports::{
    ReactorTcp,
    reactor::Reactor,
    tls::{Identity, TlsServerConfig},
};

use crate::{program, watchdog};

const SCRIPT: &str = include_str!("slixmpp.py");

pub(super) struct Folder(pub(super) PathBuf);

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// A certificate for `localhost`; that of its authority is written to a file.
pub(super) fn certificates(folder: &Folder) -> TlsServerConfig {
    let mut params = CertificateParams::default();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    // OpenSSL takes a certificate for self-signed if its names are those of its authority.
    params.distinguished_name.push(DnType::CommonName, "an authority");
    let key = KeyPair::generate().unwrap();
    fs::write(folder.0.join("ca.pem"), params.self_signed(&key).unwrap().pem()).unwrap();
    let issuer = Issuer::new(params, key);
    let key = KeyPair::generate().unwrap();
    let params = CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
    let certificate = params.signed_by(&key, &issuer).unwrap().pem();
    TlsServerConfig::new(Identity::from_pem(certificate, key.serialize_pem()).unwrap())
}

/// Runs a script of clients to its end, while the reactor serves these ports. It may lack a module: then it says that it is skipped, and so
/// does this, which returns `false`.
pub(super) fn run(
    mut python: Command,
    folder: &Folder,
    script: &str,
    reactor: &Reactor,
    ports: &[u16],
) -> bool {
    let path = folder.0.join("test.py");
    fs::write(&path, script).unwrap();
    python.arg(path).args(ports.iter().map(u16::to_string)).arg(folder.0.join("ca.pem"));
    python.env("HOME", &folder.0).env("SHELL", "/bin/sh").env("LC_ALL", "C.UTF-8");
    python.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let child = python.spawn().unwrap();
    let ended = reactor.defer_to_thread(move || child.wait_with_output().unwrap());
    let output = reactor.run_until(ended).unwrap().unwrap();
    let (said, failed) =
        (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    if said.starts_with("skipped") {
        eprint!("{said}");
        return false;
    }
    assert!(output.status.success() && said.trim_end().ends_with("done"), "{said}\n{failed}");
    true
}

#[test]
fn two_clients() {
    watchdog::watch_this_test();
    let Some(python) = program::python("slixmpp") else { return };
    let folder =
        Folder(std::env::temp_dir().join(format!("sinew-xmpp-server-{}", std::process::id())));
    fs::create_dir_all(&folder.0).unwrap();
    let tls = certificates(&folder);
    let reactor = Reactor::new().unwrap();
    let users = Users::new().user("ann", "secret of ann").user("bob", "secret of bob");
    let config = ServerConfig::new("localhost", users).unwrap().starttls(tls);
    let server = XmppServer::new(&reactor, config.store(FolderStore::new(folder.0.join("data"))));
    let port = reactor.listen_tcp("127.0.0.1:0", server.clone()).unwrap();
    if !run(python, &folder, SCRIPT, &reactor, &[port.local().port()]) {
        return;
    }
    let flushed = server.flushed(&reactor);
    reactor.run_until(flushed).unwrap().unwrap();
    let stored = fs::read_to_string(folder.0.join("data/ann.xml")).unwrap();
    assert!(stored.contains("<contact jid='bob@localhost'"), "{stored}");
}
