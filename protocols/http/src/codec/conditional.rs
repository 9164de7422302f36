//! Conditional requests (RFC 9110 13): [`ETag`], [`preconditions`] and [`if_range`].

use std::{fmt, time::SystemTime};

use http::Method;

use super::{Fields, fields::list, parse_date};

/// An entity tag, which identifies one state of a resource (RFC 9110 8.8.3).
///
/// # Examples
///
/// ```
/// use sinew_http::codec::ETag;
///
/// let tag = ETag::strong("v1").unwrap();
/// assert_eq!(tag.to_string(), "\"v1\"");
/// assert!(tag.matches_weakly(&ETag::parse("W/\"v1\"").unwrap()));
/// assert!(ETag::strong("a\"b").is_none());
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ETag {
    weak: bool,
    tag: String,
}

impl ETag {
    /// A strong tag: equal tags mean the same bytes. `None` if the text contains a quotation mark, whitespace, a control character
    /// or a character beyond ASCII.
    #[must_use]
    pub fn strong(tag: impl Into<String>) -> Option<Self> {
        let tag = tag.into();
        tag.bytes()
            .all(|byte| byte.is_ascii_graphic() && byte != b'"')
            .then_some(Self { weak: false, tag })
    }

    /// A weak tag: equal tags mean equivalent content.
    #[must_use]
    pub fn weak(tag: impl Into<String>) -> Option<Self> {
        Self::strong(tag).map(|tag| Self { weak: true, ..tag })
    }

    /// Parses a tag as it is written in a field.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let (weak, rest) = text.strip_prefix("W/").map_or((false, text), |rest| (true, rest));
        let tag = rest.strip_prefix('"')?.strip_suffix('"')?;
        Self::strong(tag).map(|tag| Self { weak, ..tag })
    }

    /// Whether the tag is weak.
    #[must_use]
    pub const fn is_weak(&self) -> bool {
        self.weak
    }

    /// The strong comparison: both tags are strong, and equal.
    #[must_use]
    pub fn matches_strongly(&self, other: &Self) -> bool {
        !self.weak && self == other
    }

    /// The weak comparison: both tags are equal, weak or not.
    #[must_use]
    pub fn matches_weakly(&self, other: &Self) -> bool {
        self.tag == other.tag
    }
}

impl fmt::Display for ETag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}\"{}\"", if self.weak { "W/" } else { "" }, self.tag)
    }
}

/// The result of the preconditions of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Precondition {
    /// They are true, or there are none.
    Proceed,
    /// The client has the current state already: 304.
    NotModified,
    /// They are false: 412.
    Failed,
}

/// Evaluates `If-Match`, `If-Unmodified-Since`, `If-None-Match` and `If-Modified-Since`, in the order of RFC 9110 13.2.2, for an
/// existing resource with these validators. Dates that do not parse are ignored; a tag that does not parse matches nothing.
#[must_use]
pub fn preconditions(
    method: &Method,
    fields: &Fields,
    etag: Option<&ETag>,
    modified: Option<SystemTime>,
) -> Precondition {
    let is_read = matches!(*method, Method::GET | Method::HEAD);
    if fields.get("if-match").is_some() {
        if !any_matches(fields, "if-match", etag, ETag::matches_strongly) {
            return Precondition::Failed;
        }
    } else if is_newer(fields, "if-unmodified-since", modified) == Some(true) {
        return Precondition::Failed;
    }
    if fields.get("if-none-match").is_some() {
        if any_matches(fields, "if-none-match", etag, ETag::matches_weakly) {
            return if is_read { Precondition::NotModified } else { Precondition::Failed };
        }
    } else if is_read && is_newer(fields, "if-modified-since", modified) == Some(false) {
        return Precondition::NotModified;
    }
    Precondition::Proceed
}

/// Whether `Range` applies: there is no `If-Range`, or it matches the current state of the resource (RFC 9110 13.1.5).
#[must_use]
pub fn if_range(fields: &Fields, etag: Option<&ETag>, modified: Option<SystemTime>) -> bool {
    let Some(value) = fields.get("if-range") else { return true };
    let Ok(value) = std::str::from_utf8(value) else { return false };
    match ETag::parse(value) {
        Some(named) => etag.is_some_and(|etag| etag.matches_strongly(&named)),
        // RFC 9110 13.1.5: the exact date, not a later one.
        None => parse_date(value).is_some_and(|date| modified.map(seconds) == Some(seconds(date))),
    }
}

