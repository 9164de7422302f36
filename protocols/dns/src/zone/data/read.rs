//! The data of a record from the words of a zone file: [`read`].

use std::net::{Ipv4Addr, Ipv6Addr};

use data_encoding::{BASE32HEX_NOPAD, HEXLOWER_PERMISSIVE};

use super::{
    super::{
        lex::Token,
        name::{WireName, unescape},
        schema::{Field, fields, type_number},
    },
    DATA_LEN_MAX, is_valid, parameters, type_bitmap,
};
use crate::codec::base64;

/// A fault, and the word where it is; `None` if a word is missing.
type Fault = (Option<usize>, Box<str>);

/// Reads the data of a type. A fault comes with the index of its word.
pub(in super::super) fn read(
    record_type: u16,
    tokens: &[Token],
    origin: &[u8],
) -> Result<Vec<u8>, Fault> {
    let mut words = Words { tokens, at: 0, origin };
    let mut wire = Vec::new();
    if tokens.first().is_some_and(|token| !token.is_quoted && token.text == b"\\#") {
        words.at = 1;
        words.unknown(&mut wire)?;
        if !is_valid(record_type, &wire) {
            return Err((Some(0), "the bytes are no data of this type".into()));
        }
    } else {
        for field in fields(record_type) {
            words.field(*field, &mut wire)?;
        }
    }
    if words.at < tokens.len() {
        return Err((Some(words.at), "there are more words than the type has".into()));
    }
    if wire.len() > DATA_LEN_MAX {
        return Err((None, "the data are longer than 65,535 bytes".into()));
    }
    Ok(wire)
}

struct Words<'a> {
    tokens: &'a [Token],
    at: usize,
    origin: &'a [u8],
}

