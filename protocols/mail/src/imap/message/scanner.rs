//! Finds the parts of a message (RFC 2046): [`Scanner`]. Pure. Given the message in pieces, it keeps the structure and one header.
//!
//! | limit | | past it |
//! |---|---|---|
//! | depth of parts | 100 | a part is told as `application/octet-stream` |
//! | parts | 1,000 | delimiters do not count, the last part holds the rest |
//! | headers that are read, in total | 256 KiB | fields behind are not told |
//! | length of a boundary | 200 bytes | as above, like a part without one |
//!
//! A delimiter is a line that is a boundary and nothing else but blanks, so that a boundary may begin as another one does. An inner
//! part ends where the delimiter of an outer one is, as mail does that was cut.

use super::{Content, ContentFields, Envelope, Part};

const DEPTH_MAX: usize = 100;
const PARTS_MAX: usize = 1_000;
const HEADERS_MAX: usize = 256 << 10;
const BOUNDARY_MAX: usize = 200;
/// How much of a line is kept to compare it with delimiters.
const LINE_KEPT: usize = BOUNDARY_MAX + 64;

/// Finds the parts of a message. Linear in its length, whatever it holds.
///
/// # Examples
///
/// ```
/// use sinew_mail::imap::message::Scanner;
///
/// let mut scanner = Scanner::new();
/// scanner.push(b"Subject: hello\r\n\r\nHello, ");
/// scanner.push(b"Bob.\r\n");
/// let message = scanner.finish();
/// assert_eq!((message.body, message.lines), (18..31, 1));
/// ```
#[derive(Debug)]
pub struct Scanner {
    /// The parts that have begun and not ended, the message first.
    open: Vec<Open>,
    /// Where the next byte is.
    at: u64,
    line_start: u64,
    /// The beginning of the line that has begun.
    line: Vec<u8>,
    is_after_cr: bool,
    /// The length of the end of the last line.
    last_end: u8,
    /// Lines that have ended.
    lines: u64,
    /// The header of the innermost part.
    header: Vec<u8>,
    /// How much of it there was before the line that has begun.
    header_before: usize,
    header_left: usize,
    parts: usize,
    envelope: Option<Envelope>,
}

/// A part that has not ended.
#[derive(Debug)]
struct Open {
    part: Part,
    state: State,
    /// Lines that had ended where its body begins.
    lines_before: u64,
    is_in_digest: bool,
}

#[derive(Debug, PartialEq, Eq)]
enum State {
    Header,
    Single,
    /// With its delimiter, `--` in front. None any more behind the last one.
    Multipart(Option<Vec<u8>>),
    Message(Box<Envelope>),
}

impl Open {
    fn new(at: u64, is_in_digest: bool) -> Self {
        let fields = Box::new(ContentFields::of_header(b"", is_in_digest));
        let part =
            Part { header: at..at, body: at..at, lines: 0, fields, content: Content::Single };
        Self { part, state: State::Header, lines_before: 0, is_in_digest }
    }
}

impl Default for Scanner {
    fn default() -> Self {
        Self::new()
    }
}

impl Scanner {
    /// At the beginning of a message.
    #[must_use]
    pub fn new() -> Self {
        Self {
            open: vec![Open::new(0, false)],
            at: 0,
            line_start: 0,
            line: Vec::new(),
            is_after_cr: false,
            last_end: 0,
            lines: 0,
            header: Vec::new(),
            header_before: 0,
            header_left: HEADERS_MAX,
            parts: 1,
            envelope: None,
        }
    }

    /// The next piece of the message.
    pub fn push(&mut self, mut piece: &[u8]) {
        while !piece.is_empty() {
            let (line, has_end) = match memchr::memchr(b'\n', piece) {
                Some(at) => (&piece[..=at], true),
                None => (piece, false),
            };
            piece = &piece[line.len()..];
            self.at += line.len() as u64;
            let kept = line.len().min(LINE_KEPT.saturating_sub(self.line.len()));
            self.line.extend_from_slice(&line[..kept]);
            if self.innermost().state == State::Header {
                let kept = line.len().min(self.header_left);
                self.header_left -= kept;
                self.header.extend_from_slice(&line[..kept]);
            }
            if has_end {
                let is_crlf = match line.len() {
                    1 => self.is_after_cr,
                    len => line[len - 2] == b'\r',
                };
                self.end_line(if is_crlf { 2 } else { 1 });
            }
            self.is_after_cr = line.ends_with(b"\r");
        }
    }

    /// The envelope of the message, once its header has ended.
    #[must_use]
    pub fn envelope(&self) -> Option<&Envelope> {
        self.envelope.as_ref()
    }

    /// Where the header of the message ends, once that is known.
    #[must_use]
    pub fn header_end(&self) -> Option<u64> {
        self.envelope.as_ref().map(|_| self.open[0].part.header.end)
    }

    /// The message has ended.
    #[must_use]
    pub fn finish(self) -> Part {
        self.finish_with_envelope().0
    }

    /// The message has ended.
    #[must_use]
    pub fn finish_with_envelope(mut self) -> (Part, Envelope) {
        if self.at > self.line_start {
            self.end_line(0);
        }
        self.end_parts(0, self.at, false);
        let envelope = self.envelope.take().unwrap_or_default();
        // The message itself stays open until here.
        let open = self.open.pop().unwrap_or_else(|| Open::new(0, false));
        (open.part, envelope)
    }

