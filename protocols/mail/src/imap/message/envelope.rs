//! What ENVELOPE tells of a message (RFC 3501 7.4.2): [`Envelope`].

use super::{Address, address::ADDRESSES_MAX, header::fields, quoting::write_nstring};

/// The fields of a header that ENVELOPE tells, as they are in the message: dates and encoded words are not decoded.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Envelope {
    /// `Date`.
    pub date: Option<Vec<u8>>,
    /// `Subject`.
    pub subject: Option<Vec<u8>>,
    /// `From`.
    pub from: Vec<Address>,
    /// `Sender`; if it has none, `From`.
    pub sender: Vec<Address>,
    /// `Reply-To`; if it has none, `From`.
    pub reply_to: Vec<Address>,
    /// `To`.
    pub to: Vec<Address>,
    /// `Cc`.
    pub cc: Vec<Address>,
    /// `Bcc`.
    pub bcc: Vec<Address>,
    /// `In-Reply-To`.
    pub in_reply_to: Option<Vec<u8>>,
    /// `Message-ID`.
    pub message_id: Option<Vec<u8>>,
}

impl Envelope {
    /// Reads a header. Of fields that occur twice, the first counts for texts, and all addresses do,
    /// up to 10,000 in all: a short one takes a hundred times as much memory as it has bytes.
    #[must_use]
    pub fn of_header(header: &[u8]) -> Self {
        let mut envelope = Self::default();
        let mut left = ADDRESSES_MAX;
        let mut add = |addresses: &mut Vec<Address>, text: &[u8]| {
            let mut added = if left > 0 { Address::parse_list(text) } else { Vec::new() };
            added.truncate(left);
            left -= added.len();
            addresses.append(&mut added);
        };
        for field in fields(header) {
            let name = field.name().to_ascii_lowercase();
            match &name[..] {
                b"date" => first(&mut envelope.date, field.text()),
                b"subject" => first(&mut envelope.subject, field.text()),
                b"in-reply-to" => first(&mut envelope.in_reply_to, field.text()),
                b"message-id" => first(&mut envelope.message_id, field.text()),
                b"from" => add(&mut envelope.from, &field.text()),
                b"sender" => add(&mut envelope.sender, &field.text()),
                b"reply-to" => add(&mut envelope.reply_to, &field.text()),
                b"to" => add(&mut envelope.to, &field.text()),
                b"cc" => add(&mut envelope.cc, &field.text()),
                b"bcc" => add(&mut envelope.bcc, &field.text()),
                _ => {}
            }
        }
        // RFC 3501 7.4.2: the server fills these in.
        if envelope.sender.is_empty() {
            envelope.sender.clone_from(&envelope.from);
        }
        if envelope.reply_to.is_empty() {
            envelope.reply_to.clone_from(&envelope.from);
        }
        envelope
    }

    /// Writes it as ENVELOPE does.
    pub fn write(&self, out: &mut Vec<u8>) {
        out.push(b'(');
        write_nstring(out, self.date.as_deref());
        out.push(b' ');
        write_nstring(out, self.subject.as_deref());
        for addresses in [&self.from, &self.sender, &self.reply_to, &self.to, &self.cc, &self.bcc] {
            out.push(b' ');
            write_addresses(out, addresses);
        }
        for text in [&self.in_reply_to, &self.message_id] {
            out.push(b' ');
            write_nstring(out, text.as_deref());
        }
        out.push(b')');
    }
}

fn first(place: &mut Option<Vec<u8>>, text: Vec<u8>) {
    place.get_or_insert(text);
}

fn write_addresses(out: &mut Vec<u8>, addresses: &[Address]) {
    if addresses.is_empty() {
        return out.extend_from_slice(b"NIL");
    }
    out.push(b'(');
    for address in addresses {
        address.write(out);
    }
    out.push(b')');
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn envelopes() {
        let cases: &[(&str, &str)] = &[
            ("", "(NIL NIL NIL NIL NIL NIL NIL NIL NIL NIL)"),
            (
                "Date: Wed, 17 Jul 1996 02:23:25 -0700\r\nSubject: a\r\n\tb\r\nFrom: A <a@x>\r\nTo: b@x\r\nMessage-Id: <1@x>\r\n\r\n",
                "(\"Wed, 17 Jul 1996 02:23:25 -0700\" \"a\tb\" ((\"A\" NIL \"a\" \"x\")) ((\"A\" NIL \"a\" \"x\")) \
                 ((\"A\" NIL \"a\" \"x\")) ((NIL NIL \"b\" \"x\")) NIL NIL NIL \"<1@x>\")",
            ),
            (
                "From: a@x\r\nSender: s@x\r\nReply-To: r@x\r\nsubject:\r\nSubject: 2\r\n",
                "(NIL \"\" ((NIL NIL \"a\" \"x\")) ((NIL NIL \"s\" \"x\")) ((NIL NIL \"r\" \"x\")) NIL NIL NIL NIL NIL)",
            ),
            (
                "Date: yesterday \"or\" so\r\n",
                "(\"yesterday \\\"or\\\" so\" NIL NIL NIL NIL NIL NIL NIL NIL NIL)",
            ),
            ("Subject: caf\u{e9}\r\n", "(NIL {5}\r\ncaf\u{e9} NIL NIL NIL NIL NIL NIL NIL NIL)"),
        ];
        for (header, expected) in cases {
            let mut out = Vec::new();
            Envelope::of_header(header.as_bytes()).write(&mut out);
            assert_eq!(String::from_utf8_lossy(&out), *expected, "{header}");
        }
    }

    #[test]
    fn addresses_have_a_limit_together() {
        let field = format!("To: {}\r\n", "a,".repeat(6_000));
        let envelope =
            Envelope::of_header(format!("From: b\r\n{field}{field}Cc: c\r\n").as_bytes());
        let count = envelope.from.len() + envelope.to.len() + envelope.cc.len();
        assert_eq!((count, envelope.from.len()), (ADDRESSES_MAX, 1));
    }
}
