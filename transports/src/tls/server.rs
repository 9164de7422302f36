//! TLS configuration of servers, with tickets and a cache for session resumption: [`TlsServerConfig`].

use std::{
    sync::{Arc, OnceLock},
    time::Duration,
};

use rustls::{
    ServerConfig,
    server::{NoServerSessionStorage, ServerSessionMemoryCache, WebPkiClientVerifier},
};

use super::{
    HANDSHAKES_PER_TURN, Identity, TlsConfigError, TrustedRoots, identity::provider,
    names::Identities, settings::Settings,
};

/// Size of the session cache, for clients that do not support session tickets.
const SESSIONS_MAX: usize = 1024;

/// Maximum length in bytes of the CA names in a certificate request. The lists end at 64 KiB (RFC 5246 7.4.4, RFC 8446 4.2.4), as does
/// the whole message in rustls and others; the last KiB is for the rest of the message.
const AUTHORITY_NAMES_MAX: usize = 63 * 1024;

/// TLS configuration of a server. Cheap to clone; clones share the certificates, and also the session-resumption cache unless
/// they are changed after cloning. One configuration serves many ports, and the reactors of many threads.
///
/// # Examples
///
/// ```no_run
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use sinew_transports::tls::{Identity, TlsServerConfig};
///
/// let identity = Identity::from_pem_files("cert.pem", "key.pem")?;
/// let tls = TlsServerConfig::new(identity).alpn(["h2", "http/1.1"])?;
/// # drop(tls);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
#[must_use]
pub struct TlsServerConfig {
    identities: Arc<Identities>,
    options: Options,
    built: Arc<OnceLock<Arc<ServerConfig>>>,
}

#[derive(Clone, Debug)]
struct Options {
    clients: ClientAuth,
    handshakes_per_turn: usize,
    settings: Settings,
}

/// Client authentication.
#[derive(Clone, Debug)]
enum ClientAuth {
    NotRequested,
    Optional(TrustedRoots),
    Required(TrustedRoots),
}

impl TlsServerConfig {
    /// A server with this certificate, for whatever name clients ask for.
    pub fn new(identity: Identity) -> Self {
        Self {
            identities: Arc::new(Identities::new(vec![identity], false)),
            options: Options {
                clients: ClientAuth::NotRequested,
                handshakes_per_turn: HANDSHAKES_PER_TURN,
                settings: Settings::default(),
            },
            built: Arc::default(),
        }
    }

    /// Adds a certificate. The first that matches the client's SNI name is used, or else the very first.
    pub fn identity(self, identity: Identity) -> Self {
        let (mut all, is_strict) = (self.identities.all(), self.identities.is_strict());
        all.push(identity);
        self.with_identities(Identities::new(all, is_strict))
    }

    /// Whether clients that ask for a name without a certificate are refused. Default `false`.
    pub fn only_known_names(self, only: bool) -> Self {
        let all = self.identities.all();
        self.with_identities(Identities::new(all, only))
    }

    fn with_identities(self, identities: Identities) -> Self {
        Self { identities: Arc::new(identities), ..self }.changed(|_| {})
    }

    /// The application protocols in order of preference (ALPN, RFC 7301). A client that offers ALPN, but none of these, is
    /// refused. Default: none, which disables ALPN.
    ///
    /// # Errors
    ///
    /// [`TlsConfigError::BadAlpnName`] unless each name has between 1 and 255 bytes,
    /// [`TlsConfigError::TooManyAlpnNames`] if together they take more than 32 KiB.
    pub fn alpn<P: AsRef<[u8]>>(
        mut self,
        protocols: impl IntoIterator<Item = P>,
    ) -> Result<Self, TlsConfigError> {
        self.options.settings.set_alpn(protocols)?;
        Ok(self.changed(|_| {}))
    }

    /// Mutual TLS: clients must have a certificate issued by one of these CAs. Default: no certificate is requested.
    ///
    /// The names of the CAs are sent to clients, which choose a certificate by them (RFC 8446 4.2.4), unless they take more than 63 KiB
    /// and do not fit into a handshake. Then none are sent, and a warning is logged. Use the one or two CAs that issue your client
    /// certificates: with a file of all public CAs, anyone who has a certificate from any of them gets in.
    pub fn require_client_certificates(self, roots: TrustedRoots) -> Self {
        self.changed(|options| options.clients = ClientAuth::Required(roots))
    }

    /// Optional client certificates: a client may have none, but one that it sends must be issued by one of these CAs. As to their
    /// names, see [`require_client_certificates`](Self::require_client_certificates).
    /// [`TlsInfo::peer_certificates`](super::TlsInfo::peer_certificates) has the certificates of a client.
    pub fn accept_client_certificates(self, roots: TrustedRoots) -> Self {
        self.changed(|options| options.clients = ClientAuth::Optional(roots))
    }

