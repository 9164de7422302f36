//! TLS configuration of clients, with the cache for session resumption: [`TlsClientConfig`].

use std::{
    sync::{Arc, OnceLock},
    time::Duration,
};

use rustls::{
    ClientConfig, DigitallySignedStruct, SignatureScheme,
    client::{
        Resumption,
        danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
    },
    crypto::{WebPkiSupportedAlgorithms, verify_tls12_signature, verify_tls13_signature},
    pki_types::{CertificateDer, ServerName, UnixTime},
    sign::SingleCertAndKey,
};

use super::{
    Identity, TlsConfigError, TlsRole, TrustedRoots, identity::provider, settings::Settings,
};
use crate::{Destination, names::literal::Literal};

/// TLS configuration of a client. Cheap to clone; clones share the session-resumption cache, so reuse one configuration for all
/// connections.
///
/// # Examples
///
/// ```no_run
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use sinew_transports::tls::TlsClientConfig;
///
/// let tls = TlsClientConfig::system()?.alpn(["http/1.1"])?;
/// # drop(tls);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
#[must_use]
pub struct TlsClientConfig {
    options: Options,
    built: Arc<OnceLock<Arc<ClientConfig>>>,
}

#[derive(Clone, Debug)]
struct Options {
    /// `None`: certificates are not verified.
    roots: Option<TrustedRoots>,
    identity: Option<Identity>,
    name: Option<ServerName<'static>>,
    sni: bool,
    settings: Settings,
}

impl TlsClientConfig {
    /// A client that trusts the system's root certificates. Reads files, which is slow; reuse the result.
    ///
    /// # Errors
    ///
    /// [`TlsConfigError::NoSystemRoots`] if the system has no root certificates.
    pub fn system() -> Result<Self, TlsConfigError> {
        Ok(Self::new(TrustedRoots::system()?))
    }

    /// A client that trusts these root certificates.
    pub fn new(roots: TrustedRoots) -> Self {
        Self::with_roots(Some(roots))
    }

    /// A client that accepts any certificate. The connection is encrypted, but not authenticated: it is open to
    /// man-in-the-middle attacks. For tests, and for peers whose certificate is checked in another way, from
    /// [`tls_info`](crate::Transport::tls_info).
    pub fn insecure_without_verification() -> Self {
        Self::with_roots(None)
    }

    fn with_roots(roots: Option<TrustedRoots>) -> Self {
        let settings = Settings::default();
        let options = Options { roots, identity: None, name: None, sni: true, settings };
        Self { options, built: Arc::default() }
    }

    /// The client certificate, for servers that request one.
    pub fn identity(self, identity: Identity) -> Self {
        self.changed(|options| options.identity = Some(identity))
    }

    /// The name or IP address that the server's certificate must be for. Default: the host connected to.
    ///
    /// # Errors
    ///
    /// [`TlsConfigError::BadName`].
    pub fn server_name(self, name: &str) -> Result<Self, TlsConfigError> {
        let name = server_name(name)?;
        Ok(self.changed(|options| options.name = Some(name)))
    }

    /// Whether the server's name is sent in the clear (SNI). Default `true`.
    pub fn sni(self, sni: bool) -> Self {
        self.changed(|options| options.sni = sni)
    }

    /// The application protocols in order of preference (ALPN, RFC 7301). Default: none.
    ///
    /// # Errors
    ///
    /// As [`TlsServerConfig::alpn`](super::TlsServerConfig::alpn).
    pub fn alpn<P: AsRef<[u8]>>(
        mut self,
        protocols: impl IntoIterator<Item = P>,
    ) -> Result<Self, TlsConfigError> {
        self.options.settings.set_alpn(protocols)?;
        Ok(self.changed(|_| {}))
    }

    /// Whether TLS 1.2 is refused. Default `false`.
    pub fn only_tls13(self, only: bool) -> Self {
        self.changed(|options| options.settings.only_tls13 = only)
    }

