//! Which names are the same: [`CaseMapping`].

use std::{fmt, str::FromStr};

/// How letters compare in nicks and names of channels (CASEMAPPING).
///
/// # Examples
///
/// ```
/// use sinew_chat::irc::codec::CaseMapping;
///
/// assert!(CaseMapping::Rfc1459.is_equal(b"Nick[a]", b"nick{A}"));
/// assert!(!CaseMapping::Ascii.is_equal(b"Nick[a]", b"nick{A}"));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub enum CaseMapping {
    /// Letters of ASCII.
    Ascii,
    /// Also `{}|^` and `[]\~`, for they were the same keys on Scandinavian keyboards. The default of RFC 1459.
    #[default]
    Rfc1459,
    /// As RFC 1459 says it, without `^` and `~`.
    Rfc1459Strict,
}

impl CaseMapping {
    /// The lower case of a byte.
    #[must_use]
    pub const fn lower(self, byte: u8) -> u8 {
        match (self, byte) {
            (Self::Rfc1459 | Self::Rfc1459Strict, b'[' | b']' | b'\\') => byte + 32,
            (Self::Rfc1459, b'~') => b'^',
            _ => byte.to_ascii_lowercase(),
        }
    }

    /// A name in lower case, as a key for maps.
    #[must_use]
    pub fn fold(self, name: &[u8]) -> Vec<u8> {
        name.iter().map(|byte| self.lower(*byte)).collect()
    }

    /// Whether two names are the same.
    #[must_use]
    pub fn is_equal(self, left: &[u8], right: &[u8]) -> bool {
        left.len() == right.len()
            && left.iter().zip(right).all(|(left, right)| self.lower(*left) == self.lower(*right))
    }
}

impl fmt::Display for CaseMapping {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Ascii => "ascii",
            Self::Rfc1459 => "rfc1459",
            Self::Rfc1459Strict => "rfc1459-strict",
        })
    }
}

impl FromStr for CaseMapping {
    type Err = ();

    fn from_str(name: &str) -> Result<Self, ()> {
        match name {
            "ascii" => Ok(Self::Ascii),
            "rfc1459" => Ok(Self::Rfc1459),
            "rfc1459-strict" | "strict-rfc1459" => Ok(Self::Rfc1459Strict),
            _ => Err(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn casemapping_rfc1459() {
        for (mapping, name, folded) in [
            (CaseMapping::Rfc1459, r"AZ[]\~^", r"az{}|^^"),
            (CaseMapping::Rfc1459Strict, r"AZ[]\~^", r"az{}|~^"),
            (CaseMapping::Ascii, r"AZ[]\~^", r"az[]\~^"),
        ] {
            assert_eq!(mapping.fold(name.as_bytes()), folded.as_bytes(), "{mapping}");
            assert!(mapping.is_equal(name.as_bytes(), folded.as_bytes()));
            assert_eq!(mapping.to_string().parse(), Ok(mapping));
        }
    }
}
