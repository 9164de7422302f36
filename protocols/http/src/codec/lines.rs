//! The lines of a head, before they are parsed: line ends, lengths, and which line is at fault when a head does not parse. Results
//! depend on the bytes alone, not on how they were split.

use memchr::{memchr_iter, memrchr};

use super::HeadError;

/// Most fields that a head may have, whatever the configured limit: their positions are on the stack.
pub(super) const FIELDS_CAP: usize = 256;

/// Most empty lines that are skipped before a head (RFC 9112 2.2 requires one).
const EMPTY_LINES_MAX: usize = 4;

/// Limits of the head of a message.
///
/// # Examples
///
/// ```
/// use sinew_http::codec::HeadLimits;
///
/// let limits = HeadLimits::default().head_max(64 * 1024).fields_max(200);
/// ```
#[derive(Clone, Copy, Debug)]
#[must_use]
pub struct HeadLimits {
    pub(super) head_max: usize,
    pub(super) line_max: usize,
    pub(super) fields_max: usize,
}

impl Default for HeadLimits {
    fn default() -> Self {
        Self { head_max: 16 * 1024, line_max: 8 * 1024, fields_max: 100 }
    }
}

impl HeadLimits {
    /// Longest head, including empty lines before it. Default 16 KiB; at most 16 MiB.
    pub fn head_max(mut self, bytes: usize) -> Self {
        self.head_max = bytes.min(16 << 20);
        self
    }

    /// Longest line of the head, including the request line with its target. Default 8 KiB.
    pub fn line_max(mut self, bytes: usize) -> Self {
        self.line_max = bytes;
        self
    }

    /// Most fields. Default 100; at most 256.
    pub fn fields_max(mut self, fields: usize) -> Self {
        self.fields_max = fields.min(FIELDS_CAP);
        self
    }

    /// The part of the input that can be parsed: complete lines, within the limit of the head.
    pub(super) fn window<'a>(&self, input: &'a [u8]) -> &'a [u8] {
        let input = &input[..input.len().min(self.head_max)];
        &input[..memrchr(b'\n', input).map_or(0, |at| at + 1)]
    }

    /// Checks the ends and lengths of complete lines, and how many empty ones precede the first.
    pub(super) fn check(&self, lines: &[u8]) -> Result<(), HeadError> {
        let mut start = 0;
        let mut is_first = true;
        for end in memchr_iter(b'\n', lines) {
            self.check_line(&lines[start..=end], is_first)?;
            is_first &= end - start <= 1;
            if is_first && end >= 2 * EMPTY_LINES_MAX {
                return Err(HeadError::Malformed { what: "first line" });
            }
            start = end + 1;
        }
        Ok(())
    }

    /// The same for a complete head whose fields begin at these positions. Much faster for valid heads; only an invalid one is
    /// checked line by line.
    pub(super) fn check_head(
        &self,
        head: &[u8],
        starts: impl Iterator<Item = usize>,
    ) -> Result<(), HeadError> {
        // There may be empty lines before the first.
        let mut is_good = !matches!(head, [b'\r' | b'\n', ..]) && head.ends_with(b"\r\n\r\n");
        let mut last = 0;
        // Each line ends where the next begins.
        for start in starts.chain([head.len().saturating_sub(2)]) {
            is_good &= start >= 2 && head[start - 2] == b'\r' && start - last <= self.line_max + 1;
            last = start;
        }
        if is_good { Ok(()) } else { self.check(head) }
    }

    /// Checks an incomplete head: its complete lines, the line that has begun, and the total length.
    pub(super) fn check_part(&self, input: &[u8]) -> Result<(), HeadError> {
        self.check(self.window(input))?;
        self.check_rest(input)
    }

    /// Checks the line that has begun, and the total length.
    pub(super) fn check_rest(&self, input: &[u8]) -> Result<(), HeadError> {
        let lines = self.window(input);
        let rest = input.len().min(self.head_max) - lines.len();
        if rest > self.line_max {
            return Err(self.too_long_line(lines.iter().all(|byte| matches!(byte, b'\r' | b'\n'))));
        }
        match input.len() > self.head_max {
            true => Err(HeadError::TooLong { max: self.head_max }),
            false => Ok(()),
        }
    }

    /// The first error, line by line, in complete lines for which `parse` has found this fault.
    pub(super) fn blame(
        &self,
        lines: &[u8],
        parse: impl Fn(&[u8]) -> Option<httparse::Error>,
    ) -> HeadError {
        for end in memchr_iter(b'\n', lines) {
            let lines = &lines[..=end];
            if let Err(error) = self.check(lines) {
                return error;
            }
            if let Some(error) = parse(lines) {
                return self.translate(lines, error);
            }
        }
        HeadError::Malformed { what: "head" }
    }

    fn translate(&self, lines: &[u8], error: httparse::Error) -> HeadError {
        let what = match error {
            httparse::Error::TooManyHeaders => {
                return HeadError::TooManyFields { max: self.fields_max };
            }
            httparse::Error::Version if names_a_version(lines) => return HeadError::Version,
            httparse::Error::HeaderName => "name of a field",
            httparse::Error::HeaderValue => "value of a field",
            httparse::Error::NewLine => "end of a line",
            httparse::Error::Status => "status",
            httparse::Error::Token | httparse::Error::Version => "first line",
        };
        HeadError::Malformed { what }
    }

    fn check_line(&self, line: &[u8], is_first: bool) -> Result<(), HeadError> {
        if line.len() - 1 > self.line_max {
            return Err(self.too_long_line(is_first));
        }
        if !line.ends_with(b"\r\n") {
            return Err(HeadError::BareLineFeed);
        }
        Ok(())
    }

    const fn too_long_line(&self, is_first: bool) -> HeadError {
        match is_first {
            true => HeadError::TargetTooLong { max: self.line_max },
            false => HeadError::LineTooLong { max: self.line_max },
        }
    }
}

/// Whether a line has an unsupported version of HTTP in the position of the version.
fn names_a_version(lines: &[u8]) -> bool {
    let words = lines.split(|byte| matches!(byte, b' ' | b'\r' | b'\n'));
    let mut versions = words.filter_map(|word| word.strip_prefix(b"HTTP/"));
    versions.any(|version| match version {
        [major] => major.is_ascii_digit(),
        [major, b'.', minor] => major.is_ascii_digit() && minor.is_ascii_digit(),
        _ => false,
    })
}
