//! The message as it was read: [`Message`], whose header is looked at and completed. Pure.

use std::ops::Range;

use sinew::reactor::Excerpt;

use super::addresses::addresses;

/// Fields that are not sent: hidden recipients, and the return path, which the last server makes (RFC 5321 4.4).
const DROPPED: [&str; 3] = ["bcc", "resent-bcc", "return-path"];

/// A message whose lines all end in CRLF, and the fields of its header.
#[derive(Debug)]
pub(super) struct Message {
    text: Vec<u8>,
    fields: Vec<Field>,
    /// Where the body begins, behind the empty line if there is one.
    body: usize,
}

/// A field with all its lines.
#[derive(Clone, Debug)]
struct Field {
    place: Range<usize>,
    name_len: usize,
}

/// What is added if the header lacks it: values of fields, without line ends.
#[derive(Clone, Debug)]
pub(super) struct Additions {
    pub(super) from: String,
    pub(super) date: String,
    pub(super) message_id: String,
}

/// A field that has no list of addresses.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the field {name} has no list of addresses: {why}: {:?}", Excerpt::new(.value))]
pub(super) struct BadField {
    name: String,
    why: &'static str,
    value: String,
}

impl Message {
    /// Takes what was read. CR, LF and CRLF end lines, also in the header, so that nothing can be a field for others that is none here. A
    /// first line of mbox files is left out. If `ends_at_dot`, a line that is a dot ends the message.
    pub(super) fn new(input: &[u8], ends_at_dot: bool) -> Self {
        let mut text = Vec::with_capacity(input.len() + input.len() / 32 + 2);
        for (number, line) in lines(input).enumerate() {
            if ends_at_dot && line == b"." {
                break;
            }
            if number > 0 || !line.starts_with(b"From ") {
                text.extend_from_slice(line);
                text.extend_from_slice(b"\r\n");
            }
        }
        let (fields, body) = parse(&text);
        Self { text, fields, body }
    }

    /// The recipients that the header names: those of the last resending, if it was resent.
    pub(super) fn recipients(&self) -> Result<Vec<String>, BadField> {
        let names = match self.has_any(&["resent-to", "resent-cc", "resent-bcc"]) {
            true => ["resent-to", "resent-cc", "resent-bcc"],
            false => ["to", "cc", "bcc"],
        };
        self.addresses_of(&names)
    }

    /// The first author.
    pub(super) fn author(&self) -> Result<Option<String>, BadField> {
        Ok(self.addresses_of(&["from"])?.into_iter().next())
    }

    /// The message as it is sent: without the fields that are not, with those that it lacks.
    pub(super) fn completed(&self, additions: &Additions) -> Vec<u8> {
        let body = &self.text[self.body..];
        let mut out = Vec::with_capacity(self.text.len() + 512);
        for field in self.fields.iter().filter(|field| !self.is_any(field, &DROPPED)) {
            out.extend_from_slice(&self.text[field.place.clone()]);
        }
        let Additions { from, date, message_id } = additions;
        for (name, value) in [("From", from), ("Date", date), ("Message-ID", message_id)] {
            if !self.has_any(&[name]) {
                out.extend_from_slice(format!("{name}: {value}\r\n").as_bytes());
            }
        }
        out.extend_from_slice(b"\r\n");
        out.extend_from_slice(body);
        out
    }

    fn has_any(&self, names: &[&str]) -> bool {
        self.fields.iter().any(|field| self.is_any(field, names))
    }

    fn is_any(&self, field: &Field, names: &[&str]) -> bool {
        let name = &self.text[field.place.start..][..field.name_len];
        names.iter().any(|other| name.eq_ignore_ascii_case(other.as_bytes()))
    }

    fn addresses_of(&self, names: &[&str]) -> Result<Vec<String>, BadField> {
        let mut all = Vec::new();
        for field in self.fields.iter().filter(|field| self.is_any(field, names)) {
            let text = String::from_utf8_lossy(&self.text[field.place.clone()]);
            let (name, value) = text.split_once(':').unwrap_or_default();
            let found = addresses(value).map_err(|why| BadField {
                name: name.trim_end().to_owned(),
                why,
                value: value.trim().to_owned(),
            })?;
            all.extend(found);
        }
        Ok(all)
    }
}

/// A name before an address (RFC 5322 3.4), for a name without control characters: as it is, in quotes, or encoded (RFC 2047).
pub(super) fn mailbox(name: &str, address: &str) -> String {
    let is_atom =
        |byte: u8| byte.is_ascii_alphanumeric() || b" !#$%&'*+-/=?^_`{|}~".contains(&byte);
    match () {
        () if name.trim().is_empty() => address.to_owned(),
        // What looks encoded would be decoded.
        () if name.bytes().all(is_atom) && !name.contains("=?") => format!("{name} <{address}>"),
        () if name.is_ascii() && !name.contains("=?") => {
            let name = name.replace('\\', "\\\\").replace('"', "\\\"");
            format!("\"{name}\" <{address}>")
        }
        () => format!("{} <{address}>", encoded(name)),
    }
}

/// Encoded words of at most 75 characters, in lines of their own, each with whole characters.
fn encoded(name: &str) -> String {
    let (mut out, mut word) = (String::new(), String::new());
    for char in name.chars() {
        let mut buffer = [0; 4];
        let coded: String = match char {
            'a'..='z' | 'A'..='Z' | '0'..='9' => char.to_string(),
            ' ' => "_".to_owned(),
            _ => char.encode_utf8(&mut buffer).bytes().map(|byte| format!("={byte:02X}")).collect(),
        };
        if word.len() + coded.len() > 60 {
            out += &format!("=?utf-8?q?{word}?=\r\n ");
            word.clear();
        }
        word += &coded;
    }
    out + &format!("=?utf-8?q?{word}?=")
}

