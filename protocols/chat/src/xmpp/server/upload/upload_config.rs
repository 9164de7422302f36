//! Limits and rules of uploads: [`UploadConfig`].

use std::time::Duration;

use super::UploadKey;

/// Where files are uploaded to, and how large they may be.
///
/// | limit | default | when exceeded |
/// |---|---|---|
/// | [`size_max`](Self::size_max): bytes of a file | 10 MiB | `not-acceptable`, with the limit |
/// | [`bytes_per_day`](Self::bytes_per_day): of an account, whether they are uploaded or not | 100 MiB | `resource-constraint` |
/// | [`files_per_day`](Self::files_per_day): of an account, however small, whether they are uploaded or not | 1,000 | `resource-constraint` |
/// | [`accounts_max`](Self::accounts_max): accounts that upload on a day | 10,000 | `resource-constraint` |
/// | [`valid_for`](Self::valid_for): until the upload begins | 5 min | the HTTP server refuses it |
/// | a name, fixed | 255 bytes | `bad-request` |
/// | a type, fixed | 128 bytes | `bad-request` |
///
/// # Examples
///
/// ```
/// use sinew_chat::xmpp::server::upload::{UploadConfig, UploadKey};
///
/// let key = UploadKey::new("32 random bytes would be better..");
/// let config = UploadConfig::new("https://files.example.org/upload", key).size_max(1_000_000);
/// # drop(config);
/// ```
#[derive(Clone, Debug)]
#[must_use]
pub struct UploadConfig {
    pub(super) base: String,
    pub(super) key: UploadKey,
    pub(super) name: String,
    pub(super) size_max: u64,
    pub(super) bytes_per_day: u64,
    pub(super) files_per_day: u64,
    pub(super) accounts_max: usize,
    pub(super) valid_for: Duration,
    pub(super) types: Vec<String>,
}

impl UploadConfig {
    /// The address below which files are: with `https`, and without a `/` at its end. And the key of the HTTP server.
    pub fn new(base: impl Into<String>, key: UploadKey) -> Self {
        let base: String = base.into();
        Self {
            base: base.trim_end_matches('/').to_owned(),
            key,
            name: "Uploads".to_owned(),
            size_max: 10 * 1_024 * 1_024,
            bytes_per_day: 100 * 1_024 * 1_024,
            files_per_day: 1_000,
            accounts_max: 10_000,
            valid_for: Duration::from_secs(300),
            types: Vec::new(),
        }
    }

    /// What the service is called where it is listed. Default "Uploads".
    pub fn name(mut self, name: impl Into<String>) -> Self {
        self.name = name.into();
        self
    }

    /// Most bytes of a file. Default 10 MiB.
    pub const fn size_max(mut self, max: u64) -> Self {
        self.size_max = max;
        self
    }

    /// Most bytes that an account may have slots for in a day. Default 100 MiB.
    pub const fn bytes_per_day(mut self, max: u64) -> Self {
        self.bytes_per_day = max;
        self
    }

    /// Most files for which an account may have slots in a day: the smallest one takes some KiB of a disk. Default 1,000.
    pub const fn files_per_day(mut self, max: u64) -> Self {
        self.files_per_day = max;
        self
    }

    /// Most accounts whose bytes are counted. Default 10,000.
    pub const fn accounts_max(mut self, max: usize) -> Self {
        self.accounts_max = max;
        self
    }

    /// How long a slot can be used. Default 5 minutes.
    pub const fn valid_for(mut self, time: Duration) -> Self {
        self.valid_for = time;
        self
    }

    /// A type of files that is accepted, such as `image/png`; `image/*` are all of them. Default: all types. With a list, a file
    /// without a type is not accepted.
    pub fn accept(mut self, content_type: impl Into<String>) -> Self {
        self.types.push(content_type.into().to_ascii_lowercase());
        self
    }
}
