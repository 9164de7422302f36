//! Names of header fields, as HDR asks for them: [`FieldName`] (RFC 3977 8.1 and 9.8).

use std::{fmt, str::FromStr, sync::Arc};

/// Longest name.
const LEN_MAX: usize = 200;

/// The name of a field of the head (`Subject`), or of metadata (`:bytes`). Equal in any case. Cheap to clone.
#[derive(Clone)]
pub struct FieldName(Arc<str>);

/// A text is no [`FieldName`].
#[derive(Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "the name of a field has 1 to 200 printable characters, without spaces, and no colon but at its beginning"
)]
#[non_exhaustive]
pub struct FieldNameError;

sinew_transports::reactor::error_debug!(FieldNameError);

impl FieldName {
    /// The name, as it was written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether it is of metadata, not of a field.
    #[must_use]
    pub fn is_metadata(&self) -> bool {
        self.0.starts_with(':')
    }
}

/// Whether a text is the name of a field of a head.
pub(super) fn is_field_name(name: &[u8]) -> bool {
    !name.is_empty() && name.iter().all(|byte| (b'!'..=b'~').contains(byte) && *byte != b':')
}

impl FromStr for FieldName {
    type Err = FieldNameError;

    fn from_str(text: &str) -> Result<Self, FieldNameError> {
        let name = text.strip_prefix(':').unwrap_or(text);
        match text.len() <= LEN_MAX && is_field_name(name.as_bytes()) {
            true => Ok(Self(text.into())),
            false => Err(FieldNameError),
        }
    }
}

impl PartialEq for FieldName {
    fn eq(&self, other: &Self) -> bool {
        self.0.eq_ignore_ascii_case(&other.0)
    }
}

impl Eq for FieldName {}

impl fmt::Display for FieldName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl fmt::Debug for FieldName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "FieldName({})", self.0)
    }
}
