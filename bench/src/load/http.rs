//! Requests of HTTP on connections that are kept: each has a number of them in flight, and each answer is checked.

use std::collections::VecDeque;
use std::io::{ErrorKind, Read, Write};
use std::time::Instant;

use anyhow::{Context, Result, bail, ensure};
use bench::http::request;
use bench::outcome::Outcome;
use mio::net::TcpStream;
use mio::{Events, Interest, Poll, Token};

use crate::SILENCE_MAX;
use crate::answer::{Checker, Expected};
use crate::budget::Budget;
use crate::dialer::Dialer;
use crate::meter::Meter;

const BUFFER_LEN: usize = 256 * 1024;

/// Connections opened before the first of them must have been answered: fewer than any server's backlog.
const OPENING_MAX: usize = 100;

#[derive(Debug)]
pub(crate) struct Http {
    poll: Poll,
    connections: Vec<Connection>,
    /// As many requests as a connection may have in flight.
    requests: Vec<u8>,
    request_len: usize,
    outstanding: usize,
    expected: Expected,
}

impl Http {
    /// Opens the connections, a group at a time; each gets one answer.
    pub(crate) fn open(
        mut dialer: Dialer,
        count: usize,
        outstanding: usize,
        path: &str,
        body: Vec<u8>,
    ) -> Result<Self> {
        let request = request(path, dialer.server());
        let mut http = Self {
            poll: Poll::new()?,
            connections: Vec::with_capacity(count),
            requests: request.repeat(outstanding),
            request_len: request.len(),
            outstanding: 1,
            expected: Expected::new(body),
        };
        while http.connections.len() < count {
            let first = http.connections.len();
            for number in first..count.min(first + OPENING_MAX) {
                let mut socket = dialer
                    .dial_abortive()
                    .with_context(|| format!("cannot open connection {number}"))?;
                let both = Interest::READABLE | Interest::WRITABLE;
                http.poll.registry().register(&mut socket, Token(number), both)?;
                http.connections.push(Connection::new(number, socket));
            }
            http.run_from(first, Budget::messages((http.connections.len() - first) as u64))?;
        }
        http.outstanding = outstanding;
        Ok(http)
    }

    /// One window: fills every connection, follows each answer by a request while the budget lasts, and ends when all answers are there.
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
            connection.send(count, &self.requests, self.request_len, now)?;
            in_flight += count;
        }
        while in_flight > 0 {
            match self.poll.poll(&mut events, Some(SILENCE_MAX)) {
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                result => result?,
            }
            ensure!(
                !events.is_empty(),
                "no answer for {SILENCE_MAX:?}, {in_flight} requests in flight"
            );
            for event in &events {
                let connection = &mut self.connections[event.token().0];
                let now = Instant::now();
                let answered =
                    connection.receive(&mut buffer, &mut self.expected, &mut meter, now)?;
                let count = budget.take(answered, now);
                connection.send(count, &self.requests, self.request_len, now)?;
                in_flight = in_flight - answered + count;
            }
        }
        Ok(meter.outcome(0))
    }
}

#[derive(Debug)]
struct Connection {
    number: usize,
    socket: TcpStream,
    /// Bytes of requests that are still to be sent.
    due: usize,
    sent_at: VecDeque<Instant>,
    checker: Checker,
}

impl Connection {
    fn new(number: usize, socket: TcpStream) -> Self {
        Self { number, socket, due: 0, sent_at: VecDeque::new(), checker: Checker::default() }
    }

    /// Queues `count` requests, and writes as much as the kernel takes.
    fn send(
        &mut self,
        count: usize,
        requests: &[u8],
        request_len: usize,
        now: Instant,
    ) -> Result<()> {
        self.sent_at.extend((0..count).map(|_| now));
        self.due += count * request_len;
        while self.due > 0 {
            // What is due ends with a request: so does what is written.
            let start = requests.len() - self.due.min(requests.len());
            match self.socket.write(&requests[start..]) {
                Ok(len) => self.due -= len,
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

    /// Reads and checks what has come; how many answers it completed.
    fn receive(
        &mut self,
        buffer: &mut [u8],
        expected: &mut Expected,
        meter: &mut Meter,
        now: Instant,
    ) -> Result<usize> {
        let mut completed = 0;
        loop {
            let len = match self.socket.read(buffer) {
                Ok(0) => bail!("the server closed connection {}", self.number),
                Ok(len) => len,
                Err(error)
                    if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::NotConnected) =>
                {
                    break;
                }
                Err(error) => return Err(self.fault(error)),
            };
            let checked = self.checker.check(&buffer[..len], expected);
            completed += checked.with_context(|| format!("connection {}", self.number))?;
            // A short read has drained the socket; a close causes another event.
            if len < buffer.len() {
                break;
            }
        }
        ensure!(
            completed <= self.sent_at.len(),
            "connection {}: an answer to no request",
            self.number
        );
        for sent in self.sent_at.drain(..completed) {
            meter.record(sent, now);
        }
        Ok(completed)
    }

    fn fault(&self, error: std::io::Error) -> anyhow::Error {
        anyhow::Error::new(error).context(format!("connection {}", self.number))
    }
}
