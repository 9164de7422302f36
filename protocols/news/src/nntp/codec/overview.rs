//! The overview: one line of what matters of an article, [`OverviewLine`] (RFC 3977 8.3 and 8.4).

use std::borrow::Cow;

use bytes::Bytes;

use super::{Article, GroupName, MessageId, xref};

/// The fields of a line, in their order, as LIST OVERVIEW.FMT says them. `Bytes:` and `Lines:` stand for `:bytes` and `:lines`, as RFC
/// 3977 8.4.2 allows: slrn reads without the overview otherwise.
pub const OVERVIEW_FIELDS: [&str; 8] =
    ["Subject:", "From:", "Date:", "Message-ID:", "References:", "Bytes:", "Lines:", "Xref:full"];

/// Most bytes of a value: the first kilobytes of a longer one are kept.
const VALUE_MAX: usize = 2_000;

/// Where the length of the article is.
const BYTES_AT: usize = 5;

/// What the overview says of one article. Cheap to clone.
///
/// # Examples
///
/// ```
/// use sinew_news::nntp::codec::OverviewLine;
///
/// let line = OverviewLine::parse(b"7\thello\tann@example.net\t6 Nov 1994\t<1@a>\t\t123\t4")?;
/// assert_eq!((line.number(), line.subject(), line.bytes()), (7, "hello".into(), Some(123)));
/// # Ok::<(), sinew_news::nntp::codec::OverviewError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OverviewLine {
    number: u64,
    /// The fields between tabs, without CR, LF and NUL.
    fields: Bytes,
}

/// A line is none of the overview.
#[derive(Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a line of the overview has a number and at least seven fields, between tabs")]
#[non_exhaustive]
pub struct OverviewError;

sinew_transports::reactor::error_debug!(OverviewError);

impl OverviewLine {
    /// Makes the line of an article, with the value of its Xref.
    pub(crate) fn of(article: &Article, number: u64, bytes: u64, lines: u64, xref: &str) -> Self {
        let mut fields = Vec::with_capacity(256);
        for name in ["Subject", "From", "Date", "Message-ID", "References"] {
            clean(article.field(name).unwrap_or_default(), &mut fields);
            fields.push(b'\t');
        }
        fields.extend_from_slice(format!("{bytes}\t{lines}\tXref: ").as_bytes());
        clean(whole_words(xref.as_bytes()), &mut fields);
        Self { number, fields: fields.into() }
    }

    /// Fields that were made by [`of`](Self::of).
    pub(crate) fn of_fields(number: u64, fields: Bytes) -> Self {
        Self { number, fields }
    }

    /// Reads a line, which is given without its line end.
    ///
    /// # Errors
    ///
    /// [`OverviewError`]: there is no number, there are fewer than seven fields, or there is a CR, LF or NUL.
    pub fn parse(line: &[u8]) -> Result<Self, OverviewError> {
        let at = line.iter().position(|byte| *byte == b'\t').ok_or(OverviewError)?;
        let number = str::from_utf8(&line[..at]).map_err(|_| OverviewError)?;
        let number = super::range::number(number).map_err(|_| OverviewError)?;
        let fields = &line[at + 1..];
        let is_bad = fields.iter().any(|byte| matches!(byte, b'\r' | b'\n' | 0));
        if is_bad || fields.iter().filter(|byte| **byte == b'\t').count() < 6 {
            return Err(OverviewError);
        }
        Ok(Self { number, fields: Bytes::copy_from_slice(fields) })
    }

    /// The number of the article in its group; 0 if it was asked for by its identifier.
    #[must_use]
    pub fn number(&self) -> u64 {
        self.number
    }

    /// The same with another number.
    pub(crate) fn with_number(&self, number: u64) -> Self {
        Self { number, fields: self.fields.clone() }
    }

    /// All fields, between tabs.
    #[must_use]
    pub fn fields(&self) -> &[u8] {
        &self.fields
    }

    /// The field at this place, from 0 on, in the order of [`OVERVIEW_FIELDS`]; those behind the seventh have their names in front.
    #[must_use]
    pub fn field(&self, at: usize) -> Option<&[u8]> {
        self.fields.split(|byte| *byte == b'\t').nth(at)
    }

