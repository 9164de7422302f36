//! Dates: of articles (RFC 5322 3.3), and of commands (RFC 3977 7.1 and 7.3). Pure: reads no clock.

use std::{
    ops::RangeInclusive,
    str::FromStr,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use sinew_transports::reactor::calendar::{date_of, days_of_month, days_since_1970};

const DAY: u64 = 24 * 60 * 60;
const DAYS: [&str; 7] = ["Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"];
const MONTHS: [&str; 12] =
    ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
/// Names of zones that are still seen (RFC 5322 4.3), in hours. All others count as unknown, which is UTC.
const ZONES: [(&str, i64); 8] = [
    ("EDT", -4),
    ("EST", -5),
    ("CDT", -5),
    ("CST", -6),
    ("MDT", -6),
    ("MST", -7),
    ("PDT", -7),
    ("PST", -8),
];

/// The time in UTC, by its parts.
struct Parts {
    year: i64,
    month: u8,
    day: u8,
    second: u64,
}

impl Parts {
    fn of(time: SystemTime) -> (Self, u64) {
        let seconds = seconds(time);
        let days = seconds / DAY;
        let (year, month, day) = date_of(days.cast_signed());
        (Self { year, month, day, second: seconds % DAY }, days)
    }

    /// `None` before 1970, and for a day that does not exist.
    fn time(&self) -> Option<u64> {
        let Self { year, month, day, second } = *self;
        if !(1..=days_of_month(year, month)).contains(&day) || !(1970..=9999).contains(&year) {
            return None;
        }
        Some(days_since_1970(year, month, day).unsigned_abs() * DAY + second)
    }
}

/// Seconds since 1970; 0 before.
pub(crate) fn seconds(time: SystemTime) -> u64 {
    time.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs()
}

/// The time of so many seconds since 1970. Beyond the year 9999 it is that of its end.
pub(crate) fn time_of(seconds: u64) -> SystemTime {
    UNIX_EPOCH + Duration::from_secs(seconds.min(253_402_300_799))
}

/// The time as in an article: `Sun, 06 Nov 1994 08:49:37 +0000`.
#[must_use]
pub fn format_article_date(time: SystemTime) -> String {
    let (parts, days) = Parts::of(time);
    let Parts { year, month, day, second } = parts;
    let (hour, minute, second) = (second / 3600, second / 60 % 60, second % 60);
    let (weekday, month) = (DAYS[(days % 7) as usize], MONTHS[usize::from(month) - 1]);
    format!("{weekday}, {day:02} {month} {year} {hour:02}:{minute:02}:{second:02} +0000")
}

/// The time of the Date of an article. `None` if it is none, or before 1970.
///
/// # Examples
///
/// ```
/// use sinew_news::nntp::codec::{format_article_date, parse_article_date};
///
/// let time = parse_article_date("6 Nov 94 09:49 +0100 (CET)").ok_or("no date")?;
/// assert_eq!(format_article_date(time), "Sun, 06 Nov 1994 08:49:00 +0000");
/// # Ok::<(), &str>(())
/// ```
#[must_use]
pub fn parse_article_date(text: &str) -> Option<SystemTime> {
    let text = text.split('(').next()?;
    let text = match text.split_once(',') {
        Some((weekday, rest)) if weekday.trim().len() == 3 => rest,
        Some(_) => return None,
        None => text,
    };
    let mut words = text.split_ascii_whitespace();
    let day = digits(words.next()?, 1..=2)?;
    let month = words.next()?;
    let month = MONTHS.iter().position(|name| name.eq_ignore_ascii_case(month))? as u8 + 1;
    let year = words.next()?;
    // RFC 5322 4.3.
    let year = match (digits(year, 2..=4)?, year.len()) {
        (year @ 0..=49, 2) => year + 2000,
        (year, 2 | 3) => year + 1900,
        (year, _) => year,
    };
    let mut clock = words.next()?.split(':');
    let hour = digits::<u64>(clock.next()?, 1..=2).filter(|hour| *hour < 24)?;
    let minute = digits::<u64>(clock.next()?, 2..=2).filter(|minute| *minute < 60)?;
    // A leap second is the last of its minute.
    let second = clock.next().map_or(Some(0), |second| digits::<u64>(second, 2..=2))?;
    let second = Some(second).filter(|second| *second <= 60)?.min(59);
    if clock.next().is_some() {
        return None;
    }
    let second = hour * 3600 + minute * 60 + second;
    let time = Parts { year, month, day, second }.time()?;
    let time = time.checked_add_signed(-offset(words.next().unwrap_or("UT"))?)?;
    words.next().is_none().then(|| time_of(time))
}

/// Seconds east of UTC.
fn offset(zone: &str) -> Option<i64> {
    let (sign, number) = match zone.split_at_checked(1)? {
        ("+", number) => (1, number),
        ("-", number) => (-1, number),
        _ => {
            let known = ZONES.iter().find(|(name, _)| name.eq_ignore_ascii_case(zone));
            let is_name = zone.bytes().all(|byte| byte.is_ascii_alphabetic());
            return is_name.then(|| known.map_or(0, |(_, hours)| hours * 3600));
        }
    };
    let number = digits::<i64>(number, 4..=4)?;
    let (hours, minutes) = (number / 100, number % 100);
    (minutes < 60).then_some(sign * (hours * 3600 + minutes * 60))
}

fn digits<N: FromStr>(text: &str, len: RangeInclusive<usize>) -> Option<N> {
    let is_number = len.contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit());
    text.parse().ok().filter(|_| is_number)
}

