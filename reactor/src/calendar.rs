//! Days of the Gregorian calendar, for codecs that read and write dates. Pure: what day it is, [`Reactor::wall_clock`](crate::Reactor::wall_clock)
//! knows. Years before 1582 are counted by the same rules (ISO 8601), and year 0 is the one before year 1.

/// 1970-01-01, in days since 0000-03-01.
const EPOCH: i64 = 719_468;

/// Days in 400 years.
const ERA: i64 = 146_097;

/// How many days a month has; 0 if there is no such month. January is 1.
#[must_use]
pub const fn days_of_month(year: i64, month: u8) -> u8 {
    let is_leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    match month {
        2 if is_leap => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        1..=12 => 31,
        _ => 0,
    }
}

/// The days from 1970-01-01 to a day, negative before. The month is one of 1 to 12.
///
/// # Examples
///
/// ```
/// use sinew_reactor::calendar::{date_of, days_since_1970};
///
/// assert_eq!(days_since_1970(2000, 2, 29), 11_016);
/// assert_eq!(date_of(11_016), (2000, 2, 29));
/// ```
#[must_use]
pub const fn days_since_1970(year: i64, month: u8, day: u8) -> i64 {
    // Years begin in March here, so that a leap day is the last one of its year.
    let month = (month as i64 + 9) % 12;
    let year = if month > 9 { year - 1 } else { year };
    let of_year = (153 * month + 2) / 5 + day as i64 - 1;
    365 * year + year.div_euclid(4) - year.div_euclid(100) + year.div_euclid(400) + of_year - EPOCH
}

/// The year, the month and the day so many days after 1970-01-01.
#[must_use]
pub const fn date_of(days: i64) -> (i64, u8, u8) {
    let days = days + EPOCH;
    let (era, of_era) = (days.div_euclid(ERA), days.rem_euclid(ERA));
    let year = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year + year / 4 - year / 100);
    let month = (5 * of_year + 2) / 153;
    let day = of_year - (153 * month + 2) / 5 + 1;
    let month = if month < 10 { month + 3 } else { month - 9 };
    let year = year + 400 * era + if month <= 2 { 1 } else { 0 };
    (year, month as u8, day as u8)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every day of 800 years, counted one by one.
    #[test]
    fn each_day_is_one_more() {
        let mut days = days_since_1970(1600, 1, 1);
        assert_eq!(days, -135_140);
        for year in 1600..2400 {
            for month in 1..=12 {
                for day in 1..=days_of_month(year, month) {
                    assert_eq!(days_since_1970(year, month, day), days);
                    assert_eq!(date_of(days), (year, month, day));
                    days += 1;
                }
            }
        }
    }

    #[test]
    fn days_and_months() {
        assert_eq!((days_since_1970(1970, 1, 1), date_of(-1)), (0, (1969, 12, 31)));
        let leap = |year| days_of_month(year, 2) == 29;
        assert_eq!(
            [1900, 2000, 2023, 2024, 2100, 0].map(leap),
            [false, true, false, true, false, true]
        );
        assert_eq!((days_of_month(2024, 0), days_of_month(2024, 13)), (0, 0));
        for days in [days_since_1970(0, 1, 1), days_since_1970(-1, 12, 31)] {
            let (year, month, day) = date_of(days);
            assert_eq!(days_since_1970(year, month, day), days);
        }
    }
}