/// The lines of a text, whatever ends them, without their ends.
fn lines(text: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut rest = text;
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        let end = rest.iter().position(|byte| matches!(byte, b'\r' | b'\n')).unwrap_or(rest.len());
        let (line, after) = rest.split_at(end);
        rest = after.strip_prefix(b"\r\n").unwrap_or(after.get(1..).unwrap_or_default());
        Some(line)
    })
}

/// The fields, and where the body begins: behind the first empty line, or at the first that cannot belong to a header.
fn parse(text: &[u8]) -> (Vec<Field>, usize) {
    let (mut fields, mut at): (Vec<Field>, _) = (Vec::new(), 0);
    while at < text.len() {
        let len =
            text[at..].windows(2).position(|end| end == b"\r\n").unwrap_or(text.len() - at - 2);
        let (line, next) = (&text[at..at + len], at + len + 2);
        if line.is_empty() {
            return (fields, next);
        }
        match (name_len(line), fields.last_mut()) {
            (_, Some(last)) if line.starts_with(b" ") || line.starts_with(b"\t") => {
                last.place.end = next;
            }
            (Some(name_len), _) => fields.push(Field { place: at..next, name_len }),
            (None, _) => return (fields, at),
        }
        at = next;
    }
    (fields, at)
}

/// The length of the name of a field (RFC 5322 2.2; spaces before the colon are those of 4.5).
fn name_len(line: &[u8]) -> Option<usize> {
    let colon = line.iter().position(|byte| *byte == b':')?;
    let name = line[..colon].trim_ascii_end();
    let is_name = !name.is_empty() && name.iter().all(|byte| (33..127).contains(byte));
    is_name.then_some(name.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn additions() -> Additions {
        Additions { from: "ann@x".into(), date: "now".into(), message_id: "<1@x>".into() }
    }

    fn completed(input: &str) -> String {
        String::from_utf8(Message::new(input.as_bytes(), false).completed(&additions())).unwrap()
    }

    const ADDED: &str = "From: ann@x\r\nDate: now\r\nMessage-ID: <1@x>\r\n";

    #[test]
    fn headers_are_completed() {
        let all = "from: a@x\r\nDATE: d\r\nMessage-Id: <m>\r\n";
        for (input, expected) in [
            ("", format!("{ADDED}\r\n")),
            ("hello", format!("{ADDED}\r\nhello\r\n")),
            ("\nTo: x\n", format!("{ADDED}\r\nTo: x\r\n")),
            ("Subject: s\n\nbody\n", format!("Subject: s\r\n{ADDED}\r\nbody\r\n")),
            ("Subject: s\nno field\n", format!("Subject: s\r\n{ADDED}\r\nno field\r\n")),
            (" folded: x\n", format!("{ADDED}\r\n folded: x\r\n")),
            ("From ann Mon\nA: b\n\nFrom x\n", format!("A: b\r\n{ADDED}\r\nFrom x\r\n")),
            (&format!("{all}\n"), format!("{all}\r\n")),
            (
                &format!("{all}Bcc: b@x,\n c@x\nResent-Bcc: d\nReturn-Path: <e>\n\nx"),
                format!("{all}\r\nx\r\n"),
            ),
            // What is a line for others is one here.
            (&format!("{all}Subject: s\rBcc: b@x\n\n"), format!("{all}Subject: s\r\n\r\n")),
            (&format!("{all}BCC : b@x\n\n"), format!("{all}\r\n")),
        ] {
            assert_eq!(completed(input), expected, "{input:?}");
        }
    }

    #[test]
    fn a_dot_ends_the_message_if_it_may() {
        let text = |ends_at_dot| Message::new(b"A: b\n\none\n.\ntwo\n", ends_at_dot).text;
        assert_eq!(text(true), b"A: b\r\n\r\none\r\n");
        assert_eq!(text(false), b"A: b\r\n\r\none\r\n.\r\ntwo\r\n");
    }

    #[test]
    fn recipients_of_the_header() {
        let recipients = |text: &str| Message::new(text.as_bytes(), false).recipients();
        let text =
            "To: A <a@x>,\n b@x\nSubject: To: no@x\ncc: c@x\nBcc: d@x\nTo: e@x\n\nTo: no@x\n";
        assert_eq!(recipients(text).unwrap(), ["a@x", "b@x", "c@x", "d@x", "e@x"]);
        assert_eq!(recipients("To: a@x\nResent-To: b@x\n").unwrap(), ["b@x"]);
        let error = recipients("To: \"a@x\n").unwrap_err().to_string();
        assert_eq!(
            error,
            "the field To has no list of addresses: a quote is not closed: \"\\\"a@x\""
        );
        let author = Message::new(b"From: root (Cron Daemon)\n\n", false).author();
        assert_eq!(author.unwrap().as_deref(), Some("root"));
    }

    #[test]
    fn names_before_addresses() {
        for (name, expected) in [
            ("", "a@x".to_owned()),
            ("Ann Lee", "Ann Lee <a@x>".to_owned()),
            ("Lee, \"Ann\"", "\"Lee, \\\"Ann\\\"\" <a@x>".to_owned()),
            ("J\u{fc}rgen M.", "=?utf-8?q?J=C3=BCrgen_M=2E?= <a@x>".to_owned()),
            ("=?x", "=?utf-8?q?=3D=3Fx?= <a@x>".to_owned()),
        ] {
            assert_eq!(mailbox(name, "a@x"), expected);
        }
        let long = mailbox(&"\u{fc}".repeat(40), "a@x");
        assert!(long.split("\r\n ").all(|line| line.len() <= 76 + 6), "{long}");
    }
}
