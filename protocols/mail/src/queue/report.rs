//! Reports about a message, for its sender: [`Report`] (RFC 3461, 3462, 3464). Pure.
//!
//! A report is `multipart/report` of three parts: a text for people, `message/delivery-status` for programs, and what is returned of the
//! message. The first two are ASCII: other characters of addresses and replies are written as `\x{4E2D}`, as RFC 6533 3 has it, and an
//! address with some is of the type `utf-8`. A message whose header is not ASCII is returned as `message/global-headers`, in base64. So
//! a report needs SMTPUTF8 only if the address that it goes to does. `message/global` and `message/global-delivery-status` are not made.
//!
//! Nothing that others have said can be taken for another part: values are on one field, folded, without control characters, and the
//! boundary is one that is not in what is returned.

use std::{
    fmt::Write,
    time::{Duration, UNIX_EPOCH},
};

use data_encoding::BASE64_MIME;
use sinew_protocols::basic::Word;

use super::{MessageId, Status};
use crate::smtp::codec::{self, Address, MessageFacts, Recipient, Return};

/// Longest line that is written, where there are spaces.
const LINE_LEN: usize = 76;
/// Longest line, in any case (RFC 5322 2.1.1).
const LINE_MAX: usize = 900;

/// A report that is to be written.
#[derive(Clone, Debug)]
pub struct Report<'a> {
    /// This host.
    pub(crate) hostname: &'a Word,
    /// The name of the report.
    pub(crate) id: &'a MessageId,
    pub(crate) to: &'a Address,
    pub(crate) envelope_id: Option<&'a str>,
    /// In milliseconds since 1970.
    pub(crate) arrived: u64,
    pub(crate) now: u64,
    pub(crate) expires: u64,
    pub(crate) recipients: Vec<Reported<'a>>,
    pub(crate) returned: Returned,
}

/// What a report says about one recipient.
#[derive(Clone, Debug)]
pub struct Reported<'a> {
    pub(crate) recipient: &'a Recipient,
    pub(crate) action: Action,
    pub(crate) status: Option<&'a Status>,
    pub(crate) last: u64,
}

/// What has happened (RFC 3464 2.3.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "the words of the RFC")]
#[non_exhaustive]
pub enum Action {
    Failed,
    Delayed,
    Delivered,
    Relayed,
    Expanded,
}

/// What a report returns of the message.
#[derive(Clone, Debug, Default)]
pub struct Returned {
    bytes: Vec<u8>,
    is_whole: bool,
    is_8bit: bool,
}

impl Returned {
    /// Chooses what is returned: `front` is the message, or as much of its front as may be kept.
    #[must_use]
    pub fn choose(front: &[u8], facts: &MessageFacts, wanted: Option<Return>) -> Self {
        let is_whole = front.len() as u64 == facts.len()
            && wanted != Some(Return::Headers)
            && !facts.header_is_8bit();
        if is_whole {
            return Self { bytes: front.to_vec(), is_whole, is_8bit: facts.body_is_8bit() };
        }
        let mut len = 0;
        for line in front.split_inclusive(|byte| *byte == b'\n') {
            if line == b"\r\n" || !line.ends_with(b"\n") {
                break;
            }
            len += line.len();
        }
        Self { bytes: front[..len].to_vec(), is_whole, is_8bit: facts.header_is_8bit() }
    }
}

impl<'a> Report<'a> {
    /// A report about a message that arrived and expires at these times, in milliseconds since 1970.
    #[must_use]
    pub fn new(
        hostname: &'a Word,
        id: &'a MessageId,
        to: &'a Address,
        [arrived, now, expires]: [u64; 3],
    ) -> Self {
        let (envelope_id, recipients, returned) = (None, Vec::new(), Returned::default());
        Self { hostname, id, to, envelope_id, arrived, now, expires, recipients, returned }
    }

    /// What the sender calls the message (ENVID).
    #[must_use]
    pub fn envelope_id(mut self, id: Option<&'a str>) -> Self {
        self.envelope_id = id;
        self
    }

    /// Tells of a recipient; `last` is the time of the last attempt.
    #[must_use]
    pub fn about(
        mut self,
        recipient: &'a Recipient,
        action: Action,
        status: Option<&'a Status>,
        last: u64,
    ) -> Self {
        self.recipients.push(Reported { recipient, action, status, last });
        self
    }