    fn text(&self, at: usize) -> String {
        String::from_utf8_lossy(self.field(at).unwrap_or_default()).into_owned()
    }

    /// The subject. What is not UTF-8 is replaced, here and below.
    #[must_use]
    pub fn subject(&self) -> String {
        self.text(0)
    }

    /// The author.
    #[must_use]
    pub fn from(&self) -> String {
        self.text(1)
    }

    /// The date.
    #[must_use]
    pub fn date(&self) -> String {
        self.text(2)
    }

    /// The identifier, if it is one.
    #[must_use]
    pub fn message_id(&self) -> Option<MessageId> {
        str::from_utf8(self.field(3)?).ok()?.parse().ok()
    }

    /// The identifiers of earlier articles of the thread.
    #[must_use]
    pub fn references(&self) -> String {
        self.text(4)
    }

    /// The length of the article in bytes, if it is known.
    #[must_use]
    pub fn bytes(&self) -> Option<u64> {
        str::from_utf8(self.field(BYTES_AT)?).ok()?.parse().ok()
    }

    /// The number of lines of its body, if it is known.
    #[must_use]
    pub fn lines(&self) -> Option<u64> {
        str::from_utf8(self.field(6)?).ok()?.parse().ok()
    }

    /// The value of a field that stands here with its name, as Xref.
    #[must_use]
    pub fn extra(&self, name: &str) -> Option<&[u8]> {
        self.fields.split(|byte| *byte == b'\t').skip(7).find_map(|field| {
            let (found, value) = field.split_at_checked(name.len())?;
            let value = value.strip_prefix(b":")?;
            found.eq_ignore_ascii_case(name.as_bytes()).then(|| value.trim_ascii_start())
        })
    }

    /// The line without groups in its Xref that are not to be seen, and without their bytes in the length of the article. A line of the same
    /// article is sent to all who may see the same groups.
    pub(crate) fn visible(&self, is_visible: impl Fn(&GroupName) -> bool) -> Self {
        const NAME: &[u8] = b"Xref:";
        let mut fields: Vec<_> =
            self.fields.split(|byte| *byte == b'\t').map(Cow::Borrowed).collect();
        let mut hidden = 0;
        for field in fields.iter_mut().skip(7) {
            let Some((name, value)) = field.split_at_checked(NAME.len()) else { continue };
            if !name.eq_ignore_ascii_case(NAME) {
                continue;
            }
            let shown = match xref::visible(value, &is_visible) {
                Some(Cow::Borrowed(_)) => continue,
                Some(Cow::Owned(value)) => [NAME, b" ", &value].concat(),
                None => Vec::new(),
            };
            // With the line goes its end.
            let end = if shown.is_empty() { 2 } else { 0 };
            hidden += (field.len() + end).saturating_sub(shown.len());
            *field = Cow::Owned(shown);
        }
        if hidden == 0 {
            return self.clone();
        }
        if let Some(bytes) = self.bytes() {
            let bytes = bytes.saturating_sub(hidden as u64);
            fields[BYTES_AT] = Cow::Owned(bytes.to_string().into_bytes());
        }
        Self { number: self.number, fields: fields.join(&b'\t').into() }
    }

    /// Appends the line as it is sent, without its CRLF.
    pub(crate) fn encode(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(self.number.to_string().as_bytes());
        out.push(b'\t');
        out.extend_from_slice(&self.fields);
    }
}

/// As much of a value as is kept, up to the end of a word: half a location would be the number of another article.
fn whole_words(value: &[u8]) -> &[u8] {
    match value.get(..=VALUE_MAX) {
        Some(start) => &start[..start.iter().rposition(|byte| *byte == b' ').unwrap_or_default()],
        None => value,
    }
}

/// RFC 3977 8.3.2: a CRLF is removed, then each TAB, CR, LF and NUL becomes a space.
fn clean(value: &[u8], out: &mut Vec<u8>) {
    let value = &value[..value.len().min(VALUE_MAX)];
    let mut at = 0;
    while at < value.len() {
        match value[at] {
            b'\r' if value.get(at + 1) == Some(&b'\n') => at += 1,
            b'\t' | b'\r' | b'\n' | 0 => out.push(b' '),
            byte => out.push(byte),
        }
        at += 1;
    }
}

