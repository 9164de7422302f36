//! Secrets: [`Secret`], bytes that are not printed and are overwritten when dropped; and [`is_equal`], a comparison in constant
//! time.

use std::{fmt, hint::black_box};

use zeroize::Zeroizing;

/// A password, a token or a key. It is not printed, is compared in constant time, and its memory is overwritten when it is dropped.
///
/// # Examples
///
/// ```
/// use sinew_auth::Secret;
///
/// let secret = Secret::from("hunter2");
/// assert!(secret.is(b"hunter2") && !secret.is(b"hunter"));
/// assert_eq!(format!("{secret:?}"), "Secret(..)");
/// ```
#[derive(Clone, Default)]
pub struct Secret(Zeroizing<Vec<u8>>);

impl Secret {
    /// The bytes.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        &self.0
    }

    /// Whether it is equal to `given`, in a time that depends on the length of `given` only.
    #[must_use]
    pub fn is(&self, given: &[u8]) -> bool {
        is_equal(&self.0, given)
    }
}

impl From<Vec<u8>> for Secret {
    fn from(bytes: Vec<u8>) -> Self {
        Self(Zeroizing::new(bytes))
    }
}

impl From<&[u8]> for Secret {
    fn from(bytes: &[u8]) -> Self {
        bytes.to_vec().into()
    }
}

impl From<String> for Secret {
    fn from(text: String) -> Self {
        text.into_bytes().into()
    }
}

impl From<&str> for Secret {
    fn from(text: &str) -> Self {
        text.as_bytes().into()
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(..)")
    }
}

/// Compares in a time that depends on the length of `given` only.
#[must_use]
pub fn is_equal(known: &[u8], given: &[u8]) -> bool {
    let mut differs = u8::from(known.len() != given.len());
    for (at, byte) in given.iter().enumerate() {
        differs |= byte ^ known[at % known.len().max(1)..].first().copied().unwrap_or(0);
    }
    black_box(differs) == 0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn passwords_are_compared_whole() {
        for (known, given, expected) in [
            ("", "", true),
            ("a", "a", true),
            ("a", "", false),
            ("", "a", false),
            ("ab", "abab", false),
            ("abc", "abd", false),
        ] {
            assert_eq!(Secret::from(known).is(given.as_bytes()), expected, "{known} {given}");
        }
    }
}
