//! The overview of a group: a file of lines that are only appended. It is made of the articles, and made anew where it is missing or
//! damaged, so nothing waits for it to be on the disk.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Read, Seek, SeekFrom, Write},
    path::{Path, PathBuf},
};

use bytes::Bytes;

use super::{super::StoreError, frame};
use crate::nntp::codec::OverviewLine;

/// Where a line is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct LineAt {
    pub(super) at: u64,
    /// With its frame; 0 if there is no line yet.
    pub(super) len: u32,
}

fn path(root: &Path, group: u32) -> PathBuf {
    root.join("overview").join(group.to_string())
}

pub(super) fn remove(root: &Path, group: u32) {
    let _ = fs::remove_file(path(root, group));
}

/// Passes the lines of a group to `take`, and cuts off what is no line.
pub(super) fn scan(
    root: &Path,
    group: u32,
    mut take: impl FnMut(u64, OverviewLine, LineAt),
) -> Result<(), StoreError> {
    let path = path(root, group);
    let file = OpenOptions::new().read(true).write(true).open(&path);
    let mut file = match file {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(StoreError::file("open", path)(error)),
    };
    let (mut block, mut kept, mut at) = (vec![0; 256 * 1024], Vec::new(), 0);
    loop {
        let len = file.read(&mut block).map_err(StoreError::file("read", &path))?;
        kept.extend_from_slice(&block[..len]);
        let mut used = 0;
        while let Some((payload, frame_len)) = frame::first(&kept[used..]) {
            let Some((number, line)) = decoded(payload) else { break };
            let frame_len32 = u32::try_from(frame_len).unwrap_or(u32::MAX);
            take(number, line, LineAt { at, len: frame_len32 });
            used += frame_len;
            at += frame_len as u64;
        }
        kept.drain(..used);
        if len == 0 || kept.len() > frame::HEAD + frame::PAYLOAD_MAX {
            break;
        }
    }
    let size = file.metadata().map_err(StoreError::file("read", &path))?.len();
    if at < size {
        file.set_len(at).map_err(StoreError::file("cut", &path))?;
    }
    Ok(())
}

/// Appends a line.
pub(super) fn append(root: &Path, group: u32, line: &OverviewLine) -> Result<LineAt, StoreError> {
    let mut payload = line.number().to_le_bytes().to_vec();
    payload.extend_from_slice(line.fields());
    if payload.len() > frame::PAYLOAD_MAX {
        return Err(StoreError::TooLong {
            what: "a line of the overview",
            max: frame::PAYLOAD_MAX,
        });
    }
    let mut out = Vec::with_capacity(payload.len() + frame::HEAD);
    frame::push(&payload, &mut out);
    let path = path(root, group);
    let opened = OpenOptions::new().create(true).append(true).open(&path);
    let mut file = opened.map_err(StoreError::file("open", &path))?;
    let at = file.seek(SeekFrom::End(0)).map_err(StoreError::file("seek in", &path))?;
    if let Err(error) = file.write_all(&out) {
        let _ = file.set_len(at);
        return Err(StoreError::file("write", path)(error));
    }
    Ok(LineAt { at, len: u32::try_from(out.len()).unwrap_or(u32::MAX) })
}

/// Reads lines, which lie one behind the other, or nearly.
#[derive(Debug)]
pub(super) struct Reader {
    file: Option<File>,
    path: PathBuf,
}

impl Reader {
    pub(super) fn open(root: &Path, group: u32) -> Result<Self, StoreError> {
        let path = path(root, group);
        match File::open(&path) {
            Ok(file) => Ok(Self { file: Some(file), path }),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Self { file: None, path }),
            Err(error) => Err(StoreError::file("open", path)(error)),
        }
    }

    /// The bytes from one place on, up to behind another. Lines that are not wanted may lie between: the caller bounds them.
    pub(super) fn read(&mut self, from: u64, to: u64) -> Result<Bytes, StoreError> {
        let Some(file) = &mut self.file else { return Ok(Bytes::new()) };
        let mut out = Vec::new();
        let read = file
            .seek(SeekFrom::Start(from))
            .and_then(|_| Read::take(file, to.saturating_sub(from)).read_to_end(&mut out));
        read.map_err(StoreError::file("read", &self.path))?;
        Ok(out.into())
    }
}

/// The line of a frame that was read.
pub(super) fn line(bytes: &Bytes, at: usize) -> Option<OverviewLine> {
    let (payload, _) = frame::first(bytes.get(at..)?)?;
    let (number, _) = payload.split_first_chunk::<8>()?;
    let start = at + frame::HEAD + 8;
    let fields = bytes.slice(start..start + payload.len() - 8);
    Some(OverviewLine::of_fields(u64::from_le_bytes(*number), fields))
}

fn decoded(payload: &[u8]) -> Option<(u64, OverviewLine)> {
    let (number, fields) = payload.split_first_chunk::<8>()?;
    let number = u64::from_le_bytes(*number);
    Some((number, OverviewLine::of_fields(number, Bytes::copy_from_slice(fields))))
}
