//! Dates in fields (RFC 9110 5.6.7): [`format_date`] and [`parse_date`]. Never reads the clock.

use std::time::{Duration, SystemTime};

/// A time in the format of fields, in whole seconds: `Sun, 06 Nov 1994 08:49:37 GMT`. Times before 1970 are written as the start
/// of 1970.
///
/// # Examples
///
/// ```
/// use std::time::{Duration, SystemTime};
/// use sinew_http::codec::{format_date, parse_date};
///
/// let time = SystemTime::UNIX_EPOCH + Duration::from_secs(784_111_777);
/// assert_eq!(format_date(time), "Sun, 06 Nov 1994 08:49:37 GMT");
/// assert_eq!(parse_date("Sunday, 06-Nov-94 08:49:37 GMT"), Some(time)); // one of the two obsolete formats
/// ```
#[must_use]
pub fn format_date(time: SystemTime) -> String {
    // The format ends with the year 9999.
    let last = Duration::from_secs(253_402_300_799);
    let since = time.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().min(last);
    httpdate::fmt_http_date(SystemTime::UNIX_EPOCH + since)
}

/// Parses a date in one of the three formats of RFC 9110 5.6.7.
#[must_use]
pub fn parse_date(text: &str) -> Option<SystemTime> {
    httpdate::parse_http_date(text).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_round_trip_and_invalid_dates_are_rejected() {
        for secs in [0, 1, 951_782_400, 4_102_444_800, 253_402_300_799] {
            let time = SystemTime::UNIX_EPOCH + Duration::from_secs(secs);
            assert_eq!(parse_date(&format_date(time)), Some(time));
        }
        let far = SystemTime::UNIX_EPOCH + Duration::from_secs(300_000_000_000);
        assert_eq!(format_date(far), "Fri, 31 Dec 9999 23:59:59 GMT");
        assert_eq!(
            format_date(SystemTime::UNIX_EPOCH - Duration::from_secs(1)),
            "Thu, 01 Jan 1970 00:00:00 GMT"
        );
        for bad in ["", "0", "Sun, 06 Nov 1994", "Sun, 32 Nov 1994 08:49:37 GMT", "\u{e4}"] {
            assert_eq!(parse_date(bad), None, "{bad}");
        }
    }
}
