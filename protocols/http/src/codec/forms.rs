//! Forms: names and values of a query or of an `application/x-www-form-urlencoded` body ([`form`]), and parameters of field values
//! ([`parameter`]). Forms with files are in `multipart.rs`.

use std::borrow::Cow;

use sinew_transports::reactor::error_debug;

use super::{fields::split_outside_quotes, percent::hex};

/// Why a form is rejected.
#[derive(Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum FormError {
    /// The form has too many fields. The limit bounds the time and memory that a short body can cost.
    #[error("more than {max} fields in a form")]
    TooManyFields {
        /// The limit.
        max: usize,
    },
}

error_debug!(FormError);

/// The names and values of a form or a query, in order, decoded as in the URL standard of the WHATWG: `+` is a space, a percent
/// sign without two hexadecimal digits after it is kept, and invalid UTF-8 becomes U+FFFD.
///
/// # Errors
///
/// [`FormError`] if there are more than `fields_max`.
///
/// # Examples
///
/// ```
/// use sinew_http::codec::form;
///
/// let fields = form(b"name=J%C3%BCrgen+M&empty=&flag&100%=x", 1_000)?;
/// assert_eq!(fields[0], ("name".into(), "J\u{fc}rgen M".into()));
/// assert_eq!(fields[1..], [("empty".into(), "".into()), ("flag".into(), "".into()), ("100%".into(), "x".into())]);
/// # Ok::<(), sinew_http::codec::FormError>(())
/// ```
pub fn form(text: &[u8], fields_max: usize) -> Result<Vec<(String, String)>, FormError> {
    let mut fields = Vec::new();
    for field in text.split(|byte| *byte == b'&').filter(|field| !field.is_empty()) {
        if fields.len() == fields_max {
            return Err(FormError::TooManyFields { max: fields_max });
        }
        let equals = memchr::memchr(b'=', field);
        let (name, value) = field.split_at(equals.unwrap_or(field.len()));
        fields.push((decode(name), decode(value.get(1..).unwrap_or_default())));
    }
    Ok(fields)
}

fn decode(text: &[u8]) -> String {
    let mut decoded = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some((byte, behind)) = rest.split_first() {
        rest = behind;
        let escaped = match behind {
            [high, low, ..] if *byte == b'%' => hex(*high).zip(hex(*low)),
            _ => None,
        };
        match escaped {
            Some((high, low)) => {
                decoded.push(high << 4 | low);
                rest = &behind[2..];
            }
            None => decoded.push(if *byte == b'+' { b' ' } else { *byte }),
        }
    }
    String::from_utf8_lossy(&decoded).into_owned()
}

/// A parameter of a field's value, such as `boundary` of `multipart/form-data; boundary="x"`. Names are case-insensitive; the
/// first one counts. In quoted strings, a backslash escapes only a quotation mark or a backslash: browsers send unescaped Windows
/// paths.
///
/// # Examples
///
/// ```
/// use sinew_http::codec::parameter;
///
/// let value = r#"form-data; name="a;\"b"; filename=c"#;
/// assert_eq!(parameter(value, "NAME").as_deref(), Some(r#"a;"b"#));
/// assert_eq!(parameter(value, "filename").as_deref(), Some("c"));
/// assert_eq!(parameter(value, "form-data"), None);
/// ```
#[must_use]
pub fn parameter<'a>(value: &'a str, name: &str) -> Option<Cow<'a, str>> {
    let mut parameters = split_outside_quotes(value, b';').skip(1);
    let value = parameters.find_map(|parameter| {
        let (found, value) = parameter.split_once('=')?;
        found.trim().eq_ignore_ascii_case(name).then(|| value.trim())
    })?;
    let quoted = value.strip_prefix('"').and_then(|value| value.strip_suffix('"'));
    Some(match quoted {
        None => Cow::Borrowed(value),
        Some(text) if !text.contains('\\') => Cow::Borrowed(text),
        Some(text) => Cow::Owned(text.replace("\\\"", "\"").replace("\\\\", "\\")),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forms() {
        let cases: [(&str, &[(&str, &str)]); 7] = [
            ("", &[]),
            ("&&", &[]),
            ("=", &[("", "")]),
            ("a=b=c", &[("a", "b=c")]),
            ("a%3Db=%26", &[("a=b", "&")]),
            ("%=%2&%zz=%ff", &[("%", "%2"), ("%zz", "\u{fffd}")]),
            ("a=1&a=2", &[("a", "1"), ("a", "2")]),
        ];
        for (text, expected) in cases {
            let fields = form(text.as_bytes(), 2).unwrap();
            let fields: Vec<_> = fields.iter().map(|(name, value)| (&**name, &**value)).collect();
            assert_eq!(fields, expected, "{text}");
        }
        assert_eq!(form(b"a&b&c", 2), Err(FormError::TooManyFields { max: 2 }));
    }

    #[test]
    fn parameters() {
        let cases = [
            ("text/html", None),
            ("text/html; charset=utf-8", Some("utf-8")),
            ("text/html;CHARSET=\"utf-8\" ; x=y", Some("utf-8")),
            ("a; x=\"; charset=no\"; charset=yes", Some("yes")),
            ("charset=utf-8", None),
            ("a; charset=", Some("")),
            ("a; charset=\"", Some("\"")),
        ];
        for (value, expected) in cases {
            assert_eq!(parameter(value, "charset").as_deref(), expected, "{value}");
        }
        assert_eq!(parameter(r#"a; f="C:\dir\x""#, "f").as_deref(), Some(r"C:\dir\x"));
    }
}
