//! What is said in SMTP, POP3 and IMAP: [`Script`]s, and the answers to them, every byte of which is checked.

use anyhow::{Result, ensure};
use bench::mail::{MESSAGES, PASSWORD, message, user};

use crate::dialog::{Answer, Script, Step};

/// Sends a message to a server in two pieces: MAIL, RCPT and DATA, then the text.
#[derive(Debug)]
pub(crate) struct Smtp;

/// Fetches messages by RETR, several in one piece.
#[derive(Debug)]
pub(crate) struct Pop3;

/// Fetches messages by FETCH, several with each command.
#[derive(Debug)]
pub(crate) struct Imap;

/// The same, then IDLE instead.
#[derive(Debug)]
pub(crate) struct ImapIdle;

impl Script for Smtp {
    fn opening(&self, _: usize) -> Vec<Step> {
        vec![replies("", "2"), replies("EHLO load.example\r\n", "2")]
    }

    fn round(&self, _: usize, first: u64, messages: usize) -> Vec<Step> {
        let number = |at: usize| 1 + (first as usize + at) % MESSAGES;
        let envelope = "MAIL FROM:<ann@example.net>\r\nRCPT TO:<bob@example.org>\r\nDATA\r\n";
        let steps = |at| {
            let mut text = message(number(at));
            text.extend_from_slice(b".\r\n");
            [replies(envelope, "223"), Step { send: text, answer: Box::new(Replies("2")) }]
        };
        (0..messages).flat_map(steps).collect()
    }
}

impl Script for Pop3 {
    fn opening(&self, connection: usize) -> Vec<Step> {
        let user = format!("USER {}\r\n", user(connection));
        vec![lines("", "+OK"), lines(&user, "+OK"), lines(&format!("PASS {PASSWORD}\r\n"), "+OK")]
    }

    fn round(&self, _: usize, first: u64, messages: usize) -> Vec<Step> {
        let numbers = numbers(first, messages);
        let send = numbers.iter().map(|number| format!("RETR {number}\r\n")).collect::<String>();
        vec![Step { send: send.into_bytes(), answer: Box::new(Texts { numbers, at: 0, found: 0 }) }]
    }
}

impl Script for Imap {
    fn opening(&self, connection: usize) -> Vec<Step> {
        vec![
            lines("", "* OK"),
            tagged(&format!("a LOGIN {} {PASSWORD}\r\n", user(connection))),
            tagged("a SELECT INBOX\r\n"),
        ]
    }

    fn round(&self, _: usize, first: u64, messages: usize) -> Vec<Step> {
        let numbers = numbers(first, messages);
        let set = numbers.iter().map(usize::to_string).collect::<Vec<_>>().join(",");
        let send = format!("a FETCH {set} BODY.PEEK[]\r\n").into_bytes();
        vec![Step { send, answer: Box::new(Fetched { numbers, at: 0, found: 0 }) }]
    }
}

impl Script for ImapIdle {
    fn opening(&self, connection: usize) -> Vec<Step> {
        let mut steps = Imap.opening(connection);
        steps.push(lines("a IDLE\r\n", "+ "));
        steps
    }

    fn round(&self, _: usize, _: u64, _: usize) -> Vec<Step> {
        vec![tagged("DONE\r\n"), lines("a IDLE\r\n", "+ ")]
    }
}

/// The numbers of messages, from 1 on, each after the last and the first after all.
fn numbers(first: u64, count: usize) -> Vec<usize> {
    (0..count).map(|at| 1 + (first as usize + at) % MESSAGES).collect()
}

fn replies(send: &str, kinds: &'static str) -> Step {
    Step { send: send.into(), answer: Box::new(Replies(kinds)) }
}

fn lines(send: &str, start: &'static str) -> Step {
    Step { send: send.into(), answer: Box::new(Line(start)) }
}

fn tagged(send: &str) -> Step {
    Step { send: send.into(), answer: Box::new(Tagged) }
}

