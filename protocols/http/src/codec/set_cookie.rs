//! Parser of `Set-Cookie`, as lenient as clients have to be (RFC 6265 5.2): [`SetCookie`], and its dates, [`cookie_date`]. The jar
//! of the client decides which requests get the cookie.

use std::time::{Duration, SystemTime};

use sinew_transports::reactor::calendar::{days_of_month, days_since_1970};

/// Longest name and value together. Longer cookies are refused (RFC 6265bis 5.6).
const PAIR_MAX: usize = 4096;

/// Longest value of an attribute. Longer ones are ignored.
const ATTRIBUTE_MAX: usize = 1024;

/// A cookie with its attributes, as a server sends it.
///
/// # Examples
///
/// ```
/// use sinew_http::codec::SetCookie;
///
/// let cookie = SetCookie::parse(b"id=7; Path=/a; Max-Age=60; Secure; HttpOnly").unwrap();
/// assert_eq!((cookie.name, cookie.value, cookie.path), ("id", "7", Some("/a")));
/// assert_eq!((cookie.max_age, cookie.is_secure, cookie.domain), (Some(60), true, None));
/// assert!(SetCookie::parse(b"no pair").is_none());
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct SetCookie<'a> {
    /// The name; never empty.
    pub name: &'a str,
    /// The value, including quotes.
    pub value: &'a str,
    /// When it expires. `max_age` takes precedence.
    pub expires: Option<SystemTime>,
    /// The lifetime in seconds; zero or less: it expires at once.
    pub max_age: Option<i64>,
    /// The domain, without a leading dot. `None`: only the host that set it.
    pub domain: Option<&'a str>,
    /// The path, which begins with a slash. `None`: the directory of the page that set it.
    pub path: Option<&'a str>,
    /// Only for encrypted connections.
    pub is_secure: bool,
    /// Hidden from scripts.
    pub is_http_only: bool,
}

impl<'a> SetCookie<'a> {
    /// Parses the value of a field. `None` if it is not a cookie: it has no name, is too long, is not UTF-8, or contains a control
    /// character. Unknown and malformed attributes are ignored; the last one counts.
    #[must_use]
    pub fn parse(value: &'a [u8]) -> Option<Self> {
        let text = std::str::from_utf8(value).ok()?;
        if text.bytes().any(|byte| byte.is_ascii_control()) {
            return None;
        }
        let mut parts = text.split(';');
        let (name, value) = parts.next()?.split_once('=')?;
        let (name, value) = (name.trim_matches(' '), value.trim_matches(' '));
        if name.is_empty() || name.len() + value.len() > PAIR_MAX {
            return None;
        }
        let mut cookie = Self {
            name,
            value,
            expires: None,
            max_age: None,
            domain: None,
            path: None,
            is_secure: false,
            is_http_only: false,
        };
        for part in parts {
            let (name, value) = part.split_once('=').unwrap_or((part, ""));
            let (name, value) = (name.trim_matches(' '), value.trim_matches(' '));
            if value.len() <= ATTRIBUTE_MAX {
                cookie.set(name, value);
            }
        }
        Some(cookie)
    }

    fn set(&mut self, name: &str, value: &'a str) {
        let is = |other: &str| name.eq_ignore_ascii_case(other);
        if is("expires") {
            self.expires = cookie_date(value).or(self.expires);
        } else if is("max-age") {
            self.max_age = seconds(value).or(self.max_age);
        } else if is("domain") {
            let domain = value.strip_prefix('.').unwrap_or(value);
            self.domain = (!domain.is_empty()).then_some(domain);
        } else if is("path") {
            self.path = value.starts_with('/').then_some(value);
        } else if is("secure") {
            self.is_secure = true;
        } else if is("httponly") {
            self.is_http_only = true;
        }
    }
}

/// A number of seconds; numbers that overflow become the maximum.
fn seconds(text: &str) -> Option<i64> {
    let digits = text.strip_prefix('-').unwrap_or(text);
    if digits.is_empty() || !digits.bytes().all(|digit| digit.is_ascii_digit()) {
        return None;
    }
    Some(text.parse().unwrap_or(if text.starts_with('-') { i64::MIN } else { i64::MAX }))
}

/// A cookie date, in any format that servers have used (RFC 6265 5.1.1): time, day, month and year in any order. `None` if
/// one of them is missing or impossible.
///
/// # Examples
///
/// ```
/// use std::time::{Duration, SystemTime};
/// use sinew_http::codec::cookie_date;
///
/// let time = SystemTime::UNIX_EPOCH + Duration::from_secs(784_111_777);
/// for text in ["Sun, 06 Nov 1994 08:49:37 GMT", "Sun Nov  6 08:49:37 1994", "06-nov-94 8:49:37"] {
///     assert_eq!(cookie_date(text), Some(time));
/// }
/// assert_eq!(cookie_date("Sun, 06 Nov 1994"), None);
/// ```
#[must_use]
pub fn cookie_date(text: &str) -> Option<SystemTime> {
    let (mut time, mut day, mut month, mut year) = (None, None, None, None);
    for token in text.as_bytes().split(|byte| is_delimiter(*byte)).filter(|token| !token.is_empty())
    {
        if time.is_none()
            && let Some(found) = clock_time(token)
        {
            time = Some(found);
        } else if day.is_none()
            && let Some(found) = number(token, 1, 2)
        {
            day = u8::try_from(found).ok();
        } else if month.is_none()
            && let Some(found) = month_number(token)
        {
            month = Some(found);
        } else if year.is_none()
            && let Some(found) = number(token, 2, 4)
        {
            year = Some(found);
        }
    }
    let (hour, minute, second) = time?;
    let (day, month) = (day?, month?);
    let year = match year? {
        year @ 70..=99 => year + 1900,
        year @ 0..=69 => year + 2000,
        year => year,
    };
    let year = i64::from(year);
    let is_day = (1..=days_of_month(year, month)).contains(&day);
    if year < 1601 || !is_day || hour > 23 || minute > 59 || second > 59 {
        return None;
    }
    let days = days_since_1970(year, month, day);
    let seconds = days * 86_400 + i64::from(hour * 3_600 + minute * 60 + second);
    let distance = Duration::from_secs(seconds.unsigned_abs());
    match seconds < 0 {
        true => SystemTime::UNIX_EPOCH.checked_sub(distance),
        false => SystemTime::UNIX_EPOCH.checked_add(distance),
    }
}

