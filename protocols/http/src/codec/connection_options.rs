//! The options of the `Connection` field (RFC 9110 7.6.1), and whether a connection persists (RFC 9112 9.3):
//! [`ConnectionOptions`]. For requests and responses.

use http::Version;

use super::fields::trim;

/// The options of all `Connection` fields of a head.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct ConnectionOptions {
    close: bool,
    keep_alive: bool,
    pub(super) upgrade: bool,
}

impl ConnectionOptions {
    /// Adds the options of one `Connection` field.
    pub(super) fn add(&mut self, value: &[u8]) {
        for option in value.split(|byte| *byte == b',').map(trim) {
            let is = |name: &[u8]| option.eq_ignore_ascii_case(name);
            self.close |= is(b"close");
            self.keep_alive |= is(b"keep-alive");
            self.upgrade |= is(b"upgrade");
        }
    }

    /// Whether the sender will use the connection for another message.
    pub(super) fn is_persistent(self, version: Version) -> bool {
        !self.close && (version == Version::HTTP_11 || self.keep_alive)
    }
}
