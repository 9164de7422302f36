//! TLS certificates for tests: one certificate authority per process, and certificates that it issues, generated on
//! demand.

use std::{
    str,
    sync::{Arc, LazyLock},
};

use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, date_time_ymd};
use rustls::{
    ClientConfig, ClientConnection, RootCertStore, ServerConfig, ServerConnection,
    SupportedProtocolVersion,
    pki_types::{CertificateDer, PrivateKeyDer, ServerName, pem::PemObject},
};
use sinew::transports::tls::{Identity, TlsClientConfig, TlsServerConfig, TrustedRoots};

/// A certificate authority.
pub(crate) struct Authority {
    pub(crate) pem: String,
    issuer: Issuer<'static, KeyPair>,
}

/// A certificate and its private key, in PEM.
#[derive(Clone)]
pub(crate) struct CertificateAndKey {
    pub(crate) certificate: String,
    pub(crate) key: String,
}

static AUTHORITY: LazyLock<Authority> = LazyLock::new(|| Authority::new("the test authority"));

static LOCALHOST: LazyLock<CertificateAndKey> =
    LazyLock::new(|| authority().issue(&["localhost", "127.0.0.1"]));

/// The authority that all tests trust.
pub(crate) fn authority() -> &'static Authority {
    &AUTHORITY
}

/// The certificate of servers on this machine.
pub(crate) fn localhost() -> &'static CertificateAndKey {
    &LOCALHOST
}

impl Authority {
    pub(crate) fn new(name: &str) -> Self {
        let mut params = CertificateParams::default();
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().expect("a key");
        let pem = params.self_signed(&key).expect("a certificate").pem();
        Self { pem, issuer: Issuer::new(params, key) }
    }

    pub(crate) fn issue(&self, names: &[&str]) -> CertificateAndKey {
        self.sign(Self::params(names))
    }

    /// An expired certificate, valid until the year 2000.
    pub(crate) fn issue_expired(&self, names: &[&str]) -> CertificateAndKey {
        let mut params = Self::params(names);
        params.not_before = date_time_ymd(1999, 1, 1);
        params.not_after = date_time_ymd(2000, 1, 1);
        self.sign(params)
    }

    /// With a key whose signatures all have the same length.
    pub(crate) fn issue_ed25519(&self, names: &[&str]) -> CertificateAndKey {
        let key = KeyPair::generate_for(&rcgen::PKCS_ED25519).expect("a key");
        self.sign_for(Self::params(names), &key)
    }

    fn params(names: &[&str]) -> CertificateParams {
        let names: Vec<_> = names.iter().map(|name| (*name).to_owned()).collect();
        CertificateParams::new(names).expect("names that certificates may bear")
    }

    fn sign(&self, params: CertificateParams) -> CertificateAndKey {
        self.sign_for(params, &KeyPair::generate().expect("a key"))
    }

    fn sign_for(&self, params: CertificateParams, key: &KeyPair) -> CertificateAndKey {
        let certificate = params.signed_by(key, &self.issuer).expect("a certificate");
        CertificateAndKey { certificate: certificate.pem(), key: key.serialize_pem() }
    }

    pub(crate) fn roots(&self) -> TrustedRoots {
        TrustedRoots::from_pem(&self.pem).expect("a root")
    }
}

impl CertificateAndKey {
    pub(crate) fn identity(&self) -> Identity {
        Identity::from_pem(&self.certificate, &self.key).expect("a valid certificate and key")
    }

    fn ders(&self) -> (Vec<CertificateDer<'static>>, PrivateKeyDer<'static>) {
        let certificate = CertificateDer::from_pem_slice(self.certificate.as_bytes());
        let key = PrivateKeyDer::from_pem_slice(self.key.as_bytes());
        (vec![certificate.expect("a certificate")], key.expect("a key"))
    }
}

/// The server configuration under test, with the certificate of this machine.
pub(crate) fn server() -> TlsServerConfig {
    TlsServerConfig::new(localhost().identity())
}

/// The client configuration under test, which trusts the authority.
pub(crate) fn client() -> TlsClientConfig {
    TlsClientConfig::new(authority().roots())
}

// ---- remote ends, implemented with plain rustls ----

fn provider() -> Arc<rustls::crypto::CryptoProvider> {
    static PROVIDER: LazyLock<Arc<rustls::crypto::CryptoProvider>> =
        LazyLock::new(|| Arc::new(rustls::crypto::ring::default_provider()));
    PROVIDER.clone()
}

/// The configuration of a remote client. It may be changed before use.
pub(crate) fn remote_client_config(certificate: Option<&CertificateAndKey>) -> ClientConfig {
    remote_client_config_of(rustls::ALL_VERSIONS, certificate)
}

/// The same, limited to these protocol versions.
pub(crate) fn remote_client_config_of(
    versions: &[&'static SupportedProtocolVersion],
    certificate: Option<&CertificateAndKey>,
) -> ClientConfig {
    let mut roots = RootCertStore::empty();
    let root = CertificateDer::from_pem_slice(authority().pem.as_bytes()).expect("a root");
    roots.add(root).expect("a root");
    let builder = ClientConfig::builder_with_provider(provider())
        .with_protocol_versions(versions)
        .expect("versions")
        .with_root_certificates(roots);
    match certificate {
        None => builder.with_no_client_auth(),
        Some(certificate) => {
            let (chain, key) = certificate.ders();
            builder.with_client_auth_cert(chain, key).expect("a valid certificate and key")
        }
    }
}

/// The configuration of a remote server.
pub(crate) fn remote_server_config(certificate: &CertificateAndKey) -> ServerConfig {
    let (chain, key) = certificate.ders();
    ServerConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()
        .expect("versions")
        .with_no_client_auth()
        .with_single_cert(chain, key)
        .expect("a valid certificate and key")
}

pub(crate) fn remote_client() -> rustls::Connection {
    static CONFIG: LazyLock<Arc<ClientConfig>> =
        LazyLock::new(|| Arc::new(remote_client_config(None)));
    remote_client_with(CONFIG.clone())
}

pub(crate) fn remote_client_with(config: Arc<ClientConfig>) -> rustls::Connection {
    let name = ServerName::try_from("localhost").expect("a name");
    ClientConnection::new(config, name).expect("a client").into()
}

pub(crate) fn remote_server() -> rustls::Connection {
    static CONFIG: LazyLock<Arc<ServerConfig>> =
        LazyLock::new(|| Arc::new(remote_server_config(localhost())));
    remote_server_with(CONFIG.clone())
}

pub(crate) fn remote_server_with(config: Arc<ServerConfig>) -> rustls::Connection {
    ServerConnection::new(config).expect("a server").into()
}