    /// Session resumption: whether a handshake may resume an earlier session with the same server. Default `true`.
    pub fn resumption(self, resumption: bool) -> Self {
        self.changed(|options| options.settings.resumption = resumption)
    }

    /// As [`TlsServerConfig::key_log`](super::TlsServerConfig::key_log).
    pub fn key_log(self, key_log: bool) -> Self {
        self.changed(|options| options.settings.key_log = key_log)
    }

    /// Handshake timeout. Default 10 s. [`ConnectConfig::timeout`](crate::ConnectConfig::timeout), which covers the whole attempt,
    /// applies as well.
    pub fn handshake_timeout(self, timeout: Duration) -> Self {
        self.changed(|options| options.settings.handshake_timeout = timeout)
    }

    /// The client role in a session with the server of that name: for [`start_tls`](crate::Transport::start_tls).
    ///
    /// # Errors
    ///
    /// [`TlsConfigError::BadName`].
    pub fn to(&self, name: &str) -> Result<TlsRole, TlsConfigError> {
        Ok(TlsRole::client(self, self.options.name.clone().map_or_else(|| server_name(name), Ok)?))
    }

    pub(crate) fn role_for(&self, to: &Destination) -> Result<TlsRole, TlsConfigError> {
        let name = match (&self.options.name, to) {
            (Some(name), _) => name.clone(),
            (None, Destination::Name(host, _)) => match Literal::parse(host) {
                // Certificates hold addresses without an IPv6 scope.
                Some(literal) => ServerName::IpAddress(literal.ip().into()),
                None => server_name(host)?,
            },
            (None, Destination::Addr(addr)) => ServerName::IpAddress(addr.ip().into()),
            (None, other) => return Err(TlsConfigError::BadName { name: other.to_string() }),
        };
        Ok(TlsRole::client(self, name))
    }

    fn changed(mut self, change: impl FnOnce(&mut Options)) -> Self {
        change(&mut self.options);
        self.built = Arc::default();
        self
    }

    pub(super) fn timeout(&self) -> Duration {
        self.options.settings.handshake_timeout
    }

    /// The rustls configuration, built on first use.
    pub(super) fn built(&self) -> Arc<ClientConfig> {
        self.built.get_or_init(|| Arc::new(self.build())).clone()
    }

    fn build(&self) -> ClientConfig {
        let options = &self.options;
        let builder = ClientConfig::builder_with_provider(provider().clone())
            .with_protocol_versions(options.settings.versions())
            .expect("the provider has cipher suites for both versions");
        let builder = match &options.roots {
            Some(roots) => builder.with_root_certificates(roots.store()),
            None => builder.dangerous().with_custom_certificate_verifier(Arc::new(NoVerification)),
        };
        let mut config = match &options.identity {
            Some(identity) => {
                let key = SingleCertAndKey::from(identity.certified_key());
                builder.with_client_cert_resolver(Arc::new(key))
            }
            None => builder.with_no_client_auth(),
        };
        config.alpn_protocols.clone_from(&options.settings.alpn);
        config.enable_sni = options.sni;
        config.key_log = options.settings.key_log();
        if !options.settings.resumption {
            config.resumption = Resumption::disabled();
        }
        config
    }
}

/// A server name as in certificates: without the trailing dot of the DNS.
fn server_name(name: &str) -> Result<ServerName<'static>, TlsConfigError> {
    ServerName::try_from(name.strip_suffix('.').unwrap_or(name).to_owned())
        .map_err(|_| TlsConfigError::BadName { name: name.to_owned() })
}

/// Accepts any certificate, but verifies that the peer has its private key.
#[derive(Debug)]
struct NoVerification;

impl ServerCertVerifier for NoVerification {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(message, certificate, signed, algorithms())
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(message, certificate, signed, algorithms())
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        algorithms().supported_schemes()
    }
}

fn algorithms() -> &'static WebPkiSupportedAlgorithms {
    &provider().signature_verification_algorithms
}
