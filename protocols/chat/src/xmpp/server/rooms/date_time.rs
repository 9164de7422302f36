//! Points in time as XMPP writes them (XEP-0082): UTC, to the second. Pure.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

const DAY: u64 = 86_400;

/// `2026-12-01T05:19:02Z`. A time before 1970 is written as 1970.
pub(super) fn format(time: SystemTime) -> String {
    let seconds = time.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
    let (days, rest) = (seconds / DAY, seconds % DAY);
    let (year, month, day) = date(days);
    let (hour, minute, second) = (rest / 3_600, rest / 60 % 60, rest % 60);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}Z")
}

/// A date and a time with its zone, from 1970 to 9999. Parts of a second are left out.
pub(super) fn parse(text: &str) -> Option<SystemTime> {
    let (date, time) = text.split_once('T')?;
    let (year, month, day) = numbers(date, '-')?;
    let is_known = (1_970..=9_999).contains(&year) && (1..=12).contains(&month);
    if !is_known || !(1..=31).contains(&day) {
        return None;
    }
    let at = time.find(['Z', '+', '-'])?;
    let (clock, zone) = time.split_at(at);
    let clock = clock.split('.').next().unwrap_or(clock);
    let (hour, minute, second) = numbers(clock, ':')?;
    if hour > 23 || minute > 59 || second > 60 {
        return None;
    }
    let local = days(year, month, day) * DAY + hour * 3_600 + minute * 60 + second;
    let seconds = match zone.split_at(1) {
        ("Z", "") => Some(local),
        (sign, offset) => {
            let (hours, minutes) = offset.split_once(':')?;
            let offset = number(hours)? * 3_600 + number(minutes)? * 60;
            match sign {
                "+" => local.checked_sub(offset),
                "-" => Some(local + offset),
                _ => None,
            }
        }
    };
    UNIX_EPOCH.checked_add(Duration::from_secs(seconds?))
}

fn numbers(text: &str, separator: char) -> Option<(u64, u64, u64)> {
    let mut parts = text.split(separator);
    let found = (number(parts.next()?)?, number(parts.next()?)?, number(parts.next()?)?);
    parts.next().is_none().then_some(found)
}

fn number(text: &str) -> Option<u64> {
    let is_number = (1..=4).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit());
    is_number.then(|| text.parse().ok()).flatten()
}

/// Days since 1970 of a date in the calendar of today. Years begin in March, so that the leap day is the last one.
const fn days(year: u64, month: u64, day: u64) -> u64 {
    let year = if month <= 2 { year - 1 } else { year };
    let month = (month + 9) % 12;
    let of_year = (153 * month + 2) / 5 + day - 1;
    365 * year + year / 4 - year / 100 + year / 400 + of_year - 719_468
}

/// The date of a day since 1970.
const fn date(days: u64) -> (u64, u64, u64) {
    let days = days + 719_468;
    let (era, day) = (days / 146_097, days % 146_097);
    let year = (day - day / 1_460 + day / 36_524 - day / 146_096) / 365;
    let of_year = day - (365 * year + year / 4 - year / 100);
    let month = (5 * of_year + 2) / 153;
    let day = of_year - (153 * month + 2) / 5 + 1;
    let year = era * 400 + year + if month >= 10 { 1 } else { 0 };
    let month = if month < 10 { month + 3 } else { month - 9 };
    (year, month, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_ways() {
        for (seconds, text) in [
            (0, "1970-01-01T00:00:00Z"),
            (951_782_399, "2000-02-28T23:59:59Z"),
            (951_782_400, "2000-02-29T00:00:00Z"),
            (1_031_962_997, "2002-09-14T00:23:17Z"),
            (1_796_102_342, "2026-12-01T05:19:02Z"),
            (4_102_444_800, "2100-01-01T00:00:00Z"),
        ] {
            let time = UNIX_EPOCH + Duration::from_secs(seconds);
            assert_eq!((format(time).as_str(), parse(text)), (text, Some(time)));
        }
    }

    #[test]
    fn zones_and_what_is_none() {
        let noon = parse("2002-09-14T12:00:00Z");
        for text in
            ["2002-09-14T14:00:00+02:00", "2002-09-14T07:00:00.123-05:00", "2002-09-14T12:00:00.9Z"]
        {
            assert_eq!(parse(text), noon, "{text}");
        }
        for text in [
            "",
            "T",
            "2002-09-14",
            "2002-09-14T12:00:00",
            "2002-13-14T12:00:00Z",
            "2002-00-14T12:00:00Z",
            "0000-01-01T00:00:00Z",
            "1970-01-01T00:00:00+01:00",
            "2002-09-14T24:00:00Z",
            "2002-09-14T12:00:00Zx",
            "2002-09-14T12:00:00+é",
            "99999999999-09-14T12:00:00Z",
        ] {
            assert_eq!(parse(text), None, "{text}");
        }
    }
}
