//! Encoders of heads: [`encode_response`] and [`encode_request`]. [`Fields`] and the types of `http` have checked their contents
//! when they were made; the target is checked here.

use http::{Method, StatusCode};
use sinew_transports::reactor::{Excerpt, error_debug};

use super::Fields;

/// A request target that cannot be sent.
#[derive(Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "{:?} cannot be a request target: it is empty, or holds a blank, a control character or one beyond ASCII",
    Excerpt::new(target)
)]
#[non_exhaustive]
pub struct EncodeError {
    /// The target.
    pub target: String,
}

error_debug!(EncodeError);

/// Appends the head of an HTTP/1.1 response, with the empty line at its end.
///
/// # Examples
///
/// ```
/// use http::StatusCode;
/// use sinew_http::{Fields, codec::encode_response};
///
/// let mut fields = Fields::new();
/// fields.append("Content-Length", "0")?;
/// let mut out = Vec::new();
/// encode_response(&mut out, StatusCode::NOT_FOUND, &fields);
/// assert_eq!(out, b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n");
/// # Ok::<(), sinew_http::FieldError>(())
/// ```
pub fn encode_response(out: &mut Vec<u8>, status: StatusCode, fields: &Fields) {
    push_status_line(out, status);
    push_fields(out, fields);
    out.extend_from_slice(b"\r\n");
}

/// Appends the head of an HTTP/1.1 request, with the empty line at its end.
///
/// # Errors
///
/// [`EncodeError`] if the target contains characters that would end its line. Nothing is appended then.
pub fn encode_request(
    out: &mut Vec<u8>,
    method: &Method,
    target: &str,
    fields: &Fields,
) -> Result<(), EncodeError> {
    if target.is_empty() || !target.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err(EncodeError { target: target.to_owned() });
    }
    for part in [method.as_str(), " ", target, " HTTP/1.1\r\n"] {
        out.extend_from_slice(part.as_bytes());
    }
    push_fields(out, fields);
    out.extend_from_slice(b"\r\n");
    Ok(())
}

pub(crate) fn push_status_line(out: &mut Vec<u8>, status: StatusCode) {
    if status == StatusCode::OK {
        return out.extend_from_slice(b"HTTP/1.1 200 OK\r\n");
    }
    let reason = status.canonical_reason().unwrap_or_default();
    for part in ["HTTP/1.1 ", status.as_str(), " ", reason, "\r\n"] {
        out.extend_from_slice(part.as_bytes());
    }
}

pub(crate) fn push_fields(out: &mut Vec<u8>, fields: &Fields) {
    for (name, value) in fields.raw() {
        push_field(out, name, value);
    }
}

/// Appends a field whose name and value are constants, or were checked before.
pub(crate) fn push_field(out: &mut Vec<u8>, name: &[u8], value: &[u8]) {
    out.extend_from_slice(name);
    out.extend_from_slice(b": ");
    out.extend_from_slice(value);
    out.extend_from_slice(b"\r\n");
}

pub(crate) fn push_number(out: &mut Vec<u8>, mut number: u64) {
    let mut digits = [0; 20];
    let mut at = digits.len();
    loop {
        at -= 1;
        digits[at] = b'0' + (number % 10) as u8;
        number /= 10;
        if number == 0 {
            return out.extend_from_slice(&digits[at..]);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codec::{HeadLimits, RequestHead, ResponseHead};

    #[test]
    fn numbers() {
        for number in [0, 1, 9, 10, 99, 1_234_567_890, u64::MAX] {
            let mut out = Vec::new();
            push_number(&mut out, number);
            assert_eq!(out, number.to_string().as_bytes());
        }
    }

    #[test]
    fn there_and_back() {
        let mut fields = Fields::new();
        fields.append("Host", "a").unwrap();
        fields.append("X-Empty", "").unwrap();
        let mut out = Vec::new();
        encode_request(&mut out, &Method::PUT, "/x?y", &fields).unwrap();
        let mut head = RequestHead::default();
        assert_eq!(head.decode(&out, 0, &HeadLimits::default()).unwrap(), Some(out.len()));
        assert_eq!((head.target(), head.fields().get("x-empty")), ("/x?y", Some(&b""[..])));
        for code in [100, 200, 204, 418, 599, 999] {
            let mut out = Vec::new();
            encode_response(&mut out, StatusCode::from_u16(code).unwrap(), &fields);
            let mut head = ResponseHead::default();
            assert_eq!(head.decode(&out, 0, &HeadLimits::default()).unwrap(), Some(out.len()));
            assert_eq!((head.status().as_u16(), head.fields().len()), (code, 2));
        }
    }

    #[test]
    fn a_target_cannot_end_its_line() {
        for bad in ["", "/a b", "/a\r\nX: y", "/\u{e4}", "/\0", "/\t"] {
            let mut out = Vec::new();
            assert!(
                encode_request(&mut out, &Method::GET, bad, &Fields::new()).is_err(),
                "{bad:?}"
            );
            assert!(out.is_empty());
        }
    }
}