/// The time as in the response to DATE: `19941106084937`.
pub(crate) fn format_command_date(time: SystemTime) -> String {
    let (Parts { year, month, day, second }, _) = Parts::of(time);
    let (hour, minute, second) = (second / 3600, second / 60 % 60, second % 60);
    format!("{year:04}{month:02}{day:02}{hour:02}{minute:02}{second:02}")
}

/// The time of the response to DATE.
pub(crate) fn command_date_time(text: &str) -> Option<SystemTime> {
    let (date, clock) = text.split_at_checked(8)?;
    parse_command_date(date, clock)
}

/// The time of NEWNEWS and NEWGROUPS, from `yyyymmdd` or `yymmdd`, and `hhmmss`.
pub(super) fn parse_command_date(date: &str, clock: &str) -> Option<SystemTime> {
    let (year, rest) = match date.len() {
        8 => (digits(date.get(..4)?, 4..=4)?, date.get(4..)?),
        // RFC 3977 7.3.2 wants the century that makes it no later than now. This is the same until 2069.
        6 => match digits(date.get(..2)?, 2..=2)? {
            year @ 0..=69 => (year + 2000, date.get(2..)?),
            year => (year + 1900, date.get(2..)?),
        },
        _ => return None,
    };
    let (month, day) = (digits(rest.get(..2)?, 2..=2)?, digits(rest.get(2..)?, 2..=2)?);
    let clock = Some(clock).filter(|clock| clock.len() == 6 && clock.is_ascii())?;
    let hour = digits::<u64>(&clock[..2], 2..=2).filter(|hour| *hour < 24)?;
    let minute = digits::<u64>(&clock[2..4], 2..=2).filter(|minute| *minute < 60)?;
    let second = digits::<u64>(&clock[4..], 2..=2).filter(|second| *second <= 60)?.min(59);
    // Before 1970 there were no articles.
    if (1..1970).contains(&year) {
        return Some(UNIX_EPOCH);
    }
    let parts = Parts { year, month, day, second: hour * 3600 + minute * 60 + second };
    parts.time().map(time_of)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn dates_of_articles_are_read() {
        let expect = Some(784_111_777);
        for text in [
            "Sun, 06 Nov 1994 08:49:37 +0000",
            "Sun, 6 Nov 1994 08:49:37 GMT",
            "6 Nov 94 08:49:37 UT",
            "6 nov 1994 09:49:37 +0100 (CET)",
            "Sun,  6 Nov 1994 03:49:37 EST",
            "6 Nov 94 08:49:37",
        ] {
            assert_eq!(parse_article_date(text).map(seconds), expect, "{text}");
        }
        for text in [
            "",
            "now",
            "Sun, 32 Nov 1994 08:49:37 GMT",
            "29 Feb 2023 00:00:00 GMT",
            "6 Nov 1994 24:00:00 GMT",
            "6 Nov 1994 08:49:37 +01",
            "6 Nov 1994 08:49:37 GMT x",
            "6 Nov 1969 08:49:37 GMT",
            "6 Nov 1994",
            "\u{e4}, 6 Nov 1994 08:49:37",
            "6 Nov 1994 08:49:37 \u{e4}",
        ] {
            assert_eq!(parse_article_date(text), None, "{text}");
        }
    }

    #[test]
    fn dates_of_commands_are_read() {
        let read = |date, clock| parse_command_date(date, clock).map(format_command_date);
        assert_eq!(read("19941106", "084937").as_deref(), Some("19941106084937"));
        assert_eq!(read("941106", "084937").as_deref(), Some("19941106084937"));
        assert_eq!(read("240229", "000060").as_deref(), Some("20240229000059"));
        assert_eq!(read("19000101", "000000").as_deref(), Some("19700101000000"));
        for (date, clock) in [
            ("1994110", "084937"),
            ("19941306", "000000"),
            ("19941106", "240000"),
            ("19941106", "1"),
            ("\u{e4}\u{e4}\u{e4}", "084937"),
            ("20230229", "000000"),
        ] {
            assert_eq!(read(date, clock), None, "{date} {clock}");
        }
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_as_the_same(at in 0_u64..253_402_300_800) {
            let time = time_of(at);
            prop_assert_eq!(parse_article_date(&format_article_date(time)), Some(time));
            let text = format_command_date(time);
            prop_assert_eq!(parse_command_date(&text[..8], &text[8..]), Some(time));
        }
    }
}
