//! The time of a message (IRCv3 server-time): [`format_time`] and [`parse_time`]. Pure: reads no clock.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use sinew_transports::reactor::calendar::{date_of, days_of_month, days_since_1970};

const DAY: u64 = 86_400;

/// A time as servers write it, in UTC with milliseconds. Times before 1970 are written as its beginning.
///
/// # Examples
///
/// ```
/// use std::time::{Duration, UNIX_EPOCH};
/// use sinew_chat::irc::codec::{format_time, parse_time};
///
/// let time = UNIX_EPOCH + Duration::from_millis(1_700_000_000_123);
/// assert_eq!(format_time(time), "2023-11-14T22:13:20.123Z");
/// assert_eq!(parse_time(b"2023-11-14T22:13:20.123Z"), Some(time));
/// ```
#[must_use]
pub fn format_time(time: SystemTime) -> String {
    let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    let (seconds, millis) = (since.as_secs(), since.subsec_millis());
    let (year, month, day) = date_of((seconds / DAY).cast_signed());
    let (hour, minute, second) = (seconds / 3_600 % 24, seconds / 60 % 60, seconds % 60);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{millis:03}Z")
}

/// The time that a tag `time` says, from 1970 on. A leap second is the second behind it.
#[must_use]
pub fn parse_time(text: &[u8]) -> Option<SystemTime> {
    let text = str::from_utf8(text).ok()?.strip_suffix('Z')?;
    let (date, time) = text.split_once('T')?;
    let mut date = date.split('-');
    let (year, month, day) =
        (number(date.next()?, 4)?, number(date.next()?, 2)?, number(date.next()?, 2)?);
    // They have four and two digits.
    let (year, month, day) = (year.cast_signed(), month as u8, day as u8);
    let (time, fraction) = time.split_once('.').unwrap_or((time, ""));
    let mut time = time.split(':');
    let (hour, minute, second) =
        (number(time.next()?, 2)?, number(time.next()?, 2)?, number(time.next()?, 2)?);
    let is_valid = date.next().is_none()
        && time.next().is_none()
        && (1..=days_of_month(year, month)).contains(&day)
        && (hour < 24 && minute < 60 && second <= 60);
    if !is_valid || fraction.len() > 9 || !fraction.bytes().all(|digit| digit.is_ascii_digit()) {
        return None;
    }
    let nanos: u64 =
        if fraction.is_empty() { 0 } else { format!("{fraction:0<9}").parse().ok()? };
    let days = u64::try_from(days_since_1970(year, month, day)).ok()?;
    let seconds = days * DAY + hour * 3_600 + minute * 60 + second;
    UNIX_EPOCH.checked_add(Duration::from_secs(seconds) + Duration::from_nanos(nanos))
}

fn number(digits: &str, len: usize) -> Option<u64> {
    let is_number = digits.len() == len && digits.bytes().all(|digit| digit.is_ascii_digit());
    is_number.then(|| digits.parse().ok())?
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times() {
        for (text, seconds) in [
            ("1970-01-01T00:00:00.000Z", Some(0)),
            ("2000-02-29T12:00:00Z", Some(951_825_600)),
            ("2100-03-01T00:00:00.5Z", Some(4_107_542_400)),
            ("2016-12-31T23:59:60.000Z", Some(1_483_228_800)),
            ("2001-02-29T00:00:00Z", None),
            ("2001-13-01T00:00:00Z", None),
            ("2001-01-01T24:00:00Z", None),
            ("1969-12-31T23:59:59Z", None),
            ("2001-01-01 00:00:00Z", None),
            ("2001-01-01T00:00:00", None),
            ("2001-1-01T00:00:00Z", None),
            ("2001-01-01T00:00:00.1234567890Z", None),
            ("+001-01-01T00:00:00Z", None),
            ("", None),
        ] {
            let found = parse_time(text.as_bytes());
            let found = found.map(|time| time.duration_since(UNIX_EPOCH).unwrap().as_secs());
            assert_eq!(found, seconds, "{text}");
        }
        for days in (0..60_000).step_by(7) {
            let time = UNIX_EPOCH + Duration::from_secs(days * DAY + 86_399);
            assert_eq!(parse_time(format_time(time).as_bytes()), Some(time), "{days}");
        }
    }
}
