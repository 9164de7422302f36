//! The day of a `Date` field, as SEARCH compares it. Pure.

use crate::imap::codec::Date;

const MONTHS: [&str; 12] =
    ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"];

/// The day of a `Date` field, in the zone that it names: SEARCH does not look at times and zones (RFC 3501 6.4.4, SENTON). `None` if
/// there is no date in it.
#[must_use]
pub fn date_of_field(text: &[u8]) -> Option<Date> {
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
    let day = number(first)?;
    let year = match (year.len(), number(year)?) {
        // RFC 5322 4.3.
        (2, year @ ..50) => year + 2_000,
        (2 | 3, year) => year + 1_900,
        (_, year) => year,
    };
    Date::new(year, u8::try_from(month + 1).ok()?, u8::try_from(day).ok()?)
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
        let cases = [
            ("Wed, 17 Jul 1996 02:23:25 -0700", Some("17-Jul-1996")),
            ("17 Jul 1996 02:23:25 -0700", Some("17-Jul-1996")),
            ("Wed,17 Jul 96 02:23 PDT", Some("17-Jul-1996")),
            ("1 January 04 00:00", Some("1-Jan-2004")),
            ("3-Mar-2020 10:00", Some("3-Mar-2020")),
            ("Sat, 1 Jan 100", Some("1-Jan-2000")),
            ("", None),
            ("yesterday", None),
            ("32 Jan 2000", None),
            ("1 Foo 2000", None),
            ("1 Jan", None),
            ("1 Jan 99999999", None),
        ];
        for (text, expected) in cases {
            let expected = expected.map(|day| day.parse().expect("a day"));
            assert_eq!(date_of_field(text.as_bytes()), expected, "{text}");
        }
    }
}
