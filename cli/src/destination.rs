//! Where a client connects: an endpoint string, and the options `--tls`, `--ca`, `--insecure` and `--server-name`: [`TlsOptions`].

use std::{fmt, path::PathBuf};

use sinew::{
    prelude::{TlsClientConfig, TrustedRoots},
    transports::endpoint::{ClientEndpoint, quote},
};

use crate::exit::{Code, Failure};

/// The options of TLS of a client.
#[derive(Clone, Debug, Default, clap::Args)]
pub(crate) struct TlsOptions {
    /// Encrypt the connection, and verify the certificate of the server against the roots that the system trusts
    #[arg(long, help_heading = "TLS")]
    pub(crate) tls: bool,
    /// Trust the certificates of this file (PEM) instead of those of the system
    #[arg(long, value_name = "FILE", help_heading = "TLS")]
    pub(crate) ca: Option<PathBuf>,
    /// The name that the certificate has to be for, and that is sent to the server (SNI); by default the host's
    #[arg(long, value_name = "NAME", help_heading = "TLS")]
    pub(crate) server_name: Option<String>,
    /// Do not verify the certificate: anyone on the path can read and change what is sent
    #[arg(long, conflicts_with = "ca", help_heading = "TLS")]
    pub(crate) insecure: bool,
}

impl TlsOptions {
    /// Whether TLS is wanted.
    pub(crate) fn any(&self) -> bool {
        self.tls || self.insecure || self.ca.is_some() || self.server_name.is_some()
    }

    /// The text of an endpoint with these options: `tcp:` becomes `tls:`.
    fn apply(&self, text: &str) -> Result<String, Failure> {
        if !self.any() {
            return Ok(text.to_owned());
        }
        let mut endpoint = with_tls(text)?;
        if let Some(ca) = &self.ca {
            let ca = ca.to_str().ok_or_else(|| {
                Failure::new(Code::Usage, format!("--ca: the path {} is not UTF-8", ca.display()))
            })?;
            endpoint += &format!(":ca={}", quote(ca));
        }
        if let Some(name) = &self.server_name {
            endpoint += &format!(":server_name={}", quote(name));
        }
        if self.insecure {
            endpoint += ":insecure_without_verification=yes";
        }
        Ok(endpoint)
    }

    /// Warns if the server is not verified.
    pub(crate) fn warn(&self) {
        if self.insecure {
            eprintln!(
                "warning: --insecure: the server is not verified; anyone on the path can read and change what is sent"
            );
        }
    }

    /// A configuration with these options, for connections that are no endpoints. The certificate has to be for `--server-name`, else for
    /// `server`, else for the host that is connected to. Warns if the server is not verified.
    pub(crate) fn config(&self, server: Option<&str>) -> Result<TlsClientConfig, Failure> {
        self.warn();
        let failed = |error: &dyn fmt::Display| Failure::new(Code::Usage, error.to_string());
        let config = if self.insecure {
            TlsClientConfig::insecure_without_verification()
        } else {
            let roots = match &self.ca {
                Some(file) => TrustedRoots::from_pem_file(file),
                None => TrustedRoots::system(),
            };
            TlsClientConfig::new(roots.map_err(|error| failed(&error))?)
        };
        match self.server_name.as_deref().or(server) {
            Some(name) => {
                config.server_name(name.trim_matches(['[', ']'])).map_err(|error| failed(&error))
            }
            None => Ok(config),
        }
    }

    /// The endpoint of a text, with these options. Warns if the server is not verified.
    pub(crate) fn endpoint(&self, text: &str) -> Result<ClientEndpoint, Failure> {
        let text = self.apply(text)?;
        self.warn();
        text.parse().map_err(|error| Failure::new(Code::Usage, format!("{error}")))
    }
}

/// An endpoint of TCP, or `host:port`, as one of TLS.
fn with_tls(text: &str) -> Result<String, Failure> {
    if text.starts_with("tls:") {
        return Ok(text.to_owned());
    }
    if let Some(rest) = text.strip_prefix("tcp:") {
        return Ok(format!("tls:{rest}"));
    }
    match text.split_once(':') {
        Some((kind, _)) if matches!(kind, "unix" | "fd" | "stdio" | "process" | "memory") => {
            let why = format!("--tls is for endpoints of TCP, not for {kind}:");
            Err(Failure::new(Code::Usage, why))
        }
        _ => Ok(format!("tls:{text}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_become_a_part_of_the_endpoint() {
        let none = TlsOptions::default();
        let tls = TlsOptions { tls: true, ..TlsOptions::default() };
        let insecure = TlsOptions { insecure: true, ..TlsOptions::default() };
        let ca = TlsOptions { ca: Some("C:ca.pem".into()), ..TlsOptions::default() };
        let cases = [
            (&none, "tcp:host:1", "tcp:host:1"),
            (&tls, "tcp:host:1:timeout=3", "tls:host:1:timeout=3"),
            (&tls, "host:1", "tls:host:1"),
            (&tls, "[::1]:1", "tls:[::1]:1"),
            (&insecure, "host:1", "tls:host:1:insecure_without_verification=yes"),
            (&ca, "tls:host:1", r"tls:host:1:ca=C\:ca.pem"),
        ];
        for (options, text, expected) in cases {
            assert_eq!(options.apply(text).unwrap(), expected);
        }
        assert!(tls.apply("unix:/run/x.sock").is_err());
    }
}