    /// Whether TLS 1.2 is refused. Default `false`.
    pub fn only_tls13(self, only: bool) -> Self {
        self.changed(|options| options.settings.only_tls13 = only)
    }

    /// Session resumption: whether clients may resume an earlier session, which saves both sides most of the work. Default `true`.
    pub fn resumption(self, resumption: bool) -> Self {
        self.changed(|options| options.settings.resumption = resumption)
    }

    /// Whether the keys of all sessions are logged to the file in the environment variable `SSLKEYLOGFILE`, so that Wireshark can
    /// decrypt the traffic, as can anybody else who has the file. Default `false`.
    pub fn key_log(self, key_log: bool) -> Self {
        self.changed(|options| options.settings.key_log = key_log)
    }

    /// Handshake timeout. Default 10 s; then the connection ends, without a protocol.
    pub fn handshake_timeout(self, timeout: Duration) -> Self {
        self.changed(|options| options.settings.handshake_timeout = timeout)
    }

    /// Handshake limiter: maximum handshake steps per turn of the event loop; a handshake takes two or three. Default 16, which is
    /// some milliseconds of work. Further steps wait for the next turn, so that open connections are not starved.
    pub fn handshakes_per_turn(self, steps: usize) -> Self {
        self.changed(|options| options.handshakes_per_turn = steps.max(1))
    }

    /// Replaces the certificates for new connections, in all clones of this configuration, on all ports and threads. Open
    /// connections are not affected.
    ///
    /// # Errors
    ///
    /// [`TlsConfigError::NoIdentity`] if there is none; then nothing changes.
    pub fn reload(
        &self,
        identities: impl IntoIterator<Item = Identity>,
    ) -> Result<(), TlsConfigError> {
        let all: Vec<_> = identities.into_iter().collect();
        if all.is_empty() {
            return Err(TlsConfigError::NoIdentity);
        }
        self.identities.replace(all);
        Ok(())
    }

    /// The same with the certificates of another configuration.
    pub(crate) fn take_identities(&self, other: &Self) {
        self.identities.replace(other.identities.all());
    }

    /// The certificates as they are now, in the order in which they are tried.
    #[must_use]
    pub fn identities(&self) -> Vec<Identity> {
        self.identities.all()
    }

    fn changed(mut self, change: impl FnOnce(&mut Options)) -> Self {
        change(&mut self.options);
        self.built = Arc::default();
        self
    }

    pub(super) fn handshake_limits(&self) -> (Duration, usize) {
        (self.options.settings.handshake_timeout, self.options.handshakes_per_turn)
    }

    /// The rustls configuration, built on first use.
    pub(super) fn built(&self) -> Arc<ServerConfig> {
        self.built.get_or_init(|| Arc::new(self.build())).clone()
    }

    fn build(&self) -> ServerConfig {
        let options = &self.options;
        let builder = ServerConfig::builder_with_provider(provider().clone())
            .with_protocol_versions(options.settings.versions())
            .expect("the provider has cipher suites for both versions");
        let verifier = |roots: &TrustedRoots| {
            let builder =
                WebPkiClientVerifier::builder_with_provider(roots.store(), provider().clone());
            match roots.names_len() {
                ..=AUTHORITY_NAMES_MAX => builder,
                bytes => {
                    tracing::warn!(
                        bytes,
                        max = AUTHORITY_NAMES_MAX,
                        "the names of the client CAs do not fit into a handshake message; none are sent"
                    );
                    builder.clear_root_hint_subjects()
                }
            }
        };
        let verifier = match &options.clients {
            ClientAuth::NotRequested => None,
            ClientAuth::Optional(roots) => Some(verifier(roots).allow_unauthenticated()),
            ClientAuth::Required(roots) => Some(verifier(roots)),
        };
        let builder = match verifier {
            None => builder.with_no_client_auth(),
            Some(verifier) => builder.with_client_cert_verifier(
                verifier.build().expect("there is at least one root, and no revocation list"),
            ),
        };
        let mut config = builder.with_cert_resolver(self.identities.clone());
        config.alpn_protocols.clone_from(&options.settings.alpn);
        config.key_log = options.settings.key_log();
        if !options.settings.resumption {
            config.session_storage = Arc::new(NoServerSessionStorage {});
            config.send_tls13_tickets = 0;
            return config;
        }
        config.session_storage = ServerSessionMemoryCache::new(SESSIONS_MAX);
        match rustls::crypto::ring::Ticketer::new() {
            Ok(ticketer) => config.ticketer = ticketer,
            Err(error) => {
                tracing::warn!(%error, "could not create session tickets; using the session cache")
            }
        }
        config
    }
}
