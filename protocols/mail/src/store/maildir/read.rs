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
    scan::Locator,
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

/// A message that is read from its beginning.
#[derive(Debug)]
pub(super) struct Wanted {
    pub(super) uid: Uid,
    pub(super) place: Place,
    pub(super) size: u64,
}

/// What was read.
#[derive(Debug)]
pub(super) struct Piece {
    pub(super) bytes: Bytes,
    pub(super) cursor: Cursor,
    /// The file was not where it was said to be.
    pub(super) has_moved: bool,
}

impl Cursors {
    /// The one of a message from which it is the shortest way to this offset, or its beginning. Several may read it, each elsewhere.
    pub(super) fn take(&mut self, uid: Uid, offset: u64) -> Cursor {
        let fitting = self
            .0
            .iter()
            .enumerate()
            .filter(|(_, (of, cursor))| *of == uid && cursor.text <= offset);
        let nearest = fitting.max_by_key(|(_, (_, cursor))| cursor.text).map(|(at, _)| at);
        nearest.and_then(|at| self.0.remove(at)).map_or(Cursor::default(), |(_, cursor)| cursor)
    }

    pub(super) fn put(&mut self, uid: Uid, cursor: Cursor) {
        // At the beginning is where one begins anyway.
        if cursor.file > 0 {
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
    let (mut place, mut has_moved) = (place, false);
    loop {
        let piece = read_there(&place.path(folder), size, offset, len, cursor)?;
        if let Some(piece) = piece {
            return Ok(Some(Piece { has_moved, ..piece }));
        }
        match Locator::new(folder).find(&place)? {
            Some(found) if !has_moved => (place, has_moved) = (found, true),
            _ => return Ok(None),
        }
    }
}

/// The beginnings of messages that are where they are said to be. Those that are not, or cannot be read, are left out: to look for a file
/// takes long, and it is done once the message is read by itself.
pub(super) fn read_many(folder: &Path, wanted: Vec<Wanted>, len: usize) -> Vec<(Uid, Piece)> {
    let read = wanted.into_iter().filter_map(|Wanted { uid, place, size }| {
        let piece = read_there(&place.path(folder), size, 0, len, Cursor::default());
        piece.ok().flatten().map(|piece| (uid, piece))
    });
    read.collect()
}

/// A piece of a message, if this is its file.
fn read_there(
    path: &Path,
    size: u64,
    offset: u64,
    len: usize,
    cursor: Cursor,
) -> Done<Option<Piece>> {
    let Some((mut file, file_len)) = disk::open_message(path)? else { return Ok(None) };
    let read = read_file(&mut file, file_len, size, offset, len.min(READ_LEN_MAX), cursor);
    let (bytes, cursor) = read.map_err(failed("read", path))?;
    // Nobody goes on at the end, and there is no room for the cursors of all messages.
    let is_end = offset.saturating_add(bytes.len() as u64) >= size;
    let cursor = if is_end { Cursor::default() } else { cursor };
    Ok(Some(Piece { bytes: bytes.into(), cursor, has_moved: false }))
}

fn read_file(
    file: &mut File,
    file_len: u64,
    size: u64,
    offset: u64,
    len: usize,
    cursor: Cursor,
) -> std::io::Result<(Vec<u8>, Cursor)> {
    if offset >= size {
        return Ok((Vec::new(), cursor));
    }
    // What is said of the size is what is given, also if the file has grown since.
    let len = usize::try_from(size - offset).map_or(len, |left| len.min(left));
    if file_len == size {
        if offset > 0 {
            file.seek(SeekFrom::Start(offset))?;
        }
        let mut bytes = Vec::with_capacity(len);
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

#[cfg(test)]
mod tests {
    use super::*;

    /// Several read a message at once, and none has to begin anew for another.
    #[test]
    fn each_reader_goes_on_where_it_was() {
        let uid = Uid::MIN;
        let at = |text| Cursor { file: text, text, ..Cursor::default() };
        let mut cursors = Cursors::default();
        for text in [100, 300, 200] {
            cursors.put(uid, at(text));
        }
        cursors.put(Uid::MAX, at(250));
        for (offset, found) in [(250, 200), (250, 100), (250, 0), (300, 300), (300, 0)] {
            assert_eq!(cursors.take(uid, offset).text, found, "{offset}");
        }
        for text in 1..100 {
            cursors.put(uid, at(text));
        }
        assert_eq!(cursors.0.len(), CURSORS_MAX);
    }
}
