//! Articles: [`Article`], a text whose head is read and checked (RFC 5536 2 and 3). What a server demands beyond that is in its rules.

use std::{ops::Range, time::SystemTime};

use bytes::Bytes;
use sinew_protocols::basic::{DotStuffing, Text};

use super::{GroupName, MessageId, date::parse_article_date, field_name::is_field_name};

/// Fields that stand in a head at most once (RFC 5536 3).
const SINGLE: [&str; 18] = [
    "From",
    "Date",
    "Message-ID",
    "Newsgroups",
    "Path",
    "Subject",
    "Approved",
    "Control",
    "Distribution",
    "Expires",
    "Followup-To",
    "Injection-Date",
    "Injection-Info",
    "References",
    "Sender",
    "Supersedes",
    "Xref",
    "Reply-To",
];

/// Most groups of an article that are read.
const GROUPS_MAX: usize = 100;

/// How large an article may be.
///
/// | limit | default |
/// |---|---|
/// | [`bytes_max`](Self::bytes_max): all of it | 1,000,000 bytes |
/// | [`head_max`](Self::head_max): the head | 64 KiB |
/// | [`fields_max`](Self::fields_max): fields of the head | 300 |
#[derive(Clone, Copy, Debug)]
#[must_use]
pub struct ArticleLimits {
    pub(crate) bytes_max: usize,
    head_max: usize,
    fields_max: usize,
}

impl Default for ArticleLimits {
    fn default() -> Self {
        Self { bytes_max: 1_000_000, head_max: 64 * 1024, fields_max: 300 }
    }
}

impl ArticleLimits {
    /// Longest article. Default 1,000,000 bytes.
    pub fn bytes_max(mut self, bytes: usize) -> Self {
        self.bytes_max = bytes;
        self
    }

    /// Longest head. Default 64 KiB.
    pub fn head_max(mut self, bytes: usize) -> Self {
        self.head_max = bytes;
        self
    }

    /// Most fields of a head. Default 300.
    pub fn fields_max(mut self, fields: usize) -> Self {
        self.fields_max = fields;
        self
    }
}

/// An article with its head read. Its lines end in CRLF. Cheap to clone, but for the places of its fields.
///
/// # Examples
///
/// ```
/// use sinew_news::nntp::codec::{Article, ArticleLimits};
///
/// let text = "From: ann@example.net\nNewsgroups: misc.test\nSubject: hello\n\nHello.\n";
/// let article = Article::new(text, &ArticleLimits::default())?;
/// assert_eq!(article.field("subject"), Some(&b"hello"[..]));
/// assert_eq!(article.body(), b"Hello.\r\n");
/// # Ok::<(), sinew_news::nntp::codec::ArticleError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Article {
    text: Bytes,
    fields: Vec<Place>,
    /// Where the body begins.
    body: usize,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Place {
    name: Range<usize>,
    value: Range<usize>,
}

/// A field of a head.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Field<'a> {
    /// Its name.
    pub name: &'a str,
    /// Its value, folded as it was sent, without the CRLF at its end.
    pub value: &'a [u8],
}

/// Why a text is not an [`Article`].
#[derive(Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ArticleError {
    /// It is too long.
    #[error("an article of more than {max} bytes")]
    TooLong {
        /// The limit.
        max: usize,
    },
    /// Its head is too long.
    #[error("a head of more than {max} bytes")]
    HeadTooLong {
        /// The limit.
        max: usize,
    },
    /// There are too many fields.
    #[error("a head of more than {max} fields")]
    TooManyFields {
        /// The limit.
        max: usize,
    },
    /// A line of the head is not a field.
    #[error("line {line} of the head is not a field")]
    Line {
        /// Which, from 1 on.
        line: usize,
    },
    /// There is a NUL, or a bare CR.
    #[error("the article has a NUL or a bare CR")]
    Byte,
    /// A field stands there twice.
    #[error("the field {name} stands in the head twice")]
    Twice {
        /// Its name.
        name: &'static str,
    },
    /// A field is missing.
    #[error("the field {name} is missing")]
    Missing {
        /// Its name.
        name: &'static str,
    },
    /// The value of a field is not valid.
    #[error("the field {name} is not valid")]
    Invalid {
        /// Its name.
        name: &'static str,
    },
}