fn any_matches(
    fields: &Fields,
    name: &str,
    etag: Option<&ETag>,
    matches: fn(&ETag, &ETag) -> bool,
) -> bool {
    let values = || fields.all(name).filter_map(|value| std::str::from_utf8(value).ok());
    if values().any(|value| value.trim() == "*") {
        return true;
    }
    let Some(etag) = etag else { return false };
    values().flat_map(list).filter_map(ETag::parse).any(|named| matches(etag, &named))
}

/// Whether the resource was changed after the date in the field.
fn is_newer(fields: &Fields, name: &str, modified: Option<SystemTime>) -> Option<bool> {
    let date = fields.text(name).and_then(parse_date)?;
    Some(seconds(modified?) > seconds(date))
}

/// Truncates to whole seconds, the resolution of fields.
fn seconds(time: SystemTime) -> u64 {
    time.duration_since(SystemTime::UNIX_EPOCH).map_or(0, |since| since.as_secs())
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use Precondition::{Failed, NotModified, Proceed};

    const DATE: &str = "Sun, 06 Nov 1994 08:49:37 GMT";
    const BEFORE: &str = "Sun, 06 Nov 1994 08:49:36 GMT";
    const AFTER: &str = "Sun, 06 Nov 1994 08:49:38 GMT";

    fn fields(fields: &[(&str, &str)]) -> Fields {
        let mut all = Fields::new();
        for (name, value) in fields {
            all.append(name, value).unwrap();
        }
        all
    }

    fn modified() -> SystemTime {
        // Half a second more than a field can express.
        SystemTime::UNIX_EPOCH + Duration::from_millis(784_111_777_500)
    }

    #[test]
    fn conditions_in_their_order() {
        type Given = &'static [(&'static str, &'static str)];
        let cases: [(&str, Given, Precondition); 21] = [
            ("GET", &[], Proceed),
            ("GET", &[("If-None-Match", "\"a\"")], NotModified),
            ("HEAD", &[("If-None-Match", "W/\"a\"")], NotModified),
            ("GET", &[("If-None-Match", "\"x\", \"a\"")], NotModified),
            ("GET", &[("If-None-Match", "*")], NotModified),
            ("PUT", &[("If-None-Match", "*")], Failed),
            ("GET", &[("If-None-Match", "\"b\"")], Proceed),
            ("GET", &[("If-None-Match", "a")], Proceed),
            ("GET", &[("If-None-Match", "\"b\""), ("If-Modified-Since", DATE)], Proceed),
            ("GET", &[("If-Modified-Since", DATE)], NotModified),
            ("GET", &[("If-Modified-Since", AFTER)], NotModified),
            ("GET", &[("If-Modified-Since", BEFORE)], Proceed),
            ("GET", &[("If-Modified-Since", "yesterday")], Proceed),
            ("POST", &[("If-Modified-Since", DATE)], Proceed),
            ("PUT", &[("If-Match", "\"a\"")], Proceed),
            ("PUT", &[("If-Match", "W/\"a\"")], Failed),
            ("PUT", &[("If-Match", "*")], Proceed),
            ("PUT", &[("If-Match", "\"b\""), ("If-Unmodified-Since", DATE)], Failed),
            ("PUT", &[("If-Unmodified-Since", BEFORE)], Failed),
            ("PUT", &[("If-Unmodified-Since", DATE)], Proceed),
            ("GET", &[("If-Match", "\"a\""), ("If-None-Match", "\"a\"")], NotModified),
        ];
        let etag = ETag::strong("a");
        for (method, given, expected) in cases {
            let method: Method = method.parse().unwrap();
            let judged = preconditions(&method, &fields(given), etag.as_ref(), Some(modified()));
            assert_eq!(judged, expected, "{method} {given:?}");
        }
        let unknown = preconditions(&Method::PUT, &fields(&[("If-Match", "\"a\"")]), None, None);
        assert_eq!(unknown, Failed);
    }

    #[test]
    fn ranges_of_the_same_state_only() {
        let strong = ETag::strong("a").unwrap();
        for (value, expected) in [
            ("\"a\"", true),
            ("W/\"a\"", false),
            ("\"b\"", false),
            (DATE, true),
            (AFTER, false),
            (BEFORE, false),
            ("x", false),
        ] {
            let fields = fields(&[("If-Range", value)]);
            assert_eq!(if_range(&fields, Some(&strong), Some(modified())), expected, "{value}");
        }
        let weak = ETag::weak("a").unwrap();
        assert!(!if_range(&fields(&[("If-Range", "W/\"a\"")]), Some(&weak), None));
        assert!(if_range(&Fields::new(), None, None));
    }
}
