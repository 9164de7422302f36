//! The data of a record as text, as in a zone file: [`Data`]. What has no text form here is written as in RFC 3597.

use std::{
    fmt::{self, Display, Write},
    net::{Ipv4Addr, Ipv6Addr},
};

use data_encoding::{BASE32HEX_NOPAD, BASE64, HEXLOWER, HEXUPPER};

use super::{
    super::{
        name::Shown,
        schema::{Field, fields, type_text},
    },
    character_string::quoted,
    parameters,
    split::split,
};

/// Type and data of a record, to be displayed.
pub(in super::super) struct Data<'a>(pub(in super::super) u16, pub(in super::super) &'a [u8]);

impl fmt::Display for Data<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(record_type, data) = *self;
        let mut parts = Vec::new();
        let is_split = split(record_type, data, |field, bytes| parts.push((field, bytes)));
        // Of an empty word there is no text.
        let is_empty_rest = parts.last().is_some_and(|(field, bytes)| {
            matches!(field, Field::RestHex | Field::RestBase64) && bytes.is_empty()
        });
        if is_split.is_none() || is_empty_rest || fields(record_type) == [Field::Opaque] {
            write!(f, "\\# {}", data.len())?;
            return if data.is_empty() { Ok(()) } else { write!(f, " {}", HEXLOWER.encode(data)) };
        }
        for (at, (field, bytes)) in parts.into_iter().enumerate() {
            let is_nothing = bytes.is_empty() && matches!(field, Field::Types | Field::Parameters);
            if at > 0 && !is_nothing {
                f.write_char(' ')?;
            }
            part(f, field, bytes)?;
        }
        Ok(())
    }
}

fn part(f: &mut fmt::Formatter<'_>, field: Field, bytes: &[u8]) -> fmt::Result {
    match field {
        Field::Name => Shown(bytes).fmt(f),
        Field::U8 | Field::U16 | Field::U32 | Field::Seconds => number(bytes).fmt(f),
        Field::Type => f.write_str(&type_text(number(bytes) as u16)),
        Field::Moment => moment(f, number(bytes)),
        Field::Ipv4 => {
            bytes.first_chunk().map_or(Ok(()), |octets: &[u8; 4]| Ipv4Addr::from(*octets).fmt(f))
        }
        Field::Ipv6 => {
            bytes.first_chunk().map_or(Ok(()), |octets: &[u8; 16]| Ipv6Addr::from(*octets).fmt(f))
        }
        Field::Text | Field::Texts | Field::RestText => quoted(f, bytes),
        Field::RestHex => f.write_str(&HEXUPPER.encode(bytes)),
        Field::RestBase64 => f.write_str(&BASE64.encode(bytes)),
        Field::Salt if bytes.is_empty() => f.write_str("-"),
        Field::Salt => f.write_str(&HEXUPPER.encode(bytes)),
        Field::Hash => f.write_str(&BASE32HEX_NOPAD.encode(bytes)),
        Field::Types => types(f, bytes),
        Field::Parameters => parameters::show(f, bytes),
        Field::Eui48 | Field::Eui64 => {
            for (at, byte) in bytes.iter().enumerate() {
                write!(f, "{}{byte:02x}", if at > 0 { "-" } else { "" })?;
            }
            Ok(())
        }
        Field::Locator64 => {
            for (at, group) in bytes.chunks(2).enumerate() {
                write!(f, "{}{:x}", if at > 0 { ":" } else { "" }, number(group))?;
            }
            Ok(())
        }
        Field::Opaque => Ok(()),
    }
}

fn number(bytes: &[u8]) -> u32 {
    bytes.iter().fold(0, |number, byte| number << 8 | u32::from(*byte))
}

fn types(f: &mut fmt::Formatter<'_>, mut rest: &[u8]) -> fmt::Result {
    let mut is_first = true;
    while let [window, len, after @ ..] = rest {
        let (bits, after) = after.split_at_checked(usize::from(*len)).unwrap_or((after, &[]));
        for low in 0..bits.len() * 8 {
            if bits[low / 8] & 0x80 >> (low % 8) != 0 {
                let number = u16::from(*window) << 8 | low as u16;
                write!(f, "{}{}", if is_first { "" } else { " " }, type_text(number))?;
                is_first = false;
            }
        }
        rest = after;
    }
    Ok(())
}

/// Seconds since 1970, as `YYYYMMDDHHmmSS`.
fn moment(f: &mut fmt::Formatter<'_>, seconds: u32) -> fmt::Result {
    let (days, of_day) = (i64::from(seconds / 86_400), seconds % 86_400);
    // The inverse of `days_of` (Howard Hinnant, `civil_from_days`).
    let shifted = days + 719_468;
    let era = shifted / 146_097;
    let of_era = shifted % 146_097;
    let year_of_era = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted_month = (5 * of_year + 2) / 153;
    let day = of_year - (153 * shifted_month + 2) / 5 + 1;
    let month = if shifted_month < 10 { shifted_month + 3 } else { shifted_month - 9 };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    let (hour, minute, second) = (of_day / 3_600, of_day / 60 % 60, of_day % 60);
    write!(f, "{year:04}{month:02}{day:02}{hour:02}{minute:02}{second:02}")
}
