//! Data URLs (RFC 2397): [`DataUrl`].

use sinew_transports::reactor::error_debug;

use super::{base64_decode, percent_decode};

/// The default media type.
const DEFAULT_TYPE: &str = "text/plain;charset=US-ASCII";

/// The contents of a `data:` URL.
///
/// # Examples
///
/// ```
/// use sinew_http::codec::DataUrl;
///
/// let url = DataUrl::parse("data:text/html;charset=utf-8,%3Cp%3Ehello")?;
/// assert_eq!((url.media_type.as_str(), &url.data[..]), ("text/html;charset=utf-8", &b"<p>hello"[..]));
/// assert_eq!(DataUrl::parse("data:;base64,aGk=")?.data, b"hi");
/// # Ok::<(), sinew_http::codec::DataUrlError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct DataUrl {
    /// The media type, with its parameters.
    pub media_type: String,
    /// The data, decoded.
    pub data: Vec<u8>,
}

/// Why a text is not a valid `data:` URL.
#[derive(Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DataUrlError {
    /// It does not begin with `data:`.
    #[error("not a data: URL")]
    Scheme,
    /// There is no comma before the data.
    #[error("no comma before the data of a data: URL")]
    NoComma,
    /// A percent sign is not followed by two hexadecimal digits.
    #[error("a percent sign without two digits in a data: URL")]
    Percent,
    /// The data are not valid base64.
    #[error("the data of a data: URL are not base64")]
    Base64,
}

error_debug!(DataUrlError);

impl DataUrl {
    /// Decodes a URL. As in browsers, spaces in base64 are ignored, and the padding may be missing. A fragment is not part of the
    /// data.
    ///
    /// # Errors
    ///
    /// [`DataUrlError`].
    pub fn parse(url: &str) -> Result<Self, DataUrlError> {
        let is_data = url.get(..5).is_some_and(|scheme| scheme.eq_ignore_ascii_case("data:"));
        let rest = url.get(5..).filter(|_| is_data).ok_or(DataUrlError::Scheme)?;
        let rest = rest.split('#').next().unwrap_or_default();
        let (media_type, data) = rest.split_once(',').ok_or(DataUrlError::NoComma)?;
        let data = percent_decode(data).ok_or(DataUrlError::Percent)?.into_owned();
        let media_type = percent_decode(media_type).ok_or(DataUrlError::Percent)?;
        let media_type = String::from_utf8_lossy(&media_type);
        let (media_type, is_base64) = match media_type.rsplit_once(';') {
            Some((before, last)) if last.trim().eq_ignore_ascii_case("base64") => (before, true),
            _ => (&*media_type, false),
        };
        let media_type = match media_type.trim() {
            "" => DEFAULT_TYPE.to_owned(),
            parameters if parameters.starts_with(';') => format!("text/plain{parameters}"),
            media_type => media_type.to_owned(),
        };
        let data = if is_base64 { decode(&data).ok_or(DataUrlError::Base64)? } else { data };
        Ok(Self { media_type, data })
    }
}

fn decode(data: &[u8]) -> Option<Vec<u8>> {
    let mut text = String::from_utf8(data.to_vec()).ok()?;
    text.retain(|c| !c.is_ascii_whitespace());
    while !text.len().is_multiple_of(4) {
        text.push('=');
    }
    base64_decode(&text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_they_hold() {
        type Held = Result<(&'static str, &'static [u8]), DataUrlError>;
        let cases: [(&str, Held); 14] = [
            ("data:,a%20b", Ok((DEFAULT_TYPE, b"a b"))),
            ("DATA:,a,b", Ok((DEFAULT_TYPE, b"a,b"))),
            ("data:,", Ok((DEFAULT_TYPE, b""))),
            ("data:image/png,x#fragment", Ok(("image/png", b"x"))),
            ("data:;charset=utf-8,x", Ok(("text/plain;charset=utf-8", b"x"))),
            ("data:text/x;a=b;base64,aGVsbG8=", Ok(("text/x;a=b", b"hello"))),
            ("data:text/x;BASE64,aGVs%62G8", Ok(("text/x", b"hello"))),
            ("data:;base64,aG Vs%0AbG8=", Ok((DEFAULT_TYPE, b"hello"))),
            ("data:base64,eA==", Ok(("base64", b"eA=="))),
            ("http://a", Err(DataUrlError::Scheme)),
            ("dat\u{e4}:,", Err(DataUrlError::Scheme)),
            ("data:text/plain", Err(DataUrlError::NoComma)),
            ("data:,100%", Err(DataUrlError::Percent)),
            ("data:;base64,a", Err(DataUrlError::Base64)),
        ];
        for (url, expected) in cases {
            let found = DataUrl::parse(url);
            let found = found.as_ref().map(|url| (url.media_type.as_str(), &url.data[..]));
            assert_eq!(found, expected.as_ref().map(|held| *held), "{url}");
        }
    }
}
