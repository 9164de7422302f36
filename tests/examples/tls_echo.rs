//! Tests of the example `tls_echo`.

use std::{
    env, fs,
    io::{Read, Write},
    net::TcpStream,
    path::{Path, PathBuf},
    process,
    sync::Arc,
};

use rustls::{
    ClientConfig, ClientConnection, RootCertStore, StreamOwned,
    pki_types::{CertificateDer, ServerName, pem::PemObject},
};

use super::{peer::Peer, process::Example};
use crate::ENGINES;

/// A temporary folder for certificates.
pub(crate) struct Folder(pub(crate) PathBuf);

impl Folder {
    pub(crate) fn new(name: &str) -> Self {
        Self(env::temp_dir().join(format!("sinew-{name}-{}", process::id())))
    }

    pub(crate) fn path(&self, name: &str) -> String {
        self.0.join(name).to_str().unwrap().to_owned()
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// A TLS client that trusts the certificate in this file.
pub(crate) fn client(peer: &Peer, cert: &Path) -> StreamOwned<ClientConnection, TcpStream> {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_file(cert).unwrap()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = vec![b"echo".to_vec()];
    let name = ServerName::try_from("localhost").unwrap();
    let session = ClientConnection::new(Arc::new(config), name).unwrap();
    StreamOwned::new(session, peer.socket().try_clone().unwrap())
}

/// Data are echoed.
pub(crate) fn echoes(client: &mut StreamOwned<ClientConnection, TcpStream>) {
    client.write_all(b"hello").unwrap();
    let mut echoed = [0; 5];
    client.read_exact(&mut echoed).unwrap();
    assert_eq!(&echoed, b"hello");
}

#[test]
fn echoes_over_tls() {
    for engine in ENGINES {
        let folder = Folder::new(&format!("tls-echo-{engine}"));
        let args = ["--self-signed", &folder.path(""), "--alpn", "other,echo"];
        let server = Example::serve("tls_echo", engine, &args);
        let mut client = client(&server.connect(), &folder.0.join("cert.pem"));
        echoes(&mut client);
        client.conn.send_close_notify();
        client.flush().unwrap();
        assert_eq!(client.read_to_end(&mut Vec::new()).unwrap(), 0, "its end is that of TLS");
        let said = server.line();
        assert!(
            said.contains(" connected: TLS 1.3, TLS13_")
                && said.ends_with(", application protocol echo"),
            "{said}"
        );
    }
}

#[test]
fn clients_without_a_required_certificate_are_rejected() {
    let folder = Folder::new("tls-echo-ca");
    drop(Example::serve("tls_echo", "mio", &["--self-signed", &folder.path("")]));
    let (cert, key) = (folder.path("cert.pem"), folder.path("key.pem"));
    let args = ["--cert", &cert, "--key", &key, "--client-ca", &cert];
    let server = Example::serve("tls_echo", "mio", &args);
    let mut client = client(&server.connect(), Path::new(&cert));
    let _ = client.write_all(b"hello");
    assert!(client.read_exact(&mut [0; 5]).is_err());
}

#[test]
fn file_errors_are_reported() {
    let folder = Folder::new("tls-echo-files");
    drop(Example::serve("tls_echo", "mio", &["--self-signed", &folder.path("")]));
    let cert = folder.path("cert.pem");
    let ended = Example::start("tls_echo", &["--cert", &cert, "--key", &cert]).wait();
    let expected = format!("error: no private key in {cert}");
    assert_eq!((ended.code, ended.stderr), (Some(1), vec![expected]));
    let ended = Example::start("tls_echo", &[]).wait();
    assert_eq!(ended.code, Some(2), "{:?}", ended.stderr);
}