sinew_transports::reactor::error_debug!(ArticleError);

impl Article {
    /// Reads an article. Bare LFs become CRLF, and the last line is ended.
    ///
    /// # Errors
    ///
    /// [`ArticleError`]: it is too large, or its head is not one. Nothing is said of what the fields mean.
    pub fn new(text: impl Into<Bytes>, limits: &ArticleLimits) -> Result<Self, ArticleError> {
        let text = text.into();
        let is_ended = text.ends_with(b"\r\n");
        let has_bare = memchr::memchr_iter(b'\n', &text).any(|at| at == 0 || text[at - 1] != b'\r');
        match is_ended && !has_bare {
            true => Self::parse(text, limits),
            false => {
                let mut lines = Vec::with_capacity(text.len() + text.len() / 32 + 2);
                for line in text.split_inclusive(|byte| *byte == b'\n') {
                    let line = line.strip_suffix(b"\n").unwrap_or(line);
                    lines.extend_from_slice(line.strip_suffix(b"\r").unwrap_or(line));
                    lines.extend_from_slice(b"\r\n");
                }
                Self::parse(lines.into(), limits)
            }
        }
    }

    /// Reads an article whose lines end in CRLF.
    fn parse(text: Bytes, limits: &ArticleLimits) -> Result<Self, ArticleError> {
        if text.len() > limits.bytes_max {
            return Err(ArticleError::TooLong { max: limits.bytes_max });
        }
        let is_bare = |at: usize| text.get(at + 1) != Some(&b'\n');
        if memchr::memchr(0, &text).is_some() || memchr::memchr_iter(b'\r', &text).any(is_bare) {
            return Err(ArticleError::Byte);
        }
        let (mut fields, mut at, mut number) = (Vec::<Place>::new(), 0, 0);
        while at < text.len() {
            let end = memchr::memchr(b'\n', &text[at..]).map_or(text.len(), |len| at + len + 1);
            let line = text[at..end].strip_suffix(b"\r\n").unwrap_or(&text[at..end]);
            number += 1;
            if line.is_empty() {
                at = end;
                break;
            }
            if end > limits.head_max {
                return Err(ArticleError::HeadTooLong { max: limits.head_max });
            }
            let count = fields.len();
            match (line[0], fields.last_mut()) {
                // A folded line of nothing but spaces is none (RFC 5536 2.2).
                (b' ' | b'\t', Some(last)) if !line.trim_ascii().is_empty() => {
                    last.value.end = at + line.len();
                }
                _ if count == limits.fields_max => {
                    return Err(ArticleError::TooManyFields { max: limits.fields_max });
                }
                _ => fields.push(place(line, at).ok_or(ArticleError::Line { line: number })?),
            }
            at = end;
        }
        let article = Self { text, fields, body: at };
        for name in SINGLE {
            let named = article.fields().filter(|field| field.name.eq_ignore_ascii_case(name));
            if named.count() > 1 {
                return Err(ArticleError::Twice { name });
            }
        }
        Ok(article)
    }

    /// All of it.
    #[must_use]
    pub fn text(&self) -> &Bytes {
        &self.text
    }