    /// Returns this of the message.
    #[must_use]
    pub fn returning(mut self, returned: Returned) -> Self {
        self.returned = returned;
        self
    }

    /// Writes the report, as a message whose lines end in CRLF.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let boundary = self.boundary();
        let mut out = String::new();
        self.head(&mut out, &boundary);
        let _ = write!(out, "--{boundary}\r\nContent-Type: text/plain; charset=us-ascii\r\n\r\n");
        self.words(&mut out);
        let _ = write!(out, "\r\n--{boundary}\r\nContent-Type: message/delivery-status\r\n\r\n");
        self.fields(&mut out);
        let _ = write!(out, "\r\n--{boundary}\r\nContent-Type: ");
        let Returned { bytes, is_whole, is_8bit } = &self.returned;
        let mut out = match (is_whole, is_8bit) {
            (true, true) => {
                out.push_str("message/rfc822\r\nContent-Transfer-Encoding: 8bit\r\n\r\n");
                [out.as_bytes(), bytes].concat()
            }
            (true, false) => {
                out.push_str("message/rfc822\r\n\r\n");
                [out.as_bytes(), bytes].concat()
            }
            (false, true) => {
                out.push_str("message/global-headers\r\nContent-Transfer-Encoding: base64\r\n\r\n");
                out.push_str(&BASE64_MIME.encode(bytes));
                out.into_bytes()
            }
            (false, false) => {
                out.push_str("text/rfc822-headers\r\n\r\n");
                [out.as_bytes(), bytes].concat()
            }
        };
        out.extend_from_slice(format!("\r\n--{boundary}--\r\n").as_bytes());
        out
    }

    fn head(&self, out: &mut String, boundary: &str) {
        let Self { hostname, id, to, now, .. } = self;
        let hostname = ascii(&hostname.to_string());
        field(out, "From", &format!("Mail Delivery System <MAILER-DAEMON@{hostname}>"));
        // The only line that may be not ASCII, and then the address needs SMTPUTF8 itself.
        let _ = write!(out, "To: <{to}>\r\n");
        field(out, "Subject", self.subject());
        field(out, "Date", &date(*now));
        field(out, "Message-ID", &message_id(id, &hostname));
        field(out, "Auto-Submitted", "auto-replied");
        field(out, "MIME-Version", "1.0");
        let _ = write!(
            out,
            "Content-Type: multipart/report; report-type=delivery-status;\r\n\tboundary=\"{boundary}\"\r\n"
        );
        if self.returned.is_whole && self.returned.is_8bit {
            field(out, "Content-Transfer-Encoding", "8bit");
        }
        out.push_str("\r\n");
    }

    fn has(&self, action: Action) -> bool {
        self.recipients.iter().any(|reported| reported.action == action)
    }

    fn subject(&self) -> &'static str {
        match () {
            () if self.has(Action::Failed) => "Mail could not be delivered",
            () if self.has(Action::Delayed) => "Mail is delayed",
            () => "Mail was delivered",
        }
    }

    /// The part for people.
    fn words(&self, out: &mut String) {
        let hostname = ascii(&self.hostname.to_string());
        paragraph(out, &format!("This is the mail server of {hostname}."));
        for (action, introduction) in [
            (Action::Failed, "Your message could not be delivered to these recipients:"),
            (
                Action::Delayed,
                "Your message could not be delivered yet. It is tried again until the time given below; you need not send it again. It waits for these recipients:",
            ),
            (Action::Delivered, "Your message has arrived at these recipients:"),
            (
                Action::Relayed,
                "Your message was passed on for these recipients, to servers that send no reports of success:",
            ),
            (Action::Expanded, "Your message was passed on to the members of these lists:"),
        ] {
            if !self.has(action) {
                continue;
            }
            out.push_str("\r\n");
            paragraph(out, introduction);
            for Reported { recipient, status, .. } in
                self.recipients.iter().filter(|reported| reported.action == action)
            {
                out.push_str("\r\n");
                paragraph(out, &format!("<{}>", recipient.address()));
                if let Some(status) = status {
                    paragraph(out, &format!("    {status}"));
                }
            }
            if action == Action::Delayed {
                out.push_str("\r\n");
                paragraph(out, &format!("It is returned after {}.", date(self.expires)));
            }
        }
    }

    /// The part for programs.
    fn fields(&self, out: &mut String) {
        field(out, "Reporting-MTA", &format!("dns; {}", self.hostname));
        if let Some(id) = self.envelope_id {
            field(out, "Original-Envelope-Id", id);
        }
        field(out, "Arrival-Date", &date(self.arrived));
        for Reported { recipient, action, status, last } in &self.recipients {
            out.push_str("\r\n");
            if let Some((kind, original)) = recipient.original() {
                field(out, "Original-Recipient", &format!("{kind};{original}"));
            }
            let address = recipient.address();
            let kind = if address.is_ascii() { "rfc822" } else { "utf-8" };
            field(out, "Final-Recipient", &format!("{kind}; {address}"));
            field(out, "Action", action.word());
            let class = action.class();
            let code = status.map(|status| {
                // RFC 3464 2.3.4: the class has to fit the action.
                let code = status.code;
                match (action, code.class) {
                    (Action::Failed, 4 | 5) => code.to_string(),
                    _ => format!("{class}.{}.{}", code.subject, code.detail),
                }
            });
            field(out, "Status", &code.unwrap_or_else(|| format!("{class}.0.0")));
            if let Some(remote) = status.and_then(Status::remote) {
                field(out, "Remote-MTA", &format!("dns; {remote}"));
            }
            if let Some(status) = status.filter(|status| !status.text.is_empty()) {
                let kind = if status.is_reply { "smtp" } else { "x-sinew" };
                field(out, "Diagnostic-Code", &format!("{kind}; {}", status.text));
            }
            field(out, "Last-Attempt-Date", &date(*last));
            if *action == Action::Delayed {
                field(out, "Will-Retry-Until", &date(self.expires));
            }
        }
    }

    /// A boundary that is nowhere in what is returned.
    fn boundary(&self) -> String {
        let bytes = &self.returned.bytes;
        let mut boundary = format!("=_{}", self.id);
        let mut serial = 0_u64;
        while memchr::memmem::find(bytes, boundary.as_bytes()).is_some() {
            serial += 1;
            boundary = format!("=_{}_{serial}", self.id);
        }
        boundary
    }
}