impl<'a> Words<'a> {
    fn next(&mut self) -> Result<&'a [u8], Fault> {
        let token = self.tokens.get(self.at).ok_or((None, "a word is missing".into()))?;
        self.at += 1;
        Ok(&token.text)
    }

    /// A fault at the word that was just read.
    fn fault<T>(&self, why: impl Into<Box<str>>) -> Result<T, Fault> {
        Err((self.at.checked_sub(1), why.into()))
    }

    fn field(&mut self, field: Field, wire: &mut Vec<u8>) -> Result<(), Fault> {
        match field {
            Field::Name => {
                let name = WireName::parse(self.next()?, Some(self.origin));
                match name {
                    Ok(name) => wire.extend_from_slice(name.as_bytes()),
                    Err(fault) => return self.fault(fault.to_string()),
                }
            }
            Field::U8 => wire.push(self.number()?),
            Field::U16 => wire.extend(self.number::<u16>()?.to_be_bytes()),
            Field::U32 => wire.extend(self.number::<u32>()?.to_be_bytes()),
            Field::Seconds => match seconds(self.next()?) {
                Some(seconds) => wire.extend(seconds.to_be_bytes()),
                None => return self.fault("a number of seconds is expected, or 1h30m"),
            },
            Field::Type => match type_number(self.next()?) {
                Some(number) => wire.extend(number.to_be_bytes()),
                None => return self.fault("a type is expected"),
            },
            Field::Moment => match moment(self.next()?) {
                Some(seconds) => wire.extend(seconds.to_be_bytes()),
                None => return self.fault("a time like 20260131120000 is expected"),
            },
            Field::Ipv4 => wire.extend(self.parsed::<Ipv4Addr>("an IPv4 address")?.octets()),
            Field::Ipv6 => wire.extend(self.parsed::<Ipv6Addr>("an IPv6 address")?.octets()),
            Field::Text => self.text(wire)?,
            Field::Texts => {
                self.text(wire)?;
                while self.at < self.tokens.len() {
                    self.text(wire)?;
                }
            }
            Field::RestText => {
                let text = self.unescaped()?;
                wire.extend(text);
            }
            Field::RestHex => {
                let words = self.rest()?;
                match HEXLOWER_PERMISSIVE.decode(&words) {
                    Ok(bytes) => wire.extend(bytes),
                    Err(_) => return self.fault("hexadecimal digits are expected"),
                }
            }
            Field::RestBase64 => {
                let words = self.rest()?;
                match base64::decode(&words) {
                    Some(bytes) => wire.extend(bytes),
                    None => return self.fault("base64 is expected"),
                }
            }
            Field::Salt => {
                let word = self.next()?;
                let word = if word == b"-" { b"" } else { word };
                match HEXLOWER_PERMISSIVE.decode(word) {
                    Ok(bytes) => self.with_len(&bytes, wire)?,
                    Err(_) => return self.fault("hexadecimal digits are expected, or -"),
                }
            }
            Field::Hash => match BASE32HEX_NOPAD.decode(&self.next()?.to_ascii_uppercase()) {
                Ok(bytes) if !bytes.is_empty() => self.with_len(&bytes, wire)?,
                _ => return self.fault("base32 is expected"),
            },
            Field::Types => self.types(wire)?,
            Field::Parameters => {
                let words = &self.tokens[self.at..];
                parameters::read(words, wire).map_err(|(at, why)| (Some(self.at + at), why))?;
                self.at = self.tokens.len();
            }
            Field::Eui48 => self.eui(6, wire)?,
            Field::Eui64 => self.eui(8, wire)?,
            Field::Locator64 => self.locator(wire)?,
            Field::Opaque => {
                return Err((Some(self.at), "write it as \\# <length> <hexadecimal>".into()));
            }
        }
        Ok(())
    }

    fn parsed<T: std::str::FromStr>(&mut self, what: &str) -> Result<T, Fault> {
        let word = self.next()?;
        match str::from_utf8(word).ok().and_then(|word| word.parse().ok()) {
            Some(value) => Ok(value),
            None => self.fault(format!("{what} is expected")),
        }
    }

    fn number<T: std::str::FromStr>(&mut self) -> Result<T, Fault> {
        let is_number =
            self.tokens.get(self.at).is_none_or(|token| token.text.iter().all(u8::is_ascii_digit));
        if !is_number {
            self.at += 1;
            return self.fault("a number is expected");
        }
        self.parsed("a number that fits")
    }

    fn unescaped(&mut self) -> Result<Vec<u8>, Fault> {
        let text = self.next()?;
        let (mut bytes, mut at) = (Vec::with_capacity(text.len()), 0);
        while at < text.len() {
            let Some((byte, next)) = unescape(text, at) else {
                return self.fault("a backslash needs a character or three digits up to 255");
            };
            bytes.push(byte);
            at = next;
        }
        Ok(bytes)
    }

    fn text(&mut self, wire: &mut Vec<u8>) -> Result<(), Fault> {
        let bytes = self.unescaped()?;
        self.with_len(&bytes, wire)
    }

    fn with_len(&self, bytes: &[u8], wire: &mut Vec<u8>) -> Result<(), Fault> {
        let Ok(len) = u8::try_from(bytes.len()) else {
            return self.fault("it is longer than 255 bytes");
        };
        wire.push(len);
        wire.extend_from_slice(bytes);
        Ok(())
    }

    /// All further words, at least one, as one.
    fn rest(&mut self) -> Result<Vec<u8>, Fault> {
        let mut words = self.next()?.to_vec();
        while self.at < self.tokens.len() {
            words.extend_from_slice(self.next()?);
        }
        Ok(words)
    }

    fn types(&mut self, wire: &mut Vec<u8>) -> Result<(), Fault> {
        let mut types = Vec::new();
        while self.at < self.tokens.len() {
            match type_number(self.next()?) {
                Some(number) => types.push(number),
                None => return self.fault("a type is expected"),
            }
        }
        types.sort_unstable();
        types.dedup();
        wire.extend(type_bitmap(&types));
        Ok(())
    }

    fn eui(&mut self, len: usize, wire: &mut Vec<u8>) -> Result<(), Fault> {
        let word = self.next()?;
        let bytes: Option<Vec<u8>> = word.split(|byte| *byte == b'-').map(hex_byte).collect();
        match bytes.filter(|bytes| bytes.len() == len) {
            Some(bytes) => wire.extend(bytes),
            None => return self.fault("bytes like 00-00-5e-00-53-2a are expected"),
        }
        Ok(())
    }

    fn locator(&mut self, wire: &mut Vec<u8>) -> Result<(), Fault> {
        let word = str::from_utf8(self.next()?).unwrap_or_default();
        let groups: Option<Vec<u16>> = word
            .split(':')
            .map(|group| {
                let is_hex = group.len() <= 4 && group.bytes().all(|byte| byte.is_ascii_hexdigit());
                is_hex.then(|| u16::from_str_radix(group, 16).ok()).flatten()
            })
            .collect();
        match groups.filter(|groups| groups.len() == 4) {
            Some(groups) => wire.extend(groups.into_iter().flat_map(u16::to_be_bytes)),
            None => return self.fault("four groups like 2001:db8:0:1 are expected"),
        }
        Ok(())
    }

    /// `\# <length> <hexadecimal>` (RFC 3597, section 5).
    fn unknown(&mut self, wire: &mut Vec<u8>) -> Result<(), Fault> {
        let len: usize = self.number()?;
        let words = if len == 0 { Vec::new() } else { self.rest()? };
        match HEXLOWER_PERMISSIVE.decode(&words) {
            Ok(bytes) if bytes.len() == len => wire.extend(bytes),
            Ok(_) => return self.fault("the length is another than that of the bytes"),
            Err(_) => return self.fault("hexadecimal digits are expected"),
        }
        Ok(())
    }
}

