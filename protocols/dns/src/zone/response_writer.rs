//! A response while it is written: [`ResponseWriter`] appends whole record sets, compresses names, and takes back what does not fit. It
//! allocates nothing beside the buffer, which its user keeps. Knows neither questions nor zones.

use super::{
    records::Records,
    schema::{RRSIG, compressible},
};

/// Length of the header.
pub(crate) const HEADER_LEN: usize = 12;

/// Places of names in the message, by a hash of them. A place that was overwritten or taken back is found out by comparing.
#[derive(Clone)]
pub(crate) struct NameTable([u16; NAMES]);

const NAMES: usize = 256;

/// Pointers reach this far (RFC 1035, section 4.1.4).
const POINTER_MAX: usize = 0x3fff;

impl Default for NameTable {
    fn default() -> Self {
        Self([0; NAMES])
    }
}

/// The sections of a response, in their order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Section {
    Answer,
    Authority,
    Additional,
}

/// A response that grows at the end of a buffer.
pub(crate) struct ResponseWriter<'a> {
    out: &'a mut Vec<u8>,
    names: &'a mut NameTable,
    /// Where the message begins in the buffer.
    base: usize,
    /// How long the name of the question is, behind the header.
    question_len: usize,
    /// Whether `names` is of this message. A response to a simple question needs no names but that of the question.
    is_indexed: bool,
    /// How long the message may become.
    limit: usize,
    counts: [u16; 3],
    is_truncated: bool,
    /// Whether names are compressed only with names of the same case, so that a transfer keeps it.
    is_case_exact: bool,
}

/// Where the labels of a name begin, without the root, and for each a hash of the name from there on.
struct Labels {
    starts: [u8; LABELS_MAX],
    hashes: [u8; LABELS_MAX],
    count: usize,
}

/// Most labels of a name: of one byte each.
const LABELS_MAX: usize = 128;

impl Labels {
    fn of(name: &[u8]) -> Self {
        let (mut starts, mut hashes, mut count) = ([0u8; LABELS_MAX], [0u8; LABELS_MAX], 0);
        let mut at = 0;
        while let Some(&len) = name.get(at).filter(|len| **len > 0) {
            starts[count] = u8::try_from(at).unwrap_or(u8::MAX);
            count += 1;
            at += 1 + usize::from(len);
        }
        let mut hash = 0x811c_9dc5_u32;
        for label in (0..count).rev() {
            let start = usize::from(starts[label]);
            for byte in &name[start..=start + usize::from(name[start])] {
                hash = (hash ^ u32::from(byte.to_ascii_lowercase())).wrapping_mul(0x0100_0193);
            }
            hashes[label] = (hash ^ hash >> 16 ^ hash >> 24) as u8;
        }
        Self { starts, hashes, count }
    }

    fn iter(&self) -> impl Iterator<Item = (usize, usize)> {
        let pairs = self.starts.iter().zip(&self.hashes).take(self.count);
        pairs.map(|(start, hash)| (usize::from(*start), usize::from(*hash)))
    }
}

/// A point to go back to.
#[derive(Clone, Copy)]
struct Mark {
    len: usize,
    counts: [u16; 3],
}

impl<'a> ResponseWriter<'a> {
    /// Begins a message with a header, and a question as it is on the wire, uncompressed.
    pub(crate) fn new(
        out: &'a mut Vec<u8>,
        names: &'a mut NameTable,
        header: [u8; HEADER_LEN],
        question: &[u8],
        limit: usize,
    ) -> Self {
        let base = out.len();
        out.extend_from_slice(&header);
        out.extend_from_slice(question);
        Self {
            out,
            names,
            base,
            question_len: question.len().saturating_sub(4),
            is_indexed: false,
            limit,
            counts: [0; 3],
            is_truncated: false,
            is_case_exact: false,
        }
    }

    /// Compresses names only with names of the same case.
    pub(crate) fn case_exact(mut self) -> Self {
        self.is_case_exact = true;
        self
    }

    /// How long the message is.
    pub(crate) fn len(&self) -> usize {
        self.out.len() - self.base
    }

    pub(crate) fn counts(&self) -> [u16; 3] {
        self.counts
    }

    /// The response is incomplete: the client is to ask over TCP.
    pub(crate) fn truncate(&mut self) {
        self.is_truncated = true;
    }

    /// Appends a record set with its signatures, or nothing of it. Says whether it fits. In an incomplete response nothing fits.
    pub(crate) fn set(
        &mut self,
        section: Section,
        owner: &[u8],
        record_type: u16,
        (ttl, records): (u32, &Records),
        signatures: Option<(u32, &Records)>,
    ) -> bool {
        if self.is_truncated {
            return false;
        }
        let mark = Mark { len: self.out.len(), counts: self.counts };
        for data in records.iter() {
            if !self.record(section, owner, record_type, ttl, data) {
                return self.take_back(mark);
            }
        }
        if let Some((ttl, signatures)) = signatures {
            for data in signatures.iter() {
                if !self.record(section, owner, RRSIG, ttl, data) {
                    return self.take_back(mark);
                }
            }
        }
        true
    }

