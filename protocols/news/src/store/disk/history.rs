//! The file of all changes of a spool: [`History`]. It is the truth: what it says has happened, and nothing else has.
//!
//! A crash may leave half a record, at the end: it is cut off when the file is opened. Damage in front of valid records is an error.

use std::{
    fs::{self, File, OpenOptions},
    io::{Read, Seek, SeekFrom, Write},
    path::{Path, PathBuf},
};

use super::{super::StoreError, folder, frame, record::Record};

/// How much of the file is read at once.
const BLOCK: usize = 256 * 1024;

#[derive(Debug)]
pub(super) struct History {
    path: PathBuf,
    file: File,
    len: u64,
    is_synced: bool,
    /// The file could not be set back to its last valid record.
    has_failed: bool,
    is_closed: bool,
    pub(super) records: usize,
}

impl History {
    /// Opens the file, or creates it, and passes its records to `take`.
    pub(super) fn open(
        root: &Path,
        is_synced: bool,
        mut take: impl FnMut(Record),
    ) -> Result<Self, StoreError> {
        let path = root.join("history");
        // A compaction that did not come to its end.
        let _ = fs::remove_file(path.with_extension("new"));
        let is_new = !path.exists();
        let opened =
            OpenOptions::new().read(true).write(true).create(true).truncate(false).open(&path);
        let file = opened.map_err(StoreError::file("open", &path))?;
        let (has_failed, is_closed) = (false, false);
        let mut history = Self { path, file, len: 0, is_synced, has_failed, is_closed, records: 0 };
        if is_new {
            folder::sync(root, is_synced)?;
        }
        history.read(&mut take)?;
        if history.records == 0 {
            history.append(&[Record::Begin { next_sequence: 1 }])?;
        }
        Ok(history)
    }

    fn read(&mut self, take: &mut impl FnMut(Record)) -> Result<(), StoreError> {
        let failed = |source| StoreError::file("read", &self.path)(source);
        let size = self.file.metadata().map_err(failed)?.len();
        let (mut block, mut kept) = (vec![0; BLOCK], Vec::new());
        loop {
            let failed = |source| StoreError::file("read", &self.path)(source);
            let len = self.file.read(&mut block).map_err(failed)?;
            kept.extend_from_slice(&block[..len]);
            let mut used = 0;
            while let Some((payload, frame_len)) = frame::first(&kept[used..]) {
                let damaged = || StoreError::Damaged { path: self.path.clone(), at: self.len };
                take(Record::decode(payload).ok_or_else(damaged)?);
                used += frame_len;
                self.len += frame_len as u64;
                self.records += 1;
            }
            kept.drain(..used);
            if len == 0 || kept.len() > frame::HEAD + frame::PAYLOAD_MAX {
                break;
            }
        }
        let torn = size.saturating_sub(self.len);
        if torn > (frame::HEAD + frame::PAYLOAD_MAX) as u64 || holds_frame(&kept) {
            return Err(StoreError::Damaged { path: self.path.clone(), at: self.len });
        }
        if torn > 0 {
            tracing::warn!(path = %self.path.display(), bytes = torn, "half a record was cut off");
            self.set_back()?;
        }
        self.file
            .seek(SeekFrom::Start(self.len))
            .map_err(StoreError::file("seek in", &self.path))?;
        Ok(())
    }

    /// Appends records, all or none, and waits until they are on the disk.
    pub(super) fn append(&mut self, records: &[Record]) -> Result<(), StoreError> {
        self.check()?;
        let mut out = Vec::with_capacity(128 * records.len());
        for record in records {
            let payload = record.encode();
            if payload.len() > frame::PAYLOAD_MAX {
                return Err(StoreError::TooLong { what: "a record", max: frame::PAYLOAD_MAX });
            }
            frame::push(&payload, &mut out);
        }
        let written = self.file.write_all(&out).and_then(|()| match self.is_synced {
            true => self.file.sync_data(),
            false => Ok(()),
        });
        if let Err(source) = written {
            self.has_failed = self.set_back().is_err();
            return Err(StoreError::file("write", &self.path)(source));
        }
        self.len += out.len() as u64;
        self.records += records.len();
        Ok(())
    }

    /// Whether there may be changes. Who changes other files than this asks before: they may be another process's by now.
    pub(super) fn check(&self) -> Result<(), StoreError> {
        match (self.is_closed, self.has_failed) {
            (true, _) => Err(StoreError::Closed),
            (false, true) => Err(StoreError::Failed),
            (false, false) => Ok(()),
        }
    }

    /// Takes no change from here on.
    pub(super) fn close(&mut self) {
        self.is_closed = true;
    }

    /// Cuts off what is behind the last valid record.
    fn set_back(&mut self) -> Result<(), StoreError> {
        let set = self.file.set_len(self.len).and_then(|()| self.file.sync_data());
        let set = set.and_then(|()| self.file.seek(SeekFrom::Start(self.len)));
        set.map(drop).map_err(StoreError::file("cut", &self.path))
    }

    /// Writes the file anew. A crash leaves the old file or the new one.
    pub(super) fn replace(
        &mut self,
        root: &Path,
        records: impl Iterator<Item = Record>,
    ) -> Result<(), StoreError> {
        let path = self.path.with_extension("new");
        let failed = || StoreError::file("write", &path);
        let file =
            OpenOptions::new().read(true).write(true).create(true).truncate(true).open(&path);
        let mut file = file.map_err(failed())?;
        let (mut out, mut len, mut count) = (Vec::with_capacity(BLOCK), 0, 0);
        for record in records {
            frame::push(&record.encode(), &mut out);
            count += 1;
            if out.len() >= BLOCK {
                file.write_all(&out).map_err(failed())?;
                len += out.len() as u64;
                out.clear();
            }
        }
        file.write_all(&out).map_err(failed())?;
        len += out.len() as u64;
        file.sync_all().map_err(failed())?;
        fs::rename(&path, &self.path).map_err(failed())?;
        // The old file has no name any more: what is appended to it would be lost.
        (self.file, self.len, self.records) = (file, len, count);
        let synced = folder::sync(root, self.is_synced);
        // A loss of power would bring the old file back, without what is appended from here on.
        self.has_failed = synced.is_err();
        synced
    }
}

/// Whether there is a valid frame behind the beginning of these bytes: then they are not half a record.
fn holds_frame(bytes: &[u8]) -> bool {
    let is_record = |at: usize| {
        frame::first(&bytes[at..]).is_some_and(|(payload, _)| Record::decode(payload).is_some())
    };
    (1..bytes.len()).any(is_record)
}
