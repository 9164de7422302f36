//! Parser of the output of a script: its head (RFC 3875 6), found incrementally: [`HeadReader`]. Pure.

use http::StatusCode;
use sinew_transports::reactor::error_debug;

use crate::codec::Fields;

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
pub(super) struct ScriptHead {
    pub(super) status: StatusCode,
    /// Without those that the server sets.
    pub(super) fields: Fields,
    pub(super) length: Option<u64>,
}

/// Why the output of a script is not a response.
#[derive(Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(super) enum OutputError {
    #[error("a line of its head is no field")]
    Field,
    #[error("its head has more than {FIELDS_MAX} fields, or more than {HEAD_MAX} bytes")]
    TooLong,
    #[error("its status is not one of 200 to 599")]
    Status,
    #[error("it has sent a body without Content-Type, or nothing")]
    Incomplete,
}

error_debug!(OutputError);

/// Collects the output until the head is complete.
#[derive(Default)]
pub(super) struct HeadReader {
    bytes: Vec<u8>,
    /// The start of the incomplete line.
    line: usize,
}

impl HeadReader {
    /// Adds a piece of output. When the head is complete, returns it with the position of the body in the piece.
    pub(super) fn push(&mut self, data: &[u8]) -> Result<Option<(ScriptHead, usize)>, OutputError> {
        let before = self.bytes.len();
        self.bytes.extend_from_slice(data);
        while let Some(len) = memchr::memchr(b'\n', &self.bytes[self.line..]) {
            let line = &self.bytes[self.line..self.line + len];
            let end = self.line + len + 1;
            if end > HEAD_MAX {
                return Err(OutputError::TooLong);
            }
            if matches!(line, b"" | b"\r") {
                let head = parse(&self.bytes[..self.line])?;
                return Ok(Some((head, end - before)));
            }
            self.line = end;
        }
        match self.bytes.len() > HEAD_MAX {
            true => Err(OutputError::TooLong),
            false => Ok(None),
        }
    }
}

fn parse(head: &[u8]) -> Result<ScriptHead, OutputError> {
    let (mut fields, mut status, mut length) = (Fields::new(), None, None);
    let lines = head.split(|byte| *byte == b'\n');
    let lines = lines.map(|line| line.strip_suffix(b"\r").unwrap_or(line));
    for (at, line) in lines.filter(|line| !line.is_empty()).enumerate() {
        let line = std::str::from_utf8(line).map_err(|_| OutputError::Field)?;
        // Scripts that write a whole response begin like this.
        if let Some(rest) = line.strip_prefix("HTTP/1.").filter(|_| at == 0) {
            status = Some(code(rest.get(2..).unwrap_or_default())?);
            continue;
        }
        let (name, value) = line.split_once(':').ok_or(OutputError::Field)?;
        let is = |known: &str| name.eq_ignore_ascii_case(known);
        if is("status") {
            status = Some(code(value)?);
        } else if is("content-length") {
            length = value.trim().parse().ok();
        }
        if !OURS.iter().any(|ours| is(ours)) {
            fields.append(name, value).map_err(|_| OutputError::Field)?;
        }
        if fields.len() > FIELDS_MAX {
            return Err(OutputError::TooLong);
        }
    }
    let is_redirect = fields.get("location").is_some();
    if fields.get("content-type").is_none() && !is_redirect && status.is_none() {
        return Err(OutputError::Incomplete);
    }
    let usual = if is_redirect { StatusCode::FOUND } else { StatusCode::OK };
    Ok(ScriptHead { status: status.unwrap_or(usual), fields, length })
}

/// The status of a line: three digits, and optionally a text.
fn code(text: &str) -> Result<StatusCode, OutputError> {
    let digits = text.trim().split(' ').next().unwrap_or_default();
    let code = digits.parse().ok().filter(|code| (200..600).contains(code));
    code.and_then(|code| StatusCode::from_u16(code).ok()).ok_or(OutputError::Status)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Status, fields, length and the beginning of the body.
    type Read = (u16, String, Option<u64>, String);

    fn read(output: &str) -> Result<Option<Read>, OutputError> {
        let head = HeadReader::default().push(output.as_bytes())?;
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
            let mut reader = HeadReader::default();
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
            ("\nbody", OutputError::Incomplete),
            ("X: y\n\n", OutputError::Incomplete),
            ("hello\n\n", OutputError::Field),
            ("A b: c\n\n", OutputError::Field),
            ("X: a\rb\n\n", OutputError::Field),
            ("X: \u{0}\n\n", OutputError::Field),
            ("Status: 100\n\n", OutputError::Status),
            ("Status: 101 Switching\n\n", OutputError::Status),
            ("Status: OK\n\n", OutputError::Status),
            (&long, OutputError::TooLong),
            (&format!("{many}\n"), OutputError::TooLong),
        ];
        for (output, error) in cases {
            assert_eq!(read(output), Err(error), "{output:?}");
        }
    }
}
