//! Reading the text of a message in pieces. Blocks.
//!
//! A file that is as long as its text has lines that end in CRLF, and is read where it is asked for. In another one the text is counted
//! from the beginning, or from a [`Cursor`]: a position where both are known, kept from one piece to the next.

use std::{
    collections::VecDeque,
    fs::File,
    io::{ErrorKind, Read, Seek, SeekFrom},
    path::Path,
};

use bytes::Bytes;

use super::{
    disk::{self, Done, failed},
    place::Place,
    scan,
};
use crate::store::{READ_LEN_MAX, Uid, crlf::ToCrlf};

/// How much is converted at once.
const BLOCK_LEN: usize = 16 * 1024;

/// Most cursors of a mailbox.
const CURSORS_MAX: usize = 16;

/// A position in a file, and what it is in the text.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Cursor {
    file: u64,
    text: u64,
    line_ends: ToCrlf,
}

/// The cursors of the messages that were read last.
#[derive(Debug, Default)]
pub(super) struct Cursors(VecDeque<(Uid, Cursor)>);

/// What was read.
#[derive(Debug)]
pub(super) struct Piece {
    pub(super) bytes: Bytes,
    pub(super) cursor: Cursor,
    /// Where the file is now.
    pub(super) moved: Option<Place>,
}

impl Cursors {
    /// That of a message, or its beginning.
    pub(super) fn take(&mut self, uid: Uid) -> Cursor {
        let at = self.0.iter().position(|(of, _)| *of == uid);
        at.and_then(|at| self.0.remove(at)).map_or(Cursor::default(), |(_, cursor)| cursor)
    }

    pub(super) fn put(&mut self, uid: Uid, cursor: Cursor) {
        // At the beginning is where one begins anyway.
        if cursor.file > 0 {
            self.take(uid);
            self.0.push_back((uid, cursor));
            if self.0.len() > CURSORS_MAX {
                self.0.pop_front();
            }
        }
    }
}

/// A piece of a message, whose text has this size. `None` if it is gone.
pub(super) fn read(
    folder: &Path,
    place: Place,
    size: u64,
    offset: u64,
    len: usize,
    cursor: Cursor,
) -> Done<Option<Piece>> {
    let (mut place, mut moved) = (place, None);
    loop {
        let path = place.path(folder);
        let opened = disk::if_there(File::open(&path)).map_err(failed("open", &path))?;
        if let Some(mut file) = opened {
            let len = len.min(READ_LEN_MAX);
            let read = read_file(&mut file, size, offset, len, cursor);
            let (bytes, cursor) = read.map_err(failed("read", &path))?;
            return Ok(Some(Piece { bytes: bytes.into(), cursor, moved }));
        }
        match scan::locate(folder, &place)? {
            Some(found) if moved.is_none() => {
                place = found.clone();
                moved = Some(found);
            }
            _ => return Ok(None),
        }
    }
}

fn read_file(
    file: &mut File,
    size: u64,
    offset: u64,
    len: usize,
    cursor: Cursor,
) -> std::io::Result<(Vec<u8>, Cursor)> {
    let mut bytes = Vec::new();
    if offset >= size {
        return Ok((bytes, cursor));
    }
    // What is said of the size is what is given, also if the file has grown since.
    let len = usize::try_from(size - offset).map_or(len, |left| len.min(left));
    if file.metadata()?.len() == size {
        file.seek(SeekFrom::Start(offset))?;
        file.take(len as u64).read_to_end(&mut bytes)?;
        return Ok((bytes, Cursor::default()));
    }
    convert(file, offset, len, cursor)
}

fn convert(
    file: &mut File,
    offset: u64,
    len: usize,
    cursor: Cursor,
) -> std::io::Result<(Vec<u8>, Cursor)> {
    let mut cursor = if cursor.text <= offset { cursor } else { Cursor::default() };
    file.seek(SeekFrom::Start(cursor.file))?;
    let (mut bytes, mut block, mut text) = (Vec::new(), vec![0; BLOCK_LEN], Vec::new());
    loop {
        let count = read_block(file, &mut block)?;
        if count == 0 {
            return Ok((bytes, cursor));
        }
        let mut after = cursor;
        text.clear();
        after.line_ends.convert(&block[..count], &mut text);
        after.file += count as u64;
        after.text += text.len() as u64;
        // The part of this block that is asked for.
        let skipped = (offset + bytes.len() as u64).saturating_sub(cursor.text);
        let from = usize::try_from(skipped).map_or(text.len(), |from| from.min(text.len()));
        let end = text.len().min(from + (len - bytes.len()));
        bytes.extend_from_slice(&text[from..end]);
        if bytes.len() == len {
            // The next piece begins in this block, or behind it.
            return Ok((bytes, if end == text.len() { after } else { cursor }));
        }
        cursor = after;
    }
}

/// Fills a block, unless the file ends.
fn read_block(file: &mut File, block: &mut [u8]) -> std::io::Result<usize> {
    let mut filled = 0;
    while filled < block.len() {
        match file.read(&mut block[filled..]) {
            Ok(0) => break,
            Ok(count) => filled += count,
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(filled)
}
