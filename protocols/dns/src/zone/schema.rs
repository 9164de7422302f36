//! What the data of each type consist of: one table for reading text, for writing text, and for checking bytes. Values only.

/// A part of the data of a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Field {
    /// A name.
    Name,
    /// Numbers, in network order.
    U8,
    U16,
    U32,
    /// Seconds: a number, or `1h30m`.
    Seconds,
    /// The type of other records, as in RRSIG.
    Type,
    /// A moment, as in RRSIG: `YYYYMMDDHHmmSS`, or seconds since 1970.
    Moment,
    /// Addresses.
    Ipv4,
    Ipv6,
    /// A text of up to 255 bytes, with its length.
    Text,
    /// One or more of those, until the end.
    Texts,
    /// Text until the end, without a length.
    RestText,
    /// Bytes until the end, in hexadecimal words.
    RestHex,
    /// Bytes until the end, in words of base64.
    RestBase64,
    /// Bytes with their length, in hexadecimal; `-` for none.
    Salt,
    /// Bytes with their length, in base32 (NSEC3).
    Hash,
    /// A set of types until the end.
    Types,
    /// Parameters of SVCB and HTTPS until the end.
    Parameters,
    /// Six and eight bytes, as `00-00-5e-…`.
    Eui48,
    Eui64,
    /// Four groups of four hexadecimal digits (RFC 6742).
    Locator64,
    /// Any bytes: only written as in RFC 3597.
    Opaque,
}

use Field::{
    Eui48, Eui64, Hash, Ipv4, Ipv6, Locator64, Moment, Name, Opaque, Parameters, RestBase64,
    RestHex, RestText, Salt, Seconds, Text, Texts, Type, Types, U8, U16, U32,
};

pub(crate) const A: u16 = 1;
pub(crate) const NS: u16 = 2;
pub(crate) const CNAME: u16 = 5;
pub(crate) const SOA: u16 = 6;
pub(crate) const PTR: u16 = 12;
pub(crate) const MX: u16 = 15;
pub(crate) const TXT: u16 = 16;
pub(crate) const KEY: u16 = 25;
pub(crate) const AAAA: u16 = 28;
pub(crate) const SRV: u16 = 33;
pub(crate) const DNAME: u16 = 39;
pub(crate) const OPT: u16 = 41;
pub(crate) const DS: u16 = 43;
pub(crate) const RRSIG: u16 = 46;
pub(crate) const NSEC: u16 = 47;
pub(crate) const NSEC3: u16 = 50;
pub(crate) const NSEC3PARAM: u16 = 51;
pub(crate) const IXFR: u16 = 251;
pub(crate) const AXFR: u16 = 252;
pub(crate) const ANY: u16 = 255;

