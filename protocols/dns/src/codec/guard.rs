//! The check of a message before it is decoded: [`inspect`] walks over all names and records by their lengths, and bounds them. Pure, and
//! allocates nothing. Does not look at the content of records, except for the names in them.
//!
//! RFC 9267 lists what goes wrong in decoders of names; each of its points is a check here.

use super::{
    MessageError, MessageLimits,
    limits::{LABEL_LEN_MAX, NAME_LEN_MAX},
};

/// Length of the header.
pub(super) const HEADER_LEN: usize = 12;

/// The type of a signature.
pub(crate) const TSIG: u16 = 250;

const NAPTR: u16 = 35;

/// The header of a message, as it is on the wire (RFC 1035, section 4.1.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct RawHeader {
    /// The identifier.
    pub id: u16,
    /// The third and fourth byte: QR, OPCODE, AA, TC, RD, RA, Z, AD, CD, RCODE.
    pub flags: u16,
    /// The numbers of questions, answers, authority records and additional records.
    pub counts: [u16; 4],
}

/// Where the parts of a message are that was inspected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Outline {
    /// The header.
    pub header: RawHeader,
    /// Where the questions end. They begin at byte 12.
    pub questions_end: usize,
    /// Where the last record begins, if there is one.
    pub last_record: Option<usize>,
    /// The type of the last record; 0 if there is none.
    pub last_type: u16,
    /// Where the last record ends. Bytes may follow that belong to nothing.
    pub end: usize,
}

impl RawHeader {
    /// Reads the header of a message.
    ///
    /// # Errors
    ///
    /// [`MessageError::Truncated`] if there are fewer than 12 bytes.
    pub fn read(message: &[u8]) -> Result<Self, MessageError> {
        let Some(head) = message.first_chunk::<HEADER_LEN>() else {
            return Err(MessageError::Truncated { what: "its header", at: 0 });
        };
        let word = |at: usize| u16::from_be_bytes([head[at], head[at + 1]]);
        Ok(Self { id: word(0), flags: word(2), counts: [word(4), word(6), word(8), word(10)] })
    }

    /// QR: whether it is a response.
    #[must_use]
    pub const fn is_response(&self) -> bool {
        self.flags & 0x8000 != 0
    }

    /// OPCODE: 0 is a query, 4 a notification, 5 an update.
    #[must_use]
    pub const fn op_code(&self) -> u8 {
        (self.flags >> 11 & 15) as u8
    }

    /// TC: whether the message was cut, so that the question should be asked over TCP.
    #[must_use]
    pub const fn is_truncated(&self) -> bool {
        self.flags & 0x0200 != 0
    }

    /// The lower four bits of the response code.
    #[must_use]
    pub const fn response_code(&self) -> u8 {
        (self.flags & 15) as u8
    }
}

/// Checks the header, and the bounds of all names and records of a message.
///
/// # Errors
///
/// [`MessageError`] for the first fault.
pub fn inspect(message: &[u8], limits: &MessageLimits) -> Result<Outline, MessageError> {
    let len = message.len();
    if len > limits.len_max {
        return Err(MessageError::TooLong { len, max: limits.len_max });
    }
    let header = RawHeader::read(message)?;
    let counts = [
        ("questions", limits.questions),
        ("answer records", (0, limits.answers_max)),
        ("authority records", (0, limits.authorities_max)),
        ("additional records", (0, limits.additionals_max)),
    ];
    for ((section, (min, max)), count) in counts.into_iter().zip(header.counts) {
        if !(min..=max).contains(&count) {
            return Err(MessageError::Count { section, count, min, max });
        }
    }
    let mut walk = Walk { message, limits, at: HEADER_LEN, pointers: 0 };
    for _ in 0..header.counts[0] {
        walk.question()?;
    }
    let questions_end = walk.at;
    let (mut last_record, mut last_type) = (None, 0);
    for _ in 0..header.counts[1..].iter().map(|count| u32::from(*count)).sum() {
        last_record = Some(walk.at);
        last_type = walk.record()?;
    }
    Ok(Outline { header, questions_end, last_record, last_type, end: walk.at })
}

/// The names in the data of a type which a decoder follows: how many bytes precede them, and how many there are. Of NAPTR, three texts
/// precede the name.
pub(super) const fn names_in(kind: u16) -> (usize, usize) {
    match kind {
        // NS, MD, MF, CNAME, MB, MG, MR, PTR, NSAP-PTR, DNAME, NSEC, TSIG, ANAME
        2 | 3 | 4 | 5 | 7 | 8 | 9 | 12 | 23 | 39 | 47 | TSIG | 65_305 => (0, 1),
        // SOA, MINFO, RP, TALINK
        6 | 14 | 17 | 58 => (0, 2),
        // MX, AFSDB, RT, KX, LP, SVCB, HTTPS
        15 | 18 | 21 | 36 | 64 | 65 | 107 => (2, 1),
        // PX
        26 => (2, 2),
        // SRV
        33 => (6, 1),
        // SIG, RRSIG
        24 | 46 => (18, 1),
        NAPTR => (0, 1),
        _ => (0, 0),
    }
}

