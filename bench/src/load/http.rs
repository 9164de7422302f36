//! HTTP/1.1: every connection keeps a number of requests in flight, and every answer is checked.
//!
//! The first answer of a connection is read by the rules of the protocol; those after it have to be the same, but for the date.

use std::collections::VecDeque;
use std::io::{ErrorKind, Read, Write};
use std::ops::Range;
use std::time::Instant;

use anyhow::{Context, Result, bail, ensure};
use bench::outcome::Outcome;
use mio::net::TcpStream;
use mio::{Events, Interest, Poll, Token};

use crate::SILENCE_MAX;
use crate::budget::Budget;
use crate::dialer::Dialer;
use crate::meter::Meter;

const BUFFER_LEN: usize = 64 * 1024;

/// As a browser's request, but shorter: what is measured is the server.
const REQUEST: &[u8] =
    b"GET /plain?a=b HTTP/1.1\r\nHost: 127.0.0.1:8000\r\nUser-Agent: load/1\r\nAccept: */*\r\n\r\n";

/// What every contestant answers.
const BODY: &[u8] = b"hello, world\n";

/// Connections opened before the first of them must have been answered: fewer than any server's backlog.
const OPENING_MAX: usize = 100;

#[derive(Debug)]
pub(crate) struct Http {
    poll: Poll,
    connections: Vec<Connection>,
    outstanding: usize,
}

impl Http {
    /// Opens the connections, a group at a time; each is answered once.
    pub(crate) fn open(mut dialer: Dialer, count: usize, outstanding: usize) -> Result<Self> {
        let mut http =
            Self { poll: Poll::new()?, connections: Vec::with_capacity(count), outstanding: 1 };
        while http.connections.len() < count {
            let first = http.connections.len();
            for stream in first..count.min(first + OPENING_MAX) {
                let mut socket = dialer
                    .dial_abortive()
                    .with_context(|| format!("cannot open connection {stream}"))?;
                let both = Interest::READABLE | Interest::WRITABLE;
                http.poll.registry().register(&mut socket, Token(stream), both)?;
                http.connections.push(Connection::new(stream, socket));
            }
            http.run_from(first, Budget::messages((http.connections.len() - first) as u64))?;
        }
        http.outstanding = outstanding;
        Ok(http)
    }

    /// One window: fills every connection, follows each answer by a request while the budget lasts.
    pub(crate) fn run(&mut self, budget: Budget) -> Result<Outcome> {
        self.run_from(0, budget)
    }

    fn run_from(&mut self, first: usize, mut budget: Budget) -> Result<Outcome> {
        let mut events = Events::with_capacity(1024);
        let mut buffer = vec![0; BUFFER_LEN];
        let mut meter = Meter::new(Instant::now())?;
        let mut in_flight = 0;
        for connection in &mut self.connections[first..] {
            let now = Instant::now();
            let count = budget.take(self.outstanding, now);
            connection.send(count, now)?;
            in_flight += count;
        }
        while in_flight > 0 {
            match self.poll.poll(&mut events, Some(SILENCE_MAX)) {
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                result => result?,
            }
            ensure!(!events.is_empty(), "no answer for {SILENCE_MAX:?}, {in_flight} in flight");
            for event in &events {
                let connection = &mut self.connections[event.token().0];
                let now = Instant::now();
                let received = connection.receive(&mut buffer, &mut meter, now)?;
                let count = budget.take(received, now);
                connection.send(count, now)?;
                in_flight = in_flight - received + count;
            }
        }
        Ok(meter.outcome(0))
    }
}

#[derive(Debug)]
struct Connection {
    stream: usize,
    socket: TcpStream,
    /// What is left to be sent.
    due: Vec<u8>,
    /// What has come of answers that are not whole.
    received: Vec<u8>,
    /// The first answer, and where its date is.
    answer: Option<(Vec<u8>, Range<usize>)>,
    sent_at: VecDeque<Instant>,
}

impl Connection {
    fn new(stream: usize, socket: TcpStream) -> Self {
        let (due, received, sent_at) = (Vec::new(), Vec::new(), VecDeque::new());
        Self { stream, socket, due, received, answer: None, sent_at }
    }