/// A value without line ends, of any length.
pub(crate) fn unfolded(value: &[u8]) -> Vec<u8> {
    let is_kept = |byte: &u8| !matches!(byte, b'\r' | b'\n' | 0);
    value.iter().copied().filter(is_kept).collect()
}

/// The value of a field as HDR sends it.
pub(crate) fn hdr_value(value: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(value.len());
    clean(value, &mut out);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_stay_in_their_place() {
        for (value, expect) in [
            (&b"a b"[..], &b"a b"[..]),
            (b"a\r\n b", b"a b"),
            (b"a\r\n\tb", b"a b"),
            (b"a\tb\0c", b"a b c"),
            (b"a\nb\rc\r\r\nd", b"a b c d"),
        ] {
            assert_eq!(hdr_value(value), expect, "{}", value.escape_ascii());
        }
        assert_eq!(hdr_value(&[b'x'; 3_000]).len(), VALUE_MAX);
    }

    #[test]
    fn groups_that_are_not_to_be_seen_are_left_out_with_their_bytes() {
        let is_visible = |group: &GroupName| group.as_str() != "b.y";
        for (line, expect) in [
            (
                "7\ts\tf\td\t<a@b>\t\t500\t3\tXref: h a.x:7 b.y:12",
                "7\ts\tf\td\t<a@b>\t\t493\t3\tXref: h a.x:7",
            ),
            (
                "7\ts\tf\td\t<a@b>\t\t500\t3\tXref: h b.y:12\tA: b.y:1",
                "7\ts\tf\td\t<a@b>\t\t484\t3\t\tA: b.y:1",
            ),
            (
                "7\ts\tf\td\t<a@b>\t\t\t3\tA: 1\txref: h b.y:12 a.x:7",
                "7\ts\tf\td\t<a@b>\t\t\t3\tA: 1\tXref: h a.x:7",
            ),
            ("7\tXref: h b.y:12\tf\td\t<a@b>\t\t5\t3", "7\tXref: h b.y:12\tf\td\t<a@b>\t\t5\t3"),
            (
                "7\ts\tf\td\t<a@b>\t\t500\t3\tXref: h a.x:7",
                "7\ts\tf\td\t<a@b>\t\t500\t3\tXref: h a.x:7",
            ),
        ] {
            let mut out = Vec::new();
            OverviewLine::parse(line.as_bytes()).unwrap().visible(is_visible).encode(&mut out);
            assert_eq!(String::from_utf8(out).unwrap(), expect, "{line:?}");
        }
    }

    #[test]
    fn a_long_xref_is_cut_between_two_groups() {
        let article =
            Article::new("From: a\n\nb\n", &super::super::ArticleLimits::default()).unwrap();
        let xref = (0..300).fold("h".to_owned(), |xref, at| format!("{xref} a.x{at}:123456"));
        for extra in 0..20 {
            let xref = format!("{}{xref}", "h".repeat(extra));
            let line = OverviewLine::of(&article, 1, 10, 1, &xref);
            let kept = line.extra("Xref").unwrap();
            assert!(kept.ends_with(b":123456") && xref.as_bytes().starts_with(kept));
            assert!((VALUE_MAX - 20..=VALUE_MAX).contains(&kept.len()), "{}", kept.len());
        }
    }

    #[test]
    fn lines_are_read_and_written() {
        let text = b"7\ts\tf\td\t<a@b>\t\t12\t3\tXref: h a.b:7";
        let line = OverviewLine::parse(text).unwrap();
        assert_eq!(line.message_id().unwrap().as_str(), "<a@b>");
        assert_eq!(
            (line.bytes(), line.lines(), line.references().as_str()),
            (Some(12), Some(3), "")
        );
        assert_eq!(line.extra("xref"), Some(&b"h a.b:7"[..]));
        let mut out = Vec::new();
        line.encode(&mut out);
        assert_eq!(out, text);
        for text in
            [&b""[..], b"7", b"7\ta\tb\tc\td\te\tf", b"x\t\t\t\t\t\t\t", b"7\t\t\t\t\t\t\t\r"]
        {
            assert_eq!(OverviewLine::parse(text), Err(OverviewError), "{}", text.escape_ascii());
        }
    }
}