/// A position in a message, and what was spent until there.
struct Walk<'a> {
    message: &'a [u8],
    limits: &'a MessageLimits,
    at: usize,
    /// Compression pointers followed so far.
    pointers: usize,
}

impl Walk<'_> {
    fn question(&mut self) -> Result<(), MessageError> {
        let at = self.at;
        self.name()?;
        self.skip(4, "a question", at)
    }

    /// Passes a record, and returns its type.
    fn record(&mut self) -> Result<u16, MessageError> {
        let begins = self.at;
        self.name()?;
        let truncated = MessageError::Truncated { what: "a record", at: begins };
        let Some(fixed) = self.message[self.at..].first_chunk::<10>() else {
            return Err(truncated);
        };
        let word = |at: usize| u16::from_be_bytes([fixed[at], fixed[at + 1]]);
        let (kind, class, len) = (word(0), word(2), usize::from(word(8)));
        self.at += fixed.len();
        let end = self.at + len;
        if end > self.message.len() {
            return Err(truncated);
        }
        // An update has records without data, of the classes NONE and ANY (RFC 2136, section 2.4). A signature is of the class ANY, too,
        // but has data always.
        let may_be_empty = matches!(class, 254 | 255) && kind != TSIG;
        if len > 0 || !may_be_empty {
            self.names_in_data(kind, end, begins)?;
        }
        self.at = end;
        Ok(kind)
    }

    /// Passes the names in the data of a record, which a decoder follows.
    fn names_in_data(&mut self, kind: u16, end: usize, begins: usize) -> Result<(), MessageError> {
        let (mut skip, names) = names_in(kind);
        if names == 0 {
            return Ok(());
        }
        if kind == NAPTR {
            skip = self.three_texts(end, begins)?;
        }
        self.at += skip;
        for _ in 0..names {
            if self.at >= end {
                return Err(MessageError::DataLength { at: begins });
            }
            self.name()?;
        }
        if self.at > end { Err(MessageError::DataLength { at: begins }) } else { Ok(()) }
    }

    fn three_texts(&self, end: usize, begins: usize) -> Result<usize, MessageError> {
        let mut at = self.at + 4;
        for _ in 0..3 {
            let too_long = MessageError::DataLength { at: begins };
            let len = self.message[..end].get(at).ok_or(too_long)?;
            at += 1 + usize::from(*len);
        }
        Ok(at - self.at)
    }

    /// Passes a name. Pointers in it are followed, each further back than the one before (RFC 9267, section 2).
    fn name(&mut self) -> Result<(), MessageError> {
        let begins = self.at;
        let (mut at, mut ends, mut before) = (begins, None, begins);
        let (mut len, mut pointers) = (0, 0);
        loop {
            let truncated = MessageError::Truncated { what: "a name", at: begins };
            let Some(&first) = self.message.get(at) else { return Err(truncated) };
            match first {
                0 => break at += 1,
                1..=0x3f => {
                    debug_assert!(usize::from(first) <= LABEL_LEN_MAX);
                    at += 1 + usize::from(first);
                    len += 1 + usize::from(first);
                    // The root is the last byte.
                    if len + 1 > NAME_LEN_MAX {
                        return Err(MessageError::NameTooLong { at: begins });
                    }
                }
                0xc0..=0xff => {
                    let Some(&second) = self.message.get(at + 1) else { return Err(truncated) };
                    let to = usize::from(u16::from_be_bytes([first & 0x3f, second]));
                    // Into the header, to itself, to the same name, or forward.
                    if to >= before || to < HEADER_LEN {
                        return Err(MessageError::PointerForward { at, to });
                    }
                    pointers += 1;
                    self.pointers += 1;
                    if pointers > self.limits.pointers_max {
                        let max = self.limits.pointers_max;
                        return Err(MessageError::TooManyPointers { at: begins, max });
                    }
                    if self.pointers > self.limits.pointers_of_message_max {
                        let max = self.limits.pointers_of_message_max;
                        return Err(MessageError::TooManyPointers { at: begins, max });
                    }
                    ends.get_or_insert(at + 2);
                    (at, before) = (to, to);
                }
                kind => return Err(MessageError::LabelKind { at, kind }),
            }
        }
        self.at = ends.unwrap_or(at);
        Ok(())
    }

    fn skip(&mut self, len: usize, what: &'static str, begins: usize) -> Result<(), MessageError> {
        self.at += len;
        if self.at > self.message.len() {
            return Err(MessageError::Truncated { what, at: begins });
        }
        Ok(())
    }
}