    /// The fields of the head, in their order.
    pub fn fields(&self) -> impl Iterator<Item = Field<'_>> {
        self.fields.iter().map(|place| Field {
            name: str::from_utf8(&self.text[place.name.clone()]).unwrap_or_default(),
            value: &self.text[place.value.clone()],
        })
    }

    /// The value of the first field of this name, in any case.
    #[must_use]
    pub fn field(&self, name: &str) -> Option<&[u8]> {
        self.fields().find(|field| field.name.eq_ignore_ascii_case(name)).map(|field| field.value)
    }

    /// The same, if it is UTF-8.
    pub(crate) fn text_of(&self, name: &str) -> Option<&str> {
        str::from_utf8(self.field(name)?).ok()
    }

    /// The body.
    #[must_use]
    pub fn body(&self) -> &[u8] {
        &self.text[self.body..]
    }

    /// The number of lines of the body.
    #[must_use]
    pub fn body_lines(&self) -> u64 {
        memchr::memchr_iter(b'\n', self.body()).count() as u64
    }

    /// Its identifier.
    ///
    /// # Errors
    ///
    /// It is missing, or is none.
    pub fn message_id(&self) -> Result<MessageId, ArticleError> {
        const NAME: &str = "Message-ID";
        if self.field(NAME).is_none() {
            return Err(ArticleError::Missing { name: NAME });
        }
        let id = self.text_of(NAME).and_then(|id| id.trim().parse().ok());
        id.ok_or(ArticleError::Invalid { name: NAME })
    }

    /// The groups that it was posted to, at most 100, each once.
    ///
    /// # Errors
    ///
    /// They are missing, or one of them is not the name of a group.
    pub fn newsgroups(&self) -> Result<Vec<GroupName>, ArticleError> {
        const NAME: &str = "Newsgroups";
        const INVALID: ArticleError = ArticleError::Invalid { name: NAME };
        if self.field(NAME).is_none() {
            return Err(ArticleError::Missing { name: NAME });
        }
        let names = self.text_of(NAME).ok_or(INVALID)?;
        let mut groups = Vec::new();
        for name in names.split(',').map(str::trim) {
            let name: GroupName = name.parse().map_err(|_| INVALID)?;
            if !groups.contains(&name) {
                groups.push(name);
            }
            if groups.len() > GROUPS_MAX {
                return Err(INVALID);
            }
        }
        Ok(groups)
    }

    /// The time of a field that has one, as `Date`. `None` if it is missing.
    ///
    /// # Errors
    ///
    /// Its value is not a date.
    pub fn date(&self, name: &'static str) -> Result<Option<SystemTime>, ArticleError> {
        if self.field(name).is_none() {
            return Ok(None);
        }
        let date = self.text_of(name).and_then(parse_article_date);
        date.map(Some).ok_or(ArticleError::Invalid { name })
    }

    /// The entries of its `Path`, the last server first.
    pub fn path(&self) -> impl Iterator<Item = &[u8]> {
        let path = self.field("Path").unwrap_or_default();
        path.split(|byte| *byte == b'!').map(<[u8]>::trim_ascii)
    }

    /// The same article without fields of some names, and with others in front.
    #[must_use]
    pub(crate) fn edited(&self, removed: &[&str], added: &[(&'static str, Text)]) -> Self {
        let is_removed =
            |field: &Field<'_>| removed.iter().any(|name| field.name.eq_ignore_ascii_case(name));
        let mut text = Vec::with_capacity(self.text.len() + 256);
        let mut fields = Vec::with_capacity(self.fields.len() + added.len());
        let mut push = |name: &[u8], value: &[u8]| {
            let start = text.len();
            text.extend_from_slice(name);
            text.extend_from_slice(b": ");
            let at = text.len();
            text.extend_from_slice(value);
            fields.push(Place { name: start..start + name.len(), value: at..text.len() });
            text.extend_from_slice(b"\r\n");
        };
        added.iter().for_each(|(name, value)| push(name.as_bytes(), value));
        let kept = self.fields().filter(|field| !is_removed(field));
        kept.for_each(|field| push(field.name.as_bytes(), field.value));
        text.extend_from_slice(b"\r\n");
        let body = text.len();
        text.extend_from_slice(self.body());
        Self { text: text.into(), fields, body }
    }

    /// The article as it is sent, up to the line of one dot.
    pub(crate) fn encode(text: &[u8], out: &mut Vec<u8>) {
        let mut dots = DotStuffing::normalizing();
        let _ = dots.encode(text, |piece| out.extend_from_slice(piece));
        let _ = dots.finish(|piece| out.extend_from_slice(piece));
    }
}

/// `Name: value`, with a space or tab behind the colon (RFC 5536 2.2), or nothing.
fn place(line: &[u8], at: usize) -> Option<Place> {
    let colon = memchr::memchr(b':', line).filter(|colon| is_field_name(&line[..*colon]))?;
    if !matches!(line.get(colon + 1), None | Some(b' ' | b'\t')) {
        return None;
    }
    let blanks = line[colon + 1..].iter().take_while(|byte| matches!(byte, b' ' | b'\t')).count();
    let value = colon + 1 + blanks;
    Some(Place { name: at..at + colon, value: at + value..at + line.len() })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(text: &'static str) -> Result<Article, ArticleError> {
        Article::new(text, &ArticleLimits::default())
    }

    #[test]
    fn heads_are_read() {
        let article = parsed("From: a\r\nNewsgroups: a.b, c.d,\r\n a.b\r\nSubject:\r\nPath: x!y\r\n  !z\r\n\r\n.body\r\n").unwrap();
        assert_eq!(article.field("from"), Some(&b"a"[..]));
        assert_eq!(article.field("SUBJECT"), Some(&b""[..]));
        assert_eq!(article.field("Date"), None);
        let groups = article.newsgroups().unwrap();
        assert_eq!(groups.iter().map(GroupName::as_str).collect::<Vec<_>>(), ["a.b", "c.d"]);
        assert_eq!(article.path().collect::<Vec<_>>(), [b"x", b"y", b"z"]);
        assert_eq!((article.body(), article.body_lines()), (&b".body\r\n"[..], 1));
        let mut out = Vec::new();
        Article::encode(b".body\r\n", &mut out);
        assert_eq!(out, b"..body\r\n.\r\n");
    }

    #[test]
    fn lines_that_end_in_lf_are_mended_once() {
        for text in ["a: b\n\nc\nd", "a: b\r\n\r\nc\r\nd\r\n", "a: b\n\r\nc\nd\n"] {
            assert_eq!(&parsed(text).unwrap().text()[..], b"a: b\r\n\r\nc\r\nd\r\n");
        }
    }

    #[test]
    fn what_is_no_head_is_refused() {
        for (text, expect) in [
            ("a b: c\n\n", ArticleError::Line { line: 1 }),
            ("a: b\nc:d\n\n", ArticleError::Line { line: 2 }),
            (" a: b\n\n", ArticleError::Line { line: 1 }),
            ("a: b\n \n\n", ArticleError::Line { line: 2 }),
            (": b\n\n", ArticleError::Line { line: 1 }),
            ("no head\n", ArticleError::Line { line: 1 }),
            ("a: b\0\n\n", ArticleError::Byte),
            ("a: b\rc: d\n\n", ArticleError::Byte),
            ("From: a\nfrom: b\n\n", ArticleError::Twice { name: "From" }),
        ] {
            assert_eq!(parsed(text), Err(expect), "{text:?}");
        }
        let limits = ArticleLimits::default().bytes_max(40).head_max(20).fields_max(2);
        let limited = |text: &'static str| Article::new(text, &limits).map(drop);
        assert_eq!(limited("a: b\nb: c\nc: d\n\n"), Err(ArticleError::TooManyFields { max: 2 }));
        assert_eq!(
            limited("a: b\n cccccccccccccccc\n\n"),
            Err(ArticleError::HeadTooLong { max: 20 })
        );
        let long = "a: b\n\nxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx";
        assert_eq!(limited(long), Err(ArticleError::TooLong { max: 40 }));
    }

    #[test]
    fn fields_are_replaced() {
        let article = parsed("A: 1\nXref: x\nB: 2\n\nbody\n").unwrap();
        let added = [("Path", Text::from_static("here!there"))];
        let edited = article.edited(&["xref"], &added);
        assert_eq!(&edited.text()[..], b"Path: here!there\r\nA: 1\r\nB: 2\r\n\r\nbody\r\n");
        let again = Article::new(edited.text().clone(), &ArticleLimits::default());
        assert_eq!(again.as_ref(), Ok(&edited));
    }
}
