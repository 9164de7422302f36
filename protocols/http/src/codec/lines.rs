//! The lines of a head, before anybody asks what they mean: their ends, their lengths, and which of them is to blame when a head does
//! not parse. What is decided here depends on the bytes alone, not on how they were cut on their way.

use memchr::{memchr_iter, memrchr};

use super::HeadError;

/// The most fields a head may ever have, whatever the limits say: the places for them are on the stack.
pub(super) const FIELDS_CAP: usize = 256;

/// The most empty lines that are skipped before a head (RFC 9112 2.2 wants one).
const EMPTY_LINES_MAX: usize = 4;

/// How large the head of a message may be.
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
    /// Longest head, empty lines before it included. Default 16 KiB; at most 16 MiB.
    pub fn head_max(mut self, bytes: usize) -> Self {
        self.head_max = bytes.min(16 << 20);
        self
    }

    /// Longest line of it, the request line with its target included. Default 8 KiB.
    pub fn line_max(mut self, bytes: usize) -> Self {
        self.line_max = bytes;
        self
    }

    /// Most fields. Default 100; at most 256.
    pub fn fields_max(mut self, fields: usize) -> Self {
        self.fields_max = fields.min(FIELDS_CAP);
        self
    }

    /// What of the input is to be parsed: whole lines, within the limit of the head.
    pub(super) fn window<'a>(&self, input: &'a [u8]) -> &'a [u8] {
        let input = &input[..input.len().min(self.head_max)];
        &input[..memrchr(b'\n', input).map_or(0, |at| at + 1)]
    }

    /// Checks the ends and lengths of whole lines, and how many empty ones are before the first.
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

    /// The same for a whole head whose fields begin at these places: far less to do, for most heads are as they should be. Only what is
    /// not is looked at line by line.
    pub(super) fn check_head(
        &self,
        head: &[u8],
        starts: impl Iterator<Item = usize>,
    ) -> Result<(), HeadError> {
        // Before the first line there may be empty ones.
        let mut is_good = !matches!(head, [b'\r' | b'\n', ..]) && head.ends_with(b"\r\n\r\n");
        let mut last = 0;
        // Behind each line there is the beginning of the next.
        for start in starts.chain([head.len().saturating_sub(2)]) {
            is_good &= start >= 2 && head[start - 2] == b'\r' && start - last <= self.line_max + 1;
            last = start;
        }
        if is_good { Ok(()) } else { self.check(head) }
    }

    /// Checks a head that is not complete: its whole lines, the line that has begun, and the whole.
    pub(super) fn check_part(&self, input: &[u8]) -> Result<(), HeadError> {
        self.check(self.window(input))?;
        self.check_rest(input)
    }

    /// Checks what is not a whole line yet, and the whole.
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

    /// What is wrong first, going line by line, with lines that as a whole have the fault `parse` finds.
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

/// Whether some line has a version of HTTP in the place where one has to be, though one that is not spoken here.
fn names_a_version(lines: &[u8]) -> bool {
    let words = lines.split(|byte| matches!(byte, b' ' | b'\r' | b'\n'));
    let mut versions = words.filter_map(|word| word.strip_prefix(b"HTTP/"));
    versions.any(|version| match version {
        [major] => major.is_ascii_digit(),
        [major, b'.', minor] => major.is_ascii_digit() && minor.is_ascii_digit(),
        _ => false,
    })
}
