//! The id of a message in an archive: [`ArchiveId`].

use std::{
    fmt,
    str::FromStr,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

/// Digits of an id.
const DIGITS: usize = 16;

/// Bits of an id below those of its time.
const LOW_BITS: u32 = 20;

/// The id of a message in an archive (XEP-0359): its time in milliseconds since 1970, and below it 20 bits that tell messages of the same
/// time apart, so that ids and times have the same order. Written with 16 hexadecimal digits.
///
/// # Examples
///
/// ```
/// use sinew_chat::xmpp::server::archive::ArchiveId;
///
/// let id = ArchiveId((1_700_000_000_123 << 20) + 5);
/// assert_eq!(id.to_string(), "18bcfe5687b00005");
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
    /// The smallest id of this time. Times before 1970 are its beginning, and those after 2527 its end.
    #[must_use]
    pub fn at(time: SystemTime) -> Self {
        let millis = time.duration_since(UNIX_EPOCH).unwrap_or_default().as_millis();
        let latest = u64::MAX >> LOW_BITS;
        Self(u64::try_from(millis).unwrap_or(latest).min(latest) << LOW_BITS)
    }

    /// The greatest id of the same time.
    #[must_use]
    pub const fn latest(self) -> Self {
        Self(self.0 | ((1 << LOW_BITS) - 1))
    }

    /// An id of the same time that other servers and earlier runs are not likely to have given: the clock may have been set back.
    /// The upper half is left for the messages that follow in the same millisecond.
    pub(in super::super) fn random(self) -> Self {
        let mut low = [0; 4];
        // Without random numbers it is the smallest one.
        let _ = getrandom::fill(&mut low);
        Self(self.0 | u64::from(u32::from_le_bytes(low) >> (u32::BITS - LOW_BITS + 1)))
    }

    /// When the message was archived.
    #[must_use]
    pub fn time(self) -> SystemTime {
        UNIX_EPOCH + Duration::from_millis(self.0 >> LOW_BITS)
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
