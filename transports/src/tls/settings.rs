//! What both sides of TLS are told in the same words: [`Settings`].

use std::{sync::Arc, time::Duration};

use rustls::{KeyLog, KeyLogFile, NoKeyLog, SupportedProtocolVersion};

/// How long a handshake may take by default.
const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(10);

/// See the head of this file; what each of them means is said where users set it.
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
    pub(super) fn set_alpn<P: AsRef<[u8]>>(&mut self, protocols: impl IntoIterator<Item = P>) {
        self.alpn = protocols.into_iter().map(|name| name.as_ref().to_vec()).collect();
    }

    pub(super) fn versions(&self) -> &'static [&'static SupportedProtocolVersion] {
        static ONLY_TLS13: &[&SupportedProtocolVersion] = &[&rustls::version::TLS13];
        if self.only_tls13 { ONLY_TLS13 } else { rustls::ALL_VERSIONS }
    }

    /// Who is told the keys.
    pub(super) fn key_log(&self) -> Arc<dyn KeyLog> {
        if self.key_log { Arc::new(KeyLogFile::new()) } else { Arc::new(NoKeyLog) }
    }
}
