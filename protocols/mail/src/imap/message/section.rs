//! Sections of a message, such as `BODY[1.2.HEADER]` (RFC 3501 6.4.5): where they are.

use std::ops::Range;

use super::{Content, Part, write_string};
use crate::imap::codec::{AString, Section, SectionText};

/// Where a section is in a message. Of header fields: where the header is that they are in. `None` if the message has no such section.
///
/// For a section without numbers, the header of the message is enough to find it.
#[must_use]
pub fn find_section(section: &Section, message: &Part) -> Option<Range<u64>> {
    if section.part.is_empty() {
        return match section.text {
            None => Some(message.header.start..message.body.end),
            Some(SectionText::Text) => Some(message.body.clone()),
            Some(SectionText::Mime) => None,
            Some(_) => Some(message.header.clone()),
        };
    }
    let part = message.numbered(&section.part)?;
    match (&section.text, &part.content) {
        (None, _) => Some(part.body.clone()),
        (Some(SectionText::Mime), _) => Some(part.header.clone()),
        (Some(SectionText::Text), Content::Message { message, .. }) => Some(message.body.clone()),
        (_, Content::Message { message, .. }) => Some(message.header.clone()),
        _ => None,
    }
}

/// Writes a section as FETCH names it: `[1.2.MIME]`.
pub(crate) fn write_section(out: &mut Vec<u8>, section: &Section) {
    let numbers: Vec<String> = section.part.iter().map(u32::to_string).collect();
    let dot = if numbers.is_empty() || section.text.is_none() { "" } else { "." };
    out.extend_from_slice(format!("[{}{dot}", numbers.join(".")).as_bytes());
    match &section.text {
        None => {}
        Some(SectionText::Header) => out.extend_from_slice(b"HEADER"),
        Some(SectionText::Text) => out.extend_from_slice(b"TEXT"),
        Some(SectionText::Mime) => out.extend_from_slice(b"MIME"),
        Some(SectionText::HeaderFields(names)) => write_names(out, "HEADER.FIELDS", names),
        Some(SectionText::HeaderFieldsNot(names)) => write_names(out, "HEADER.FIELDS.NOT", names),
    }
    out.push(b']');
}

fn write_names(out: &mut Vec<u8>, keyword: &str, names: &[AString]) {
    out.extend_from_slice(keyword.as_bytes());
    for (index, name) in names.iter().enumerate() {
        out.extend_from_slice(if index == 0 { b" (" } else { b" " });
        let is_atom = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
        match name.as_bytes() {
            bytes if !bytes.is_empty() && bytes.iter().all(is_atom) => out.extend_from_slice(bytes),
            bytes => write_string(out, bytes),
        }
    }
    out.push(b')');
}

#[cfg(test)]
mod tests {
    use super::{super::Scanner, *};

    const MESSAGE: &str = "Subject: s\r\nContent-Type: multipart/mixed; boundary=o\r\n\r\npre\r\n--o\r\n\r\none\r\n--o\r\n\
        Content-Type: message/rfc822\r\n\r\nSubject: inner\r\nContent-Type: multipart/alternative; boundary=i\r\n\r\n\
        --i\r\nX: 1\r\n\r\na\r\n--i\r\n\r\nb\r\n--i--\r\n\r\n--o\r\nContent-Type: message/rfc822\r\n\r\nSubject: single\r\n\r\ntext\r\n\
        --o--\r\npost\r\n";

    fn found(message: &str, path: &[u32], text: Option<SectionText>) -> Option<String> {
        let mut scanner = Scanner::new();
        scanner.push(message.as_bytes());
        let part = scanner.finish();
        let range = find_section(&Section { part: path.to_vec(), text }, &part)?;
        let range = usize::try_from(range.start).unwrap()..usize::try_from(range.end).unwrap();
        Some(message[range].to_owned())
    }

    #[test]
    fn sections_of_a_nested_message() {
        const HEADER: Option<SectionText> = Some(SectionText::Header);
        const MIME: Option<SectionText> = Some(SectionText::Mime);
        const TEXT: Option<SectionText> = Some(SectionText::Text);
        let fields = || Some(SectionText::HeaderFields(Vec::new()));
        let cases: Vec<(&[u32], Option<SectionText>, Option<&str>)> = vec![
            (&[], None, Some(MESSAGE)),
            (&[], HEADER, Some("Subject: s\r\nContent-Type: multipart/mixed; boundary=o\r\n\r\n")),
            (&[], MIME, None),
            (&[1], None, Some("one")),
            (&[1], MIME, Some("\r\n")),
            (&[1], HEADER, None),
            (&[1], TEXT, None),
            (&[1, 1], None, None),
            (&[2], MIME, Some("Content-Type: message/rfc822\r\n\r\n")),
            (
                &[2],
                HEADER,
                Some("Subject: inner\r\nContent-Type: multipart/alternative; boundary=i\r\n\r\n"),
            ),
            (
                &[2],
                fields(),
                Some("Subject: inner\r\nContent-Type: multipart/alternative; boundary=i\r\n\r\n"),
            ),
            (&[2], TEXT, Some("--i\r\nX: 1\r\n\r\na\r\n--i\r\n\r\nb\r\n--i--\r\n")),
            (&[2, 1], None, Some("a")),
            (&[2, 1], MIME, Some("X: 1\r\n\r\n")),
            (&[2, 2], None, Some("b")),
            (&[2, 3], None, None),
            (&[2, 0], None, None),
            (&[3, 1], None, Some("text")),
            (&[3, 1, 1], None, None),
            (&[3, 2], None, None),
            (&[4], None, None),
            (&[u32::MAX], None, None),
        ];
        for (path, text, expected) in cases {
            assert_eq!(
                found(MESSAGE, path, text.clone()).as_deref(),
                expected,
                "{path:?} {text:?}"
            );
        }
    }

    #[test]
    fn the_first_part_of_a_single_message_is_itself() {
        let message = "A: 1\r\n\r\ntext\r\n";
        assert_eq!(found(message, &[1], None).as_deref(), Some("text\r\n"));
        assert_eq!(found(message, &[1], Some(SectionText::Mime)).as_deref(), Some("A: 1\r\n\r\n"));
        assert_eq!(found(message, &[1, 1], None), None);
        assert_eq!(found(message, &[], Some(SectionText::Text)).as_deref(), Some("text\r\n"));
    }
}
