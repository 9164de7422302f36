//! Parser of the output of a CGI script: its head (RFC 3875 6), found incrementally: [`CgiHeadReader`]. Starts no script, and does not
//! read the body.

use http::StatusCode;
use sinew_transports::reactor::error_debug;

use super::Fields;

/// Longest head, and most fields.
const HEAD_MAX: usize = 16 * 1024;
const FIELDS_MAX: usize = 100;

/// Fields that the server sets.
const OURS: [&str; 7] = [
    "connection",
    "content-length",
    "keep-alive",
    "proxy-connection",
    "status",
    "transfer-encoding",
    "upgrade",
];

/// The head of a script's response.
#[derive(Debug)]
#[non_exhaustive]
pub struct CgiHead {
    /// The status: 302 with a `Location`, else 200, unless the script says otherwise.
    pub status: StatusCode,
    /// Without those that the server sets, such as `Connection` and `Content-Length`.
    pub fields: Fields,
    /// The length of the body, if the script has told it.
    pub length: Option<u64>,
}

/// Why the output of a script is not a response.
#[derive(Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CgiError {
    /// A line is no field.
    #[error("a line of its head is no field")]
    Field,
    /// It has more than 100 fields, or more than 16 KiB.
    #[error("its head has more than {FIELDS_MAX} fields, or more than {HEAD_MAX} bytes")]
    TooLong,
    /// The status is not that of a final response.
    #[error("its status is not one of 200 to 599")]
    Status,
    /// Neither a status, nor a redirect, nor a type of content.
    #[error("it has sent a body without Content-Type, or nothing")]
    Incomplete,
}

error_debug!(CgiError);

/// Collects the output of a CGI script until its head is complete: at most 16 KiB.
///
/// # Examples
///
/// ```
/// use sinew_http::codec::CgiHeadReader;
///
/// # fn main() -> Result<(), sinew_http::codec::CgiError> {
/// let mut reader = CgiHeadReader::default();
/// assert!(reader.push(b"Content-Type: text/plain\n")?.is_none());
/// let (head, body) = reader.push(b"\nhello")?.expect("an empty line ends it");
/// assert_eq!((head.status.as_u16(), body), (200, 1));
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Default)]
pub struct CgiHeadReader {
    bytes: Vec<u8>,
    /// The start of the incomplete line.
    line: usize,
}

impl CgiHeadReader {
    /// Adds a piece of output. When the head is complete, returns it with the position of the body in the piece; nothing may be added
    /// then.
    ///
    /// # Errors
    ///
    /// [`CgiError`]: it is not the head of a response.
    pub fn push(&mut self, data: &[u8]) -> Result<Option<(CgiHead, usize)>, CgiError> {
        let before = self.bytes.len();
        self.bytes.extend_from_slice(data);
        while let Some(len) = memchr::memchr(b'\n', &self.bytes[self.line..]) {
            let line = &self.bytes[self.line..self.line + len];
            let end = self.line + len + 1;
            if end > HEAD_MAX {
                return Err(CgiError::TooLong);
            }
            if matches!(line, b"" | b"\r") {
                let head = parse(&self.bytes[..self.line])?;
                return Ok(Some((head, end - before)));
            }
            self.line = end;
        }
        match self.bytes.len() > HEAD_MAX {
            true => Err(CgiError::TooLong),
            false => Ok(None),
        }
    }
}

