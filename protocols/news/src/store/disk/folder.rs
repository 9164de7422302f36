//! Folders of a spool: creating them, and writing their entries to the disk.

use std::{
    fs::{self, File},
    path::Path,
};

use super::super::StoreError;

/// Creates a folder, with those above it. Its entry in the folder above is on the disk afterwards.
pub(super) fn create(path: &Path, is_synced: bool) -> Result<(), StoreError> {
    if path.is_dir() {
        return Ok(());
    }
    fs::create_dir_all(path).map_err(StoreError::file("create", path))?;
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => sync(parent, is_synced),
        _ => Ok(()),
    }
}

/// Waits until the entries of a folder are on the disk. Where folders cannot be opened, the system does it by itself.
pub(super) fn sync(path: &Path, is_synced: bool) -> Result<(), StoreError> {
    if !is_synced || cfg!(windows) {
        return Ok(());
    }
    File::open(path)
        .and_then(|folder| folder.sync_all())
        .map_err(StoreError::file("synchronise", path))
}
