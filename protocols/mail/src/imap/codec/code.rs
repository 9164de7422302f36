//! Codes of responses, which programs understand: [`Code`].

use std::fmt;

use super::{
    AString, Atom, Capabilities, Flag, SequenceSet,
    reader::{Parsed, Reader},
    writer::Writer,
};

/// The code in brackets before the text of a status (RFC 9051 7.1, RFC 5530, 4315, 7162, 4978).
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Code {
    /// A code without an argument.
    Plain(PlainCode),
    /// The character set of a search is not known; these are.
    BadCharset(Vec<AString>),
    /// What the server can do.
    Capability(Capabilities),
    /// The flags that can be changed for good.
    PermanentFlags(Vec<Flag>),
    /// The UID that the next message is expected to have.
    UidNext(u32),
    /// The validity of the UIDs.
    UidValidity(u32),
    /// The number of the first message that was not seen.
    Unseen(u32),
    /// An appended message: the validity of UIDs, and its UID.
    AppendUid(u32, SequenceSet),
    /// Copied messages: the validity of UIDs there, the UIDs here, the UIDs there.
    CopyUid(u32, SequenceSet, SequenceSet),
    /// The highest modification sequence of the mailbox.
    HighestModSeq(u64),
    /// Messages that were changed since then, and are left as they are.
    Modified(SequenceSet),
    /// Another one.
    Other(Atom),
}

/// A code without an argument.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
#[allow(
    missing_docs,
    reason = "they are called as in the registry of response codes, which RFC 5530 describes"
)]
pub enum PlainCode {
    Alert,
    AlreadyExists,
    AuthenticationFailed,
    AuthorizationFailed,
    Cannot,
    ClientBug,
    Closed,
    CompressionActive,
    ContactAdmin,
    Corruption,
    Expired,
    ExpungeIssued,
    HasChildren,
    InUse,
    Limit,
    NoModSeq,
    NonExistent,
    NoPerm,
    OverQuota,
    Parse,
    PrivacyRequired,
    ReadOnly,
    ReadWrite,
    ServerBug,
    TooBig,
    TryCreate,
    UidNotSticky,
    Unavailable,
    UnknownCte,
    UseAttr,
}

const PLAIN: [(PlainCode, &str); 30] = [
    (PlainCode::Alert, "ALERT"),
    (PlainCode::AlreadyExists, "ALREADYEXISTS"),
    (PlainCode::AuthenticationFailed, "AUTHENTICATIONFAILED"),
    (PlainCode::AuthorizationFailed, "AUTHORIZATIONFAILED"),
    (PlainCode::Cannot, "CANNOT"),
    (PlainCode::ClientBug, "CLIENTBUG"),
    (PlainCode::Closed, "CLOSED"),
    (PlainCode::CompressionActive, "COMPRESSIONACTIVE"),
    (PlainCode::ContactAdmin, "CONTACTADMIN"),
    (PlainCode::Corruption, "CORRUPTION"),
    (PlainCode::Expired, "EXPIRED"),
    (PlainCode::ExpungeIssued, "EXPUNGEISSUED"),
    (PlainCode::HasChildren, "HASCHILDREN"),
    (PlainCode::InUse, "INUSE"),
    (PlainCode::Limit, "LIMIT"),
    (PlainCode::NoModSeq, "NOMODSEQ"),
    (PlainCode::NonExistent, "NONEXISTENT"),
    (PlainCode::NoPerm, "NOPERM"),
    (PlainCode::OverQuota, "OVERQUOTA"),
    (PlainCode::Parse, "PARSE"),
    (PlainCode::PrivacyRequired, "PRIVACYREQUIRED"),
    (PlainCode::ReadOnly, "READ-ONLY"),
    (PlainCode::ReadWrite, "READ-WRITE"),
    (PlainCode::ServerBug, "SERVERBUG"),
    (PlainCode::TooBig, "TOOBIG"),
    (PlainCode::TryCreate, "TRYCREATE"),
    (PlainCode::UidNotSticky, "UIDNOTSTICKY"),
    (PlainCode::Unavailable, "UNAVAILABLE"),
    (PlainCode::UnknownCte, "UNKNOWN-CTE"),
    (PlainCode::UseAttr, "USEATTR"),
];

impl Code {
    /// Whether it is this one.
    #[must_use]
    pub fn is(&self, plain: PlainCode) -> bool {
        *self == Self::Plain(plain)
    }

    /// What is in brackets, if there are some. One that is not of its form is skipped, since only the text matters then.
    pub(super) fn parse_optional(reader: &mut Reader<'_>) -> Option<Self> {
        if reader.peek() != Some(b'[') {
            return None;
        }
        let start = reader.clone();
        reader.at += 1;
        let code = Self::parse(reader);
        if code.is_ok() {
            reader.skip_spaces();
        }
        if code.is_err() || !reader.eat(b']') {
            *reader = start;
            let rest = reader.rest();
            let end = rest.iter().position(|byte| *byte == b']')?;
            let name = rest[1..end].split(|byte| *byte == b' ').next().unwrap_or_default();
            let name = Atom::try_from(name).ok()?;
            reader.at += end + 1;
            return Some(Self::Other(name));
        }
        code.ok()
    }

