//! Dates: [`Date`] in searches, [`DateTime`] of messages. Pure: they do not know what time it is.

use std::{fmt, str::FromStr};

use sinew_transports::reactor::calendar::{date_of, days_of_month, days_since_1970};

use super::{
    Dialect, Message, ParseError, ValueError,
    reader::{Parsed, Reader},
};

const MONTHS: [&str; 12] =
    ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

/// A day: `1-Feb-2024`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Date {
    year: u16,
    month: u8,
    day: u8,
}

/// When a message was received: `17-Jul-1996 02:44:25 -0700`.
///
/// # Examples
///
/// ```
/// use sinew_mail::imap::codec::DateTime;
///
/// let received: DateTime = "17-Jul-1996 02:44:25 -0700".parse()?;
/// assert_eq!(received.unix(), 837_596_665);
/// assert_eq!(DateTime::from_unix(837_596_665).to_string(), "17-Jul-1996 09:44:25 +0000");
/// # Ok::<(), sinew_mail::imap::codec::ValueError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct DateTime {
    date: Date,
    hour: u8,
    minute: u8,
    second: u8,
    /// Minutes east of Greenwich.
    zone: i16,
}

impl Date {
    /// A day of the Gregorian calendar. `None` if there is no such day, or its year has not four digits.
    #[must_use]
    pub const fn new(year: u16, month: u8, day: u8) -> Option<Self> {
        if year == 0 || year > 9_999 || month == 0 || month > 12 || day == 0 {
            return None;
        }
        if day > days_of_month(year as i64, month) { None } else { Some(Self { year, month, day }) }
    }

    /// The year.
    #[must_use]
    pub const fn year(self) -> u16 {
        self.year
    }

    /// The month, from 1.
    #[must_use]
    pub const fn month(self) -> u8 {
        self.month
    }

    /// The day of the month, from 1.
    #[must_use]
    pub const fn day(self) -> u8 {
        self.day
    }

    /// Days since 1970-01-01.
    #[must_use]
    pub const fn days(self) -> i64 {
        days_since_1970(self.year as i64, self.month, self.day)
    }

    /// The day so many days after 1970-01-01. Beyond the years 1 to 9999, the first or the last day.
    #[must_use]
    pub const fn from_days(days: i64) -> Self {
        let first = Self { year: 1, month: 1, day: 1 };
        let last = Self { year: 9_999, month: 12, day: 31 };
        if days < first.days() {
            return first;
        }
        if days > last.days() {
            return last;
        }
        let (year, month, day) = date_of(days);
        Self { year: year as u16, month, day }
    }

    pub(super) fn parse(reader: &mut Reader<'_>) -> Parsed<Self> {
        let at = reader.at;
        let is_quoted = reader.eat(b'"');
        let date = Self::parse_bare(reader)?;
        if is_quoted && !reader.eat(b'"') {
            return Err(ParseError { expected: "a date", at });
        }
        Ok(date)
    }

    fn parse_bare(reader: &mut Reader<'_>) -> Parsed<Self> {
        let error = ParseError { expected: "a date", at: reader.at };
        let day = digits(reader, 1..=2).ok_or(error)?;
        let month = reader.eat(b'-').then(|| reader.take_while(|byte| byte.is_ascii_alphabetic()));
        let month = month.and_then(month_number).filter(|_| reader.eat(b'-')).ok_or(error)?;
        let year = digits(reader, 4..=4).ok_or(error)?;
        Self::new(year, month, u8::try_from(day).unwrap_or(0)).ok_or(error)
    }
}

impl DateTime {
    /// A time of a day, in a zone so many minutes east of Greenwich. `None` if there is no such time.
    #[must_use]
    pub const fn new(date: Date, hour: u8, minute: u8, second: u8, zone: i16) -> Option<Self> {
        let is_good = hour < 24 && minute < 60 && second <= 60 && zone.unsigned_abs() < 100 * 60;
        if is_good { Some(Self { date, hour, minute, second, zone }) } else { None }
    }

    /// The time so many seconds after 1970, in Greenwich. Beyond the years 1 to 9999, of the first or the last day.
    #[must_use]
    pub const fn from_unix(seconds: i64) -> Self {
        let of_day = seconds.rem_euclid(86_400);
        Self {
            date: Date::from_days(seconds.div_euclid(86_400)),
            hour: (of_day / 3_600) as u8,
            minute: (of_day / 60 % 60) as u8,
            second: (of_day % 60) as u8,
            zone: 0,
        }
    }

    /// Seconds since 1970.
    #[must_use]
    pub const fn unix(self) -> i64 {
        let minutes = self.hour as i64 * 60 + self.minute as i64 - self.zone as i64;
        self.date.days() * 86_400 + minutes * 60 + self.second as i64
    }

    /// The day, in the zone of this time.
    #[must_use]
    pub const fn date(self) -> Date {
        self.date
    }

    /// Minutes east of Greenwich.
    #[must_use]
    pub const fn zone(self) -> i16 {
        self.zone
    }

