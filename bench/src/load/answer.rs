//! Checks answers of HTTP: [`Checker`]. Each has to be a 200 with the expected body, and with the same head as the first but for its date.
//! Pure.

use std::mem;
use std::ops::Range;

use anyhow::{Context, Result, bail, ensure};

/// The longest head that is taken.
const HEAD_MAX: usize = 4 * 1024;

/// What answers have to be.
#[derive(Debug)]
pub(crate) struct Expected {
    pub(crate) body: Vec<u8>,
    /// The first head that was seen, and where the value of its date is.
    head: Option<(Vec<u8>, Range<usize>)>,
}

/// How far the answers of a connection have come.
#[derive(Debug, Default)]
pub(crate) struct Checker {
    head: Vec<u8>,
    /// In a body, this much of it has come.
    body: Option<usize>,
}

impl Expected {
    pub(crate) fn new(body: Vec<u8>) -> Self {
        Self { body, head: None }
    }

    /// Whether the data begins with a head like the first; its length.
    fn is_known(&self, data: &[u8]) -> Option<usize> {
        let (head, date) = self.head.as_ref()?;
        let begun = data.get(..head.len())?;
        let is_same =
            begun[..date.start] == head[..date.start] && begun[date.end..] == head[date.end..];
        is_same.then_some(head.len())
    }

    /// Checks a head that was not seen before.
    fn learn(&mut self, head: Vec<u8>) -> Result<()> {
        let mut fields = [httparse::EMPTY_HEADER; 32];
        let mut parsed = httparse::Response::new(&mut fields);
        let status = parsed.parse(&head).context("the head is malformed")?;
        ensure!(
            status.is_complete() && parsed.code == Some(200),
            "the status is {:?}",
            parsed.code
        );
        let mut date = 0..0;
        let mut length = None;
        for field in &*parsed.headers {
            let is = |name: &str| field.name.eq_ignore_ascii_case(name);
            if is("content-length") {
                length = std::str::from_utf8(field.value)?.parse().ok();
            } else if is("date") {
                let start = field.value.as_ptr() as usize - head.as_ptr() as usize;
                date = start..start + field.value.len();
            }
            ensure!(
                !is("transfer-encoding") && !is("connection") || field.value == b"keep-alive",
                "an answer in chunks, or the last"
            );
        }
        ensure!(length == Some(self.body.len()), "the length is {length:?}");
        self.head = Some((head, date));
        Ok(())
    }
}

impl Checker {
    /// Checks what has come; how many answers it has completed.
    pub(crate) fn check(&mut self, mut data: &[u8], expected: &mut Expected) -> Result<usize> {
        let mut completed = 0;
        loop {
            let Some(at) = self.body else {
                if data.is_empty() {
                    return Ok(completed);
                }
                data = self.take_head(data, expected)?;
                continue;
            };
            let len = data.len().min(expected.body.len() - at);
            let (part, behind) = data.split_at(len);
            ensure!(*part == expected.body[at..at + len], "bytes {at}..+{len} of a body are wrong");
            self.body = Some(at + len);
            data = behind;
            if at + len < expected.body.len() {
                return Ok(completed);
            }
            self.body = None;
            completed += 1;
        }
    }

    /// Takes a head, or a part of one; what is behind it.
    fn take_head<'a>(&mut self, data: &'a [u8], expected: &mut Expected) -> Result<&'a [u8]> {
        if self.head.is_empty()
            && let Some(len) = expected.is_known(data)
        {
            self.body = Some(0);
            return Ok(&data[len..]);
        }
        let before = self.head.len();
        let more = data.len().min(HEAD_MAX.saturating_sub(before));
        self.head.extend_from_slice(&data[..more]);
        let Some(end) = memchr::memmem::find(&self.head, b"\r\n\r\n").map(|at| at + 4) else {
            if self.head.len() == HEAD_MAX {
                bail!("a head is longer than {HEAD_MAX} bytes");
            }
            return Ok(&data[more..]);
        };
        self.head.truncate(end);
        let head = mem::take(&mut self.head);
        if expected.is_known(&head).is_none() {
            expected.learn(head)?;
        }
        self.body = Some(0);
        Ok(&data[end - before..])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FIRST: &str =
        "HTTP/1.1 200 OK\r\nDate: Sun, 06 Nov 1994 08:49:37 GMT\r\ncontent-length: 3\r\n\r\nabc";
    const SECOND: &str =
        "HTTP/1.1 200 OK\r\nDate: Sun, 06 Nov 1994 08:49:38 GMT\r\ncontent-length: 3\r\n\r\nabc";

    fn check(text: &str, piece: usize) -> Result<usize> {
        let (mut checker, mut expected) = (Checker::default(), Expected::new(b"abc".to_vec()));
        text.as_bytes().chunks(piece).map(|piece| checker.check(piece, &mut expected)).sum()
    }

    #[test]
    fn answers_are_counted_however_they_come() -> Result<()> {
        let text = [FIRST, SECOND, FIRST].concat();
        for piece in 1..=text.len() {
            assert_eq!(check(&text, piece)?, 3, "{piece}");
        }
        assert_eq!(check(&text[..text.len() - 1], 7)?, 2);
        Ok(())
    }

    #[test]
    fn wrong_answers_are_noticed() {
        let wrong = [
            FIRST.replace("abc", "abd"),
            FIRST.replace("200 OK", "404 Not Found"),
            FIRST.replace("length: 3", "length: 2"),
            FIRST.replace("content-length: 3", "transfer-encoding: chunked"),
            FIRST.replace("\r\n\r\n", "\r\nConnection: close\r\n\r\n"),
            [FIRST, "x"].concat() + SECOND,
            FIRST[1..].to_owned(),
            "x".repeat(5_000),
        ];
        for text in wrong {
            for piece in [1, 10, 10_000] {
                assert!(check(&text, piece).is_err(), "{text:?}");
            }
        }
    }
}