impl Action {
    fn word(self) -> &'static str {
        match self {
            Self::Failed => "failed",
            Self::Delayed => "delayed",
            Self::Delivered => "delivered",
            Self::Relayed => "relayed",
            Self::Expanded => "expanded",
        }
    }

    /// The first digit of the status, unless a failure says another.
    fn class(self) -> u8 {
        match self {
            Self::Failed => 5,
            Self::Delayed => 4,
            Self::Delivered | Self::Relayed | Self::Expanded => 2,
        }
    }
}

/// The `Message-ID` of a message with this name in the queue of a host.
pub(crate) fn message_id(id: impl std::fmt::Display, hostname: &str) -> String {
    format!("<{id}@{}>", ascii(hostname))
}

/// A date of RFC 5322 3.3, in UTC.
pub(crate) fn date(millis: u64) -> String {
    // What `httpdate` can write: up to the year 9999.
    let time = UNIX_EPOCH + Duration::from_millis(millis.min(253_402_300_799_000));
    codec::date::date(time)
}

/// The text in ASCII without control characters.
fn ascii(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for char in text.chars() {
        match char {
            ' '..='~' => out.push(char),
            _ => drop(write!(out, "\\x{{{:X}}}", u32::from(char))),
        }
    }
    out
}

/// A field of a header, folded.
fn field(out: &mut String, name: &str, value: &str) {
    fold(out, &format!("{name}: {}", ascii(value)), "\r\n ");
}

/// A paragraph of text.
fn paragraph(out: &mut String, text: &str) {
    fold(out, &ascii(text), "\r\n    ");
}