    fn parse(reader: &mut Reader<'_>) -> Parsed<Self> {
        let name = reader.atom("a code")?.to_ascii_uppercase();
        if let Some((plain, _)) = PLAIN.iter().find(|(_, known)| name == known.as_bytes()) {
            return Ok(Self::Plain(*plain));
        }
        match name.as_slice() {
            b"CAPABILITY" => return Capabilities::parse(reader).map(Self::Capability),
            b"BADCHARSET" if reader.peek() != Some(b' ') => {
                return Ok(Self::BadCharset(Vec::new()));
            }
            _ => {}
        }
        if !is_known(&name) {
            // Its argument is for those who know it.
            reader.take_while(|byte| !matches!(byte, b']' | b'\r' | b'\n'));
            return Ok(Self::Other(Atom::of_checked(&name)));
        }
        reader.space()?;
        Ok(match name.as_slice() {
            b"BADCHARSET" => {
                Self::BadCharset(reader.list(|reader| reader.astring().map(AString::of_parsed))?)
            }
            b"PERMANENTFLAGS" => Self::PermanentFlags(Flag::parse_list(reader)?),
            b"UIDNEXT" => Self::UidNext(reader.nz_number()?),
            b"UIDVALIDITY" => Self::UidValidity(reader.nz_number()?),
            b"UNSEEN" => Self::Unseen(reader.nz_number()?),
            b"HIGHESTMODSEQ" => Self::HighestModSeq(reader.number64()?),
            b"MODIFIED" => Self::Modified(SequenceSet::parse(reader)?),
            b"APPENDUID" => {
                let validity = reader.nz_number()?;
                reader.space()?;
                Self::AppendUid(validity, SequenceSet::parse(reader)?)
            }
            _ => {
                let validity = reader.nz_number()?;
                reader.space()?;
                let from = SequenceSet::parse(reader)?;
                reader.space()?;
                Self::CopyUid(validity, from, SequenceSet::parse(reader)?)
            }
        })
    }

    pub(super) fn encode(&self, writer: &mut Writer) {
        writer.raw("[");
        match self {
            Self::BadCharset(charsets) if !charsets.is_empty() => {
                writer.raw("BADCHARSET ");
                writer.list(charsets, |writer, charset| writer.astring(charset.as_bytes()));
            }
            Self::Capability(capabilities) => {
                writer.raw("CAPABILITY");
                capabilities.encode(writer);
            }
            Self::PermanentFlags(flags) => {
                writer.raw("PERMANENTFLAGS ");
                Flag::encode_list(flags, writer);
            }
            other => writer.raw(other.to_string()),
        }
        writer.raw("]");
    }
}

fn is_known(name: &[u8]) -> bool {
    let known: [&[u8]; 9] = [
        b"BADCHARSET",
        b"PERMANENTFLAGS",
        b"UIDNEXT",
        b"UIDVALIDITY",
        b"UNSEEN",
        b"HIGHESTMODSEQ",
        b"MODIFIED",
        b"APPENDUID",
        b"COPYUID",
    ];
    known.contains(&name)
}

impl PlainCode {
    /// Its name in the protocol.
    #[must_use]
    pub fn name(self) -> &'static str {
        PLAIN.iter().find(|(plain, _)| *plain == self).map_or("", |(_, name)| *name)
    }
}

impl From<PlainCode> for Code {
    fn from(plain: PlainCode) -> Self {
        Self::Plain(plain)
    }
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Plain(plain) => f.write_str(plain.name()),
            Self::BadCharset(_) => f.write_str("BADCHARSET"),
            Self::Capability(capabilities) => write!(f, "CAPABILITY {capabilities}"),
            Self::PermanentFlags(flags) => {
                f.write_str("PERMANENTFLAGS (")?;
                for (at, flag) in flags.iter().enumerate() {
                    let space = if at > 0 { " " } else { "" };
                    write!(f, "{space}{flag}")?;
                }
                f.write_str(")")
            }
            Self::UidNext(uid) => write!(f, "UIDNEXT {uid}"),
            Self::UidValidity(validity) => write!(f, "UIDVALIDITY {validity}"),
            Self::Unseen(number) => write!(f, "UNSEEN {number}"),
            Self::AppendUid(validity, uids) => write!(f, "APPENDUID {validity} {uids}"),
            Self::CopyUid(validity, from, to) => write!(f, "COPYUID {validity} {from} {to}"),
            Self::HighestModSeq(modseq) => write!(f, "HIGHESTMODSEQ {modseq}"),
            Self::Modified(set) => write!(f, "MODIFIED {set}"),
            Self::Other(name) => name.fmt(f),
        }
    }
}
