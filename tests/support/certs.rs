//! Certificates for tests: one authority for each process, and whoever it vouches for. Made when they are needed.

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

/// Somebody who vouches for others.
pub(crate) struct Authority {
    pub(crate) pem: String,
    issuer: Issuer<'static, KeyPair>,
}

/// A certificate and its key, in PEM.
#[derive(Clone)]
pub(crate) struct Papers {
    pub(crate) certificate: String,
    pub(crate) key: String,
}

static AUTHORITY: LazyLock<Authority> = LazyLock::new(|| Authority::new("the test authority"));

static LOCALHOST: LazyLock<Papers> =
    LazyLock::new(|| authority().vouch_for(&["localhost", "127.0.0.1"]));

/// The one that everybody trusts here.
pub(crate) fn authority() -> &'static Authority {
    &AUTHORITY
}

/// The papers of whoever listens on this machine.
pub(crate) fn localhost() -> &'static Papers {
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

    pub(crate) fn vouch_for(&self, names: &[&str]) -> Papers {
        self.sign(Self::params(names))
    }

    /// What was good until the year 2000.
    pub(crate) fn vouched_for_once(&self, names: &[&str]) -> Papers {
        let mut params = Self::params(names);
        params.not_before = date_time_ymd(1999, 1, 1);
        params.not_after = date_time_ymd(2000, 1, 1);
        self.sign(params)
    }

    /// With a key whose signatures are all of the same length.
    pub(crate) fn vouch_for_ed25519(&self, names: &[&str]) -> Papers {
        let key = KeyPair::generate_for(&rcgen::PKCS_ED25519).expect("a key");
        self.sign_for(Self::params(names), &key)
    }

    fn params(names: &[&str]) -> CertificateParams {
        let names: Vec<_> = names.iter().map(|name| (*name).to_owned()).collect();
        CertificateParams::new(names).expect("names that certificates may bear")
    }

    fn sign(&self, params: CertificateParams) -> Papers {
        self.sign_for(params, &KeyPair::generate().expect("a key"))
    }

    fn sign_for(&self, params: CertificateParams, key: &KeyPair) -> Papers {
        let certificate = params.signed_by(key, &self.issuer).expect("a certificate");
        Papers { certificate: certificate.pem(), key: key.serialize_pem() }
    }

    pub(crate) fn roots(&self) -> TrustedRoots {
        TrustedRoots::from_pem(&self.pem).expect("a root")
    }
}

impl Papers {
    pub(crate) fn identity(&self) -> Identity {
        Identity::from_pem(&self.certificate, &self.key).expect("papers in order")
    }

    fn ders(&self) -> (Vec<CertificateDer<'static>>, PrivateKeyDer<'static>) {
        let certificate = CertificateDer::from_pem_slice(self.certificate.as_bytes());
        let key = PrivateKeyDer::from_pem_slice(self.key.as_bytes());
        (vec![certificate.expect("a certificate")], key.expect("a key"))
    }
}

/// Our server, with the papers of this machine.
pub(crate) fn server() -> TlsServerConfig {
    TlsServerConfig::new(localhost().identity())
}

/// Our client, which trusts the authority.
pub(crate) fn client() -> TlsClientConfig {
    TlsClientConfig::new(authority().roots())
}

// ---- the far ends, which are none of ours ----

fn provider() -> Arc<rustls::crypto::CryptoProvider> {
    static PROVIDER: LazyLock<Arc<rustls::crypto::CryptoProvider>> =
        LazyLock::new(|| Arc::new(rustls::crypto::ring::default_provider()));
    PROVIDER.clone()
}

/// How a far client is set up. It may be changed before it is used.
pub(crate) fn far_client_config(papers: Option<&Papers>) -> ClientConfig {
    far_client_config_of(rustls::ALL_VERSIONS, papers)
}

/// The same for one that speaks these versions only.
pub(crate) fn far_client_config_of(
    versions: &[&'static SupportedProtocolVersion],
    papers: Option<&Papers>,
) -> ClientConfig {
    let mut roots = RootCertStore::empty();
    let root = CertificateDer::from_pem_slice(authority().pem.as_bytes()).expect("a root");
    roots.add(root).expect("a root");
    let builder = ClientConfig::builder_with_provider(provider())
        .with_protocol_versions(versions)
        .expect("versions")
        .with_root_certificates(roots);
    match papers {
        None => builder.with_no_client_auth(),
        Some(papers) => {
            let (chain, key) = papers.ders();
            builder.with_client_auth_cert(chain, key).expect("papers in order")
        }
    }
}

/// How a far server is set up.
pub(crate) fn far_server_config(papers: &Papers) -> ServerConfig {
    let (chain, key) = papers.ders();
    ServerConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()
        .expect("versions")
        .with_no_client_auth()
        .with_single_cert(chain, key)
        .expect("papers in order")
}

pub(crate) fn far_client() -> rustls::Connection {
    static CONFIG: LazyLock<Arc<ClientConfig>> =
        LazyLock::new(|| Arc::new(far_client_config(None)));
    far_client_with(CONFIG.clone())
}

pub(crate) fn far_client_with(config: Arc<ClientConfig>) -> rustls::Connection {
    let name = ServerName::try_from("localhost").expect("a name");
    ClientConnection::new(config, name).expect("a client").into()
}

pub(crate) fn far_server() -> rustls::Connection {
    static CONFIG: LazyLock<Arc<ServerConfig>> =
        LazyLock::new(|| Arc::new(far_server_config(localhost())));
    far_server_with(CONFIG.clone())
}

pub(crate) fn far_server_with(config: Arc<ServerConfig>) -> rustls::Connection {
    ServerConnection::new(config).expect("a server").into()
}