    /// Appends one record, or nothing. Says whether it fits.
    pub(crate) fn record(
        &mut self,
        section: Section,
        owner: &[u8],
        record_type: u16,
        ttl: u32,
        data: &[u8],
    ) -> bool {
        let mark = Mark { len: self.out.len(), counts: self.counts };
        self.name(owner);
        self.out.extend_from_slice(&record_type.to_be_bytes());
        self.out.extend_from_slice(&[0, 1]);
        self.out.extend_from_slice(&ttl.to_be_bytes());
        let len_at = self.out.len();
        self.out.extend_from_slice(&[0, 0]);
        self.data(record_type, data);
        let len = self.out.len() - len_at - 2;
        if self.len() > self.limit {
            return self.take_back(mark);
        }
        // The limit is at most 65,535, so the length fits.
        let len = u16::try_from(len).unwrap_or(u16::MAX);
        self.out[len_at..len_at + 2].copy_from_slice(&len.to_be_bytes());
        let count = &mut self.counts[section as usize];
        match count.checked_add(1) {
            Some(more) => *count = more,
            None => return self.take_back(mark),
        }
        true
    }

    fn data(&mut self, record_type: u16, data: &[u8]) {
        let (before, names) = compressible(record_type);
        if names == 0 {
            return self.out.extend_from_slice(data);
        }
        let (fixed, mut rest) = data.split_at_checked(before).unwrap_or((data, &[]));
        self.out.extend_from_slice(fixed);
        for _ in 0..names {
            // Data of a handler may be anything: without a name, they are copied.
            let Some(len) = super::name::wire_len(rest) else { break };
            let (name, after) = rest.split_at(len);
            self.name(name);
            rest = after;
        }
        self.out.extend_from_slice(rest);
    }

    fn take_back(&mut self, mark: Mark) -> bool {
        self.out.truncate(mark.len);
        self.counts = mark.counts;
        false
    }

    /// Appends a name, compressed with an earlier one where possible.
    fn name(&mut self, name: &[u8]) {
        let question = &self.out[self.base + HEADER_LEN..][..self.question_len];
        if name == question && name.len() > 1 {
            return self.out.extend_from_slice(&(0xc000 | HEADER_LEN as u16).to_be_bytes());
        }
        if !self.is_indexed {
            self.names.0.fill(0);
            for (start, slot) in Labels::of(question).iter() {
                self.names.0[slot] = (HEADER_LEN + start) as u16;
            }
            self.is_indexed = true;
        }
        for (start, slot) in Labels::of(name).iter() {
            let suffix = &name[start..];
            let place = usize::from(self.names.0[slot]);
            if place > 0 && self.is_name_at(place, suffix) {
                let pointer = 0xc000 | self.names.0[slot];
                return self.out.extend_from_slice(&pointer.to_be_bytes());
            }
            let place = self.len();
            if place <= POINTER_MAX {
                self.names.0[slot] = u16::try_from(place).unwrap_or(0);
            }
            let len = 1 + usize::from(suffix[0]);
            self.out.extend_from_slice(&suffix[..len]);
        }
        self.out.push(0);
    }

    /// Whether a name stands at a place of the message. What is read there may be anything, if it was taken back.
    fn is_name_at(&self, mut place: usize, mut name: &[u8]) -> bool {
        let message = &self.out[self.base..];
        loop {
            match message.get(place) {
                Some(0) => return name == [0],
                Some(&len @ 1..=63) => {
                    let len = 1 + usize::from(len);
                    let (Some(there), Some(label)) =
                        (message.get(place..place + len), name.get(..len))
                    else {
                        return false;
                    };
                    let is_equal = if self.is_case_exact {
                        there == label
                    } else {
                        there.eq_ignore_ascii_case(label)
                    };
                    if !is_equal {
                        return false;
                    }
                    name = &name[len..];
                    place += len;
                }
                Some(&high @ 0xc0..) => {
                    let low = message.get(place + 1).copied().unwrap_or(0);
                    let to = usize::from(u16::from_be_bytes([high & 0x3f, low]));
                    // Backwards only, so it ends.
                    if to >= place {
                        return false;
                    }
                    place = to;
                }
                _ => return false,
            }
        }
    }

    /// Writes the counts, and appends what the server adds, such as OPT. For that, room was kept.
    pub(crate) fn finish(self, flags: u16, additional: &[u8], additionals: u16) {
        self.out.extend_from_slice(additional);
        let header = &mut self.out[self.base..self.base + HEADER_LEN];
        let mut flags = flags;
        if self.is_truncated {
            flags |= 0x0200;
        }
        header[2..4].copy_from_slice(&flags.to_be_bytes());
        header[6..8].copy_from_slice(&self.counts[0].to_be_bytes());
        header[8..10].copy_from_slice(&self.counts[1].to_be_bytes());
        header[10..12].copy_from_slice(&(self.counts[2] + additionals).to_be_bytes());
    }
}