/// Appends a line in ASCII, broken at spaces, or anywhere if it has none for long.
fn fold(out: &mut String, text: &str, join: &str) {
    let mut rest = text;
    let mut is_first = true;
    loop {
        if !is_first {
            out.push_str(join);
        }
        is_first = false;
        // A break may not leave a line of spaces, which would end a field for some.
        let start = rest.len() - rest.trim_start_matches(' ').len();
        let at = match rest.len() {
            len if len <= LINE_LEN => len,
            len => {
                let front = &rest[..len.min(LINE_MAX)];
                let before = front[..LINE_LEN].rfind(' ').filter(|at| *at > start);
                let behind = || front[LINE_LEN..].find(' ').map(|at| at + LINE_LEN);
                before.or_else(behind).unwrap_or(front.len())
            }
        };
        out.push_str(rest[..at].trim_end_matches(' '));
        rest = rest[at..].trim_start_matches(' ');
        if rest.is_empty() {
            out.push_str("\r\n");
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::smtp::codec::Reply;

    fn facts(message: &[u8]) -> MessageFacts {
        let mut facts = MessageFacts::default();
        facts.feed(message);
        facts
    }

    #[test]
    fn a_failure_is_reported_with_the_message() {
        let (hostname, id) = (Word::from_static("mail.example"), "a-1".parse().unwrap());
        let to = "ann@example.net".parse().unwrap();
        let bob = Recipient::new("bob@example.org".parse().unwrap());
        let bob = bob.with_original(Word::from_static("rfc822"), "robert@example.org");
        let status = Status::of_reply(&Reply::no_such_mailbox()).said_by("mx.example.org");
        let message = b"Subject: x\r\n\r\nHello\r\n";
        let report = Report::new(&hostname, &id, &to, [784_111_777_000, 784_111_778_000, 0])
            .envelope_id(Some("my id"))
            .about(&bob, Action::Failed, Some(&status), 784_111_779_000)
            .returning(Returned::choose(message, &facts(message), None));
        let expected = "From: Mail Delivery System <MAILER-DAEMON@mail.example>\r\n\
            To: <ann@example.net>\r\n\
            Subject: Mail could not be delivered\r\n\
            Date: Sun, 06 Nov 1994 08:49:38 +0000\r\n\
            Message-ID: <a-1@mail.example>\r\n\
            Auto-Submitted: auto-replied\r\n\
            MIME-Version: 1.0\r\n\
            Content-Type: multipart/report; report-type=delivery-status;\r\n\
            \tboundary=\"=_a-1\"\r\n\
            \r\n\
            --=_a-1\r\n\
            Content-Type: text/plain; charset=us-ascii\r\n\
            \r\n\
            This is the mail server of mail.example.\r\n\
            \r\n\
            Your message could not be delivered to these recipients:\r\n\
            \r\n\
            <bob@example.org>\r\n    5.1.1 (mx.example.org: 550 5.1.1 No such mailbox here)\r\n\
            \r\n\
            --=_a-1\r\n\
            Content-Type: message/delivery-status\r\n\
            \r\n\
            Reporting-MTA: dns; mail.example\r\n\
            Original-Envelope-Id: my id\r\n\
            Arrival-Date: Sun, 06 Nov 1994 08:49:37 +0000\r\n\
            \r\n\
            Original-Recipient: rfc822;robert@example.org\r\n\
            Final-Recipient: rfc822; bob@example.org\r\n\
            Action: failed\r\n\
            Status: 5.1.1\r\n\
            Remote-MTA: dns; mx.example.org\r\n\
            Diagnostic-Code: smtp; 550 5.1.1 No such mailbox here\r\n\
            Last-Attempt-Date: Sun, 06 Nov 1994 08:49:39 +0000\r\n\
            \r\n\
            --=_a-1\r\n\
            Content-Type: message/rfc822\r\n\
            \r\n\
            Subject: x\r\n\r\nHello\r\n\
            \r\n\
            --=_a-1--\r\n";
        assert_eq!(String::from_utf8(report.encode()).unwrap(), expected);
    }

    #[test]
    fn what_is_returned_depends_on_the_message_and_on_ret() {
        let long = format!("Subject: x\r\n\r\n{}", "y\r\n".repeat(100));
        for (message, front, wanted, expected) in [
            ("A: x\r\n\r\nx\r\n", 99, None, (true, false, "A: x\r\n\r\nx\r\n")),
            ("A: x\r\n\r\nx\r\n", 99, Some(Return::Headers), (false, false, "A: x\r\n")),
            ("A: x\r\n\r\nä\r\n", 99, Some(Return::Full), (true, true, "A: x\r\n\r\nä\r\n")),
            ("A: ä\r\n\r\nx\r\n", 99, Some(Return::Full), (false, true, "A: ä\r\n")),
            (&long, 50, Some(Return::Full), (false, false, "Subject: x\r\n")),
            ("A: x\r\nB: y\r\n\r\n", 9, None, (false, false, "A: x\r\n")),
            ("", 0, None, (true, false, "")),
        ] {
            let front = &message.as_bytes()[..message.len().min(front)];
            let returned = Returned::choose(front, &facts(message.as_bytes()), wanted);
            let found = (returned.is_whole, returned.is_8bit, &returned.bytes[..]);
            assert_eq!(found, (expected.0, expected.1, expected.2.as_bytes()), "{message:?}");
        }
    }

    #[test]
    fn nothing_that_others_say_breaks_out_of_its_place() {
        let (hostname, id) = (Word::from_static("mail.example"), "a-1".parse().unwrap());
        let to = "ann@example.net".parse().unwrap();
        let odd = Recipient::new("\"x y\"@bücher.example".parse().unwrap());
        let odd = odd.with_original(Word::from_static("rfc822"), "中 文");
        let status = Status::new(4, 4, 1, format!("a\r\n\r\n--=_a-1\r\n{}", "z".repeat(400)));
        let message = b"Subject: --=_a-1\r\n\r\n--=_a-1--\r\n--=_a-1_1\r\n";
        let report = Report::new(&hostname, &id, &to, [0, 0, 0])
            .about(&odd, Action::Delayed, Some(&status), 0)
            .returning(Returned::choose(message, &facts(message), None));
        let text = String::from_utf8(report.encode()).unwrap();
        assert!(text.is_ascii(), "{text}");
        assert!(
            text.contains("Final-Recipient: utf-8; \"x y\"@b\\x{FC}cher.example\r\n"),
            "{text}"
        );
        assert!(text.contains("Original-Recipient: rfc822;\\x{4E2D} \\x{6587}\r\n"), "{text}");
        assert_eq!(text.matches("\r\n--=_a-1_2").count(), 4, "{text}");
        assert!(text.lines().all(|line| line.len() < 998), "{text}");
        assert!(!text.contains("a\r\n\r\n--=_a-1\r\n"));
    }

    proptest! {
        /// A report is a report, whatever a server has said and whatever the message is.
        #[test]
        fn a_report_has_three_parts(
            said in ".{0,600}",
            parts in prop::collection::vec(prop::sample::select(&["--=_a-1", "\r\n", "ä", "x", "_1", "A: b\r\n", "--"][..]), 0..30),
            wants_header: bool,
        ) {
            let (hostname, id) = (Word::from_static("mail.example"), "a-1".parse().unwrap());
            let to = "ann@example.net".parse().unwrap();
            let bob = Recipient::new("bob@example.org".parse().unwrap());
            let status = Status::new(5, 1, 1, &said).said_by(&said);
            let message = parts.concat().into_bytes();
            let returned = Returned::choose(&message, &facts(&message), wants_header.then_some(Return::Headers));
            let report = Report::new(&hostname, &id, &to, [0, 1, 2])
                .envelope_id(Some(&said))
                .about(&bob, Action::Failed, Some(&status), 0)
                .returning(returned);
            let boundary = format!("--{}", report.boundary());
            let bytes = report.encode();
            let text = String::from_utf8_lossy(&bytes);
            let at: Vec<_> = text.match_indices(&boundary).map(|found| found.0).collect();
            prop_assert_eq!(at.len(), 4);
            let ours = &text[..at[2]];
            prop_assert!(ours.is_ascii() && !ours.contains('\0'));
            prop_assert!(ours.split("\r\n").all(|line| line.len() < 998 && !line.contains(['\r', '\n'])));
            prop_assert_eq!(ours.matches("\r\nFinal-Recipient: ").count(), 1);
            prop_assert_eq!(ours.split_once("\r\n\r\n").unwrap().0.matches("\r\nTo: ").count(), 1);
        }
    }

    #[test]
    fn long_lines_are_folded_and_no_line_is_of_spaces() {
        for text in [
            "x",
            "",
            "a b",
            &"word ".repeat(60),
            &"x".repeat(3_000),
            &" ".repeat(500),
            &format!("Name: {}", "y".repeat(2_000)),
        ] {
            let mut out = String::new();
            fold(&mut out, text, "\r\n ");
            assert!(
                out.ends_with("\r\n") && out.split("\r\n").all(|line| line.len() <= LINE_MAX + 1)
            );
            assert!(!out.contains("\r\n \r\n"), "{out:?}");
            assert_eq!(out.replace([' ', '\r', '\n'], ""), text.replace(' ', ""), "{text:?}");
        }
    }
}
