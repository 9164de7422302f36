//! The header of the message: [`Header`], which is looked at and completed. Pure, but for the input that it is read from.

use std::{io::BufRead, ops::Range};

use sinew::{mail::smtp::codec::Completion, reactor::Excerpt};

use super::{
    addresses::addresses,
    input::{Input, InputError},
};

/// Fields that are not sent: hidden recipients, and the return path, which the last server makes (RFC 5321 4.4).
const DROPPED: [&str; 3] = ["bcc", "resent-bcc", "return-path"];

/// The longest header, and the longest line of it.
const HEADER_MAX: usize = 1 << 20;

/// The header of a message, whose lines all end in CRLF.
#[derive(Debug)]
pub(super) struct Header {
    text: Vec<u8>,
    fields: Vec<Field>,
    /// The first line of the body, if it was there that the header was seen to have ended.
    body: Vec<u8>,
}

/// A field with all its lines.
#[derive(Clone, Debug)]
struct Field {
    place: Range<usize>,
    name_len: usize,
}

/// A field that has no list of addresses.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the field {name} has no list of addresses: {why}: {:?}", Excerpt::new(.value))]
pub(super) struct BadField {
    name: String,
    why: &'static str,
    value: String,
}

impl Header {
    /// Reads up to the empty line, or the first line that cannot belong to a header. A first line of mbox files is left out.
    pub(super) fn read(input: &mut Input<impl BufRead>) -> Result<Self, InputError> {
        let mut this = Self { text: Vec::new(), fields: Vec::new(), body: Vec::new() };
        let mut number = 0_usize;
        while let Some(line) = input.line(HEADER_MAX)? {
            number += 1;
            if number == 1 && line.starts_with(b"From ") {
                continue;
            }
            if line.is_empty() {
                break;
            }
            let (start, end) = (this.text.len(), this.text.len() + line.len() + 2);
            if end > HEADER_MAX {
                return Err(InputError::LongHeader(HEADER_MAX));
            }
            match (name_len(&line), this.fields.last_mut()) {
                (_, Some(last)) if line.starts_with(b" ") || line.starts_with(b"\t") => {
                    last.place.end = end;
                }
                (Some(name_len), _) => this.fields.push(Field { place: start..end, name_len }),
                (None, _) => {
                    this.body = [&line, &b"\r\n"[..]].concat();
                    break;
                }
            }
            this.text.extend_from_slice(&line);
            this.text.extend_from_slice(b"\r\n");
        }
        Ok(this)
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

    /// The header as it is sent, with the empty line: without the fields that are not, with those of the completion that it lacks. And what
    /// of the body was read already.
    pub(super) fn completed(&self, mut completion: Completion) -> Vec<u8> {
        let mut out = Vec::with_capacity(self.text.len() + 512);
        for field in self.fields.iter().filter(|field| !self.is_any(field, &DROPPED)) {
            completion.feed(&self.text[field.place.clone()], &mut out);
        }
        completion.feed(b"\r\n", &mut out);
        out.extend_from_slice(&self.body);
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

    fn additions() -> Completion {
        let completion = Completion::default().field("From", "ann@x").field("Date", "now");
        completion.field("Message-ID", "<1@x>")
    }

    fn read(input: &str) -> Header {
        Header::read(&mut Input::new(input.as_bytes(), false, 10_000)).unwrap()
    }

    fn completed(input: &str) -> String {
        let mut rest = Input::new(input.as_bytes(), false, 10_000);
        let mut out = Header::read(&mut rest).unwrap().completed(additions());
        let write = |bytes: &[u8]| {
            out.extend_from_slice(bytes);
            Ok(())
        };
        rest.rest(write).unwrap();
        String::from_utf8(out).unwrap()
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
    fn recipients_of_the_header() {
        let recipients = |text: &str| read(text).recipients();
        let text =
            "To: A <a@x>,\n b@x\nSubject: To: no@x\ncc: c@x\nBcc: d@x\nTo: e@x\n\nTo: no@x\n";
        assert_eq!(recipients(text).unwrap(), ["a@x", "b@x", "c@x", "d@x", "e@x"]);
        assert_eq!(recipients("To: a@x\nResent-To: b@x\n").unwrap(), ["b@x"]);
        let error = recipients("To: \"a@x\n").unwrap_err().to_string();
        assert_eq!(
            error,
            "the field To has no list of addresses: a quote is not closed: \"\\\"a@x\""
        );
        let author = read("From: root (Cron Daemon)\n\n").author();
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
