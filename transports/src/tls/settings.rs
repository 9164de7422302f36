//! What both sides of TLS are told in the same words: [`Settings`].

use std::{sync::Arc, time::Duration};

use rustls::{KeyLog, KeyLogFile, NoKeyLog, SupportedProtocolVersion};

use super::TlsConfigError;

/// The longest name of an application protocol.
const ALPN_NAME_MAX: usize = 255;

/// So many bytes the names of a list may take, with a byte for the length of each. A client names them all in its first message, of
/// which no more than 64 KiB is read by many servers, and a ticket may take a part of that.
const ALPN_NAMES_MAX: usize = 32 * 1024;

/// So much of a bad name is shown.
const SHOWN_MAX: usize = 32;

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
    /// What does not fit into a handshake is refused here: later, all that could be said is that no client gets in.
    pub(super) fn set_alpn<P: AsRef<[u8]>>(
        &mut self,
        protocols: impl IntoIterator<Item = P>,
    ) -> Result<(), TlsConfigError> {
        let names: Vec<_> = protocols.into_iter().map(|name| name.as_ref().to_vec()).collect();
        // RFC 7301 3.1: opaque ProtocolName<1..2^8-1>.
        if let Some(name) = names.iter().find(|name| !(1..=ALPN_NAME_MAX).contains(&name.len())) {
            return Err(TlsConfigError::BadAlpnName { start: start_of(name), len: name.len() });
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

    /// Who is told the keys.
    pub(super) fn key_log(&self) -> Arc<dyn KeyLog> {
        if self.key_log { Arc::new(KeyLogFile::new()) } else { Arc::new(NoKeyLog) }
    }
}

/// As much of a name as is shown, with nothing in it that a terminal would obey.
fn start_of(name: &[u8]) -> String {
    let start = name[..name.len().min(SHOWN_MAX)].escape_ascii();
    if name.len() > SHOWN_MAX { format!("{start}…") } else { start.to_string() }
}
