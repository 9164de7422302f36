//! The ports of a server of several protocols, with TLS from the start or by STARTTLS, from one [`Certificate`].

use std::{
    fmt,
    path::PathBuf,
    sync::{Arc, Mutex, PoisonError},
};

use sinew::{
    application::StartError,
    prelude::{Identity, TlsServerConfig},
    reactor::Excerpt,
    transports::endpoint::{ServerEndpoint, quote},
};

use crate::arguments::Endpoint;

/// The certificate of the server.
#[derive(Debug)]
pub(super) struct Certificate {
    cert: PathBuf,
    key: PathBuf,
    tls: TlsServerConfig,
    /// Those that read the same files.
    endpoints: Arc<Mutex<Vec<ServerEndpoint>>>,
}

impl Certificate {
    /// Reads the files.
    pub(super) fn read(cert: PathBuf, key: PathBuf) -> Result<Self, StartError> {
        let identity = Identity::from_pem_files(&cert, &key).map_err(StartError::other)?;
        let (tls, endpoints) = (TlsServerConfig::new(identity), Arc::default());
        Ok(Self { cert, key, tls, endpoints })
    }

    /// For STARTTLS.
    pub(super) fn starttls(&self) -> TlsServerConfig {
        self.tls.clone()
    }

    /// An endpoint that is TLS from the start, with these application protocols (ALPN), which are separated by commas.
    fn implicit(&self, text: &str, alpn: Option<&str>) -> Result<ServerEndpoint, StartError> {
        let path = |path: &PathBuf| match path.to_str() {
            Some(path) => Ok(quote(path).to_string()),
            None => {
                let why = format!("the path {} is not UTF-8", Excerpt::path(path));
                Err(StartError::other(why))
            }
        };
        let alpn = alpn.map(|names| format!(":alpn={names}")).unwrap_or_default();
        let text = format!("tls:{text}:cert={}:key={}{alpn}", path(&self.cert)?, path(&self.key)?);
        let endpoint: ServerEndpoint = text.parse().map_err(StartError::other)?;
        let mut endpoints = self.endpoints.lock().unwrap_or_else(PoisonError::into_inner);
        endpoints.push(endpoint.clone());
        Ok(endpoint)
    }

    /// What reads the files again, for a thread.
    pub(super) fn reloader(&self) -> Reloader {
        let Self { cert, key, tls, endpoints } = self;
        let endpoints = Arc::clone(endpoints);
        Reloader { cert: cert.clone(), key: key.clone(), tls: tls.clone(), endpoints }
    }
}

/// Reads the certificate again: see [`Certificate::reloader`].
#[derive(Clone, Debug)]
pub(super) struct Reloader {
    cert: PathBuf,
    key: PathBuf,
    tls: TlsServerConfig,
    endpoints: Arc<Mutex<Vec<ServerEndpoint>>>,
}

impl Reloader {
    /// New connections use what the files have. Blocks. Nothing changes if they are wrong.
    pub(super) fn reload(&self) -> Result<(), String> {
        let text = |error: &dyn fmt::Display| error.to_string();
        let identity = Identity::from_pem_files(&self.cert, &self.key);
        self.tls.reload([identity.map_err(|error| text(&error))?]).map_err(|error| text(&error))?;
        let endpoints = self.endpoints.lock().unwrap_or_else(PoisonError::into_inner);
        endpoints.iter().try_for_each(ServerEndpoint::reload).map_err(|error| text(&error))
    }
}

/// The endpoints as they are.
pub(super) fn plain(endpoints: &[Endpoint]) -> Vec<ServerEndpoint> {
    endpoints.iter().map(|endpoint| endpoint.endpoint.clone()).collect()
}

/// The endpoints with TLS from the start: `tcp:` and `tcp6:` become `tls:`, with the certificate of the server, and with these application protocols
/// (ALPN), which are separated by commas.
pub(super) fn implicit(
    endpoints: &[Endpoint],
    certificate: Option<&Certificate>,
    alpn: Option<&str>,
) -> Result<Vec<ServerEndpoint>, StartError> {
    let with_tls = |endpoint: &Endpoint| {
        // In the form of endpoints, whatever form it was written in.
        let text = endpoint.endpoint.to_string();
        if text.starts_with("tls:") {
            return Ok(endpoint.endpoint.clone());
        }
        // Those of tls: have one kind for both families.
        let v6 = text.strip_prefix("tcp6:").map(|rest| match rest.contains(":interface=") {
            true => rest.to_owned(),
            false => format!("{rest}:interface=[::]"),
        });
        let rest = v6.as_deref().or_else(|| text.strip_prefix("tcp:"));
        let Some(rest) = rest else {
            let why = format!(
                "{}: TLS from the start is for endpoints of tcp:, tcp6: and tls:",
                Excerpt::new(&text)
            );
            return Err(StartError::other(why));
        };
        match certificate {
            Some(certificate) => certificate.implicit(rest, alpn),
            None => Err(StartError::other(format!(
                "{}: TLS needs a certificate: cert and key",
                Excerpt::new(&text)
            ))),
        }
    };
    endpoints.iter().map(with_tls).collect()
}
