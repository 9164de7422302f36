//! How a server speaks TLS: [`TlsServerConfig`].

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

/// Sessions remembered for clients that cannot keep a ticket.
const SESSIONS_MAX: usize = 1024;

/// So many bytes the names of those may take who vouch for clients, as they are in a handshake. The lists themselves end at 64 KiB (RFC
/// 5246 7.4.4, RFC 8446 4.2.4), and so does all of the message, for rustls and others; the rest of it has the last KiB.
const AUTHORITY_NAMES_MAX: usize = 63 * 1024;

/// How a server speaks TLS. Cheap to clone; clones share their certificates, and those that were cloned before anything else was
/// changed share their sessions, so one will do for many ports, and for the reactors of many threads.
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
    clients: Clients,
    handshakes_per_turn: usize,
    settings: Settings,
}

/// Whether clients have to show a certificate, and from whom.
#[derive(Clone, Debug)]
enum Clients {
    Anybody,
    May(TrustedRoots),
    Must(TrustedRoots),
}

impl TlsServerConfig {
    /// A server with this certificate, for whatever name clients ask for.
    pub fn new(identity: Identity) -> Self {
        Self {
            identities: Arc::new(Identities::new(vec![identity], false)),
            options: Options {
                clients: Clients::Anybody,
                handshakes_per_turn: HANDSHAKES_PER_TURN,
                settings: Settings::default(),
            },
            built: Arc::default(),
        }
    }

    /// A further certificate. A client is shown the first that is for the name it asks for (SNI), or else the very first.
    pub fn identity(self, identity: Identity) -> Self {
        let (mut all, is_strict) = (self.identities.all(), self.identities.is_strict());
        all.push(identity);
        self.with_identities(Identities::new(all, is_strict))
    }

    /// Whether a client that asks for a name which is on no certificate is turned away. Default `false`.
    pub fn only_known_names(self, only: bool) -> Self {
        let all = self.identities.all();
        self.with_identities(Identities::new(all, only))
    }

    fn with_identities(self, identities: Identities) -> Self {
        Self { identities: Arc::new(identities), ..self }.changed(|_| {})
    }

    /// The application protocols, the preferred one first (ALPN, RFC 7301). A client that speaks ALPN and none of these is
    /// turned away. Default: none, and then nobody is asked.
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

    /// Clients must show a certificate that one of these vouches for. Default: they are not asked.
    ///
    /// They are told the names of these, to choose a certificate by (RFC 8446 4.2.4), unless the names take more than 63 KiB: more does
    /// not fit into a handshake. Then they are told none, and choose for themselves; the log says so. Who vouches for clients is often
    /// one or two, and should be: a file with all authorities of the web lets in whoever has a certificate of any of them.
    pub fn require_client_certificates(self, roots: TrustedRoots) -> Self {
        self.changed(|options| options.clients = Clients::Must(roots))
    }

    /// Clients may show a certificate, but then one that one of these vouches for. As to their names, see
    /// [`require_client_certificates`](Self::require_client_certificates).
    /// [`TlsInfo::peer_certificates`](super::TlsInfo::peer_certificates) tells who did.
    pub fn accept_client_certificates(self, roots: TrustedRoots) -> Self {
        self.changed(|options| options.clients = Clients::May(roots))
    }

    /// Whether TLS 1.2 is refused. Default `false`.
    pub fn only_tls13(self, only: bool) -> Self {
        self.changed(|options| options.settings.only_tls13 = only)
    }

    /// Whether clients may take up an earlier session again, which saves both sides most of the work. Default `true`.
    pub fn resumption(self, resumption: bool) -> Self {
        self.changed(|options| options.settings.resumption = resumption)
    }

    /// Whether the keys of all sessions are written to the file that the environment variable `SSLKEYLOGFILE` names, so that
    /// Wireshark can read along. Who has that file can, too. Default `false`.
    pub fn key_log(self, key_log: bool) -> Self {
        self.changed(|options| options.settings.key_log = key_log)
    }

    /// How long a handshake may take. Default 10 s; then the connection ends, before any protocol was built for it.
    pub fn handshake_timeout(self, timeout: Duration) -> Self {
        self.changed(|options| options.settings.handshake_timeout = timeout)
    }

    /// How many steps of handshakes a reactor makes in one turn of its loop; a handshake takes two or three. Default 16, which
    /// is some milliseconds of work. Further ones wait for the next turn, so that connections which are open have theirs.
    pub fn handshakes_per_turn(self, steps: usize) -> Self {
        self.changed(|options| options.handshakes_per_turn = steps.max(1))
    }

    /// Has connections from now on shown other certificates, by all clones of this, on all ports and threads. Connections that
    /// are open go on.
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

    fn changed(mut self, change: impl FnOnce(&mut Options)) -> Self {
        change(&mut self.options);
        self.built = Arc::default();
        self
    }

    pub(super) fn handshake_limits(&self) -> (Duration, usize) {
        (self.options.settings.handshake_timeout, self.options.handshakes_per_turn)
    }

    /// What rustls wants to know, made when it is first needed.
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
                        "the names of those who vouch for clients do not fit into a handshake; clients are not told them"
                    );
                    builder.clear_root_hint_subjects()
                }
            }
        };
        let verifier = match &options.clients {
            Clients::Anybody => None,
            Clients::May(roots) => Some(verifier(roots).allow_unauthenticated()),
            Clients::Must(roots) => Some(verifier(roots)),
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
            Err(error) => tracing::warn!(%error, "no tickets; sessions are remembered instead"),
        }
        config
    }
}
