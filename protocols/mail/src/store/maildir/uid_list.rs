//! The list of UIDs of a mailbox, `sinew-uidlist`: a log of its changes. Pure; `folder.rs` reads and writes the file.
//!
//! Each line begins with a checksum of what follows, in eight hexadecimal digits:
//!
//! | line | |
//! |---|---|
//! | `L 1 VALIDITY NEXT MODSEQ FORGOTTEN` | the first: the version, the UIDVALIDITY, lower bounds of the next UID and of the highest number; what was expunged up to the number FORGOTTEN may be missing |
//! | `A UID MODSEQ DATE SIZE FLAGS BASE` | a message, the base of whose file name is the rest of the line. UIDs ascend |
//! | `F UID MODSEQ FLAGS` | its flags have changed |
//! | `E UID MODSEQ` | it was expunged |
//!
//! DATE is in seconds since 1970, SIZE that of the text with CRLFs, FLAGS the letters of the file name, or `-`.
//!
//! # What survives what
//!
//! Lines are appended in one call and synchronised before anyone is told of a UID. If the process or the system ends in between, what is
//! there of them is a line without its end, or one that does not have its checksum, at the end of the file. Each of these may have been a
//! UID that was given out, so as many are skipped. A line that is wrong in the middle means that the file is damaged: nothing in it is
//! believed then, and the mailbox gets a new UIDVALIDITY.

use std::fmt::Write as _;

use super::{file_name, place::Place};
use crate::store::{
    ModSeq, Uid, UidValidity,
    index::{Change, Entry, FlagBits, Index},
};

/// The first line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Header {
    pub(crate) validity: UidValidity,
    pub(crate) next: Uid,
    pub(crate) highest: ModSeq,
    pub(crate) forgotten: ModSeq,
}

/// What a part of the file says.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Lines {
    pub(crate) header: Option<Header>,
    pub(crate) changes: Vec<Change<Place>>,
    /// Lines at the end that were not written to their end: as many as there can have been.
    pub(crate) torn: u32,
}

/// No line of a message is shorter.
pub(crate) const LINE_LEN_MIN: usize = "00000000 A 1 1 0 0 - b\n".len();

/// The file cannot be believed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Damaged;

/// What a message needs to know that is added to a list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ListEnd {
    pub(crate) validity: UidValidity,
    pub(crate) next: Uid,
    pub(crate) highest: ModSeq,
}

enum Line {
    Header(Header),
    Change(Change<Place>),
}

impl Lines {
    /// Reads the whole file, or what was appended to it.
    pub(crate) fn parse(bytes: &[u8], has_header: bool) -> Result<Self, Damaged> {
        let mut lines = Self { header: None, changes: Vec::new(), torn: 0 };
        for line in bytes.split_inclusive(|byte| *byte == b'\n') {
            let parsed = line.strip_suffix(b"\n").and_then(parse_line);
            // A whole line behind one that is not: it was not the end.
            if parsed.is_some() && lines.torn > 0 {
                return Err(Damaged);
            }
            let expects_header = has_header && lines.header.is_none();
            match parsed {
                None if expects_header => return Err(Damaged),
                None => lines.torn = lines.torn.saturating_add(lines_in(line)),
                Some(Line::Header(header)) if expects_header => lines.header = Some(header),
                Some(Line::Change(change)) if !expects_header => lines.changes.push(change),
                Some(_) => return Err(Damaged),
            }
        }
        if has_header && lines.header.is_none() { Err(Damaged) } else { Ok(lines) }
    }
}

impl ListEnd {
    /// From the beginning and the end of a list. `None` if they do not tell, or are not whole.
    pub(crate) fn parse(first: &[u8], last: &[u8]) -> Option<Self> {
        let header = first.split(|byte| *byte == b'\n').next()?;
        let Some(Line::Header(header)) = parse_line(header) else { return None };
        // Behind the line that is cut off, or the first.
        let lines = &last[memchr::memchr(b'\n', last)? + 1..];
        let Lines { changes, torn: 0, .. } = Lines::parse(lines, false).ok()? else { return None };
        let (mut next, mut highest, mut has_message) = (header.next, header.highest, false);
        for change in changes {
            let mod_seq = match change {
                // UIDs ascend, so the last of them tells the next.
                Change::Added(entry) => {
                    has_message = true;
                    next = next.max(entry.uid.next()?);
                    entry.mod_seq
                }
                Change::Flags { mod_seq, .. } | Change::Expunged { mod_seq, .. } => mod_seq,
                Change::Place { .. } => continue,
            };
            highest = highest.max(mod_seq);
        }
        has_message.then_some(Self { validity: header.validity, next, highest })
    }
}

/// How many lines there may have been, if their ends were lost, too.
fn lines_in(torn: &[u8]) -> u32 {
    u32::try_from(torn.len() / LINE_LEN_MIN).unwrap_or(u32::MAX).saturating_add(1)
}

