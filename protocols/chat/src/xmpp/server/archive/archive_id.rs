//! The id of a message in an archive: [`ArchiveId`].

use std::{
    fmt,
    str::FromStr,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

/// Digits of an id.
const DIGITS: usize = 16;

/// The id of a message in an archive (XEP-0359): its time in microseconds since 1970, so that ids and times have the same order. Written
/// with 16 hexadecimal digits.
///
/// # Examples
///
/// ```
/// use sinew_chat::xmpp::server::archive::ArchiveId;
///
/// let id = ArchiveId(1_700_000_000_123_456);
/// assert_eq!(id.to_string(), "00060a24181e4e40");
/// assert_eq!(id.to_string().parse(), Ok(id));
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ArchiveId(pub u64);

/// It is no id of an archive.
#[derive(Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("an id of an archive has {DIGITS} hexadecimal digits in small letters")]
pub struct ArchiveIdError;

sinew_transports::reactor::error_debug!(ArchiveIdError);

impl ArchiveId {
    /// The id of this time. Times before 1970 are written as its beginning.
    #[must_use]
    pub fn at(time: SystemTime) -> Self {
        let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
        Self(u64::try_from(since.as_micros()).unwrap_or(u64::MAX))
    }

    /// When the message was archived.
    #[must_use]
    pub fn time(self) -> SystemTime {
        UNIX_EPOCH + Duration::from_micros(self.0)
    }
}

impl fmt::Display for ArchiveId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

impl FromStr for ArchiveId {
    type Err = ArchiveIdError;

    fn from_str(text: &str) -> Result<Self, ArchiveIdError> {
        let is_digit = |byte: u8| byte.is_ascii_digit() || matches!(byte, b'a'..=b'f');
        match text.len() == DIGITS && text.bytes().all(is_digit) {
            true => u64::from_str_radix(text, 16).map(Self).map_err(|_| ArchiveIdError),
            false => Err(ArchiveIdError),
        }
    }
}