/// Number, mnemonic and data of the types that have a text form here. All others are written as in RFC 3597.
const TYPES: &[(u16, &str, &[Field])] = &[
    (A, "A", &[Ipv4]),
    (NS, "NS", &[Name]),
    (3, "MD", &[Name]),
    (4, "MF", &[Name]),
    (CNAME, "CNAME", &[Name]),
    (SOA, "SOA", &[Name, Name, U32, Seconds, Seconds, Seconds, Seconds]),
    (7, "MB", &[Name]),
    (8, "MG", &[Name]),
    (9, "MR", &[Name]),
    (11, "WKS", &[Opaque]),
    (PTR, "PTR", &[Name]),
    (13, "HINFO", &[Text, Text]),
    (14, "MINFO", &[Name, Name]),
    (MX, "MX", &[U16, Name]),
    (TXT, "TXT", &[Texts]),
    (17, "RP", &[Name, Name]),
    (18, "AFSDB", &[U16, Name]),
    (19, "X25", &[Text]),
    (20, "ISDN", &[Texts]),
    (21, "RT", &[U16, Name]),
    (23, "NSAP-PTR", &[Name]),
    (KEY, "KEY", &[U16, U8, U8, RestBase64]),
    (26, "PX", &[U16, Name, Name]),
    (27, "GPOS", &[Text, Text, Text]),
    (AAAA, "AAAA", &[Ipv6]),
    (29, "LOC", &[Opaque]),
    (SRV, "SRV", &[U16, U16, U16, Name]),
    (35, "NAPTR", &[U16, U16, Text, Text, Text, Name]),
    (36, "KX", &[U16, Name]),
    (37, "CERT", &[U16, U16, U8, RestBase64]),
    (DNAME, "DNAME", &[Name]),
    (42, "APL", &[Opaque]),
    (DS, "DS", &[U16, U8, U8, RestHex]),
    (44, "SSHFP", &[U8, U8, RestHex]),
    (45, "IPSECKEY", &[Opaque]),
    (RRSIG, "RRSIG", &[Type, U8, U8, U32, Moment, Moment, U16, Name, RestBase64]),
    (NSEC, "NSEC", &[Name, Types]),
    (48, "DNSKEY", &[U16, U8, U8, RestBase64]),
    (49, "DHCID", &[RestBase64]),
    (NSEC3, "NSEC3", &[U8, U8, U16, Salt, Hash, Types]),
    (NSEC3PARAM, "NSEC3PARAM", &[U8, U8, U16, Salt]),
    (52, "TLSA", &[U8, U8, U8, RestHex]),
    (53, "SMIMEA", &[U8, U8, U8, RestHex]),
    (55, "HIP", &[Opaque]),
    (59, "CDS", &[U16, U8, U8, RestHex]),
    (60, "CDNSKEY", &[U16, U8, U8, RestBase64]),
    (61, "OPENPGPKEY", &[RestBase64]),
    (62, "CSYNC", &[U32, U16, Types]),
    (63, "ZONEMD", &[U32, U8, U8, RestHex]),
    (64, "SVCB", &[U16, Name, Parameters]),
    (65, "HTTPS", &[U16, Name, Parameters]),
    (99, "SPF", &[Texts]),
    (104, "NID", &[U16, Locator64]),
    (105, "L32", &[U16, Ipv4]),
    (106, "L64", &[U16, Locator64]),
    (107, "LP", &[U16, Name]),
    (108, "EUI48", &[Eui48]),
    (109, "EUI64", &[Eui64]),
    (256, "URI", &[U16, U16, RestText]),
    (257, "CAA", &[U8, Text, RestText]),
];

/// The data of a type.
pub(super) fn fields(record_type: u16) -> &'static [Field] {
    let at = TYPES.binary_search_by_key(&record_type, |row| row.0);
    at.map_or(&[Opaque], |at| TYPES[at].2)
}

/// The number of a type: a mnemonic, or `TYPE123` (RFC 3597, section 5).
pub(crate) fn type_number(text: &[u8]) -> Option<u16> {
    if let Some(row) = TYPES.iter().find(|row| row.1.as_bytes().eq_ignore_ascii_case(text)) {
        return Some(row.0);
    }
    let (prefix, number) = text.split_at_checked(4)?;
    if !prefix.eq_ignore_ascii_case(b"TYPE") || !number.iter().all(u8::is_ascii_digit) {
        return None;
    }
    str::from_utf8(number).ok()?.parse().ok()
}

/// The mnemonic of a type, or `TYPE123`.
pub(crate) fn type_text(record_type: u16) -> Box<str> {
    match TYPES.binary_search_by_key(&record_type, |row| row.0) {
        Ok(at) => TYPES[at].1.into(),
        Err(_) => format!("TYPE{record_type}").into(),
    }
}

/// Whether records of this type are only in messages, or are questions (RFC 6895, section 3.1).
pub(crate) const fn is_meta(record_type: u16) -> bool {
    matches!(record_type, 0 | OPT | 128..=255)
}

/// The names in the data that may be compressed (RFC 3597, section 4): how many bytes precede them, and how many there are.
pub(crate) const fn compressible(record_type: u16) -> (usize, usize) {
    match record_type {
        2..=5 | 7..=9 | PTR => (0, 1),
        SOA | 14 => (0, 2),
        MX => (2, 1),
        _ => (0, 0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_sorted() {
        assert!(TYPES.windows(2).all(|rows| rows[0].0 < rows[1].0));
    }

    #[test]
    fn types_as_text() {
        let cases = [("mx", Some(15)), ("TYPE65280", Some(65_280)), ("type1", Some(1))];
        for (text, number) in cases {
            assert_eq!(type_number(text.as_bytes()), number, "{text}");
        }
        for text in ["", "TYPE", "TYPE65536", "TYPE-1", "TYPE+1", "BOGUS", "TYP\u{e9}"] {
            assert_eq!(type_number(text.as_bytes()), None, "{text}");
        }
        assert_eq!((&*type_text(257), &*type_text(999)), ("CAA", "TYPE999"));
    }
}