/// Replies of SMTP with these first digits.
#[derive(Debug)]
struct Replies(&'static str);

impl Answer for Replies {
    fn check(&mut self, received: &[u8]) -> Result<Option<usize>> {
        let mut at = 0;
        for kind in self.0.bytes() {
            loop {
                let Some(line) = line(&received[at..]) else { return Ok(None) };
                ensure!(line.first() == Some(&kind), "not {kind}yz: {}", line.escape_ascii());
                at += line.len();
                if line.get(3) != Some(&b'-') {
                    break;
                }
            }
        }
        Ok(Some(at))
    }
}

/// A line that begins so.
#[derive(Debug)]
struct Line(&'static str);

impl Answer for Line {
    fn check(&mut self, received: &[u8]) -> Result<Option<usize>> {
        let Some(line) = line(received) else { return Ok(None) };
        ensure!(line.starts_with(self.0.as_bytes()), "not {}: {}", self.0, line.escape_ascii());
        Ok(Some(line.len()))
    }
}

/// Lines up to that with the tag, which is `a`.
#[derive(Debug)]
struct Tagged;

impl Answer for Tagged {
    fn check(&mut self, received: &[u8]) -> Result<Option<usize>> {
        let mut at = 0;
        while let Some(line) = line(&received[at..]) {
            at += line.len();
            if line.starts_with(b"a ") {
                ensure!(line.starts_with(b"a OK"), "{}", line.escape_ascii());
                return Ok(Some(at));
            }
        }
        Ok(None)
    }
}

/// Answers to RETR.
#[derive(Debug)]
struct Texts {
    numbers: Vec<usize>,
    /// How many were found, and where the next begins.
    found: usize,
    at: usize,
}

impl Answer for Texts {
    fn check(&mut self, received: &[u8]) -> Result<Option<usize>> {
        while let Some(number) = self.numbers.get(self.found) {
            let Some(status) = line(&received[self.at..]) else { return Ok(None) };
            ensure!(status.starts_with(b"+OK"), "{}", status.escape_ascii());
            let (text, rest) = (message(*number), &received[self.at + status.len()..]);
            let Some(answer) = rest.get(..text.len() + 3) else { return Ok(None) };
            ensure!(
                answer.starts_with(&text) && answer.ends_with(b".\r\n"),
                "not message {number}"
            );
            self.at += status.len() + answer.len();
            self.found += 1;
        }
        Ok(Some(self.at))
    }
}

/// The answer to a FETCH of whole messages.
#[derive(Debug)]
struct Fetched {
    numbers: Vec<usize>,
    /// How many were found, and where the next begins.
    found: usize,
    at: usize,
}

impl Answer for Fetched {
    fn check(&mut self, received: &[u8]) -> Result<Option<usize>> {
        while let Some(number) = self.numbers.get(self.found) {
            let Some(head) = line(&received[self.at..]) else { return Ok(None) };
            let text = message(*number);
            let expected = format!("* {number} FETCH (");
            ensure!(
                head.starts_with(expected.as_bytes())
                    && head.ends_with(format!("BODY[] {{{}}}\r\n", text.len()).as_bytes()),
                "not message {number}: {}",
                head.escape_ascii()
            );
            let rest = &received[self.at + head.len()..];
            let Some(literal) = rest.get(..text.len()) else { return Ok(None) };
            ensure!(literal == text, "not message {number}");
            let Some(end) = line(&rest[text.len()..]) else { return Ok(None) };
            self.at += head.len() + text.len() + end.len();
            self.found += 1;
        }
        let Some(end) = line(&received[self.at..]) else { return Ok(None) };
        ensure!(end.starts_with(b"a OK"), "{}", end.escape_ascii());
        Ok(Some(self.at + end.len()))
    }
}

/// The first line, with its end.
fn line(received: &[u8]) -> Option<&[u8]> {
    memchr::memchr(b'\n', received).map(|end| &received[..=end])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(step: &mut Step, received: &[u8]) -> Option<usize> {
        step.answer.check(received).ok().flatten()
    }

    #[test]
    fn answers_are_complete_with_their_last_byte() {
        let fetched = |number: usize| {
            let text = message(number);
            let head = format!("* {number} FETCH (FLAGS (\\Seen) BODY[] {{{}}}\r\n", text.len());
            [head.as_bytes(), &text, b")\r\n"].concat()
        };
        let retrieved = |number| [b"+OK\r\n".to_vec(), message(number), b".\r\n".to_vec()].concat();
        let (first, second) = (MESSAGES as u64 - 1, 2);
        let cases = [
            (Smtp.round(0, 0, 1).remove(0), b"250-a\r\n250 b\r\n250 c\r\n354 d\r\n".to_vec()),
            (Pop3.round(0, first, second).remove(0), [retrieved(MESSAGES), retrieved(1)].concat()),
            (
                Imap.round(0, first, second).remove(0),
                [fetched(MESSAGES), fetched(1), b"a OK done\r\n".to_vec()].concat(),
            ),
            (tagged(""), b"* a OK\r\na OK\r\n".to_vec()),
        ];
        for (mut step, received) in cases {
            assert_eq!(check(&mut step, &received[..received.len() - 1]), None);
            assert_eq!(check(&mut step, &received), Some(received.len()), "{step:?}");
        }
        for (mut step, received) in [
            (Pop3.round(0, 0, 1).remove(0), retrieved(2)),
            (Imap.round(0, 0, 1).remove(0), fetched(2)),
            (tagged(""), b"a NO\r\n".to_vec()),
            (Smtp.round(0, 0, 1).remove(1), b"450 later\r\n".to_vec()),
        ] {
            assert!(step.answer.check(&received).is_err(), "{step:?}");
        }
    }
}
