//! Sections of a message, such as `BODY[1.2.HEADER]` (RFC 3501 6.4.5): [`Section`] finds where they are.

use std::ops::Range;

use super::{Content, Part};

/// A section: a part, and what of it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Section {
    /// The numbers of the part; empty for the message.
    pub path: Vec<u32>,
    /// What of it.
    pub text: SectionText,
}

/// What of a part is asked for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum SectionText {
    /// Of the message, all; of a part, its body.
    #[default]
    Whole,
    /// `HEADER`: of a message.
    Header,
    /// `HEADER.FIELDS`, or `HEADER.FIELDS.NOT`: of a message.
    HeaderFields {
        /// The names.
        names: Vec<Vec<u8>>,
        /// Whether all others are asked for.
        is_not: bool,
    },
    /// `TEXT`: the body of a message.
    Text,
    /// `MIME`: the header of a part.
    Mime,
}

impl Section {
    /// Whether the header of the message is enough to find it, so that the rest need not be scanned.
    #[must_use]
    pub fn needs_header_only(&self) -> bool {
        self.path.is_empty()
    }

    /// Where it is in the message. Of header fields: where the header is that they are in. `None` if the message has no such section.
    #[must_use]
    pub fn find(&self, message: &Part) -> Option<Range<u64>> {
        if self.path.is_empty() {
            return match self.text {
                SectionText::Whole => Some(message.header.start..message.body.end),
                SectionText::Header | SectionText::HeaderFields { .. } => Some(message.header.clone()),
                SectionText::Text => Some(message.body.clone()),
                SectionText::Mime => None,
            };
        }
        let part = message.numbered(&self.path)?;
        match (&self.text, &part.content) {
            (SectionText::Whole, _) => Some(part.body.clone()),
            (SectionText::Mime, _) => Some(part.header.clone()),
            (SectionText::Text, Content::Message { message, .. }) => Some(message.body.clone()),
            (_, Content::Message { message, .. }) => Some(message.header.clone()),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{super::Scanner, *};

    const MESSAGE: &str = "Subject: s\r\nContent-Type: multipart/mixed; boundary=o\r\n\r\npre\r\n--o\r\n\r\none\r\n--o\r\n\
        Content-Type: message/rfc822\r\n\r\nSubject: inner\r\nContent-Type: multipart/alternative; boundary=i\r\n\r\n\
        --i\r\nX: 1\r\n\r\na\r\n--i\r\n\r\nb\r\n--i--\r\n\r\n--o\r\nContent-Type: message/rfc822\r\n\r\nSubject: single\r\n\r\ntext\r\n\
        --o--\r\npost\r\n";

    fn found(message: &str, path: &[u32], text: SectionText) -> Option<String> {
        let mut scanner = Scanner::new();
        scanner.push(message.as_bytes());
        let part = scanner.finish();
        let range = Section { path: path.to_vec(), text }.find(&part)?;
        let range = usize::try_from(range.start).unwrap()..usize::try_from(range.end).unwrap();
        Some(message[range].to_owned())
    }

    #[test]
    fn sections_of_a_nested_message() {
        use SectionText::{Header, Mime, Text, Whole};
        let fields = || SectionText::HeaderFields { names: Vec::new(), is_not: true };
        let cases: Vec<(&[u32], SectionText, Option<&str>)> = vec![
            (&[], Whole, Some(MESSAGE)),
            (&[], Header, Some("Subject: s\r\nContent-Type: multipart/mixed; boundary=o\r\n\r\n")),
            (&[], Mime, None),
            (&[1], Whole, Some("one")),
            (&[1], Mime, Some("\r\n")),
            (&[1], Header, None),
            (&[1], Text, None),
            (&[1, 1], Whole, None),
            (&[2], Mime, Some("Content-Type: message/rfc822\r\n\r\n")),
            (&[2], Header, Some("Subject: inner\r\nContent-Type: multipart/alternative; boundary=i\r\n\r\n")),
            (&[2], fields(), Some("Subject: inner\r\nContent-Type: multipart/alternative; boundary=i\r\n\r\n")),
            (&[2], Text, Some("--i\r\nX: 1\r\n\r\na\r\n--i\r\n\r\nb\r\n--i--\r\n")),
            (&[2, 1], Whole, Some("a")),
            (&[2, 1], Mime, Some("X: 1\r\n\r\n")),
            (&[2, 2], Whole, Some("b")),
            (&[2, 3], Whole, None),
            (&[2, 0], Whole, None),
            (&[3, 1], Whole, Some("text")),
            (&[3, 1, 1], Whole, None),
            (&[3, 2], Whole, None),
            (&[4], Whole, None),
            (&[u32::MAX], Whole, None),
        ];
        for (path, text, expected) in cases {
            assert_eq!(found(MESSAGE, path, text.clone()).as_deref(), expected, "{path:?} {text:?}");
        }
    }

    #[test]
    fn the_first_part_of_a_single_message_is_itself() {
        let message = "A: 1\r\n\r\ntext\r\n";
        assert_eq!(found(message, &[1], SectionText::Whole).as_deref(), Some("text\r\n"));
        assert_eq!(found(message, &[1], SectionText::Mime).as_deref(), Some("A: 1\r\n\r\n"));
        assert_eq!(found(message, &[1, 1], SectionText::Whole), None);
        assert_eq!(found(message, &[], SectionText::Text).as_deref(), Some("text\r\n"));
    }
}