    /// Queues requests, and writes as much as the kernel takes.
    fn send(&mut self, count: usize, now: Instant) -> Result<()> {
        for _ in 0..count {
            self.sent_at.push_back(now);
            self.due.extend_from_slice(REQUEST);
        }
        while !self.due.is_empty() {
            match self.socket.write(&self.due) {
                Ok(len) => drop(self.due.drain(..len)),
                // Not connected yet, or no room: a writable event follows.
                Err(error)
                    if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::NotConnected) =>
                {
                    break;
                }
                Err(error) => return Err(self.fault(error)),
            }
        }
        Ok(())
    }

    /// Reads and checks; returns how many answers were completed.
    fn receive(&mut self, buffer: &mut [u8], meter: &mut Meter, now: Instant) -> Result<usize> {
        let mut completed = 0;
        loop {
            let len = match self.socket.read(buffer) {
                Ok(0) => bail!("the server closed connection {}", self.stream),
                Ok(len) => len,
                Err(error)
                    if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::NotConnected) =>
                {
                    break;
                }
                Err(error) => return Err(self.fault(error)),
            };
            self.received.extend_from_slice(&buffer[..len]);
            completed += self.take_answers()?;
            // A short read has drained the socket; a close causes another event.
            if len < buffer.len() {
                break;
            }
        }
        ensure!(completed <= self.sent_at.len(), "connection {}: too many answers", self.stream);
        for sent in self.sent_at.drain(..completed) {
            meter.record(sent, now);
        }
        Ok(completed)
    }

    fn take_answers(&mut self) -> Result<usize> {
        let (mut used, mut count) = (0, 0);
        loop {
            let rest = &self.received[used..];
            let len = match &self.answer {
                Some((answer, date)) if rest.len() >= answer.len() => {
                    let got = &rest[..answer.len()];
                    let is_same = got[..date.start] == answer[..date.start]
                        && got[date.end..] == answer[date.end..];
                    ensure!(
                        is_same,
                        "connection {}: another answer: {}",
                        self.stream,
                        got.escape_ascii()
                    );
                    answer.len()
                }
                Some(_) => break,
                None => match first_answer(rest)? {
                    Some((len, date)) => {
                        self.answer = Some((rest[..len].to_vec(), date));
                        len
                    }
                    None => break,
                },
            };
            used += len;
            count += 1;
        }
        self.received.drain(..used);
        Ok(count)
    }

    fn fault(&self, error: std::io::Error) -> anyhow::Error {
        anyhow::Error::new(error).context(format!("connection {}", self.stream))
    }
}

/// How long an answer is, and where its date is; `None` if it is not whole.
fn first_answer(received: &[u8]) -> Result<Option<(usize, Range<usize>)>> {
    let Some(head) = received.windows(4).position(|end| end == b"\r\n\r\n") else {
        return Ok(None);
    };
    let text = std::str::from_utf8(&received[..head])?;
    let mut lines = text.split("\r\n");
    let status = lines.next().unwrap_or_default();
    ensure!(status == "HTTP/1.1 200 OK", "{status}");
    let (mut length, mut date) = (None, 0..0);
    for line in lines {
        let (name, value) = line.split_once(": ").context("a line without a colon")?;
        if name.eq_ignore_ascii_case("content-length") {
            length = Some(value.parse::<usize>()?);
        } else if name.eq_ignore_ascii_case("date") {
            let start = value.as_ptr() as usize - received.as_ptr() as usize;
            date = start..start + value.len();
        }
    }
    ensure!(!date.is_empty(), "an answer without a date: {text}");
    let length = length.with_context(|| format!("an answer without a length: {text}"))?;
    let end = head + 4 + length;
    match received.get(head + 4..end) {
        None => Ok(None),
        Some(body) => {
            ensure!(body == BODY, "another body: {}", body.escape_ascii());
            Ok(Some((end, date)))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_an_answer() {
        let answer = b"HTTP/1.1 200 OK\r\nDate: now\r\ncontent-length: 13\r\n\r\nhello, world\n";
        assert_eq!(first_answer(answer).unwrap(), Some((answer.len(), 23..26)));
        for len in 0..answer.len() {
            assert_eq!(first_answer(&answer[..len]).unwrap(), None, "{len}");
        }
        for bad in [
            "HTTP/1.1 404 Not Found\r\nDate: now\r\nContent-Length: 0\r\n\r\n",
            "HTTP/1.1 200 OK\r\nContent-Length: 13\r\n\r\nhello, world\n",
            "HTTP/1.1 200 OK\r\nDate: now\r\n\r\nhello, world\n",
            "HTTP/1.1 200 OK\r\nDate: now\r\nContent-Length: 13\r\n\r\nhello, world!",
        ] {
            assert!(first_answer(bad.as_bytes()).is_err(), "{bad}");
        }
    }
}
