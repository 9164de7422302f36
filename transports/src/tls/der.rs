//! Reads the validity and the names of a certificate from its DER (X.690, RFC 5280 4.1): [`contents`]. Pure. Nothing nests in what it reads,
//! so it needs no limit of depth, and nothing it keeps is longer than the input. Checks no more than it needs.

use std::net::{Ipv4Addr, Ipv6Addr};

use sinew_reactor::calendar::days_of_month;

use super::CertificateTime;

const BOOLEAN: u8 = 0x01;
const INTEGER: u8 = 0x02;
const OCTET_STRING: u8 = 0x04;
const OBJECT_IDENTIFIER: u8 = 0x06;
const UTC_TIME: u8 = 0x17;
const GENERALIZED_TIME: u8 = 0x18;
const SEQUENCE: u8 = 0x30;
/// `[0] EXPLICIT`, the version.
const VERSION: u8 = 0xa0;
/// `[1]` and `[2] IMPLICIT BIT STRING`, the unique identifiers, and `[3] EXPLICIT`, the extensions.
const ISSUER_ID: u8 = 0x81;
const SUBJECT_ID: u8 = 0x82;
const EXTENSIONS: u8 = 0xa3;
/// The object identifier of `subjectAltName`, 2.5.29.17, and its choices `dNSName` and `iPAddress`.
const SUBJECT_ALT_NAME: &[u8] = &[0x55, 0x1d, 0x11];
const DNS_NAME: u8 = 0x82;
const IP_ADDRESS: u8 = 0x87;

/// What is read of a certificate.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Contents {
    /// The first and the last second; `None` if one of them is no time.
    pub(super) validity: Option<(CertificateTime, CertificateTime)>,
    /// Names of hosts, escaped, and IP addresses.
    pub(super) names: Vec<String>,
}

/// Reads a certificate; `None` if it is none.
pub(super) fn contents(certificate: &[u8]) -> Option<Contents> {
    let mut signed = Elements(Elements(Elements(certificate).take(SEQUENCE)?).take(SEQUENCE)?);
    signed.skip(VERSION)?;
    signed.take(INTEGER)?;
    // The algorithm and the issuer.
    signed.take(SEQUENCE)?;
    signed.take(SEQUENCE)?;
    let mut dates = Elements(signed.take(SEQUENCE)?);
    let validity = time(&mut dates).zip(time(&mut dates));
    // The subject and its key.
    signed.take(SEQUENCE)?;
    signed.take(SEQUENCE)?;
    signed.skip(ISSUER_ID)?;
    signed.skip(SUBJECT_ID)?;
    let names = match signed.0 {
        [] => Vec::new(),
        _ => names(signed.take(EXTENSIONS)?)?,
    };
    Some(Contents { validity, names })
}

fn names(extensions: &[u8]) -> Option<Vec<String>> {
    let mut extensions = Elements(Elements(extensions).take(SEQUENCE)?);
    while !extensions.0.is_empty() {
        let mut extension = Elements(extensions.take(SEQUENCE)?);
        let is_wanted = extension.take(OBJECT_IDENTIFIER)? == SUBJECT_ALT_NAME;
        // Whether it is critical.
        extension.skip(BOOLEAN)?;
        let value = extension.take(OCTET_STRING)?;
        if is_wanted {
            return general_names(Elements(Elements(value).take(SEQUENCE)?));
        }
    }
    Some(Vec::new())
}

fn general_names(mut all: Elements<'_>) -> Option<Vec<String>> {
    let mut names = Vec::new();
    while !all.0.is_empty() {
        match all.next()? {
            (DNS_NAME, name) => names.push(name.escape_ascii().to_string()),
            (IP_ADDRESS, bytes) => names.extend(address(bytes)),
            _ => {}
        }
    }
    Some(names)
}

/// Four or sixteen bytes (RFC 5280 4.2.1.6).
fn address(bytes: &[u8]) -> Option<String> {
    let v4 = |bytes: [u8; 4]| Ipv4Addr::from(bytes).to_string();
    let v6 = |bytes: [u8; 16]| Ipv6Addr::from(bytes).to_string();
    bytes.try_into().map(v4).or_else(|_| bytes.try_into().map(v6)).ok()
}

/// `YYMMDDhhmmssZ`, of the years 1950 to 2049, or `YYYYMMDDhhmmssZ` (RFC 5280 4.1.2.5).
fn time(elements: &mut Elements<'_>) -> Option<CertificateTime> {
    let (tag, text) = elements.next()?;
    let (year, rest) = match (tag, text.len()) {
        (UTC_TIME, 13) => {
            let (year, rest) = pair(text)?;
            (u16::from(year) + if year < 50 { 2000 } else { 1900 }, rest)
        }
        (GENERALIZED_TIME, 15) => {
            let (century, rest) = pair(text)?;
            let (year, rest) = pair(rest)?;
            (u16::from(century) * 100 + u16::from(year), rest)
        }
        _ => return None,
    };
    let (month, rest) = pair(rest)?;
    let (day, rest) = pair(rest)?;
    let (hour, rest) = pair(rest)?;
    let (minute, rest) = pair(rest)?;
    let (second, rest) = pair(rest)?;
    let days = days_of_month(i64::from(year), month);
    let is_good =
        (1..=days).contains(&day) && hour < 24 && minute < 60 && second < 60 && rest == b"Z";
    is_good.then_some(CertificateTime { year, month, day, hour, minute, second })
}

/// A number of two digits, and what is behind it.
fn pair(text: &[u8]) -> Option<(u8, &[u8])> {
    let ([tens @ b'0'..=b'9', ones @ b'0'..=b'9'], rest) = text.split_first_chunk()? else {
        return None;
    };
    Some(((tens - b'0') * 10 + (ones - b'0'), rest))
}

/// Elements of DER, one behind the other.
struct Elements<'a>(&'a [u8]);

impl<'a> Elements<'a> {
    /// The tag and the contents of the next one.
    fn next(&mut self) -> Option<(u8, &'a [u8])> {
        let (&[tag, first], mut rest) = self.0.split_first_chunk()?;
        let len = match first {
            ..=0x7f => usize::from(first),
            // The length is in the next one to four bytes.
            0x81..=0x84 => {
                let (bytes, behind) = rest.split_at_checked(usize::from(first & 0x7f))?;
                rest = behind;
                bytes.iter().fold(0, |len, byte| len << 8 | usize::from(*byte))
            }
            _ => return None,
        };
        let (contents, rest) = rest.split_at_checked(len)?;
        self.0 = rest;
        Some((tag, contents))
    }

    /// The contents of the next one, which has to have this tag.
    fn take(&mut self, tag: u8) -> Option<&'a [u8]> {
        self.next().filter(|(found, _)| *found == tag).map(|(_, contents)| contents)
    }

    /// Goes past the next one if it has this tag.
    fn skip(&mut self, tag: u8) -> Option<()> {
        if self.0.first() == Some(&tag) {
            self.next()?;
        }
        Some(())
    }
}
