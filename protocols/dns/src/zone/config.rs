//! Limits and permissions of loading a zone: [`ZoneConfig`].

use std::path::PathBuf;

/// What is accepted when a zone is loaded from text.
///
/// # Examples
///
/// ```
/// use sinew_dns::zone::ZoneConfig;
///
/// let config = ZoneConfig::default().include_folder("/etc/zones").records_max(100_000);
/// # drop(config);
/// ```
#[derive(Clone, Debug)]
#[must_use]
pub struct ZoneConfig {
    pub(super) include_folder: Option<PathBuf>,
    pub(super) include_depth_max: usize,
    pub(super) includes_max: usize,
    pub(super) text_len_max: usize,
    pub(super) entry_len_max: usize,
    pub(super) records_max: usize,
    pub(super) generated_max: usize,
}

impl Default for ZoneConfig {
    fn default() -> Self {
        Self {
            include_folder: None,
            include_depth_max: 8,
            includes_max: 100,
            text_len_max: 1 << 28,
            entry_len_max: 1 << 18,
            records_max: 10_000_000,
            generated_max: 65_536,
        }
    }
}

impl ZoneConfig {
    /// The folder that `$INCLUDE` may read files from, in it and below it; relative names are relative to it. Symbolic links are
    /// followed before that is checked. Default: none, `$INCLUDE` is refused.
    pub fn include_folder(mut self, folder: impl Into<PathBuf>) -> Self {
        self.include_folder = Some(folder.into());
        self
    }

    /// Maximum depth of files that include each other. Default 8.
    pub fn include_depth_max(mut self, files: usize) -> Self {
        self.include_depth_max = files;
        self
    }

    /// Maximum number of `$INCLUDE` that are followed in all. Default 100.
    pub fn includes_max(mut self, files: usize) -> Self {
        self.includes_max = files;
        self
    }

    /// Maximum length of all texts of a zone together. Default 256 MiB.
    pub fn text_len_max(mut self, bytes: usize) -> Self {
        self.text_len_max = bytes;
        self
    }

    /// Maximum length of a line, or of several that parentheses join. Default 256 KiB.
    pub fn entry_len_max(mut self, bytes: usize) -> Self {
        self.entry_len_max = bytes;
        self
    }

    /// Maximum number of records of a zone. Default 10,000,000.
    pub fn records_max(mut self, records: usize) -> Self {
        self.records_max = records;
        self
    }

    /// Maximum number of records that all `$GENERATE` of a zone may make. Default 65,536.
    pub fn generated_max(mut self, records: usize) -> Self {
        self.generated_max = records;
        self
    }
}
