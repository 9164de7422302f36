//! Days of the calendar, as SEARCH compares them: [`CalendarDate`], and the day of a `Date` field. Pure.

const MONTHS: [&str; 12] = ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"];

/// A day of the calendar. Days compare by time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CalendarDate {
    /// The year, such as 1996.
    pub year: u16,
    /// The month, from 1.
    pub month: u8,
    /// The day, from 1.
    pub day: u8,
}

impl CalendarDate {
    /// The day of a time, in seconds since 1970 of the zone that is asked about.
    #[must_use]
    pub fn of_unix(seconds: i64) -> Self {
        // Days from 0000-03-01, in eras of 400 years.
        let days = seconds.div_euclid(86_400) + 719_468;
        let era = days.div_euclid(146_097);
        let day_of_era = days.rem_euclid(146_097);
        let year_of_era =
            (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
        let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
        let shifted = (5 * day_of_year + 2) / 153;
        let day = day_of_year - (153 * shifted + 2) / 5 + 1;
        let month = if shifted < 10 { shifted + 3 } else { shifted - 9 };
        let year = era * 400 + year_of_era + i64::from(month <= 2);
        Self {
            year: u16::try_from(year).unwrap_or(if year < 0 { 0 } else { u16::MAX }),
            month: u8::try_from(month).unwrap_or(1),
            day: u8::try_from(day).unwrap_or(1),
        }
    }
}

/// The day of a `Date` field, in the zone that it names: SEARCH does not look at times and zones (RFC 3501 6.4.4, SENTON). `None` if
/// there is no date in it.
#[must_use]
pub fn date_of_field(text: &[u8]) -> Option<CalendarDate> {
    let mut words = text
        .split(|byte| matches!(byte, b' ' | b'\t' | b',' | b'-' | b'\r' | b'\n'))
        .filter(|word| !word.is_empty())
        .take(4);
    let mut first = words.next()?;
    if !first[0].is_ascii_digit() {
        first = words.next()?;
    }
    let month = words.next()?.to_ascii_lowercase();
    let month = MONTHS.iter().position(|name| month.starts_with(name.as_bytes()))?;
    let year = words.next()?;
    let day = number(first).filter(|day| (1..=31).contains(day))?;
    let year = match (year.len(), number(year)?) {
        // RFC 5322 4.3.
        (2, year @ ..50) => year + 2_000,
        (2 | 3, year) => year + 1_900,
        (_, year) => year,
    };
    Some(CalendarDate { year, month: u8::try_from(month + 1).ok()?, day: u8::try_from(day).ok()? })
}

fn number(digits: &[u8]) -> Option<u16> {
    let digits = digits.iter().all(u8::is_ascii_digit).then_some(digits)?;
    str::from_utf8(digits).ok()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_of_dates() {
        let cases: &[(&str, Option<(u16, u8, u8)>)] = &[
            ("Wed, 17 Jul 1996 02:23:25 -0700", Some((1996, 7, 17))),
            ("17 Jul 1996 02:23:25 -0700", Some((1996, 7, 17))),
            ("Wed,17 Jul 96 02:23 PDT", Some((1996, 7, 17))),
            ("1 January 04 00:00", Some((2004, 1, 1))),
            ("3-Mar-2020 10:00", Some((2020, 3, 3))),
            ("Sat, 1 Jan 100", Some((2000, 1, 1))),
            ("", None),
            ("yesterday", None),
            ("32 Jan 2000", None),
            ("1 Foo 2000", None),
            ("1 Jan", None),
            ("1 Jan 99999999", None),
        ];
        for (text, expected) in cases {
            let expected = expected.map(|(year, month, day)| CalendarDate { year, month, day });
            assert_eq!(date_of_field(text.as_bytes()), expected, "{text}");
        }
    }

    #[test]
    fn days_of_times() {
        let cases = [
            (0, (1970, 1, 1)),
            (86_399, (1970, 1, 1)),
            (-1, (1969, 12, 31)),
            (951_782_400, (2000, 2, 29)),
            (1_700_000_000, (2023, 11, 14)),
            (i64::MAX, (u16::MAX, CalendarDate::of_unix(i64::MAX).month, CalendarDate::of_unix(i64::MAX).day)),
        ];
        for (seconds, (year, month, day)) in cases {
            assert_eq!(CalendarDate::of_unix(seconds), CalendarDate { year, month, day }, "{seconds}");
        }
    }
}