    fn innermost(&self) -> &Open {
        self.open.last().expect("the message is open until its end")
    }

    /// A line has ended, by so many bytes: CRLF, LF, or the end of the message.
    fn end_line(&mut self, end_len: u8) {
        let start = std::mem::replace(&mut self.line_start, self.at);
        let len = self.at - start - u64::from(end_len);
        let line = std::mem::take(&mut self.line);
        let delimiter = match line.starts_with(b"--") && line.len() < LINE_KEPT {
            true => self.delimiter(line.trim_ascii_end()),
            false => None,
        };
        match delimiter {
            Some((depth, is_last)) => self.delimit(depth, is_last, start),
            None => self.lines += u64::from(end_len > 0),
        }
        if delimiter.is_none() && len == 0 && self.innermost().state == State::Header {
            self.end_header(self.at, self.at);
        }
        self.last_end = end_len;
        self.header_before = self.header.len();
        self.line = line;
        self.line.clear();
    }

    /// Which open part a line delimits, and whether for the last time.
    fn delimiter(&self, line: &[u8]) -> Option<(usize, bool)> {
        if self.parts >= PARTS_MAX {
            return None;
        }
        self.open.iter().enumerate().rev().find_map(|(depth, open)| {
            let State::Multipart(Some(delimiter)) = &open.state else { return None };
            match line.strip_prefix(&delimiter[..])? {
                b"" => Some((depth, false)),
                b"--" => Some((depth, true)),
                _ => None,
            }
        })
    }

    /// A delimiter of the part at this depth: those inside of it have ended before the end of the last line.
    fn delimit(&mut self, depth: usize, is_last: bool, line_start: u64) {
        let end = line_start - u64::from(self.last_end);
        let is_in_part = self.open.len() > depth + 1;
        if is_in_part && self.innermost().state == State::Header {
            // The delimiter is no line of the header.
            self.header.truncate(self.header_before);
        }
        self.end_parts(depth + 1, end, self.last_end > 0);
        self.lines += 1;
        let open = &mut self.open[depth];
        if is_last {
            open.state = State::Multipart(None);
            return;
        }
        let is_in_digest = open.part.fields.is("multipart", Some("digest"));
        self.parts += 1;
        self.header.clear();
        self.open.push(Open::new(self.at, is_in_digest));
    }

    /// The header of the innermost part has ended, before an empty line or without one.
    fn end_header(&mut self, header_end: u64, body_start: u64) {
        let depth = self.open.len();
        let header = std::mem::take(&mut self.header);
        let lines = self.lines;
        let open = self.open.last_mut().expect("the message is open until its end");
        let mut fields = ContentFields::of_header(&header, open.is_in_digest);
        open.part.header.end = header_end;
        open.part.body = body_start..body_start;
        open.lines_before = lines;
        let boundary = fields.parameter("boundary").map(<[u8]>::trim_ascii_end).unwrap_or_default();
        let has_boundary = (1..=BOUNDARY_MAX).contains(&boundary.len());
        let has_room = depth < DEPTH_MAX && self.parts < PARTS_MAX;
        if fields.is("multipart", None) && has_boundary && has_room {
            open.state = State::Multipart(Some([b"--", boundary].concat()));
            open.part.content = Content::Multipart(Vec::new());
        } else if fields.is("message", Some("rfc822")) && has_room {
            open.state = State::Message(Box::default());
        } else {
            open.state = State::Single;
            fields.hide_parts();
        }
        let is_inner = matches!(open.state, State::Message(_));
        *open.part.fields = fields;
        if depth == 1 {
            self.envelope = Some(Envelope::of_header(&header));
        } else if let State::Message(envelope) = &mut self.open[depth - 2].state {
            **envelope = Envelope::of_header(&header);
        }
        if is_inner {
            self.parts += 1;
            self.open.push(Open::new(body_start, false));
        }
        self.header = header;
        self.header.clear();
    }

    /// Ends all parts from this depth on, perhaps without the last line end; the message itself stays.
    fn end_parts(&mut self, depth: usize, mut end: u64, is_cut: bool) {
        while self.open.len() > depth {
            if self.innermost().state == State::Header {
                let end = end.max(self.innermost().part.header.start);
                self.end_header(end, end);
                continue;
            }
            let Some(mut open) = self.open.pop() else { return };
            let part = &mut open.part;
            // The line end before a delimiter may be that of the empty line behind a header: it is a part of that header.
            end = end.max(part.body.start);
            part.body.end = end;
            if part.body.end > part.body.start {
                // The last line end belongs to the delimiter.
                part.lines = (self.lines - open.lines_before).saturating_sub(u64::from(is_cut));
            }
            match self.open.last_mut() {
                Some(outer) => outer.add(open),
                None => return self.open.push(open),
            }
        }
    }
}

impl Open {
    /// Adds a part that has ended.
    fn add(&mut self, inner: Self) {
        let part = inner.part;
        match &mut self.state {
            State::Message(envelope) => {
                let mut written = Vec::new();
                envelope.write(&mut written);
                let envelope = written.into_boxed_slice();
                self.part.content = Content::Message { envelope, message: Box::new(part) };
            }
            _ => match &mut self.part.content {
                Content::Multipart(parts) => parts.push(part),
                content => *content = Content::Multipart(vec![part]),
            },
        }
    }
}

#[cfg(test)]
#[path = "scanner_tests.rs"]
mod tests;