const fn is_delimiter(byte: u8) -> bool {
    matches!(byte, 0x09 | 0x20..=0x2f | 0x3b..=0x40 | 0x5b..=0x60 | 0x7b..=0x7e)
}

/// Up to this many digits at the start; the rest is ignored.
fn number(token: &[u8], digits_min: usize, digits_max: usize) -> Option<u32> {
    let digits = token.iter().take_while(|byte| byte.is_ascii_digit()).count();
    if !(digits_min..=digits_max).contains(&digits) {
        return None;
    }
    std::str::from_utf8(&token[..digits]).ok()?.parse().ok()
}

fn clock_time(token: &[u8]) -> Option<(u32, u32, u32)> {
    let mut parts = token.splitn(3, |byte| *byte == b':');
    let whole =
        |part: &[u8]| part.iter().all(u8::is_ascii_digit).then(|| number(part, 1, 2)).flatten();
    Some((whole(parts.next()?)?, whole(parts.next()?)?, number(parts.next()?, 1, 2)?))
}

fn month_number(token: &[u8]) -> Option<u8> {
    const MONTHS: &[u8; 36] = b"janfebmaraprmayjunjulaugsepoctnovdec";
    let name = token.get(..3)?;
    let found = MONTHS.chunks(3).position(|month| month.eq_ignore_ascii_case(name))?;
    u8::try_from(found + 1).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cookies_and_what_is_none() {
        for bad in
            ["", "a", "=b", " =b", "a\rb=c", "a=b\n", "a=b\0", "a=b\tc", "; a=b", "a=b; Path=/\x7f"]
        {
            assert_eq!(SetCookie::parse(bad.as_bytes()), None, "{bad:?}");
        }
        assert_eq!(SetCookie::parse(b"a=\xff"), None);
        assert!(SetCookie::parse(format!("a={}", "x".repeat(4095)).as_bytes()).is_some());
        assert!(SetCookie::parse(format!("a={}", "x".repeat(4096)).as_bytes()).is_none());
        let cookie =
            SetCookie::parse(b" a = \"b\" ;;Domain=.X.org;path=y;MAX-AGE=-1;secure=no;x").unwrap();
        assert_eq!((cookie.name, cookie.value, cookie.domain), ("a", "\"b\"", Some("X.org")));
        assert_eq!((cookie.path, cookie.max_age, cookie.is_secure), (None, Some(-1), true));
        let long = format!("a=b; path=/{}", "x".repeat(1024));
        assert_eq!(SetCookie::parse(long.as_bytes()).unwrap().path, None);
    }

    #[test]
    fn numbers_of_seconds() {
        for (text, expected) in [
            ("0", Some(0)),
            ("-5", Some(-5)),
            ("99999999999999999999", Some(i64::MAX)),
            ("-99999999999999999999", Some(i64::MIN)),
            ("", None),
            ("-", None),
            ("+1", None),
            ("1s", None),
        ] {
            assert_eq!(seconds(text), expected, "{text}");
        }
    }

    #[test]
    fn dates_agree_with_httpdate() {
        for secs in
            [0, 951_782_399, 951_782_400, 951_868_800, 1_709_164_800, 4_102_444_799, 13_601_088_000]
        {
            let time = SystemTime::UNIX_EPOCH + Duration::from_secs(secs);
            assert_eq!(cookie_date(&httpdate::fmt_http_date(time)), Some(time), "{secs}");
        }
    }

    #[test]
    fn dates_that_are_none() {
        for bad in [
            "",
            "30 Feb 2020 00:00:00",
            "29 Feb 2021 00:00:00",
            "00 Jan 2020 00:00:00",
            "1 Jan 1600 00:00:00",
            "1 Jan 2020 24:00:00",
            "1 Jan 2020 00:60:00",
            "1 Jan 2020 0:0",
            "1 Foo 2020 00:00:00",
            "1 Jan 12345 00:00:00",
        ] {
            assert_eq!(cookie_date(bad), None, "{bad}");
        }
        assert!(
            cookie_date("1 Jan 1601 00:00:00").is_some_and(|time| time < SystemTime::UNIX_EPOCH)
        );
        assert_eq!(cookie_date("1 Jan 00 00:00:00"), cookie_date("1 January 2000 0:00:00x"));
    }
}
