//! TLS settings common to servers and clients: [`Settings`].

use std::{sync::Arc, time::Duration};

use rustls::{KeyLog, KeyLogFile, NoKeyLog, SupportedProtocolVersion};

use super::TlsConfigError;

/// Longest ALPN protocol name.
const ALPN_NAME_MAX: usize = 255;

/// Maximum length in bytes of the ALPN protocol names, with a length byte for each. A client sends them all in its ClientHello, of
/// which many servers read no more than 64 KiB, and a session ticket may take a part of that.
const ALPN_NAMES_MAX: usize = 32 * 1024;

/// Longest excerpt of an invalid name in an error.
const SHOWN_MAX: usize = 32;

/// Default handshake timeout.
const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(10);

/// Common settings, documented at the setters of the configurations.
#[derive(Clone, Debug)]
pub(super) struct Settings {
    pub(super) alpn: Vec<Vec<u8>>,
    pub(super) only_tls13: bool,
    pub(super) resumption: bool,
    pub(super) key_log: bool,
    pub(super) handshake_timeout: Duration,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            alpn: Vec::new(),
            only_tls13: false,
            resumption: true,
            key_log: false,
            handshake_timeout: HANDSHAKE_TIMEOUT,
        }
    }
}

impl Settings {
    /// Rejects names that do not fit into a handshake, since later every handshake would fail.
    pub(super) fn set_alpn<P: AsRef<[u8]>>(
        &mut self,
        protocols: impl IntoIterator<Item = P>,
    ) -> Result<(), TlsConfigError> {
        let names: Vec<_> = protocols.into_iter().map(|name| name.as_ref().to_vec()).collect();
        // RFC 7301 3.1: opaque ProtocolName<1..2^8-1>.
        if let Some(name) = names.iter().find(|name| !(1..=ALPN_NAME_MAX).contains(&name.len())) {
            return Err(TlsConfigError::BadAlpnName { start: excerpt(name), len: name.len() });
        }
        let len = names.iter().map(|name| 1 + name.len()).sum();
        if len > ALPN_NAMES_MAX {
            return Err(TlsConfigError::TooManyAlpnNames { len, max: ALPN_NAMES_MAX });
        }
        self.alpn = names;
        Ok(())
    }

    pub(super) fn versions(&self) -> &'static [&'static SupportedProtocolVersion] {
        static ONLY_TLS13: &[&SupportedProtocolVersion] = &[&rustls::version::TLS13];
        if self.only_tls13 { ONLY_TLS13 } else { rustls::ALL_VERSIONS }
    }

    /// Where session keys are logged, if anywhere.
    pub(super) fn key_log(&self) -> Arc<dyn KeyLog> {
        if self.key_log { Arc::new(KeyLogFile::new()) } else { Arc::new(NoKeyLog) }
    }
}

/// The beginning of a name, escaped for terminals.
fn excerpt(name: &[u8]) -> String {
    let start = name[..name.len().min(SHOWN_MAX)].escape_ascii();
    if name.len() > SHOWN_MAX { format!("{start}…") } else { start.to_string() }
}