fn parse(head: &[u8]) -> Result<CgiHead, CgiError> {
    let (mut fields, mut status, mut length) = (Fields::new(), None, None);
    let lines = head.split(|byte| *byte == b'\n');
    let lines = lines.map(|line| line.strip_suffix(b"\r").unwrap_or(line));
    for (at, line) in lines.filter(|line| !line.is_empty()).enumerate() {
        let line = std::str::from_utf8(line).map_err(|_| CgiError::Field)?;
        // Scripts that write a whole response begin like this.
        if let Some(rest) = line.strip_prefix("HTTP/1.").filter(|_| at == 0) {
            status = Some(code(rest.get(2..).unwrap_or_default())?);
            continue;
        }
        let (name, value) = line.split_once(':').ok_or(CgiError::Field)?;
        let is = |known: &str| name.eq_ignore_ascii_case(known);
        if is("status") {
            status = Some(code(value)?);
        } else if is("content-length") {
            length = value.trim().parse().ok();
        }
        if !OURS.iter().any(|ours| is(ours)) {
            fields.append(name, value).map_err(|_| CgiError::Field)?;
        }
        if fields.len() > FIELDS_MAX {
            return Err(CgiError::TooLong);
        }
    }
    let is_redirect = fields.get("location").is_some();
    if fields.get("content-type").is_none() && !is_redirect && status.is_none() {
        return Err(CgiError::Incomplete);
    }
    let usual = if is_redirect { StatusCode::FOUND } else { StatusCode::OK };
    Ok(CgiHead { status: status.unwrap_or(usual), fields, length })
}

/// The status of a line: three digits, and optionally a text.
fn code(text: &str) -> Result<StatusCode, CgiError> {
    let digits = text.trim().split(' ').next().unwrap_or_default();
    let code = digits.parse().ok().filter(|code| (200..600).contains(code));
    code.and_then(|code| StatusCode::from_u16(code).ok()).ok_or(CgiError::Status)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Status, fields, length and the beginning of the body.
    type Read = (u16, String, Option<u64>, String);

    fn read(output: &str) -> Result<Option<Read>, CgiError> {
        let head = CgiHeadReader::default().push(output.as_bytes())?;
        Ok(head.map(|(head, at)| {
            let fields = head
                .fields
                .iter()
                .map(|(name, value)| format!("{name}={};", String::from_utf8_lossy(value)));
            (head.status.as_u16(), fields.collect(), head.length, output[at..].to_owned())
        }))
    }

    #[test]
    fn heads() {
        let cases = [
            ("Content-Type: a/b\n\nbody", (200, "Content-Type=a/b;", None, "body")),
            ("Content-Type: a/b\r\n\r\n\nbody", (200, "Content-Type=a/b;", None, "\nbody")),
            ("Status: 404 Not Found\n\n", (404, "", None, "")),
            ("status:  204\nX: y\n\n", (204, "X=y;", None, "")),
            ("Location: /x\n\n", (302, "Location=/x;", None, "")),
            ("Location: /x\nStatus: 303 Other\n\n", (303, "Location=/x;", None, "")),
            (
                "Content-Type: a/b\nContent-Length: 4\nConnection: close\nTransfer-Encoding: chunked\n\nbody",
                (200, "Content-Type=a/b;", Some(4), "body"),
            ),
            ("HTTP/1.0 500 Oh\nServer: x\n\n", (500, "Server=x;", None, "")),
        ];
        for (output, (status, fields, length, body)) in cases {
            let expected = (status, fields.to_owned(), length, body.to_owned());
            assert_eq!(read(output), Ok(Some(expected)), "{output:?}");
            // Byte by byte.
            let mut reader = CgiHeadReader::default();
            let head = output.bytes().position(|byte| reader.push(&[byte]).unwrap().is_some());
            assert_eq!(head, Some(output.len() - body.len() - 1), "{output:?}");
        }
        assert_eq!(read("Content-Type: a/b\n"), Ok(None));
    }

    #[test]
    fn what_is_no_head() {
        let long = format!("X: {}\n\n", "x".repeat(HEAD_MAX));
        let many = "X: y\n".repeat(FIELDS_MAX + 1);
        let cases = [
            ("\nbody", CgiError::Incomplete),
            ("X: y\n\n", CgiError::Incomplete),
            ("hello\n\n", CgiError::Field),
            ("A b: c\n\n", CgiError::Field),
            ("X: a\rb\n\n", CgiError::Field),
            ("X: \u{0}\n\n", CgiError::Field),
            ("Status: 100\n\n", CgiError::Status),
            ("Status: 101 Switching\n\n", CgiError::Status),
            ("Status: OK\n\n", CgiError::Status),
            (&long, CgiError::TooLong),
            (&format!("{many}\n"), CgiError::TooLong),
        ];
        for (output, error) in cases {
            assert_eq!(read(output), Err(error), "{output:?}");
        }
    }
}