fn hex_byte(digits: &[u8]) -> Option<u8> {
    match HEXLOWER_PERMISSIVE.decode(digits).ok()?.as_slice() {
        [byte] => Some(*byte),
        _ => None,
    }
}

/// A time to live: seconds, or numbers with units (`1w2d3h4m5s`), at most 2^31 - 1 (RFC 2181, section 8).
pub(in super::super) fn seconds(text: &[u8]) -> Option<u32> {
    let (mut total, mut number) = (0u64, None::<u64>);
    for byte in text {
        let unit = match byte.to_ascii_lowercase() {
            digit @ b'0'..=b'9' => {
                let digit = u64::from(digit - b'0');
                number = Some(number.unwrap_or(0).checked_mul(10)?.checked_add(digit)?);
                continue;
            }
            b's' => 1,
            b'm' => 60,
            b'h' => 3_600,
            b'd' => 86_400,
            b'w' => 604_800,
            _ => return None,
        };
        total = total.checked_add(number.take()?.checked_mul(unit)?)?;
    }
    // Digits without a unit at the end are seconds: `1h30`.
    total = total.checked_add(number.unwrap_or(0))?;
    let is_some = !text.is_empty();
    u32::try_from(total).ok().filter(|seconds| is_some && *seconds <= i32::MAX.unsigned_abs())
}

/// A moment of RRSIG (RFC 4034, section 3.2): seconds since 1970 modulo 2^32.
fn moment(text: &[u8]) -> Option<u32> {
    let text = str::from_utf8(text).ok()?;
    if !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    if text.len() != 14 {
        return text.parse().ok();
    }
    let part = |from: usize, to: usize| text[from..to].parse::<i64>().ok();
    let (year, month, day) = (part(0, 4)?, part(4, 6)?, part(6, 8)?);
    let (hour, minute, second) = (part(8, 10)?, part(10, 12)?, part(12, 14)?);
    let is_valid = (1..=12).contains(&month)
        && (1..=31).contains(&day)
        && hour < 24
        && minute < 60
        && second <= 60
        && year >= 1970;
    let seconds = days_of(year, month, day) * 86_400 + hour * 3_600 + minute * 60 + second;
    is_valid.then_some(seconds as u32)
}

/// Days from 1970-01-01 to a date, in the calendar of today (Howard Hinnant, `days_from_civil`).
fn days_of(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let of_era = year.rem_euclid(400);
    let of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468
}