fn parse_line(line: &[u8]) -> Option<Line> {
    let (sum, rest) = str::from_utf8(line).ok()?.split_at_checked(8)?;
    let rest = rest.strip_prefix(' ')?;
    if sum != format!("{:08x}", checksum(rest.as_bytes())) {
        return None;
    }
    let (kind, rest) = rest.split_once(' ')?;
    let line = match kind {
        "L" => Line::Header(parse_header(rest)?),
        "A" => Line::Change(Change::Added(parse_entry(rest)?)),
        "F" => {
            let mut fields = rest.split(' ');
            let (uid, mod_seq) = (uid(fields.next()?)?, mod_seq(fields.next()?)?);
            let flags = file_name::flags(fields.next()?);
            Line::Change(Change::Flags { uid, mod_seq, flags })
        }
        "E" => {
            let (number, seq) = rest.split_once(' ')?;
            Line::Change(Change::Expunged { uid: uid(number)?, mod_seq: mod_seq(seq)? })
        }
        _ => return None,
    };
    Some(line)
}

fn parse_header(rest: &str) -> Option<Header> {
    let mut fields = rest.strip_prefix("1 ")?.split(' ');
    Some(Header {
        validity: UidValidity::new(fields.next()?.parse().ok()?)?,
        next: uid(fields.next()?)?,
        highest: mod_seq(fields.next()?)?,
        forgotten: ModSeq::new(fields.next()?.parse().ok()?)?,
    })
}

fn parse_entry(rest: &str) -> Option<Entry<Place>> {
    let mut fields = rest.splitn(6, ' ');
    let (uid, mod_seq) = (uid(fields.next()?)?, mod_seq(fields.next()?)?);
    let (date, size) = (fields.next()?.parse().ok()?, fields.next()?.parse().ok()?);
    let flags = file_name::flags(fields.next()?);
    let base = file_name::FileName::parse(fields.next()?)?.base;
    let place = Place::guess(base, flags);
    Some(Entry { uid, mod_seq, date, size, flags, is_recent: false, place })
}

fn uid(text: &str) -> Option<Uid> {
    Uid::new(text.parse().ok()?)
}

fn mod_seq(text: &str) -> Option<ModSeq> {
    ModSeq::new(text.parse().ok()?).filter(|mod_seq| *mod_seq >= ModSeq::MIN)
}

/// The whole file for a mailbox: the shortest that says the same.
pub(crate) fn encode(index: &Index<Place>) -> String {
    let (expunged, forgotten) = index.expunged();
    let (validity, next, highest) = (index.validity(), index.next(), index.highest());
    let mut out = String::new();
    push_line(&mut out, format_args!("L 1 {validity} {next} {highest} {forgotten}"));
    for (mod_seq, uid) in expunged {
        push_line(&mut out, format_args!("E {uid} {mod_seq}"));
    }
    for entry in index.entries() {
        push_entry(&mut out, entry);
    }
    out
}

/// The lines of changes. One that is only of the place has none: the folder says it.
pub(crate) fn encode_changes(changes: &[Change<Place>]) -> String {
    let mut out = String::new();
    for change in changes {
        match change {
            Change::Added(entry) => push_entry(&mut out, entry),
            Change::Flags { uid, mod_seq, flags } => {
                let letters = letters(*flags);
                push_line(&mut out, format_args!("F {uid} {mod_seq} {letters}"));
            }
            Change::Expunged { uid, mod_seq } => {
                push_line(&mut out, format_args!("E {uid} {mod_seq}"));
            }
            Change::Place { .. } => {}
        }
    }
    out
}

fn push_entry(out: &mut String, entry: &Entry<Place>) {
    let Entry { uid, mod_seq, date, size, flags, place, .. } = entry;
    let (letters, base) = (letters(*flags), place.base());
    push_line(out, format_args!("A {uid} {mod_seq} {date} {size} {letters} {base}"));
}

fn letters(flags: FlagBits) -> String {
    let letters: String = file_name::flag_letters(flags).collect();
    if letters.is_empty() { "-".to_owned() } else { letters }
}

fn push_line(out: &mut String, line: std::fmt::Arguments<'_>) {
    let start = out.len();
    // Writing to a string cannot fail.
    let _ = write!(out, "00000000 {line}");
    let sum = format!("{:08x}", checksum(&out.as_bytes()[start + 9..]));
    out.replace_range(start..start + 8, &sum);
    out.push('\n');
}

/// FNV-1a, 32 bits: against lines that are not whole, not against people.
fn checksum(bytes: &[u8]) -> u32 {
    bytes.iter().fold(0x811c_9dc5, |sum, byte| (sum ^ u32::from(*byte)).wrapping_mul(0x0100_0193))
}

#[cfg(test)]
#[path = "uid_list_tests.rs"]
mod tests;
