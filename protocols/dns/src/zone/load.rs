//! The sources of a [`Zone`]: text, a file, records from elsewhere.

use std::{path::Path, sync::Arc};

use super::{
    Zone, ZoneConfig, ZoneError, ZoneFault,
    build::build,
    name::WireName,
    record::ZoneRecord,
    text::{ZoneText, read_file},
};
use crate::codec::{Name, Record};

impl Zone {
    /// Loads a zone from text (RFC 1035, section 5), with the default limits. Relative names are relative to `origin`.
    ///
    /// # Errors
    ///
    /// [`ZoneError`], with the line and the column.
    pub fn parse(text: impl AsRef<[u8]>, origin: &Name) -> Result<Self, ZoneError> {
        Self::parse_with(text, origin, &ZoneConfig::default())
    }

    /// Loads a zone from text. `$INCLUDE` reads files synchronously, if a folder is given.
    ///
    /// # Errors
    ///
    /// As [`parse`](Self::parse).
    pub fn parse_with(
        text: impl AsRef<[u8]>,
        origin: &Name,
        config: &ZoneConfig,
    ) -> Result<Self, ZoneError> {
        let origin = WireName::from_name(origin);
        build(ZoneText::read(text.as_ref(), &origin, None, config)?, origin)
    }

    /// Loads a zone from a file. Blocks: in a running reactor, call it in
    /// [`defer_to_thread`](sinew_transports::reactor::Reactor::defer_to_thread).
    ///
    /// # Errors
    ///
    /// [`ZoneError`], with the file, the line and the column.
    pub fn load(
        path: impl AsRef<Path>,
        origin: &Name,
        config: &ZoneConfig,
    ) -> Result<Self, ZoneError> {
        let path = path.as_ref();
        let text = read_file(path, config.text_len_max).map_err(|source| {
            ZoneError::new(None, ZoneFault::Read { path: path.to_owned(), source })
        })?;
        let origin = WireName::from_name(origin);
        let file = Some(Arc::new(path.to_owned()));
        build(ZoneText::read(&text, &origin, file, config)?, origin)
    }

    /// A zone of these records, for instance those of a transfer.
    ///
    /// # Errors
    ///
    /// [`ZoneError`] without a place.
    pub fn from_records<'a>(
        origin: &Name,
        records: impl IntoIterator<Item = &'a Record>,
    ) -> Result<Self, ZoneError> {
        let records: Result<Vec<_>, _> = records.into_iter().map(ZoneRecord::from_record).collect();
        build(records?, WireName::from_name(origin))
    }
}