    pub(super) fn parse(reader: &mut Reader<'_>) -> Parsed<Self> {
        let error = ParseError { expected: "a date and a time", at: reader.at };
        if !reader.eat(b'"') {
            return Err(error);
        }
        reader.eat(b' ');
        let date = Date::parse_bare(reader).map_err(|_| error)?;
        let time = Self::parse_time(reader, date).ok_or(error)?;
        if reader.eat(b'"') { Ok(time) } else { Err(error) }
    }

    fn parse_time(reader: &mut Reader<'_>, date: Date) -> Option<Self> {
        let mut two = |before: u8| {
            let number = reader.eat(before).then(|| digits(reader, 2..=2))??;
            u8::try_from(number).ok()
        };
        let (hour, minute, second) = (two(b' ')?, two(b':')?, two(b':')?);
        let sign = match (reader.eat(b' '), reader.eat(b'-')) {
            (false, _) => return None,
            (_, true) => -1,
            _ if reader.eat(b'+') => 1,
            _ => return None,
        };
        let zone = i16::try_from(digits(reader, 4..=4)?).ok()?;
        let is_good = zone % 100 < 60;
        Self::new(date, hour, minute, second, sign * (zone / 100 * 60 + zone % 100))
            .filter(|_| is_good)
    }
}

fn digits(reader: &mut Reader<'_>, count: std::ops::RangeInclusive<usize>) -> Option<u16> {
    let digits = reader.take_while(|byte| byte.is_ascii_digit());
    let text = count.contains(&digits.len()).then(|| str::from_utf8(digits).ok())??;
    text.parse().ok()
}

fn month_number(name: &[u8]) -> Option<u8> {
    (1..)
        .zip(MONTHS)
        .find(|(_, month)| name.eq_ignore_ascii_case(month.as_bytes()))
        .map(|(number, _)| number)
}

impl fmt::Display for Date {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}-{:04}", self.day, MONTHS[usize::from(self.month) - 1], self.year)
    }
}

impl fmt::Display for DateTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Date { year, month, day } = self.date;
        let month = MONTHS[usize::from(month) - 1];
        let (sign, zone) = (if self.zone < 0 { '-' } else { '+' }, self.zone.unsigned_abs());
        let (hour, minute, second) = (self.hour, self.minute, self.second);
        write!(f, "{day:2}-{month}-{year:04} {hour:02}:{minute:02}:{second:02} ")?;
        write!(f, "{sign}{:02}{:02}", zone / 60, zone % 60)
    }
}

impl FromStr for Date {
    type Err = ValueError;

    fn from_str(text: &str) -> Result<Self, ValueError> {
        let message = Message::new(text);
        let mut reader = Reader::of_command(&message, Dialect::default());
        let date = Self::parse_bare(&mut reader).and_then(|date| reader.end().map(|()| date));
        date.map_err(|_| ValueError::Form { what: "a date" })
    }
}

impl FromStr for DateTime {
    type Err = ValueError;

    fn from_str(text: &str) -> Result<Self, ValueError> {
        let message = Message::new(format!("\"{text}\""));
        let mut reader = Reader::of_command(&message, Dialect::default());
        let time = Self::parse(&mut reader).and_then(|time| reader.end().map(|()| time));
        time.map_err(|_| ValueError::Form { what: "a date and a time" })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read_and_written() {
        for (text, unix) in [
            (" 1-Jan-1970 00:00:00 +0000", 0),
            ("17-Jul-1996 02:44:25 -0700", 837_596_665),
            ("29-Feb-2000 23:59:60 +0530", 951_849_000),
            ("31-Dec-9999 23:59:59 +0000", 253_402_300_799),
            (" 1-Mar-1900 12:00:00 +1400", -2_203_898_400),
        ] {
            let time: DateTime = text.parse().unwrap();
            assert_eq!((time.unix(), time.to_string()), (unix, text.to_owned()));
        }
        for text in [
            "",
            "32-Jan-2000 00:00:00 +0000",
            "29-Feb-1900 00:00:00 +0000",
            "1-Jan-2000 24:00:00 +0000",
            "1-Jan-2000 00:60:00 +0000",
            "1-Jan-2000 00:00:00 0000",
            "1-Jan-2000 00:00:00 +0060",
            "1-Jan-0000 00:00:00 +0000",
            "1-Jan-2000 00:00:00 +0000x",
            "1-Xyz-2000 00:00:00 +0000",
        ] {
            assert!(text.parse::<DateTime>().is_err(), "{text}");
        }
        assert_eq!("1-feb-2024".parse::<Date>().unwrap(), Date::new(2024, 2, 1).unwrap());
        assert!("1-Feb-24".parse::<Date>().is_err());
    }

    #[test]
    fn days_are_counted_both_ways() {
        for days in (-719_162..2_932_897).step_by(97) {
            assert_eq!(Date::from_days(days).days(), days);
        }
        assert_eq!(DateTime::from_unix(i64::MIN).date().year(), 1);
        assert_eq!(DateTime::from_unix(i64::MAX).date().year(), 9_999);
    }
}
